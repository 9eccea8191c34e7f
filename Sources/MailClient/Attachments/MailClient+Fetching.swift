import Foundation
import Identity
import MailModel
import SOAPClient

/// A file that was fetched and is what its message names.
public struct FetchedFile: Sendable {
    public let attachment: ReceivedAttachment
    /// Where it is now.
    public let path: String
    /// Octets that came over the network now; the rest had been here.
    public let received: UInt64
    /// The whole file was there already, with its name: nobody was asked.
    public let wasThere: Bool
}

/// What became of one file of several.
public struct FetchOutcome: Sendable {
    public let attachment: ReceivedAttachment
    public let result: Result<FetchedFile, MailClientError>

    public var error: MailClientError? {
        if case .failure(let error) = result { error } else { nil }
    }
}

/// Fetching: from the domain whose signature the message carries, with a proof of who we are, into a file that gets its name only
/// when its digest is the one of the message.
extension MailClient {
    /// Attempts in a row without a byte of progress.
    private static var fetchAttempts: Int { 4 }
    /// A server that sends an octet at a time must not hold us up without end.
    private static var fetchesInAll: Int { 64 }
    /// So small a file may come inside the answer.
    private static var inlineFetch: UInt64 { 256 << 10 }

    /// Fetches several attachments of a message, one after the other: what goes wrong with one keeps no other from coming.
    /// - Parameters:
    ///   - all: those of the whole message: names are told apart among them, so that a file always gets the same one.
    ///   - told: called as soon as it is known what became of each.
    /// - Throws: only if the task was cancelled.
    public func fetch(
        _ chosen: [ReceivedAttachment], of all: [ReceivedAttachment], into folder: String, force: Bool = false,
        progress: @escaping TransferProgress = { _ in }, told: @Sendable (FetchOutcome) -> Void = { _ in }
    ) async throws(MailClientError) -> [FetchOutcome] {
        let names = Self.fileNames(for: all)
        var outcomes: [FetchOutcome] = []
        for attachment in chosen {
            let result: Result<FetchedFile, MailClientError>
            do throws(MailClientError) {
                let file = try await fetch(
                    attachment, into: folder, as: names[attachment.number - 1], force: force, progress: progress)
                result = .success(file)
            } catch {
                guard !Task.isCancelled else { throw error }
                result = .failure(error)
            }
            let outcome = FetchOutcome(attachment: attachment, result: result)
            outcomes.append(outcome)
            told(outcome)
        }
        return outcomes
    }

    /// Fetches an attachment, or goes on with an earlier attempt. A file that is there already and is what the message names is
    /// taken as fetched: nobody is asked, and no fetch is used up.
    /// - Parameters:
    ///   - folder: where the file is put; made if it is missing.
    ///   - name: nil: as the message says, made fit for a file system.
    ///   - force: replaces another file of that name.
    /// - Throws: `notVerified` when message or file are not what they should be; `untrustedServer`; `refused`; `invalidInput` where
    ///   a file is in the way; transient errors, after which the same call goes on.
    public func fetch(
        _ attachment: ReceivedAttachment, into folder: String, as name: String? = nil, force: Bool = false,
        progress: @escaping TransferProgress = { _ in }
    ) async throws(MailClientError) -> FetchedFile {
        let (domain, guid) = try attachment.origin()
        let target = folder + "/" + SafeFileName.make(name ?? attachment.reference.name)
        let isThere = try await blocking { () throws(MailClientError) in Self.isThere(attachment.reference, target, progress) }
        if isThere { return FetchedFile(attachment: attachment, path: target, received: 0, wasThere: true) }
        let part = try await open(attachment, target, guid, force, progress)
        let before = part.written
        do throws(MailClientError) {
            try await complete(part, attachment, domain, guid)
        } catch {
            // Nothing to go on with: then nothing is left behind. A counted fetch that only broke has a ticket, and goes on.
            if part.written == 0, part.ticket == nil || !error.isTransient { part.remove() }
            throw error
        }
        try await blocking { () throws(MailClientError) in try part.finish(force: force) }
        return FetchedFile(
            attachment: attachment, path: target, received: attachment.reference.size - min(before, attachment.reference.size),
            wasThere: false)
    }

    /// Whether the target is the file that the message names. Blocks.
    private static func isThere(_ reference: AttachmentReference, _ target: String, _ progress: TransferProgress) -> Bool {
        guard SystemFiles.exists(target), let file = try? LocalFile(target), let stamp = try? file.stamp(), stamp.size == reference.size
        else { return false }
        let found = try? file.hashed { done in
            progress(TransferStep(phase: .reading, name: reference.name, done: done, total: reference.size))
        }
        return found?.digest == reference.digest
    }

    /// Names for all attachments of a message in one folder, each once.
    public static func fileNames(for attachments: [ReceivedAttachment]) -> [String] {
        SafeFileName.distinct(attachments.map(\.reference.name))
    }

    private func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () throws(MailClientError) -> Value
    ) async throws(MailClientError) -> Value {
        do { return try await BlockingWork.run(body) } catch { throw MailClientError(error) }
    }

    private func open(
        _ attachment: ReceivedAttachment, _ target: String, _ guid: String, _ force: Bool, _ progress: @escaping TransferProgress
    ) async throws(MailClientError) -> PartFile {
        let reference = attachment.reference
        return try await blocking { () throws(MailClientError) in
            var isFolder: ObjCBool = false
            let isThere = FileManager.default.fileExists(atPath: target, isDirectory: &isFolder)
            guard !isThere || (force && !isFolder.boolValue) else { throw PartFile.inTheWay(target) }
            let folder = URL(fileURLWithPath: target).deletingLastPathComponent().path
            do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
                throw MailClientError(.storage, "cannot make the folder \(folder)")
            }
            return try PartFile(
                for: target, guid: guid, digest: reference.digest, size: reference.size, force: force
            ) { done in
                progress(TransferStep(phase: .downloading, name: reference.name, done: done, total: reference.size))
            }
        }
    }

    /// Asks for the file and receives it, until all is here.
    private func complete(
        _ part: PartFile, _ attachment: ReceivedAttachment, _ domain: MailDomain, _ guid: String
    ) async throws(MailClientError) {
        var failures = 0
        var attempts = 0
        var isAsked = false
        while !isAsked || !part.isComplete {
            // Complete from an earlier attempt: only the digest is left to be compared.
            if part.isComplete, part.ticket != nil { return }
            let before = part.written
            do throws(MailClientError) {
                try await attempt(part, attachment, domain, guid)
                isAsked = true
            } catch {
                attempts += 1
                failures = part.written > before ? 1 : failures + 1
                guard error.isTransient, failures < Self.fetchAttempts, attempts < Self.fetchesInAll, !Task.isCancelled else { throw error }
                do { try await requireNetwork().pause(.seconds(1 << failures)) } catch { throw MailClientError(error) }
            }
        }
    }

    private func attempt(
        _ part: PartFile, _ attachment: ReceivedAttachment, _ domain: MailDomain, _ guid: String
    ) async throws(MailClientError) {
        let isSmall = attachment.reference.size <= Self.inlineFetch && part.written == 0
        let call = AttachmentCall.Get(guid: guid, resume: part.ticket, inline: isSmall)
        let answer = try await ask(domain, .get(call), about: guid, of: attachment.from, AttachmentAnswer.Get.self)
        try check(answer.facts, guid: guid, attachment)
        switch answer.source {
        case .data(let octets):
            try await blocking { () throws(MailClientError) in
                try part.take(octets)
                guard part.isComplete else { throw PartFile.tooShort }
            }
        case .download(let path, let ticket, let ticketID, _):
            // It becomes part of a request.
            guard path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw MailClientError(.untrustedServer, "the server of \(domain) names a path that is none")
            }
            try part.remember(ticket: ticketID)
            if attachment.reference.size == 0 { return }
            try await download(part, path, ticket, domain, attachment)
        }
    }

    private func download(
        _ part: PartFile, _ path: String, _ ticket: [UInt8], _ domain: MailDomain, _ attachment: ReceivedAttachment
    ) async throws(MailClientError) {
        let network = try requireNetwork()
        let size = attachment.reference.size
        let digest = attachment.reference.digest
        let start = part.written
        var headers = [HTTPField("Authorization", "WSEmail-Ticket " + AttachmentsXML.ticketText(ticket))]
        if start > 0 {
            headers.append(HTTPField("Range", "bytes=\(start)-"))
            headers.append(HTTPField("If-Range", "\"\(Hex.encode(digest))\""))
        }
        let call = FileCall(
            to: try await destination(of: domain), method: .get, path: path, headers: headers, maxBytes: size)
        let reply: FileReply
        do throws(SOAPClientError) {
            reply = try await network.files.download(call, into: part)
        } catch {
            throw part.failure ?? MailClientError(error)
        }
        switch reply.status {
        case 200, 206: guard part.isComplete else { throw PartFile.tooShort }
        case 404, 416: throw MailClientError(.unreachable, "the server has ended this download", isTransient: true)
        default:
            throw MailClientError(
                .unreachable, "the server answered the download with HTTP status \(reply.status)", isTransient: true)
        }
    }

    private func destination(of domain: MailDomain) async throws(MailClientError) -> HTTPDestination {
        let network = try requireNetwork()
        guard domain != account.address.domain else { return try await network.home() }
        let known: DomainKnowledge
        do { known = try await trust.knowledge(of: domain) } catch { throw MailClientError(error) }
        return try await network.service(of: domain, anchors: known.anchors)
    }
}

extension PartFile {
    static var tooShort: MailClientError {
        MailClientError(.unreachable, "the server sent less than the whole file", isTransient: true)
    }
}
