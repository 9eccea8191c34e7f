import Foundation
import Identity
import MailModel
import SOAP

/// Sending: the octets are made once, kept in the outbox, and sent until the server's Receipt was verified.
extension MailClient {
    /// Sends a draft.
    /// - Throws: `invalidInput` when it is larger than the home domain allows: then nothing was kept or sent;
    ///   `unacknowledged` (transient) when the message stays in the outbox; `refused` when the server will never
    ///   take it: then it lies in the folder of refused messages.
    public func send(_ draft: Draft) async throws(MailClientError) -> SentMessage {
        let entry = try compose(draft)
        try SubmissionLimits.check(entry, try await limits(for: entry))
        let lock = try outbox.add(entry)
        defer { lock.release() }
        return try await submit(entry)
    }

    /// What the home domain says that it takes. Only where nothing is known of it, and the message is not small, it is asked.
    private func limits(for entry: OutboxEntry) async throws(MailClientError) -> SubmissionLimits {
        if let known = await trust.homeLimits() { return known }
        guard !SubmissionLimits.modest.allow(entry) else { return .standard }
        guard let knowledge = try? await trust.knowledge(of: account.address.domain) else { return .standard }
        return SubmissionLimits(knowledge.metadata.metadata.limits)
    }

    /// Makes the message, without sending it.
    func compose(_ draft: Draft) throws(MailClientError) -> OutboxEntry {
        let draft = draft.withoutRepeats()
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
    public func waiting() throws(MailClientError) -> [OutboxEntry] { try outbox.content().entries }

    /// Sends what earlier commands could not. Stops at the first sign that the server is not there.
    public func retryOutbox() async throws(MailClientError) -> OutboxReport {
        var report = OutboxReport()
        let (entries, damaged) = try outbox.content()
        for entry in damaged {
            if let aside = try outbox.setAside(entry) { report.damaged.append(aside) }
        }
        for (index, entry) in entries.enumerated() {
            // Another command may be sending it, or have done so meanwhile: then it is that command's to tell.
            guard let lock = try outbox.claim(entry.id) else { continue }
            defer { lock.release() }
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
            let advice = [error.advice, "The message was not sent; its text is kept in \(path)"].compactMap { $0 }
            throw MailClientError(
                .refused, error.reason, advice: advice.joined(separator: "\n"), fault: error.fault)
        } catch {
            let kept = "The message is kept and sent again by the next wsemail command."
            throw MailClientError(
                error.code, error.reason, advice: [error.advice, kept].compactMap { $0 }.joined(separator: "\n"),
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
