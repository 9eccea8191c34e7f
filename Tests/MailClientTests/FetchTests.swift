import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing
import WSSecurity

@testable import MailClient
@testable import wsemail

/// bob@scopio.test fetches what alice@capicom.test attached. The checks that the formal model has are marked by its labels.
@Suite struct FetchTests {
    private let capicom: TestDomain
    private let scopio: TestDomain
    private let place: TemporaryFolder
    private let files = FakeFiles()
    private let content = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
    private let guid = RandomID.hex(16)
    private let ticketID = RandomID.hex(16)

    init() throws {
        capicom = try TestDomain("capicom.test")
        scopio = try TestDomain("scopio.test")
        place = try TemporaryFolder()
        files.set { [content] in $0.content = content }
    }

    private var target: String { place.path + "/downloads" }

    /// Alice's message.
    private func message(_ name: String = "film.mp4", _ content: [UInt8]? = nil) throws -> SealedMessage {
        let content = content ?? self.content
        var message = Message(
            id: .random(), from: Mailbox(try Address("alice@capicom.test")), to: [Mailbox(try Address("bob@scopio.test"))],
            subject: "Film", date: now, text: "See.")
        message.attachments = [
            AttachmentReference(
                name: name, mediaType: "video/mp4", size: UInt64(content.count), digest: AttachmentDigest.of(content))
        ]
        return try SealedMessage(message)
    }

    private func postmark(_ message: SealedMessage, by signer: TestDomain? = nil) throws -> [UInt8] {
        try (signer ?? capicom).postmark(message, to: [Address("bob@scopio.test")]) { postmark in
            postmark.attachments = message.message.attachments.map { .init(guid: guid, digest: $0.digest) }
        }
    }

    private func home(_ message: SealedMessage, _ postmark: [UInt8]) -> FakeServer {
        let (capicom, scopio) = (capicom, scopio)
        return FakeServer { operation, request in
            if let asked = request as? MetadataOperation.Request {
                let found = asked.domain == scopio.domain ? scopio : capicom
                return MetadataOperation.Response(metadata: try found.metadata(), anchors: [found.root.der])
            }
            guard operation == .retrieve else { throw SOAPFault(.unknownAction, "no") }
            return RetrieveOperation.Response(
                message: message.octets, postmark: postmark, receipt: nil, folder: "Inbox", flags: [])
        } issue: { request in
            let assertion = try Assertion(
                subject: Address("bob@scopio.test"), audience: request.audience, confirmation: request.confirmation, method: .x509,
                authnInstant: now, now: now)
            return try AssertionResponse(
                issued: assertion.signed(by: scopio.key, certificate: scopio.certificate), for: request, metadata: scopio.metadata())
        }
    }

    /// What Alice's server says to Get.
    private func answer(
        _ message: SealedMessage, inline: Bool = false,
        _ change: @escaping @Sendable (inout AttachmentAnswer.Facts) throws -> Void = { _ in }
    ) -> ForeignServer.Answer {
        let (guid, ticketID, content) = (guid, ticketID, content)
        return { call, caller in
            guard case .get = call, let reference = message.message.attachments.first else { throw SOAPFault(.extensionFailed, "no") }
            var facts = AttachmentAnswer.Facts(
                guid: guid, messageID: message.message.id, from: message.message.from.address, to: caller, name: reference.name,
                mediaType: reference.mediaType, size: reference.size, digest: reference.digest, created: now)
            try change(&facts)
            let source: AttachmentAnswer.Get.Source =
                inline
                ? .data(Array(content.prefix(Int(reference.size))))
                : .download(
                    path: "/wsemail/files/\(guid)", ticket: RandomID.bytes(32), ticketID: ticketID, expires: now.addingTimeInterval(600))
            return AttachmentAnswer.Get(facts, fetch: 1, source: source).octets()
        }
    }

    private struct Scene {
        let client: MailClient
        let foreign: ForeignServer
        let home: FakeServer
        let attachment: ReceivedAttachment
    }

    private func scene(
        _ message: SealedMessage, _ answer: @escaping ForeignServer.Answer, postmarkBy: TestDomain? = nil, repliesBy: TestDomain? = nil
    ) async throws -> Scene {
        let home = home(message, try postmark(message, by: postmarkBy))
        let foreign = ForeignServer(capicom, issuer: scopio, signer: repliesBy, answer)
        let client = try place.client("bob@scopio.test", scopio, server: home, network: FakeNetwork(files: files, calls: foreign))
        let letter = try await client.retrieve(MessageLocation(message.message.id))
        return Scene(client: client, foreign: foreign, home: home, attachment: try #require(letter.attachments.first))
    }

    private func read(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: target + "/" + name).map { Array($0) } }
    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: target).sorted()) ?? [] }

    // MARK: What should be

    @Test func aFileIsFetchedAndIsWhatTheMessageNames() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message))
        let fetched = try await scene.client.fetch(scene.attachment, into: target)
        #expect(fetched.path == target + "/film.mp4" && read("film.mp4") == content)
        #expect(names == ["film.mp4"])
        #expect(SystemFiles.mode(of: fetched.path) == 0o600)
        let call = try #require(files.get { $0.downloads }.first)
        #expect(call.path == "/wsemail/files/\(guid)" && call.destination.name == "capicom.test")
        #expect(call.headers.contains { $0.name == "Authorization" && $0.value.hasPrefix("WSEmail-Ticket ") })
    }

    @Test func aSmallFileComesInTheAnswer() async throws {
        let message = try message("note.txt", Array(content.prefix(1_000)))
        let scene = try await scene(message, answer(message, inline: true))
        _ = try await scene.client.fetch(scene.attachment, into: target)
        #expect(read("note.txt") == Array(content.prefix(1_000)) && files.get { $0.downloads.isEmpty })
        guard case .get(let asked) = scene.foreign.served.first?.call else {
            Issue.record("no Get")
            return
        }
        #expect(asked.inline)
    }

    // MARK: The model's checks

    /// model: origin
    @Test func nothingIsAskedForAMessageThatItsDomainDidNotSign() async throws {
        let message = try message()
        let evil = try TestDomain("capicom.test")
        let scene = try await scene(message, answer(message), postmarkBy: evil)
        await expect(.notVerified) { try await scene.client.fetch(scene.attachment, into: target) }
        let verified = try await self.scene(message, answer(message)).attachment.mail
        let stranger = JudgedMail(
            message: verified.message, postmark: verified.postmark,
            verdict: .verified(domain: scopio.domain, method: .x509, time: now), author: .absent)
        let misled = try #require(ReceivedAttachment.all(of: stranger).first)
        await expect(.notVerified) { try await scene.client.fetch(misled, into: target) }
        #expect(scene.home.issued.isEmpty && scene.foreign.served.isEmpty && names.isEmpty)
    }

    /// model: pop
    @Test func eachCallIsSignedByAKeyOfItsOwnOverTheServersChallenge() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message))
        _ = try await scene.client.fetch(scene.attachment, into: target)
        _ = try await scene.client.fetch(scene.attachment, into: target, as: "again.mp4")
        #expect(scene.foreign.served.count == 2)
        #expect(scene.foreign.served.allSatisfy { $0.isProved && $0.caller.description == "bob@scopio.test" })
        #expect(Set(scene.foreign.served.map(\.assertion)).count == 2)
        var keys: Set<ConfirmationKey> = []
        for issued in scene.home.issued {
            guard case .holderOfKey(let key) = issued.assertion.confirmation else {
                Issue.record("a bearer assertion")
                return
            }
            keys.insert(key)
        }
        #expect(keys.count == 2)
    }

    /// model: respsig
    @Test(arguments: ["guid", "from", "to", "size", "digest"])
    func anAnswerAboutSomethingElseIsRefused(_ field: String) async throws {
        let message = try message()
        let scene = try await scene(
            message,
            answer(message) { facts in
                switch field {
                case "guid": facts.guid = RandomID.hex(16)
                case "from": facts.from = try Address("mallory@capicom.test")
                case "to": facts.to = try Address("carol@scopio.test")
                case "size": facts.size += 1
                default: facts.digest[0] ^= 1
                }
            })
        await expect(.untrustedServer) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(files.get { $0.downloads.isEmpty } && !names.contains("film.mp4"))
    }

    /// model: respsig
    @Test func anAnswerThatTheDomainDidNotSignIsRefused() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message), repliesBy: try TestDomain("capicom.test"))
        await expect(.untrustedServer) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(files.get { $0.downloads.isEmpty } && !names.contains("film.mp4"))
    }

    /// model: digest
    @Test func aFileOfAnotherDigestIsDeleted() async throws {
        files.set { $0.content[500_000] ^= 1 }
        let message = try message()
        let scene = try await scene(message, answer(message))
        let error = await expect(.notVerified) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(error?.reason.contains("NOT THE FILE") == true)
        #expect(names.isEmpty)
    }

    @Test func aFileThatIsTooLongIsCutOff() async throws {
        files.set { $0.content += [1] }
        let message = try message()
        let scene = try await scene(message, answer(message))
        await expect(.notVerified) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(read("film.mp4.part")?.count ?? 0 <= content.count && !names.contains("film.mp4"))
        #expect(files.get { $0.downloads }.first?.maxBytes == UInt64(content.count))
    }

    // MARK: Going on

    @Test func aDownloadGoesOnWhereItWas() async throws {
        files.set { $0.cuts = [123_456] }
        let message = try message()
        let scene = try await scene(message, answer(message))
        _ = try await scene.client.fetch(scene.attachment, into: target)
        #expect(read("film.mp4") == content)
        let second = try #require(files.get { $0.downloads }.last)
        #expect(second.headers.contains(HTTPField("Range", "bytes=123456-")))
        #expect(second.headers.contains { $0.name == "If-Range" && $0.value.count == 66 })
        guard case .get(let asked) = scene.foreign.served.last?.call else {
            Issue.record("no Get")
            return
        }
        #expect(asked.resume == ticketID)
    }

    @Test func anotherCommandGoesOnToo() async throws {
        files.set { $0.cuts = [200_000, 0, 0, 0, 0] }
        let message = try message()
        let first = try await scene(message, answer(message))
        await expect(.unreachable) { try await first.client.fetch(first.attachment, into: target) }
        #expect(names == ["film.mp4.part", "film.mp4.part.json"])
        #expect(SystemFiles.mode(of: target + "/film.mp4.part") == 0o600)
        files.set { $0.cuts = [] }
        let second = try await scene(message, answer(message))
        let fetched = try await second.client.fetch(second.attachment, into: target)
        #expect(read("film.mp4") == content && fetched.received == UInt64(content.count - 200_000))
        #expect(names == ["film.mp4"])
    }

    @Test func aPartOfSomethingElseIsNotContinued() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message))
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: target + "/film.mp4.part"))
        await expect(.invalidInput) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(read("film.mp4.part") == [1, 2, 3])
        _ = try await scene.client.fetch(scene.attachment, into: target, force: true)
        #expect(read("film.mp4") == content)
    }

    @Test func noFileIsOverwrittenUnlessForced() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message))
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        try Data([7]).write(to: URL(fileURLWithPath: target + "/film.mp4"))
        await expect(.invalidInput) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(read("film.mp4") == [7] && scene.foreign.served.isEmpty)
        _ = try await scene.client.fetch(scene.attachment, into: target, force: true)
        #expect(read("film.mp4") == content)
    }

    @Test func whatTheServerRefusesIsToldInItsWords() async throws {
        let message = try message()
        let scene = try await scene(message) { _, _ in throw SOAPFault(.extensionFailed, AttachmentsXML.expired) }
        let error = await expect(.refused) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(error?.reason == AttachmentsXML.expired && error?.advice == "Ask alice@capicom.test for it.")
        // Nothing is left in the person's folder.
        #expect(names.isEmpty)
    }

    @Test func aServerThatIsNotThereLeavesNothingEither() async throws {
        let message = try message()
        let scene = try await scene(message) { _, _ in throw SOAPFault(.busy, "later") }
        await expect(.refused) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(names.isEmpty && scene.foreign.served.count == 4)
    }

    /// A fetch that was counted has a ticket, which goes on without being counted again.
    @Test func aCountedFetchKeepsItsTicket() async throws {
        files.set { $0.cuts = [0, 0, 0, 0] }
        let message = try message()
        let scene = try await scene(message, answer(message))
        await expect(.unreachable) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(names == ["film.mp4.part", "film.mp4.part.json"])
    }

    @Test func aServerThatSendsAnOctetAtATimeIsGivenUp() async throws {
        files.set { $0.cuts = Array(repeating: 1, count: 1_000) }
        let message = try message()
        let scene = try await scene(message, answer(message))
        await expect(.unreachable) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(files.get { $0.downloads.count } == 64)
    }

    // MARK: Several

    /// After an interruption the same command finds what has arrived: nobody is asked, no fetch is used up.
    @Test(arguments: [false, true])
    func whatIsThereIsNotFetchedAgain(_ force: Bool) async throws {
        let message = try message()
        let scene = try await scene(message, answer(message))
        let first = try await scene.client.fetch(scene.attachment, into: target)
        #expect(!first.wasThere)
        let second = try await scene.client.fetch(scene.attachment, into: target, force: force)
        #expect(second.wasThere && second.path == first.path && second.received == 0)
        #expect(scene.foreign.served.count == 1 && names == ["film.mp4"])
        // Of the same size, but something else.
        try Data(content.reversed()).write(to: URL(fileURLWithPath: second.path))
        await expect(.invalidInput) { try await scene.client.fetch(scene.attachment, into: target) }
        #expect(scene.foreign.served.count == 1)
    }

    @Test func oneFileThatCannotBeHadKeepsNoOtherFromComing() async throws {
        let (capicom, content) = (capicom, content)
        let guids = (0..<3).map { _ in RandomID.hex(16) }
        var mail = Message(
            id: .random(), from: Mailbox(try Address("alice@capicom.test")), to: [Mailbox(try Address("bob@scopio.test"))],
            subject: "Three", date: now, text: "See.")
        mail.attachments = (0..<3).map { index in
            AttachmentReference(
                name: "f\(index)", mediaType: "a/b", size: 100, digest: AttachmentDigest.of(Array(content[..<99]) + [UInt8(index)]))
        }
        let message = try SealedMessage(mail)
        let mark = try capicom.postmark(message, to: [Address("bob@scopio.test")]) { postmark in
            postmark.attachments = zip(guids, message.message.attachments).map { .init(guid: $0, digest: $1.digest) }
        }
        let foreign = ForeignServer(capicom, issuer: scopio) { call, caller in
            guard case .get(let asked) = call, let index = guids.firstIndex(of: asked.guid), index != 1 else {
                throw SOAPFault(.extensionFailed, AttachmentsXML.expired)
            }
            let reference = message.message.attachments[index]
            let facts = AttachmentAnswer.Facts(
                guid: asked.guid, messageID: message.message.id, from: message.message.from.address, to: caller, name: reference.name,
                mediaType: reference.mediaType, size: reference.size, digest: reference.digest, created: now)
            return AttachmentAnswer.Get(facts, fetch: 1, source: .data(Array(content[..<99]) + [UInt8(index)])).octets()
        }
        let client = try place.client(
            "bob@scopio.test", scopio, server: home(message, mark), network: FakeNetwork(files: files, calls: foreign))
        let letter = try await client.retrieve(MessageLocation(message.message.id))
        let told = Mutex<[String]>([])
        let outcomes = try await client.fetch(letter.attachments, of: letter.attachments, into: target) { _ in
        } told: { outcome in
            told.withLock { $0.append(outcome.attachment.reference.name) }
        }
        #expect(outcomes.map { $0.error?.reason } == [nil, AttachmentsXML.expired, nil])
        #expect(names == ["f0", "f2"] && told.withLock { $0 } == ["f0", "f1", "f2"])
    }

    // MARK: At home

    @Test func whatOurOwnServerKeepsIsAskedForInTheSession() async throws {
        let message = try message()
        let (scopio, capicom, guid) = (scopio, capicom, guid)
        let answer = answer(message)
        let mark = try capicom.postmark(message, to: [Address("dave@capicom.test")]) { postmark in
            postmark.attachments = message.message.attachments.map { .init(guid: guid, digest: $0.digest) }
        }
        let home = FakeServer { operation, request in
            if request is MetadataOperation.Request {
                return MetadataOperation.Response(metadata: try capicom.metadata(), anchors: [])
            }
            if let asked = request as? ExtensionOperation.Request {
                #expect(asked.challenge == nil)
                return ExtensionOperation.Response(
                    content: try answer(AttachmentCall.parse(asked.content), Address("dave@capicom.test")))
            }
            return RetrieveOperation.Response(message: message.octets, postmark: mark, receipt: nil, folder: "Inbox", flags: [])
        }
        let foreign = ForeignServer(capicom, issuer: scopio, answer)
        let client = try place.client("dave@capicom.test", capicom, server: home, network: FakeNetwork(files: files, calls: foreign))
        let letter = try await client.retrieve(MessageLocation(message.message.id))
        _ = try await client.fetch(try #require(letter.attachments.first), into: target)
        #expect(read("film.mp4") == content && foreign.served.isEmpty && home.issued.isEmpty)
    }

    // MARK: Passed on

    @Test func whatAPersonPassesOnCanBeFetchedByItsProof() async throws {
        let original = try message()
        let scene = try await scene(original, answer(original))
        let letter = try await scene.client.retrieve(MessageLocation(original.message.id))
        let draft = try scene.client.forwarding(letter, to: [Mailbox(try Address("carol@scopio.test"))], text: "")
        #expect(draft.subject == "Fwd: Film" && draft.forms.count == 1)
        let forwarded = try SealedMessage(draft.message(from: Address("bob@scopio.test"), now: now))
        let mark = try scopio.postmark(forwarded, to: [Address("carol@scopio.test")])
        let home = home(forwarded, mark)
        let client = try place.client("carol@scopio.test", scopio, server: home, network: FakeNetwork(files: files, calls: scene.foreign))
        let received = try await client.retrieve(MessageLocation(forwarded.message.id))
        #expect(received.enclosed?.isBelieved == true && !received.hasUncheckedForm)
        let attachment = try #require(received.attachments.first)
        #expect(attachment.guid == guid && attachment.number == 1)
        #expect(try attachment.origin().domain == capicom.domain)
    }

    @Test func whatBecameOfSharingIsTold() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message))
        let carol = [try Address("carol@scopio.test")]
        #expect(throws: Never.self) { try Sharing.check(carol, scene.attachment, Address("bob@scopio.test")) }
        for idle in ["alice@capicom.test", "bob@scopio.test"] {
            #expect(throws: MailClientError.self) {
                try Sharing.check(carol + [Address(idle)], scene.attachment, Address("bob@scopio.test"))
            }
        }
        let granted = Sharing(scene.attachment, with: carol, .success(AttachmentAnswer.Share(.granted)))
        #expect(granted.words == "film.mp4 can be fetched by carol@scopio.test now." && granted.isUnderWay && granted.problem == nil)
        let refused = Sharing(scene.attachment, with: carol, .failure(MailClientError(.refused, AttachmentsXML.notPassedOn)))
        #expect(refused.words == "film.mp4 cannot be fetched by carol@scopio.test: \(AttachmentsXML.notPassedOn).")
        #expect(!refused.isUnderWay && refused.problem == AttachmentsXML.notPassedOn && refused.state == nil)
        let location = MessageLocation(message.message.id, in: "Inbox", uid: 12)
        #expect(ForwardCommand.hint([], location, carol) == nil)
        let hint = ForwardCommand.hint([scene.attachment], location, carol)
        #expect(hint?.hasSuffix("wsemail attachments share 12 1 carol@scopio.test") == true && hint?.contains("alice@capicom.test") == true)
    }

    /// Our own copy of what we passed on: the files are still the author's, and kept there.
    @Test func theCopyOfWhatWePassedOnKnowsItsFiles() async throws {
        let original = try message()
        let scene = try await scene(original, answer(original))
        let letter = try await scene.client.retrieve(MessageLocation(original.message.id))
        let draft = try scene.client.forwarding(letter, to: [Mailbox(try Address("carol@scopio.test"))], text: "")
        let forwarded = try draft.message(from: Address("bob@scopio.test"), now: now)
        var copy = try ReceivedMessage.sample(forwarded, .ownCopy(forwarded.from.address), .absent)
        copy.enclosed = letter.original
        let home = FakeServer { _, request in
            guard request is ExtensionOperation.Request else { throw SOAPFault(.unknownAction, "no") }
            return ExtensionOperation.Response(content: AttachmentAnswer.List(attachments: [], more: false).octets())
        }
        let client = try place.client("bob@scopio.test", scopio, server: home)
        #expect(try await client.attachments(of: copy).map(\.guid) == [guid])
    }

    @Test func whatIsNotBelievedIsNotPassedOn() async throws {
        let message = try message()
        let scene = try await scene(message, answer(message), postmarkBy: try TestDomain("capicom.test"))
        let letter = try await scene.client.retrieve(MessageLocation(message.message.id))
        let carol = Mailbox(try Address("carol@scopio.test"))
        await expect(.notVerified) { try scene.client.forwarding(letter, to: [carol], text: "") }
    }

    @Test func anEnclosureWithAForgedProofIsOnlyContent() async throws {
        let original = try message()
        let forged = try SealedPostmark(octets: postmark(original, by: try TestDomain("capicom.test")))
        var draft = Draft(to: [Mailbox(try Address("carol@scopio.test"))], subject: "x", text: "x")
        draft.forms = [try RedirectedMail(message: original, postmark: forged).form()]
        let forwarded = try SealedMessage(draft.message(from: Address("bob@scopio.test"), now: now))
        let home = home(forwarded, try scopio.postmark(forwarded, to: [Address("carol@scopio.test")]))
        let client = try place.client("carol@scopio.test", scopio, server: home)
        let received = try await client.retrieve(MessageLocation(forwarded.message.id))
        #expect(received.isBelieved && received.hasUncheckedForm && received.attachments.isEmpty)
    }

    // MARK: Names

    @Test(arguments: [
        ("../../etc/passwd", "_.._etc_passwd"), (".bashrc", "bashrc"), ("a\u{202E}gpj.exe", "agpj.exe"), ("a\u{0}b\u{1B}c\n", "abc"),
        ("", "attachment"), ("...", "attachment"), ("-rf", "_rf"), ("CON.txt", "_CON.txt"), ("COM1", "_COM1"),
        ("a:b*c?.txt", "a_b_c_.txt"), ("  x  ", "x"), ("Ünï cødé.pdf", "Ünï cødé.pdf"), ("~x", "_x"),
        (".\u{323}bashrc", "\u{323}bashrc"), ("-\u{323}rf", "_\u{323}rf"),
    ])
    func namesOfOthersAreMadeHarmless(_ name: String, _ expected: String) {
        #expect(SafeFileName.make(name) == expected)
    }

    @Test func longNamesKeepTheirEnds() {
        let name = SafeFileName.make(String(repeating: "é", count: 300) + ".tar.gz")
        #expect(name.utf8.count <= SafeFileName.maximum && name.hasSuffix(".gz"))
        #expect(SafeFileName.make(String(repeating: "x", count: 200)).utf8.count == 200)
        #expect(SafeFileName.distinct(["a.pdf", "A.pdf", "a.pdf", "b"]) == ["a.pdf", "A (2).pdf", "a (3).pdf", "b"])
    }
}
