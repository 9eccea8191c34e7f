import Foundation
import Identity
import MailModel
import SOAPClient

/// Brings files to the home server, in pieces, going on where the server says that it is.
struct FileUploader: Sendable {
    /// Octets of one request. What was cut off is kept by the server in any case; pieces keep single requests short.
    static let piece: UInt64 = 64 << 20
    /// Attempts in a row without a byte of progress.
    static let attempts = 4
    /// Looks, two seconds apart, whether an earlier connection has ended at the server: that notices after 30 s at the latest.
    static let looks = 20

    let files: any FileTransport
    let destination: @Sendable () async throws(MailClientError) -> HTTPDestination
    /// The Upload call.
    let open: @Sendable (AttachmentCall.Upload) async throws(MailClientError) -> AttachmentAnswer.Upload
    /// How to wait before the next attempt; tests do not.
    let pause: @Sendable (Duration) async throws -> Void

    private struct Ticket {
        let path: String
        let header: HTTPField
        var offset: UInt64
    }

    private enum Outcome {
        case more(UInt64)
        case complete
        /// The upload is not known any more.
        case gone
        /// The server is still at an earlier connection.
        case busy(MailClientError)
        /// Where the server is, after something went wrong: nothing is lost.
        case interrupted(MailClientError)
    }

    /// What has been borne since the last octet of progress.
    private struct Patience {
        var failures = 0
        var looks = 0
    }

    /// - Throws: `refused` for a file that has changed or is too large for the account; transient errors when the server is not
    ///   there: the next call goes on.
    func upload(_ entry: OutboxFile, _ progress: @escaping TransferProgress) async throws(MailClientError) {
        let file = try await entry.open()
        guard var ticket = try await begin(entry) else { return }
        var patience = Patience()
        while true {
            let outcome = try await send(file, entry, ticket, progress)
            switch outcome {
            case .complete: return
            case .more(let offset):
                let isFurther = offset > ticket.offset
                ticket.offset = offset
                if isFurther {
                    patience = Patience()
                } else {
                    patience.failures += 1
                    guard patience.failures < Self.attempts else { throw Self.stuck(entry) }
                }
                continue
            case .busy where patience.looks < Self.looks:
                patience.looks += 1
                try await wait(.seconds(2))
            case .busy(let error), .interrupted(let error): try await bear(error, &patience)
            case .gone: try await bear(Self.stuck(entry), &patience)
            }
            guard let next = try await reopen(entry, &patience) else { return }
            if next.offset > ticket.offset { patience = Patience() }
            ticket = next
        }
    }

    private static func stuck(_ entry: OutboxFile) -> MailClientError {
        MailClientError(
            .unreachable, "the upload of \(entry.name) makes no progress", advice: "Try again: it goes on where it was.",
            isTransient: true)
    }

    /// Opens the upload again; while the server is not there, that is one attempt each.
    private func reopen(_ entry: OutboxFile, _ patience: inout Patience) async throws(MailClientError) -> Ticket? {
        while true {
            do throws(MailClientError) {
                let ticket = try await begin(entry)
                return ticket
            } catch {
                try await bear(error, &patience)
            }
        }
    }

    /// Counts a failure, and waits before the next attempt.
    /// - Throws: the failure itself, when it is one too many or will not pass.
    private func bear(_ failure: MailClientError, _ patience: inout Patience) async throws(MailClientError) {
        patience.failures += 1
        guard patience.failures < Self.attempts, failure.isTransient else { throw failure }
        try await wait(.seconds(1 << patience.failures))
    }

    private func wait(_ time: Duration) async throws(MailClientError) {
        do { try await pause(time) } catch { throw MailClientError(error) }
    }

    /// - Returns: nil when the server has the file.
    private func begin(_ entry: OutboxFile) async throws(MailClientError) -> Ticket? {
        switch try await open(AttachmentCall.Upload(digest: Array(entry.digest), size: entry.size)) {
        case .complete: return nil
        case .open(let id, let ticket, let offset, _):
            guard offset <= entry.size else {
                throw MailClientError(.untrustedServer, "the server claims to have more of \(entry.name) than there is")
            }
            return Ticket(
                path: "/wsemail/uploads/\(id)",
                header: HTTPField("Authorization", "WSEmail-Ticket " + AttachmentsXML.ticketText(ticket)), offset: offset)
        }
    }

    private func send(
        _ file: LocalFile, _ entry: OutboxFile, _ ticket: Ticket, _ progress: @escaping TransferProgress
    ) async throws(MailClientError) -> Outcome {
        let (name, total) = (entry.name, entry.size)
        let region = FileRegion(file: file, start: ticket.offset, count: min(Self.piece, total - ticket.offset)) { done in
            progress(TransferStep(phase: .uploading, name: name, done: done, total: total))
        }
        let destination: HTTPDestination
        do throws(MailClientError) { destination = try await self.destination() } catch { return .interrupted(error) }
        let call = FileCall(
            to: destination, method: .patch, path: ticket.path,
            headers: [
                ticket.header, HTTPField("Upload-Offset", String(ticket.offset)),
                HTTPField("Content-Type", "application/octet-stream"),
            ], maxBytes: 64 << 10)
        let reply: FileReply
        do throws(SOAPClientError) {
            reply = try await files.upload(call, from: region)
        } catch {
            if error.code == .invalidRequest { throw LocalFile.changed(entry.path) }
            return .interrupted(MailClientError(error))
        }
        if try file.stamp().size != entry.size { throw LocalFile.changed(entry.path) }
        return try judge(reply, entry)
    }

    private func judge(_ reply: FileReply, _ entry: OutboxFile) throws(MailClientError) -> Outcome {
        let offset = reply.header("Upload-Offset").flatMap { UInt64($0) }
        switch reply.status {
        case 201: return .complete
        case 204, 409:
            guard let offset, offset <= entry.size else {
                throw MailClientError(.untrustedServer, "the server does not say how much of \(entry.name) it has")
            }
            guard reply.status == 409 else { return .more(offset) }
            // Another command is at it, or the connection that broke has not been noticed there yet.
            return .busy(MailClientError(.busy, "the server is still at an earlier upload of \(entry.name)", isTransient: true))
        case 404: return .gone
        case 413: throw MailClientError(.refused, "the server refuses \(entry.name): it is too large", fault: "TooLarge")
        case 422: throw LocalFile.changed(entry.path)
        case 507:
            throw MailClientError(
                .refused, "the server has no room for \(entry.name)", advice: "Try again later, or revoke attachments.",
                fault: "StorageFull", isTransient: true)
        default:
            return .interrupted(
                MailClientError(.unreachable, "the server answered the upload with HTTP status \(reply.status)", isTransient: true))
        }
    }
}
