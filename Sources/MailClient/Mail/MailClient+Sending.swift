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
    /// - Parameter resumes: a message in the outbox that says the same and still waits for its files is sent on, not sent twice.
    public func send(
        _ draft: Draft, resumes: Bool = true, progress: @escaping TransferProgress = { _ in }
    ) async throws(MailClientError) -> SentMessage {
        let files = try await OutboxFile.read(draft.files, progress)
        if resumes, let (entry, lock) = try unfinished(draft, files) {
            defer { lock.release() }
            return try await submit(entry, progress)
        }
        let entry = try compose(draft, files)
        try SubmissionLimits.check(entry, try await limits(for: entry))
        let lock = try outbox.add(entry)
        defer { lock.release() }
        return try await submit(entry, progress)
    }

    /// The same command again, after its upload was interrupted.
    private func unfinished(
        _ draft: Draft, _ files: [OutboxFile]
    ) throws(MailClientError) -> (entry: OutboxEntry, lock: FileLock)? {
        guard files.contains(where: { !$0.isInline }) else { return nil }
        let draft = draft.withoutRepeats()
        let wanted = try draft.message(from: account.address, now: clock(), read: files)
        for entry in try outbox.content().entries where entry.hasUploads && entry.bcc == draft.bcc {
            var message = entry.message.message
            message.id = wanted.id
            message.date = wanted.date
            guard message == wanted, let lock = try outbox.claim(entry.id) else { continue }
            return (entry, lock)
        }
        return nil
    }

    /// What the home domain says that it takes. Only where nothing is known of it, and the message is not small, it is asked.
    private func limits(for entry: OutboxEntry) async throws(MailClientError) -> SubmissionLimits {
        if let known = await trust.homeLimits() { return known }
        guard !SubmissionLimits.modest.allow(entry) else { return .standard }
        guard let knowledge = try? await trust.knowledge(of: account.address.domain) else { return .standard }
        return SubmissionLimits(knowledge.metadata.metadata.limits)
    }

    /// Makes the message, without sending it.
    /// - Parameter files: the draft's, read and hashed.
    func compose(_ draft: Draft, _ files: [OutboxFile] = []) throws(MailClientError) -> OutboxEntry {
        let draft = draft.withoutRepeats()
        let now = clock()
        let sealed = try seal(try draft.message(from: account.address, now: now, read: files), isSigned: draft.isSigned)
        return OutboxEntry(message: sealed, bcc: draft.bcc, created: now, files: files, terms: draft.terms)
    }

    private func seal(_ message: Message, isSigned: Bool) throws(MailClientError) -> SealedMessage {
        guard isSigned else {
            do { return try SealedMessage(message) } catch { throw MailClientError(error) }
        }
        guard let identity = account.identity else {
            throw MailClientError(
                .keyRefused, "there is no key to sign with",
                advice: "Enrol one: wsemail account add \(account.address) --renew")
        }
        do {
            let signer = AuthorSignature.signer(identity.key, identity.certificate)
            return try SealedMessage(message, author: signer)
        } catch {
            throw MailClientError(error)
        }
    }

    /// Messages that wait in the outbox.
    public func waiting() throws(MailClientError) -> [OutboxEntry] { try outbox.content().entries }

    /// Gives a message of the outbox up. What was uploaded for it the server forgets by itself.
    /// - Throws: `busy` (transient) while another command is sending it, or when it has done so.
    public func drop(_ entry: OutboxEntry) throws(MailClientError) {
        guard let lock = try outbox.claim(entry.id) else {
            throw MailClientError(.busy, "another command is sending that message", isTransient: true)
        }
        defer { lock.release() }
        try outbox.remove(entry.id)
    }

    /// Sends what earlier commands could not. Stops at the first sign that the server is not there.
    /// - Parameter withUploads: also messages whose files are not all at the server yet, which may take long.
    public func retryOutbox(
        withUploads: Bool = false, progress: @escaping TransferProgress = { _ in }
    ) async throws(MailClientError) -> OutboxReport {
        var report = OutboxReport()
        let (all, damaged) = try outbox.content()
        let entries = all.filter { withUploads || !$0.hasUploads }
        for entry in damaged {
            if let aside = try outbox.setAside(entry) { report.damaged.append(aside) }
        }
        for (index, entry) in entries.enumerated() {
            // Another command may be sending it, or have done so meanwhile: then it is that command's to tell.
            guard let lock = try outbox.claim(entry.id) else { continue }
            defer { lock.release() }
            do throws(MailClientError) {
                report.sent.append(try await deliver(entry, progress))
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

    private func submit(
        _ entry: OutboxEntry, _ progress: @escaping TransferProgress
    ) async throws(MailClientError) -> SentMessage {
        do throws(MailClientError) {
            return try await deliver(entry, progress)
        } catch  where error.code == .refused && !error.isTransient {
            let path = try outbox.refuse(entry, reason: error.reason)
            let advice = [error.advice, "The message was not sent; its text is kept in \(path)"].compactMap { $0 }
            throw MailClientError(
                .refused, error.reason, advice: advice.joined(separator: "\n"), fault: error.fault)
        } catch {
            let kept =
                entry.hasUploads
                ? "The message is kept; the same command, or `wsemail outbox retry`, goes on with it."
                : "The message is kept and sent again by the next wsemail command."
            throw MailClientError(
                error.code, error.reason, advice: [error.advice, kept].compactMap { $0 }.joined(separator: "\n"),
                fault: error.fault, isTransient: true)
        }
    }

    /// One attempt, until the Receipt is verified and the entry gone.
    private func deliver(
        _ entry: OutboxEntry, _ progress: @escaping TransferProgress
    ) async throws(MailClientError) -> SentMessage {
        let request = try await request(for: entry, progress)
        let reply = try await server.call(.send, request, reply: SendOperation.Response.self, timeout: .seconds(300))
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

    /// What goes into the call: before it, all files that do not go along are brought to the server.
    private func request(
        for entry: OutboxEntry, _ progress: @escaping TransferProgress
    ) async throws(MailClientError) -> SendOperation.Request {
        var request = SendOperation.Request(message: entry.message, bcc: entry.bcc)
        var seen: Set<Data> = []
        let files = entry.files.filter { seen.insert($0.digest).inserted }
        for file in files {
            if file.isInline { request.blobs.append(try await file.octets()) } else { try await uploader().upload(file, progress) }
        }
        do { request.options = try entry.terms.option().map { [$0] } ?? [] } catch { throw MailClientError(error) }
        return request
    }

    private func uploader() throws(MailClientError) -> FileUploader {
        let network = try requireNetwork()
        return FileUploader(
            files: network.files, destination: { () async throws(MailClientError) in try await network.home() },
            open: { (call) async throws(MailClientError) in
                try await atHome(.upload(call), AttachmentAnswer.Upload.self)
            },
            pause: { try await network.pause($0) })
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
