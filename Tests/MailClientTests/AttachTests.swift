import ArgumentParser
import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing

@testable import MailClient
@testable import wsemail

/// Files that alice@capicom.test sends.
@Suite struct AttachTests {
    private let home: TestDomain
    private let place: TemporaryFolder
    /// One piece and a bit.
    private static let large: UInt64 = FileUploader.piece + 1_000

    init() throws {
        home = try TestDomain("capicom.test")
        place = try TemporaryFolder()
        try ClientFolder.create(place.path)
    }

    private func file(_ name: String, _ octets: [UInt8]) throws -> DraftFile {
        let path = place.path + "/" + name
        try Data(octets).write(to: URL(fileURLWithPath: path))
        return DraftFile(path)
    }

    /// A sparse file: all zeros.
    private func zeros(_ name: String, _ size: UInt64 = large) throws -> DraftFile {
        let draft = try file(name, [])
        let handle = try #require(FileHandle(forWritingAtPath: draft.path))
        try handle.truncate(atOffset: size)
        try handle.close()
        return draft
    }

    private func draft(_ files: DraftFile...) throws -> Draft {
        var draft = Draft(to: [Mailbox(try Address("bob@scopio.test"))], subject: "Files", text: "Here.")
        draft.files = files
        return draft
    }

    /// Alice's server: acknowledges every message, and says where uploads are.
    private func server(
        _ upload: @escaping @Sendable (AttachmentCall.Upload) throws -> AttachmentAnswer.Upload
    ) -> FakeServer {
        let home = home
        return FakeServer { operation, request in
            if request is MetadataOperation.Request {
                return MetadataOperation.Response(metadata: try home.metadata(), anchors: [])
            }
            if let asked = request as? ExtensionOperation.Request {
                guard case .upload(let call) = try AttachmentCall.parse(asked.content) else { throw SOAPFault(.extensionFailed, "no") }
                return ExtensionOperation.Response(content: try upload(call).octets())
            }
            let request = try #require(request as? SendOperation.Request)
            let all = request.message.message.to.map(\.address) + request.bcc
            return SendOperation.Response(
                receipt: try home.receipt(request.message, for: home.domain, postmark: nil, all, .accepted))
        }
    }

    private func open(_ files: FakeFiles) -> @Sendable (AttachmentCall.Upload) throws -> AttachmentAnswer.Upload {
        { call in
            #expect(call.size == files.size)
            let offset = files.get { $0.uploaded }
            if offset == call.size { return .complete }
            return .open(id: "u1", ticket: [1, 2, 3], offset: offset, expires: now)
        }
    }

    private func client(_ server: FakeServer, _ files: FakeFiles) throws -> MailClient {
        try place.client("alice@capicom.test", home, server: server, network: FakeNetwork(files: files, calls: NoCalls()))
    }

    private struct NoCalls: HTTPTransport {
        var traffic: ByteTraffic { ByteTraffic() }
        func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply { throw SOAPClientError(.connectFailed, "no") }
    }

    // MARK: Small files

    @Test func smallFilesGoAlong() async throws {
        let server = server { _ in throw SOAPFault(.internal, "not asked") }
        let client = try client(server, FakeFiles())
        var draft = try draft(file("a.txt", [1, 2]), file("b.pdf", [3]))
        draft.files[1].description = "The contract"
        draft.terms = AttachmentTerms(expires: now.addingTimeInterval(3_600), maxFetches: 3, onForward: .forbid)
        _ = try await client.send(draft)
        let request = try #require(server.requests(SendOperation.Request.self).first)
        #expect(request.blobs == [[1, 2], [3]])
        let references = request.message.message.attachments
        #expect(references.map(\.name) == ["a.txt", "b.pdf"] && references.map(\.mediaType) == ["text/plain", "application/pdf"])
        #expect(references[0].digest == AttachmentDigest.of([1, 2]) && references[0].size == 2)
        #expect(references[1].description == "The contract")
        let keep = try AttachmentKeep(octets: try #require(request.options.first).content)
        #expect(keep.maxFetches == 3 && keep.onForward == .forbid && keep.expires == now.addingTimeInterval(3_600))
        #expect(request.options.first?.identifier == AttachmentsXML.namespace)
    }

    @Test func withoutTermsThereIsNoOption() async throws {
        let server = server { _ in .complete }
        _ = try await client(server, FakeFiles()).send(draft(file("a", [1])))
        #expect(server.requests(SendOperation.Request.self).first?.options.isEmpty == true)
    }

    @Test func theLimitsOfWhatGoesAlongHold() async throws {
        let limit = Int(OutboxFile.inlineLimit)
        let sizes = [limit, limit + 1, limit, limit, limit, 1]
        let drafts = try sizes.enumerated().map { index, size in
            try file("f\(index)", [UInt8(index)] + [UInt8](repeating: 9, count: size - 1))
        }
        let read = try await OutboxFile.read(drafts) { _ in }
        #expect(read.map(\.isInline) == [true, false, true, true, true, false])
    }

    @Test func whatIsNoFileIsRefused() async throws {
        let client = try client(server { _ in .complete }, FakeFiles())
        await expect(.invalidInput) { try await client.send(draft(DraftFile(place.path))) }
        await expect(.invalidInput) { try await client.send(draft(DraftFile(place.path + "/none"))) }
        await expect(.invalidInput) { try await client.send(draft(DraftFile("/dev/null"))) }
        var many = try draft()
        many.files = Array(repeating: try file("x", [1]), count: MessageLimits.standard.maxAttachments + 1)
        await expect(.invalidInput) { [many] in try await client.send(many) }
        #expect(try client.waiting().isEmpty)
    }

    // MARK: Uploads

    @Test func largeFilesAreUploadedInPiecesBeforeTheMessage() async throws {
        let files = FakeFiles(size: Self.large)
        let server = server(open(files))
        let client = try client(server, files)
        let steps = Mutex<[TransferStep]>([])
        _ = try await client.send(draft(zeros("disk.img"))) { step in steps.withLock { $0.append(step) } }
        let uploads = files.get { $0.uploads }
        #expect(uploads.map(\.count) == [FileUploader.piece, 1_000])
        #expect(uploads[1].call.headers.contains(HTTPField("Upload-Offset", String(FileUploader.piece))))
        #expect(uploads[0].call.headers.contains(HTTPField("Authorization", "WSEmail-Ticket AQID")))
        #expect(uploads[0].call.path == "/wsemail/uploads/u1" && uploads[0].call.method == .patch)
        #expect(server.requests(SendOperation.Request.self).first?.blobs.isEmpty == true)
        #expect(server.calls.filter { $0 != .metadata } == [.extension, .send])
        #expect(steps.withLock { $0.last } == TransferStep(phase: .uploading, name: "disk.img", done: Self.large, total: Self.large))
    }

    @Test func whatTheServerHasIsNotUploaded() async throws {
        let files = FakeFiles(size: Self.large)
        let client = try client(server { _ in .complete }, files)
        _ = try await client.send(draft(zeros("disk.img")))
        #expect(files.get { $0.uploads.isEmpty })
    }

    @Test func anUploadGoesOnAfterABreak() async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.breaks = [5_000_000] }
        _ = try await client(server(open(files)), files).send(draft(zeros("disk.img")))
        let offsets = files.get { $0.uploads.map { upload in upload.call.headers.first { $0.name == "Upload-Offset" }?.value } }
        #expect(offsets == ["0", "5000000", String(FileUploader.piece + 5_000_000)].prefix(offsets.count).map { $0 })
        #expect(offsets.count == 2)
    }

    @Test func theSameCommandGoesOnWithTheSameMessage() async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.breaks = [7_000_000, 0, 0, 0, 0, 0] }
        let server = server(open(files))
        let client = try client(server, files)
        let draft = try draft(zeros("disk.img"))
        let error = await expect(.unreachable) { try await client.send(draft) }
        #expect(error?.advice?.contains("wsemail outbox retry") == true)
        let waiting = try client.waiting()
        #expect(waiting.count == 1 && waiting[0].hasUploads && waiting[0].files.map(\.size) == [Self.large])
        #expect(!server.calls.contains(.send))
        // Another command does not begin an upload in passing.
        #expect(try await client.retryOutbox().isEmpty)
        files.set { $0.breaks = [] }
        let sent = try await client.send(draft)
        #expect(sent.entry.id == waiting[0].id)
        #expect(try client.waiting().isEmpty)
        #expect(server.requests(SendOperation.Request.self).count == 1)
        #expect(files.get { $0.uploaded } == Self.large)
    }

    @Test func aMessageCanBeGivenUp() async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.breaks = [7_000_000, 0, 0, 0, 0, 0] }
        let client = try client(server(open(files)), files)
        await expect(.unreachable) { try await client.send(draft(zeros("disk.img"))) }
        let waiting = try client.waiting()
        let entry = try OutboxDropCommand.pick(.number(1), of: waiting)
        #expect(try OutboxDropCommand.pick(.id(entry.id), of: waiting).id == entry.id)
        for wrong in [NumberBook.Reference.number(2), .number(.max), .id(.random())] {
            #expect(throws: MailClientError.self) { try OutboxDropCommand.pick(wrong, of: waiting) }
        }
        try client.drop(entry)
        #expect(try client.waiting().isEmpty)
        await expect(.busy) { try client.drop(entry) }
    }

    @Test func theOutboxGoesOnToo() async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.breaks = [7_000_000, 0, 0, 0, 0, 0] }
        let client = try client(server(open(files)), files)
        var draft = try draft(zeros("disk.img"))
        draft.terms.maxFetches = 2
        await expect(.unreachable) { [draft] in try await client.send(draft) }
        files.set { $0.breaks = [] }
        let report = try await client.retryOutbox(withUploads: true)
        #expect(report.sent.count == 1 && report.sent[0].entry.terms.maxFetches == 2)
        #expect(files.get { $0.uploaded } == Self.large)
    }

    @Test func aFileThatChangedIsNotSent() async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.breaks = [7_000_000, 0, 0, 0, 0, 0] }
        let server = server(open(files))
        let client = try client(server, files)
        let disk = try zeros("disk.img")
        await expect(.unreachable) { try await client.send(draft(disk)) }
        files.set { $0.breaks = [] }
        let handle = try #require(FileHandle(forWritingAtPath: disk.path))
        try handle.write(contentsOf: [1])
        try handle.close()
        let before = files.get { $0.uploads.count }
        let report = try await client.retryOutbox(withUploads: true)
        #expect(report.refused.first?.error.reason.contains("has changed") == true)
        #expect(files.get { $0.uploads.count } == before && !server.calls.contains(.send))
        #expect(try client.waiting().isEmpty)
    }

    @Test func aFileThatWasOnlyTouchedIsSent() async throws {
        let files = FakeFiles()
        let disk = try file("a.txt", [1, 2])
        let read = try await OutboxFile.read([disk]) { _ in }
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_000)], ofItemAtPath: disk.path)
        #expect(try await read[0].octets() == [1, 2])
        try Data([1, 3]).write(to: URL(fileURLWithPath: disk.path))
        await expect(.refused) { try await read[0].octets() }
        try FileManager.default.removeItem(atPath: disk.path)
        await expect(.refused) { try await read[0].octets() }
        _ = files
    }

    @Test(arguments: [(413, "too large", false), (422, "has changed", false), (507, "no room", true)])
    func whatTheServerRefusesIsTold(_ status: Int, _ words: String, _ isTransient: Bool) async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.answers = [FileReply(status: status)] }
        let client = try client(server(open(files)), files)
        let error = await expect(.refused) { try await client.send(draft(zeros("disk.img"))) }
        #expect(error?.reason.contains(words) == true && error?.isTransient == isTransient)
        #expect(try client.waiting().count == (isTransient ? 1 : 0))
    }

    @Test func anUploadThatIsGoneIsBegunAnew() async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.answers = [FileReply(status: 404), FileReply(status: 409, headers: [HTTPField("Upload-Offset", "0")])] }
        _ = try await client(server(open(files)), files).send(draft(zeros("disk.img")))
        #expect(files.get { $0.uploaded } == Self.large)
    }

    /// The server is away for a while: each attempt to open the upload again is one of several.
    @Test(arguments: [(2, true), (10, false)])
    func aServerThatComesBackIsWaitedFor(_ refusals: Int, _ succeeds: Bool) async throws {
        let files = FakeFiles(size: Self.large)
        files.set { $0.breaks = [5_000_000] }
        let calls = Mutex(0)
        let open = open(files)
        let server = server { call in
            let number = calls.withLock { calls in
                calls += 1
                return calls
            }
            if (2..<2 + refusals).contains(number) { throw MailClientError(.unreachable, "away", isTransient: true) }
            return try open(call)
        }
        let client = try client(server, files)
        if succeeds {
            _ = try await client.send(draft(zeros("disk.img")))
            #expect(files.get { $0.uploaded } == Self.large)
        } else {
            await expect(.unreachable) { try await client.send(draft(zeros("disk.img"))) }
            #expect(calls.withLock { $0 } == FileUploader.attempts)
            #expect(try client.waiting().count == 1)
        }
    }

    /// A connection that vanished keeps its place at the server for half a minute.
    @Test(arguments: [(15, true), (60, false)])
    func aServerThatIsStillAtAnEarlierUploadIsWaitedFor(_ times: Int, _ succeeds: Bool) async throws {
        let files = FakeFiles(size: Self.large)
        let busy = FileReply(status: 409, headers: [HTTPField("Upload-Offset", "0")])
        files.set { $0.answers = Array(repeating: busy, count: times) }
        let client = try client(server(open(files)), files)
        if succeeds {
            _ = try await client.send(draft(zeros("disk.img")))
            #expect(files.get { $0.uploaded } == Self.large)
        } else {
            let error = await expect(.busy) { try await client.send(draft(zeros("disk.img"))) }
            #expect(error?.isTransient == true && files.get { $0.uploads.count } == FileUploader.looks + FileUploader.attempts)
        }
    }

    @Test func aServerThatNeverHasMoreIsGivenUp() async throws {
        let files = FakeFiles(size: Self.large)
        let stuck = FileReply(status: 204, headers: [HTTPField("Upload-Offset", "0")])
        files.set { $0.answers = Array(repeating: stuck, count: 100) }
        let client = try client(server(open(files)), files)
        await expect(.unreachable) { try await client.send(draft(zeros("disk.img"))) }
        #expect(files.get { $0.uploads.count } <= FileUploader.attempts)
    }

    // MARK: What is typed

    @Test func timesAreRead() throws {
        #expect(try ["7d", "12h", "4w"].map { try TimeArgument(typed: $0).seconds } == [604_800, 43_200, 2_419_200])
        for text in ["", "7", "d", "0d", "-1d", "+1d", "1.5d", "7 d", "7y", "99999999999d", "1m", "90s", "1D", "4000d"] {
            #expect(throws: ValidationError.self, "\(text)") { try TimeArgument(typed: text) }
        }
        #expect(throws: (any Error).self) { try SendCommand.parse(["bob@scopio.test", "--attach", "a", "--expires", "1m"]) }
        #expect(throws: Never.self) { try SendCommand.parse(["bob@scopio.test", "--attach", "a", "--expires", "1w"]) }
    }

    @Test func termsAreTold() {
        #expect(AttachmentText.terms(AttachmentTerms(maxFetches: 1, onForward: .forbid)).hasSuffix(", once; nobody may pass it on"))
        #expect(AttachmentText.terms(AttachmentTerms()).contains("you are asked"))
    }

    @Test func filesAreChosenByNameOrNumber() throws {
        var message = try letter().message
        message.attachments = ["a.pdf", "2"].map {
            AttachmentReference(name: $0, mediaType: "a/b", size: 1, digest: AttachmentDigest.of([1]))
        }
        let mail = JudgedMail(message: try SealedMessage(message), postmark: nil, verdict: .ownCopy(message.from.address), author: .absent)
        let all = ReceivedAttachment.all(of: mail)
        #expect(try AttachmentChoice.pick([], of: all).count == 2)
        // A name goes before a number.
        #expect(try AttachmentChoice.pick(["1", "2", "a.pdf"], of: all).map(\.number) == [1, 2, 1])
        #expect(throws: MailClientError.self) { try AttachmentChoice.pick(["3"], of: all) }
        #expect(throws: MailClientError.self) { try AttachmentChoice.pick([], of: [ReceivedAttachment]()) }
    }

    @Test func ownersToo() throws {
        let references = ["a.txt", "a.txt", "b.txt", "copy.txt"].enumerated().map { index, name in
            AttachmentReference(name: name, mediaType: "a/b", size: 1, digest: AttachmentDigest.of([UInt8(index % 3)]))
        }
        let kept = ["b.txt", "a.txt", "a.txt"].enumerated().map { index, name in listed(name, [UInt8(2 - index)]) }
        let owned = OwnedAttachment.inOrder(kept, references)
        #expect(owned.map(\.numbers) == [[1, 4], [2], [3]] && owned.map(\.listed.name) == ["a.txt", "a.txt", "b.txt"])
        #expect(try AttachmentChoice.pick("2", of: owned).map(\.numbers) == [[2]])
        #expect(try AttachmentChoice.pick("4", of: owned).map(\.numbers) == [[1, 4]])
        #expect(try AttachmentChoice.pick("a.txt", of: owned).count == 2)
        #expect(try AttachmentChoice.pick(nil, of: owned).count == 3)
        for text in ["0", "5", "none"] { #expect(throws: MailClientError.self) { try AttachmentChoice.pick(text, of: owned) } }
        #expect(throws: MailClientError.self) { try AttachmentChoice.pick(nil, of: [OwnedAttachment]()) }
    }

    private func listed(_ name: String, _ content: [UInt8]) -> AttachmentAnswer.Listed {
        AttachmentAnswer.Listed(
            guid: RandomID.hex(16), messageID: .random(), name: name, mediaType: "a/b", size: 1, digest: AttachmentDigest.of(content),
            created: now, expires: nil, fetches: 0, maxFetches: nil, onForward: .ask, isRevoked: false)
    }

    @Test func partsOfWorkHaveOneExitCode() {
        let (failed, lost) = (MailClientError(.refused, "no"), MailClientError(.unreachable, "no"))
        let forged = MailClientError(.notVerified, "no")
        #expect(CommandFailure.exitCode([]) == nil && CommandFailure.exitCode([failed, lost]) == .failure)
        #expect(CommandFailure.exitCode([lost, lost]) == ExitCode(3) && CommandFailure.exitCode([failed, forged, lost]) == ExitCode(2))
        #expect(
            failed.about("a.txt").reason == "a.txt: no"
                && MailClientError(.refused, "a.txt is gone").about("a.txt").reason == "a.txt is gone")
    }

    // MARK: Lists

    @Test func aLongListIsReadToItsEnd() async throws {
        let guids = (0..<3).map { _ in RandomID.hex(16) }
        let pages = Mutex<[String?]>([])
        let server = FakeServer { _, request in
            let asked = try #require(request as? ExtensionOperation.Request)
            guard case .list(let call) = try AttachmentCall.parse(asked.content) else { throw SOAPFault(.extensionFailed, "no") }
            pages.withLock { $0.append(call.after) }
            let next = call.after.flatMap { guids.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
            let listed = AttachmentAnswer.Listed(
                guid: guids[next], messageID: .random(), name: "a", mediaType: "a/b", size: 1, digest: AttachmentDigest.of([1]),
                created: now,
                expires: nil, fetches: 0, maxFetches: nil, onForward: .ask, isRevoked: false)
            return ExtensionOperation.Response(content: AttachmentAnswer.List(attachments: [listed], more: next < 2).octets())
        }
        let found = try await client(server, FakeFiles()).sentAttachments()
        #expect(found.map(\.guid) == guids && pages.withLock { $0 } == [nil, guids[0], guids[1]])
    }

    @Test func aServerWithoutThePlugInIsTold() async throws {
        let server = FakeServer { _, _ in throw SOAPFault(.unknownExtension, "no") }
        let error = await expect(.refused) { try await client(server, FakeFiles()).sentAttachments() }
        #expect(error?.reason.contains("no plug-in for attachments") == true)
        await expect(.invalidInput) { try await client(server, FakeFiles()).answer("x", request: "y", grant: true) }
    }

    // MARK: New versions

    @Test func aReplacementGoesToTheSameRecipients() throws {
        let client = try client(server { _ in .complete }, FakeFiles())
        var message = Message(
            id: .random(), from: Mailbox(try Address("alice@capicom.test")), to: [Mailbox(try Address("bob@scopio.test"))],
            cc: [Mailbox(try Address("carol@scopio.test"))], subject: "Plan", date: now, text: "")
        message.attachments = [
            AttachmentReference(name: "plan.pdf", mediaType: "application/pdf", size: 1, digest: AttachmentDigest.of([1]))
        ]
        let copy = try ReceivedMessage.sample(message, .ownCopy(message.from.address), .absent)
        let draft = try client.replacement(for: copy, name: "plan.pdf", by: "/tmp/plan-2.pdf")
        #expect(draft.to == message.to && draft.cc == message.cc && draft.replaces == message.id && draft.subject == "Plan")
        #expect(draft.files == [DraftFile("/tmp/plan-2.pdf", name: "plan.pdf", mediaType: "application/pdf")])
        #expect(try client.replacement(for: copy, name: "1", by: "/tmp/plan-2.pdf").files == draft.files)
        for text in ["other", "0", "2"] {
            #expect(throws: MailClientError.self) { try client.replacement(for: copy, name: text, by: "x") }
        }
        message.attachments += message.attachments
        let twice = try ReceivedMessage.sample(message, .ownCopy(message.from.address), .absent)
        #expect(throws: MailClientError.self) { try client.replacement(for: twice, name: "plan.pdf", by: "x") }
        #expect(try client.replacement(for: twice, name: "2", by: "/tmp/plan-2.pdf").files == draft.files)
    }
}
