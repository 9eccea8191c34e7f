import Foundation
import Identity
import MailModel
import SOAP

/// Sending: the octets are made once, kept in the outbox, and sent until the server's Receipt was verified.
extension MailClient {
    /// Sends a draft.
    /// - Throws: `unacknowledged` (transient) when the message stays in the outbox; `refused` when the server will never
    ///   take it: then it lies in the folder of refused messages.
    public func send(_ draft: Draft) async throws(MailClientError) -> SentMessage {
        let entry = try compose(draft)
        try outbox.add(entry)
        return try await submit(entry)
    }

    /// Makes the message, without sending it.
    func compose(_ draft: Draft) throws(MailClientError) -> OutboxEntry {
        let now = clock()
        let message = try draft.message(from: account.address, now: now)
        guard draft.isSigned else {
            do { return OutboxEntry(message: try SealedMessage(message), bcc: draft.bcc, created: now) } catch {
                throw MailClientError(error)
            }
        }
        guard let identity = account.identity else {
            throw MailClientError(
                .keyRefused, "there is no key to sign with",
                advice: "Enrol one: wsemail account add \(account.address) --renew")
        }
        do {
            let signer = AuthorSignature.signer(identity.key, identity.certificate)
            return OutboxEntry(message: try SealedMessage(message, author: signer), bcc: draft.bcc, created: now)
        } catch {
            throw MailClientError(error)
        }
    }

    /// Messages that wait in the outbox.
    public func waiting() throws(MailClientError) -> [OutboxEntry] { try outbox.entries() }

    /// Sends what earlier commands could not. Stops at the first sign that the server is not there.
    public func retryOutbox() async throws(MailClientError) -> OutboxReport {
        var report = OutboxReport()
        let entries = try outbox.entries()
        for (index, entry) in entries.enumerated() {
            do throws(MailClientError) {
                report.sent.append(try await deliver(entry))
            } catch  where error.code == .refused && !error.isTransient {
                let path = try outbox.refuse(entry, reason: error.reason)
                report.refused.append(OutboxReport.Refusal(entry: entry, error: error, path: path))
            } catch {
                report.waiting = Array(entries[index...])
                report.error = error
                break
            }
        }
        return report
    }

    private func submit(_ entry: OutboxEntry) async throws(MailClientError) -> SentMessage {
        do throws(MailClientError) {
            return try await deliver(entry)
        } catch  where error.code == .refused && !error.isTransient {
            let path = try outbox.refuse(entry, reason: error.reason)
            let advice = [error.advice, "The message was not sent; its text is kept in \(path)."].compactMap { $0 }
            throw MailClientError(
                .refused, error.reason, advice: advice.joined(separator: " "), fault: error.fault)
        } catch {
            let kept = "The message is kept and sent again by the next wsemail command."
            throw MailClientError(
                error.code, error.reason, advice: [error.advice, kept].compactMap { $0 }.joined(separator: " "),
                fault: error.fault, isTransient: true)
        }
    }

    /// One attempt, until the Receipt is verified and the entry gone.
    private func deliver(_ entry: OutboxEntry) async throws(MailClientError) -> SentMessage {
        let reply = try await server.call(
            .send, SendOperation.Request(message: entry.message, bcc: entry.bcc), reply: SendOperation.Response.self,
            timeout: .seconds(300))
        let receipt: SealedReceipt
        do {
            receipt = try SealedReceipt(octets: reply.receipt)
            try check(receipt.receipt, answers: entry)
            try await receipt.verify(keys: trust)
        } catch {
            let failure = MailClientError(error)
            throw MailClientError(
                .unacknowledged, "the server's receipt does not count: \(failure.reason)", advice: failure.advice,
                isTransient: true)
        }
        try outbox.remove(entry.id)
        return SentMessage(entry: entry, receipt: receipt)
    }

    private func check(_ receipt: Receipt, answers entry: OutboxEntry) throws(MailClientError) {
        guard receipt.messageID == entry.id, receipt.digest == entry.message.digest else {
            throw MailClientError(.notVerified, "it is for another message")
        }
        guard receipt.domain == account.address.domain, receipt.audience == receipt.domain, receipt.postmarkDigest == nil
        else { throw MailClientError(.notVerified, "it is not a receipt of your own domain") }
        let named = Set(receipt.recipients.map(\.address))
        guard named.isSuperset(of: entry.recipients) else {
            throw MailClientError(.notVerified, "it does not name every recipient")
        }
    }
}
