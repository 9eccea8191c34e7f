import Crypto
import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import WSSecurity
import XMLSecurity

@testable import MailServer

/// A message with files, and their octets.
struct FileLetter: Sendable {
    let letter: Letter
    /// Travel inside the call.
    let inline: [[UInt8]]
    /// Are uploaded before.
    let uploaded: [[UInt8]]

    init(from author: Address, to: [Address], inline: [[UInt8]], uploaded: [[UInt8]] = [], now: Date = Date()) throws {
        let files = inline + uploaded
        letter = try Letter(
            from: author, to: to, now: now,
            attachments: files.enumerated().map { index, octets in
                AttachmentReference(
                    name: "file-\(index).bin", mediaType: "application/octet-stream", size: UInt64(octets.count),
                    digest: Array(SHA256.hash(data: octets)))
            })
        self.inline = inline
        self.uploaded = uploaded
    }
}

extension Letter {
    init(from author: Address, to: [Address], now: Date, attachments: [AttachmentReference]) throws {
        self.author = author
        bcc = []
        var message = Message(
            id: .random(), from: Mailbox(author), to: to.map { Mailbox($0) }, subject: "Files",
            date: Date(timeIntervalSince1970: now.timeIntervalSince1970.rounded(.down)), text: "Hi")
        message.attachments = attachments
        sealed = try SealedMessage(message)
    }
}

/// An attachment as a recipient has it: named by the message and by the Postmark of its domain.
struct ReceivedFile: Sendable, Hashable {
    let message: MessageID
    let guid: String
    let digest: [UInt8]
    let size: UInt64
}

/// A user who sends files and fetches them by the protocol itself: no client's patience or cleverness in between.
struct AttachmentUser: Sendable {
    /// What another attempt cures.
    struct Interrupted: Error { let reason: String }

    let user: MailUser
    private let home: Site
    private let clock: @Sendable () -> Date
    private let files = TLSFileTransport()
    private let transport = TLSTransport()

    init(_ name: String, of site: Site, clock: @escaping @Sendable () -> Date = { Date() }) throws {
        home = site
        self.clock = clock
        user = try MailUser(name, of: site, clock: clock)
    }

    var address: Address { user.address }

    func close() async {
        await user.close()
        await transport.shutDown()
    }

    // MARK: Sending

    /// Attempts until the Receipt is there. Throws only what no retry cures.
    func deliver(_ mail: FileLetter, keys: SiteKeys, ledger: Ledger, attempts: Int = .max) async throws {
        try await insist(attempts: attempts, { ledger.count($0) }) {
            for octets in mail.uploaded { try await upload(octets) }
            try await send(mail, keys: keys)
            ledger.acknowledge(mail.letter.id)
        }
    }

    /// One attempt, when all is uploaded.
    func send(_ mail: FileLetter, keys: SiteKeys) async throws {
        let request = SendOperation.Request(message: mail.letter.sealed, blobs: mail.inline)
        let sealed = try SealedReceipt(octets: try await user.call(SendOperation.self, request).receipt)
        try await sealed.verify(keys: keys)
        guard sealed.receipt.messageID == mail.letter.id, sealed.receipt.digest == mail.letter.sealed.digest else {
            throw MailModelError(.wrongIssuer, "the Receipt is about something else")
        }
    }

    /// One attempt, which goes on where the server is.
    func upload(_ octets: [UInt8]) async throws {
        guard case .open(let id, let ticket, let offset, _) = try await announce(octets) else { return }
        let reply = try await files.upload(
            FileCall(
                to: home.destination, method: .patch, path: "/wsemail/uploads/\(id)",
                headers: [Self.authorization(ticket), HTTPField("Upload-Offset", "\(offset)")], maxBytes: 64 << 10),
            from: OctetSource(octets: octets, start: Int(offset)))
        guard reply.status == 201 else { throw Interrupted(reason: "upload.\(reply.status)") }
    }

    /// Asks how much of a file the server has, and where the rest goes.
    func announce(_ octets: [UInt8]) async throws -> AttachmentAnswer.Upload {
        let call = AttachmentCall.Upload(digest: Array(SHA256.hash(data: octets)), size: UInt64(octets.count))
        return try await atHome(.upload(call), AttachmentAnswer.Upload.self)
    }

    /// The GUIDs of the attachments of a message that was sent.
    func sent(_ id: MessageID) async throws -> [String] {
        try await atHome(.list(.init(messageID: id)), AttachmentAnswer.List.self).attachments.map(\.guid)
    }

    /// Takes an attachment back from everybody.
    func revoke(_ guid: String) async throws {
        _ = try await atHome(.revoke(.init(guid: guid)), AttachmentAnswer.Revoke.self)
    }

    /// Repeats what may succeed another time.
    /// - Returns: nil when there were no attempts left.
    @discardableResult
    func insist<Value>(
        attempts: Int = .max, _ note: (String) -> Void = { _ in }, _ body: () async throws -> Value
    ) async throws -> Value? {
        var left = attempts
        while left > 0, !Task.isCancelled {
            left -= 1
            do {
                return try await body()
            } catch let error as SOAPClientError where error.isTransient && error.code != .untrustedReply {
                note(error.fault.map { "fault.\($0.subcode.rawValue)" } ?? error.code.rawValue)
            } catch let error as Interrupted {
                note(error.reason)
            }
            // Not to synchronise: a client that does not hammer.
            try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    // MARK: Receiving

    /// The files of all messages in the Inbox.
    /// - Parameter first: the uid after which to begin.
    /// - Returns: also the last uid.
    func received(after first: UInt64 = 0) async throws -> (files: [ReceivedFile], last: UInt64) {
        var found: [ReceivedFile] = []
        var cursor = first
        while true {
            let page = try await user.list(after: cursor)
            guard let last = page.headers.map(\.uid).max() else { return (found, cursor) }
            cursor = last
            for header in page.headers {
                let stored = try await user.call(RetrieveOperation.self, .init(messageID: header.id))
                let message = try SealedMessage(octets: stored.message).message
                let postmark = try stored.postmark.map { try SealedPostmark(octets: $0).postmark }
                let guids = Dictionary((postmark?.attachments ?? []).map { ($0.digest, $0.guid) }) { one, _ in one }
                for reference in message.attachments {
                    // Without GUID: a file that nobody can ask for.
                    found.append(
                        ReceivedFile(
                            message: message.id, guid: guids[reference.digest] ?? "none", digest: reference.digest, size: reference.size))
                }
            }
        }
    }

    /// A proof for another domain of who this is, good for some minutes.
    func token(for domain: MailDomain) async throws -> FederatedCaller.Credential {
        let key = SigningKey.generateP256()
        let request = AssertionRequest(audience: domain, confirmation: .holderOfKey(try ConfirmationKey(key.publicKey)))
        let reply = try await user.caller.call(.issueAssertion, at: home.destination) { [clock] in request.write(into: &$0, now: clock()) }
        let response = try AssertionResponse.parse(reply.payload, for: request)
        return .init(assertion: response.assertion.octets, key: key, metadata: response.metadata)
    }

    /// The octets of an attachment from the site that keeps it.
    /// - Parameter token: for a site that is not one's own.
    func fetch(_ file: ReceivedFile, from site: Site, token: FederatedCaller.Credential? = nil) async throws -> [UInt8] {
        let call = AttachmentCall.get(.init(guid: file.guid, inline: true))
        let answer: AttachmentAnswer.Get
        if let token {
            let caller = FederatedCaller(
                domain: site.domain, transport: transport,
                trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(site.root, scope: .domain(site.domain))])), clock: clock)
            let request = try ExtensionOperation.Request(
                identifier: AttachmentsXML.namespace, content: call.octets(),
                challenge: try await caller.challenge(at: site.destination))
            let reply = try await caller.call(.extension, as: token, at: site.destination) { try request.write(into: &$0) }
            answer = try AttachmentAnswer.Get(octets: try ExtensionOperation.Response.parse(reply.payload).content)
        } else {
            answer = try await atHome(call, AttachmentAnswer.Get.self)
        }
        guard case .download(let path, let ticket, _, _) = answer.source else {
            guard case .data(let octets) = answer.source else { return [] }
            return octets
        }
        let sink = OctetSink()
        let reply = try await files.download(
            FileCall(to: site.destination, method: .get, path: path, headers: [Self.authorization(ticket)], maxBytes: file.size),
            into: sink)
        guard reply.status == 200 else { throw Interrupted(reason: "download.\(reply.status)") }
        return sink.octets
    }

    private func atHome<Answer: AttachmentElement>(_ call: AttachmentCall, _ type: Answer.Type) async throws -> Answer {
        let request = try ExtensionOperation.Request(identifier: AttachmentsXML.namespace, content: call.octets())
        return try Answer(octets: try await user.call(ExtensionOperation.self, request).content)
    }

    private static func authorization(_ ticket: [UInt8]) -> HTTPField {
        HTTPField("Authorization", "WSEmail-Ticket " + AttachmentsXML.ticketText(ticket))
    }
}

/// Octets in memory as the body of an upload.
private struct OctetSource: SOAPClient.FileSource {
    let octets: [UInt8]
    let start: Int

    var count: UInt64 { UInt64(octets.count - start) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
        let rest = octets[(start + Int(offset))...].prefix(buffer.count)
        buffer.copyBytes(from: rest)
        return rest.count
    }
}

/// What a download brings.
private final class OctetSink: SOAPClient.FileSink {
    private let state = Mutex<[UInt8]>([])

    var octets: [UInt8] { state.withLock { $0 } }

    func begin(_ head: FileReply) { state.withLock { $0 = [] } }
    func write(_ bytes: UnsafeRawBufferPointer) { state.withLock { $0 += bytes } }
}
