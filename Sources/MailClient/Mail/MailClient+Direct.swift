import Identity
import MailModel
import SOAP

/// Handing a message in at its recipients' own server, with a token of ours instead of our server in between (paper §2).
extension MailClient {
    /// Sends a draft directly. Nothing is kept: not in the outbox, and there is no copy in Sent; only what was refused to all of its
    /// recipients lies with the refused messages.
    ///
    /// The receiving server vouches for it to its own users only; who wants to prove it elsewhere sends by way of their own server.
    /// - Throws: `invalidInput` unless all recipients are of one other domain, and without files or blind copies; `refused` with what
    ///   that server says; `unacknowledged` (transient) where nobody knows whether it arrived.
    public func sendDirectly(_ draft: Draft) async throws(MailClientError) -> SentMessage {
        let domains = Set((draft.to + draft.cc).map(\.address.domain))
        guard let domain = domains.first, domains.count == 1, domain != account.address.domain else {
            throw MailClientError(
                .invalidInput, "sent directly, a message is for people of one other domain", advice: "Leave --direct out.")
        }
        guard draft.bcc.isEmpty, draft.files.isEmpty else {
            throw MailClientError(.invalidInput, "blind copies and files go through your own server: leave --direct out")
        }
        let entry = try compose(draft)
        let visit = try await directly(to: domain)
        let request = SendOperation.Request(message: entry.message)
        let receipt: SealedReceipt
        do {
            let reply = try await visit.caller.call(.send, as: visit.credential, at: visit.destination) { try request.write(into: &$0) }
            receipt = try SealedReceipt(octets: try SendOperation.Response.parse(reply.payload).receipt)
            try await receipt.verify(keys: trust)
        } catch {
            throw Self.failure(error, of: domain)
        }
        let facts = receipt.receipt
        guard facts.messageID == entry.id, facts.digest == entry.message.digest, facts.domain == domain,
            Set(facts.recipients.map(\.address)).isSuperset(of: entry.recipients)
        else {
            throw MailClientError(
                .unacknowledged, "the receipt of \(domain) is not for this message: nobody knows whether it arrived", isTransient: true)
        }
        var sent = SentMessage(entry: entry, receipt: receipt)
        if let words = sent.refusedByAll { sent.keptIn = try outbox.refuse(entry, reason: words) }
        return sent
    }

    /// - Throws: `refused` for a domain that our server does not know: nothing was there to be verified.
    private func directly(to domain: MailDomain) async throws(MailClientError) -> Visit {
        do throws(MailClientError) {
            return try await visit(domain)
        } catch  where error.reason == TrustBook.unknown(domain) {
            throw MailClientError(
                .refused, error.reason,
                advice: "Ask your domain's administrator to trust \(domain), or leave --direct out.", fault: error.fault)
        }
    }
}
