import Crypto
import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing
import WSSecurity
import XMLSecurity

@testable import MailClient
@testable import MailServer

/// Recipients, senders, former users and domains that try to get more from attachments and tokens than they were given, or to spoil
/// them for others.
@Suite(.serialized, .timeLimit(.minutes(4))) struct AttackAttachmentTests {
    private static let content = Array("the paper's figures\r\n".utf8)

    /// alice of capicom has sent a file to bob of scopio.
    private struct Scene {
        let domains: TwoDomains
        let alice: TestUser
        let bob: TestUser
        let visitor: Visitor
        let guid: String
        var capicom: TestDomain { domains.capicom }

        static func open(
            name: String = "figures.pdf", octets: [UInt8] = content, keep: [AttachmentKeep] = [], bcc: [String] = [],
            cc: [String] = [], change: @escaping (inout ServerConfiguration) -> Void = { _ in }
        ) async throws -> Scene {
            let domains = try await TwoDomains.start(change: change)
            let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
            _ = try await alice.send(
                files: [(name, octets)], to: [bob.address] + cc.map { try Address($0) }, bcc: bcc.map { try Address($0) }, keep: keep)
            let guid = try #require(try await bob.receivedGUIDs().first)
            return Scene(domains: domains, alice: alice, bob: bob, visitor: try Visitor(at: domains.capicom), guid: guid)
        }

        /// bob asks the server of capicom.
        func ask<Answer: AttachmentElement>(_ call: AttachmentCall, _ type: Answer.Type) async throws -> Answer {
            try await visitor.ask(call, type, as: bob.token(for: capicom.domain))
        }

        func log() async throws -> [AttachmentAnswer.Event] {
            try await alice.attachments(.log(.init(guid: guid)), AttachmentAnswer.Log.self).events
        }

        func close() async throws {
            for user in [alice, bob] { await user.close() }
            await visitor.close()
            try await domains.remove()
        }
    }

    private static func strangers(_ count: Int, _ prefix: String = "friend") throws -> [Address] {
        try (0..<count).map { try Address("\(prefix)\($0)@elsewhere.test") }
    }

    // MARK: Taking the plug-in out for everybody

    @Test func `a file's name of letters with many marks does not fail the plug-in that asks its sender`() async throws {
        // At most 1,024 scalars as the protocol wants it, yet few characters.
        let name = String(repeating: "e" + String(repeating: "\u{0323}\u{0331}", count: 50), count: 10)
        let scene = try await Scene.open(name: name) { $0.pluginErrorBudget = 3 }
        for number in 0..<4 {
            let call = AttachmentCall.share(.init(guid: scene.guid, readers: try Self.strangers(1, "f\(number)x")))
            _ = try? await scene.ask(call, AttachmentAnswer.Share.self)
        }
        let row = try await scene.capicom.plugin("org.wsemail.builtin/attachments")
        #expect(row["state"] == "active" && row["failures_count"] == "0", "\(row)")
        try await scene.close()
    }

    @Test func `storage that is slow does not get the plug-in suspended`() async throws {
        let scene = try await Scene.open { $0.pluginErrorBudget = 3 }
        // Whoever asks for the file waits as long as the collector decides about it, as they would for a busy disk.
        let (asked, asking) = AsyncStream.makeStream(of: Void.self)
        let (answers, answer) = AsyncStream.makeStream(of: Void.self)
        let blobs = scene.capicom.server.core.files.blobs
        let times = Mutex(0)
        let collection = Task {
            try await blobs.collect(olderThan: .distantFuture, now: Date()) { _, _ in
                // The second time it is asked while others wait for the file.
                let isFirst = times.withLock { times in
                    times += 1
                    return times == 1
                }
                if isFirst { return false }
                asking.yield()
                for await _ in answers { break }
                return true
            }
        }
        for await _ in asked { break }
        let digest = Array(SHA256.hash(data: Self.content))
        for _ in 0..<4 {
            _ = try? await scene.alice.attachments(
                .upload(.init(digest: digest, size: UInt64(Self.content.count))), AttachmentAnswer.Upload.self)
        }
        answer.finish()
        _ = try await collection.value
        let row = try await scene.capicom.plugin("org.wsemail.builtin/attachments")
        #expect(row["state"] == "active", "\(row)")
        // All mail goes past it.
        try await scene.alice.send(scene.alice.message(to: [scene.bob.address]))
        try await scene.close()
    }

    @Test func `a user who keeps all places of the plug-in busy keeps nobody else from sending mail`() async throws {
        let scene = try await Scene.open()
        let carol = try TestUser("carol", of: scene.capicom)
        let calls = try (0..<8).map { number in
            AttachmentCall.upload(.init(digest: Array(SHA256.hash(data: try #require("\(number)".data(using: .utf8)))), size: 1_000))
        }
        let failures = await withTaskGroup(of: Int.self) { group in
            for number in 0..<400 {
                group.addTask {
                    _ = try? await scene.alice.attachments(calls[number % calls.count], AttachmentAnswer.Upload.self)
                    return 0
                }
            }
            group.addTask {
                var failures = 0
                for _ in 0..<10 {
                    do { try await carol.send(carol.message(to: [scene.bob.address])) } catch { failures += 1 }
                }
                return failures
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 0)
        await carol.close()
        try await scene.close()
    }

    // MARK: Outliving revocation

    @Test func `a reader who passes an attachment on to very many cannot keep it from being taken back`() async throws {
        let scene = try await Scene.open(keep: [AttachmentKeep(onForward: .allow)])
        for number in 0..<5 {
            let call = AttachmentCall.share(.init(guid: scene.guid, readers: try Self.strangers(100, "f\(number)x")))
            _ = try? await scene.ask(call, AttachmentAnswer.Share.self)
        }
        let revoked = try await scene.alice.attachments(
            .revoke(.init(guid: scene.guid, readers: [scene.bob.address])), AttachmentAnswer.Revoke.self)
        #expect(revoked.count == 1)
        let refused = try await fault { try await scene.ask(.get(.init(guid: scene.guid, inline: true)), AttachmentAnswer.Get.self) }
        #expect(refused.reason == AttachmentsXML.refusal)
        try await scene.close()
    }

    @Test func `a reader who fetches all the time does not keep the owner from taking it back`() async throws {
        let scene = try await Scene.open(cc: ["dave@scopio.test"])
        let token = try await scene.bob.token(for: scene.capicom.domain)
        let visitors = try (0..<12).map { _ in try Visitor(at: scene.capicom) }
        var refusals = 0
        await withTaskGroup(of: Void.self) { group in
            for visitor in visitors {
                group.addTask {
                    while !Task.isCancelled { _ = try? await visitor.get(scene.guid, as: token) }
                }
            }
            for _ in 0..<10 {
                do {
                    let call = AttachmentCall.revoke(.init(guid: scene.guid, readers: [try Address("dave@scopio.test")]))
                    _ = try await scene.alice.attachments(call, AttachmentAnswer.Revoke.self)
                } catch { refusals += 1 }
            }
            group.cancelAll()
        }
        #expect(refusals == 0)
        for visitor in visitors { await visitor.close() }
        try await scene.close()
    }

    @Test func `a ticket ends with the account of its holder`() async throws {
        let domains = try await TwoDomains.start()
        let capicom = domains.capicom
        let (alice, carol) = (try TestUser("alice", of: capicom), try TestUser("carol", of: capicom))
        _ = try await alice.send(files: [("a.pdf", Self.content)], to: [carol.address])
        let guid = try #require(try await carol.receivedGUIDs().first)
        let answer = try await carol.attachments(.get(.init(guid: guid)), AttachmentAnswer.Get.self)
        guard case .download(let path, let ticket, _, _) = answer.source else { throw Unexpected.success }
        let visitor = try Visitor(at: capicom)
        #expect(try await visitor.download(path, ticket).status == 200)
        try await capicom.admin(.userDisable, [.address: "carol"])
        #expect(try await visitor.download(path, ticket).status == 404)
        await visitor.close()
        for user in [alice, carol] { await user.close() }
        try await domains.remove()
    }

    @Test func `a token of this domain counts no more here once the account is disabled`() async throws {
        let domains = try await TwoDomains.start()
        let capicom = domains.capicom
        let (alice, carol) = (try TestUser("alice", of: capicom), try TestUser("carol", of: capicom))
        _ = try await alice.send(files: [("a.pdf", Self.content)], to: [carol.address])
        let guid = try #require(try await carol.receivedGUIDs().first)
        let token = try await carol.token(for: capicom.domain)
        try await capicom.admin(.userDisable, [.address: "carol"])
        let visitor = try Visitor(at: capicom)
        await #expect(throws: SOAPClientError.self) { try await visitor.get(guid, as: token) }
        await visitor.close()
        for user in [alice, carol] { await user.close() }
        try await domains.remove()
    }

    @Test func `who gets the address of somebody who left gets nothing of their attachments`() async throws {
        let scene = try await Scene.open()
        let capicom = scene.capicom
        try await capicom.admin(.userRemove, [.address: "alice"])
        let hash = try Password.hash(TestDomain.password, parameters: .init(logN: 10, blockSize: 8, parallelism: 1))
        try await capicom.store.createAccount(scene.alice.address, passwordHash: hash, quotaBytes: nil, now: Date())
        let successor = try TestUser("alice", of: capicom)
        let list = try await successor.attachments(.list(.init()), AttachmentAnswer.List.self)
        #expect(list.attachments.isEmpty)
        await #expect(throws: SOAPClientError.self) {
            try await successor.attachments(.get(.init(guid: scene.guid, inline: true)), AttachmentAnswer.Get.self)
        }
        // What they uploaded is not there either: that would tell that they had it.
        let digest = Array(SHA256.hash(data: Self.content))
        let offer = try await successor.attachments(
            .upload(.init(digest: digest, size: UInt64(Self.content.count))), AttachmentAnswer.Upload.self)
        #expect(offer != .complete)
        await successor.close()
        try await scene.close()
    }

    // MARK: The reader's own files

    @Test func `fetching never touches another file of the reader`() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/wsemail-\(RandomID.hex(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let own = folder + "/notes.part.json"
        try Data("mine".utf8).write(to: URL(fileURLWithPath: own))
        if let part = try? PartFile(
            for: folder + "/notes", guid: RandomID.hex(16), digest: Array(SHA256.hash(data: Self.content)),
            size: UInt64(Self.content.count), force: false, progress: { _ in })
        {
            try? part.take(Self.content)
            try? part.finish(force: false)
        }
        #expect((try? Data(contentsOf: URL(fileURLWithPath: own))) == Data("mine".utf8))
    }

    @Test(arguments: [".\u{323}bashrc", "-\u{323}rf", "~\u{323}x", "..\u{323}"])
    func `no file's name hides it or looks like an option`(_ name: String) {
        let first = SafeFileName.make(name).unicodeScalars.first
        #expect(first != "." && first != "-" && first != "~")
    }

    // MARK: Learning more

    @Test func `a reader does not learn who else got the attachment by asking to pass it on to them`() async throws {
        let scene = try await Scene.open(bcc: ["dave@scopio.test"])
        let dave = try await scene.ask(
            .share(.init(guid: scene.guid, readers: [try Address("dave@scopio.test")])), AttachmentAnswer.Share.self)
        let stranger = try await scene.ask(
            .share(.init(guid: scene.guid, readers: try Self.strangers(1))), AttachmentAnswer.Share.self)
        #expect(dave.state == stranger.state)
        #expect((dave.request == nil) == (stranger.request == nil))
        try await scene.close()
    }

    @Test func `a forged token does not tell who has an account here`() async throws {
        let domains = try await TwoDomains.start()
        let visitor = try Visitor(at: domains.capicom)
        let key = SigningKey.generateP256()
        func refusal(_ local: String) async throws -> SOAPFault {
            let forged = try ForgedAssertion.make(
                subject: domains.capicom.address(local), issuer: domains.capicom.domain, audience: domains.capicom.domain, key: key,
                signer: domains.scopio)
            return try await fault { try await visitor.get(RandomID.hex(16), as: .init(assertion: forged, key: key)) }
        }
        let (known, unknown) = (try await refusal("alice"), try await refusal("nobody"))
        #expect(known.subcode == unknown.subcode && known.reason == unknown.reason)
        await visitor.close()
        try await domains.remove()
    }

    @Test func `a file as large as the setting allows comes inside the answer`() async throws {
        let scene = try await Scene.open(octets: [UInt8](repeating: 7, count: 10 << 20))
        try await scene.capicom.admin(
            .pluginSet, [.plugin: "org.wsemail.builtin/attachments", .name: "inline-limit", .value: "10485760"])
        let answer = try await scene.visitor.get(scene.guid, as: scene.bob.token(for: scene.capicom.domain))
        #expect(answer.octets?.count == 10 << 20)
        try await scene.close()
    }

    // MARK: Doing as the owner

    @Test func `a token does not let its holder do what owners do, even if it names the owner`() async throws {
        let scene = try await Scene.open()
        let token = try await scene.alice.token(for: scene.capicom.domain)
        let call = AttachmentCall.share(.init(guid: scene.guid, readers: try Self.strangers(1)))
        await #expect(throws: SOAPClientError.self) { try await scene.visitor.ask(call, AttachmentAnswer.Share.self, as: token) }
        #expect(try await scene.log().isEmpty)
        try await scene.close()
    }

    @Test func `a user does not hand in mail past the plug-ins of their own server by a token of it`() async throws {
        let domains = try await TwoDomains.start()
        let capicom = domains.capicom
        try await capicom.admin(.tokenAllow, [.domain: "*", .services: "attachments,send"])
        let (alice, carol) = (try TestUser("alice", of: capicom), try capicom.address("carol"))
        let visitor = try Visitor(at: capicom)
        let token = try await alice.token(for: capicom.domain)
        let message = try SealedMessage(alice.message(to: [carol]))
        await #expect(throws: SOAPClientError.self) { try await visitor.send(message, as: token) }
        await visitor.close()
        await alice.close()
        try await domains.remove()
    }

    // MARK: Spoiling it for others

    @Test func `by a token nobody keeps another's mail of the same domain from arriving`() async throws {
        let domains = try await TwoDomains.start()
        try await domains.scopio.admin(.tokenAllow, [.domain: "capicom.test", .services: "send"])
        let (alice, carol) = (try TestUser("alice", of: domains.capicom), try TestUser("carol", of: domains.capicom))
        let bob = try TestUser("bob", of: domains.scopio)
        // carol has seen the id of alice's message: it went to her, too, and waits for bob still.
        let message = alice.message(to: [bob.address], subject: "The real one")
        var other = carol.message(to: [bob.address], subject: "Another")
        other.id = message.id
        let visitor = try Visitor(at: domains.scopio)
        _ = try await visitor.send(try SealedMessage(other), as: carol.token(for: domains.scopio.domain))
        _ = try await alice.send(message)
        let subjects = try await bob.inbox(reaching: 2).map(\.subject)
        #expect(subjects.contains("The real one"))
        await visitor.close()
        for user in [alice, carol, bob] { await user.close() }
        try await domains.remove()
    }

    @Test func `a reader cannot wash away from the log that others, or they themselves, fetched`() async throws {
        let scene = try await Scene.open(cc: ["dave@scopio.test"])
        let dave = try TestUser("dave", of: scene.domains.scopio)
        _ = try await scene.visitor.get(scene.guid, as: dave.token(for: scene.capicom.domain))
        _ = try await scene.visitor.get(scene.guid, as: scene.bob.token(for: scene.capicom.domain))
        // 600 lines: three requests for 200 readers each.
        for number in 0..<3 {
            let call = AttachmentCall.share(.init(guid: scene.guid, readers: try Self.strangers(200, "f\(number)x")))
            _ = try? await scene.ask(call, AttachmentAnswer.Share.self)
        }
        let fetched = try await scene.log().filter { $0.kind == .fetched }.compactMap(\.who)
        #expect(Set(fetched) == [dave.address, scene.bob.address])
        await dave.close()
        try await scene.close()
    }

    @Test func `invented users of a domain share the calls that one caller may make`() async throws {
        let scene = try await Scene.open { if $0.domain.description == "capicom.test" { $0.requestsPerSecond = 1 } }
        let scopio = scene.domains.scopio
        let keys = scopio.server.core.keys
        let key = SigningKey.generateP256()
        let request = try ExtensionOperation.Request(
            identifier: AttachmentsXML.namespace, content: AttachmentCall.get(.init(guid: scene.guid)).octets())
        var subcodes: [FaultSubcode] = []
        for number in 0..<40 {
            let assertion = try Assertion(
                subject: try scopio.address("nobody\(number)"), audience: scene.capicom.domain,
                confirmation: .holderOfKey(ConfirmationKey(key.publicKey)), method: .password, authnInstant: Date(), now: Date()
            ).signed(by: keys.signing.key, certificate: keys.server)
            let refused = try await fault {
                try await scene.visitor.caller.call(
                    .extension, as: .init(assertion: assertion, key: key), at: scene.visitor.destination
                ) { try request.write(into: &$0) }
            }
            subcodes.append(refused.subcode)
        }
        #expect(subcodes.contains(.busy))
        try await scene.close()
    }

    @Test func `one ticket does not take all places for transfers`() async throws {
        let scene = try await Scene.open(octets: [UInt8](repeating: 7, count: 12 << 20))
        let (path, ticket) = try await scene.visitor.ticket(scene.guid, as: scene.bob.token(for: scene.capicom.domain))
        let count = 40
        let (heads, seen) = AsyncStream.makeStream(of: Int.self)
        let hogs = (0..<count).map { _ in Hog(seen) }
        let visitor = scene.visitor
        var statuses: [Int] = []
        await withTaskGroup(of: Void.self) { group in
            for hog in hogs {
                group.addTask {
                    let status = await visitor.download(path, ticket, into: hog)
                    if status != 200 { seen.yield(status) }
                }
            }
            for await status in heads {
                statuses.append(status)
                if statuses.count == count { break }
            }
            for hog in hogs { hog.gate.signal() }
        }
        #expect(statuses.count { $0 == 200 } <= 32, "\(statuses)")
        try await scene.close()
    }
}

/// Takes the head of a reply, and then nothing until it is let go.
private final class Hog: SOAPClient.FileSink {
    let gate = DispatchSemaphore(value: 0)
    private let seen: AsyncStream<Int>.Continuation
    private let isFree = Mutex(false)

    init(_ seen: AsyncStream<Int>.Continuation) { self.seen = seen }

    func begin(_ head: FileReply) throws { seen.yield(head.status) }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard !isFree.withLock({ $0 }) else { return }
        gate.wait()
        isFree.withLock { $0 = true }
    }
}

extension Visitor {
    fileprivate func ask<Answer: AttachmentElement>(
        _ call: AttachmentCall, _ type: Answer.Type, as token: FederatedCaller.Credential
    ) async throws -> Answer {
        let request = try await ExtensionOperation.Request(
            identifier: AttachmentsXML.namespace, content: call.octets(), challenge: challenge())
        let reply = try await caller.call(.extension, as: token, at: destination) { try request.write(into: &$0) }
        return try Answer(octets: try ExtensionOperation.Response.parse(reply.payload).content)
    }

    /// The status; 0 for a transfer that failed.
    fileprivate func download(_ path: String, _ ticket: [UInt8], into sink: Hog) async -> Int {
        let authorization = HTTPField("Authorization", "WSEmail-Ticket \(AttachmentsXML.ticketText(ticket))")
        let call = FileCall(to: destination, method: .get, path: path, headers: [authorization], maxBytes: 64 << 20)
        return (try? await TLSFileTransport().download(call, into: sink).status) ?? 0
    }
}
