import Foundation
import Identity
import MailModel
import PluginAPI
import Testing

@testable import Plugins

/// Who gets an attachment, how often, and how long.
@Suite struct AttachmentFetchingTests {
    private typealias World = AttachmentWorld

    @Test func `a reader gets what the sender sent: the answer names both, the GUID and the digest`() async throws {
        let world = try World()
        let file = World.file("a.txt").facts
        let id = MessageID.random()
        let guid = try await world.kept(file, id: id, AttachmentKeep(maxFetches: 2))
        let answer = try await world.get(guid)
        #expect(answer.facts.guid == guid && answer.facts.from == World.ann && answer.facts.to == World.bob)
        #expect(answer.facts.digest == file.digest && answer.facts.size == file.size && answer.facts.messageID == id)
        #expect(answer.fetch == 1 && answer.facts.remaining == 1)
        guard case .download(let path, let ticket, _, let expires) = answer.source else { return #expect(Bool(false)) }
        #expect(path == "/wsemail/files/\(guid)" && ticket.count == 32 && expires == world.now + 3_600)
        #expect(world.offers == [.init(guid: guid, reader: World.bob, until: world.now + 3_600)])
        #expect(try await world.log(guid) == [.init(.fetched, time: world.now, who: World.bob)])
    }

    /// The check of SSserve in the formal model: take `// model: acl` out and this fails.
    @Test func `model acl: nobody but those whom the message went to is served`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob], cc: [World.carol], bcc: [World.dave])
        for reader in [World.bob, World.carol, World.dave, World.ann] { #expect(try await world.get(guid, by: reader).facts.to == reader) }
        for stranger in [World.eve, World.address("bob@here.example"), World.address("bob@far.example.evil.example")] {
            for method in ["federated", "session"] {
                let reason = try await world.refusal { try await world.get(guid, by: stranger, method: method) }
                #expect(reason == AttachmentsXML.refusal)
            }
            #expect(try await world.refusal { try await world.describe(guid, by: stranger) } == AttachmentsXML.refusal)
            #expect(try await world.refusal { try await world.share(guid, [stranger], by: stranger) } == AttachmentsXML.refusal)
        }
    }

    @Test func `no such GUID, not for you and revoked are one answer, for the same work`() async throws {
        let world = try World()
        let (kept, revoked) = (try await world.kept(), try await world.kept())
        _ = try await world.revoke(revoked)
        var reads: Set<Int> = []
        for (guid, caller) in [
            (String(repeating: "0", count: 32), World.bob), (kept, World.eve), (revoked, World.bob), (revoked, World.eve),
        ] {
            #expect(try await world.refusal { try await world.get(guid, by: caller) } == AttachmentsXML.refusal)
            reads.insert(world.state.withLock { $0.reads })
        }
        #expect(reads == [4])
        #expect(world.state.withLock { $0.lines }.count == 4)
    }

    @Test func `after its time it is refused, but only to those who may know of it`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a.txt").facts, AttachmentKeep(expires: world.now + 60))
        world.pass(59.999)
        guard case .download(_, _, _, let expires) = try await world.get(guid).source else { return #expect(Bool(false)) }
        #expect(expires == Date(timeIntervalSince1970: 1_790_000_060))
        world.pass(0.001)
        #expect(try await world.refusal { try await world.get(guid) } == AttachmentsXML.expired)
        #expect(try await world.refusal { try await world.get(guid, by: World.eve) } == AttachmentsXML.refusal)
    }

    @Test func `it is fetched as often as its sender allows, by all readers together, the sender's own fetches apart`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a.txt").facts, to: [World.bob, World.carol], AttachmentKeep(maxFetches: 2))
        #expect(try await world.get(guid).fetch == 1)
        for _ in 0..<3 { #expect(try await world.get(guid, by: World.ann).fetch == 1) }
        #expect(try await world.get(guid, by: World.carol).facts.remaining == 0)
        #expect(try await world.refusal { try await world.get(guid) } == AttachmentsXML.exhausted)
        #expect(try await world.refusal { try await world.get(guid, by: World.eve) } == AttachmentsXML.refusal)
        #expect(try await world.get(guid, by: World.ann).facts.remaining == 0)
    }

    private func ticketID(_ answer: AttachmentAnswer.Get) throws -> String {
        guard case .download(_, _, let id, _) = answer.source else { throw PluginError(.failed, "no ticket") }
        return id
    }

    @Test func `a fetch that is gone on with within a day is not counted again`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a.txt").facts, to: [World.bob, World.carol], AttachmentKeep(maxFetches: 1))
        var id = try ticketID(try await world.get(guid))
        for _ in 0..<12 {
            world.pass(7_000)
            let again = try await world.get(guid, resume: id)
            #expect(again.fetch == 1 && again.facts.remaining == 0)
            id = try ticketID(again)
        }
        // Another's ticket is no reason, and a made up one neither.
        #expect(try await world.refusal { try await world.get(guid, by: World.carol, resume: id) } == AttachmentsXML.exhausted)
        #expect(try await world.refusal { try await world.get(guid, resume: RandomID.hex(16)) } == AttachmentsXML.exhausted)
        world.pass(86_400 - 84_000 - 0.001)
        id = try ticketID(try await world.get(guid, resume: id))
        world.pass(0.001)
        #expect(try await world.refusal { try await world.get(guid, resume: id) } == AttachmentsXML.exhausted)
        #expect(try await world.log(guid).map(\.kind) == [.fetched] + Array(repeating: .resumed, count: 13))
    }

    @Test func `whoever keeps asking does not use up what others need, and what is kept stays small`() async throws {
        let world = try World()
        let guid = try await world.kept()
        for index in 0..<1_100 {
            _ = try await world.get(guid)
            if index == 0 { world.pass(1) }
        }
        #expect(world.offers.count <= 32)
        // 500 lines, and the first fetch of each reader.
        #expect(try await world.log(guid).count == 501)
        #expect(world.values.values.map(\.count).max() ?? 0 < 8_192)
        #expect(try await world.get(guid).fetch == 1_101)
        world.state.withLock { $0.isFull = true }
        let fault = await #expect(throws: PluginFault.self) { try await world.get(guid) }
        #expect(fault?.isTransient == true)
    }

    @Test func `a small file comes in the answer where that is asked for`() async throws {
        let world = try World(["inline-limit": "2000000"])
        let small = World.file("a", [UInt8](repeating: 1, count: 2_000_000)).facts
        let large = World.file("b", [UInt8](repeating: 1, count: 2_000_001)).facts
        let (first, second) = (try await world.kept(small), try await world.kept(large))
        #expect(try await world.get(first, inline: true).source == .data([UInt8](repeating: small.digest[0], count: 2_000_000)))
        #expect(world.offers.isEmpty)
        for (guid, inline) in [(first, false), (second, true)] {
            guard case .download = try await world.get(guid, inline: inline).source else { return #expect(Bool(false)) }
        }
        #expect(try await world.log(first).map(\.kind) == [.fetched, .fetched])
    }

    @Test func `a description counts and logs nothing`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a.txt").facts, AttachmentKeep(maxFetches: 1))
        for _ in 0..<3 { #expect(try await world.describe(guid, by: World.bob).facts.remaining == 1) }
        #expect(try await world.log(guid).isEmpty)
    }

    @Test func `with a token nobody does what owners do`() async throws {
        let world = try World()
        let guid = try await world.kept()
        let requests: [AttachmentCall] = [
            .list(.init()), .log(.init(guid: guid)), .revoke(.init(guid: guid)), .answer(.init(guid: guid, request: guid, grant: true)),
        ]
        for request in requests {
            let reason = try await world.refusal { try await world.ask(request.octets(), by: World.ann, method: "federated") }
            #expect(reason == AttachmentsXML.refusal)
        }
        let upload = AttachmentCall.Upload(digest: [UInt8](repeating: 1, count: 32), size: 1)
        _ = try await world.refusal { try await world.ask(upload, by: World.bob, method: "federated") }
        #expect(try AttachmentAnswer.Upload(octets: await world.ask(upload, by: World.ann)) != .complete)
        world.state.withLock { $0.isFull = true }
        #expect(try await world.refusal { try await world.ask(upload, by: World.ann) } == "you have no room for it")
    }

    @Test(arguments: ["<x/>", "<Get xmlns='urn:wsemail:2:attachments'/>", "<Get xmlns='urn:wsemail:2:attachments' guid='ABC'/>", "", "<"])
    func `nonsense is refused with a reason and is no failure`(_ text: String) async throws {
        let world = try World()
        let reason = try await world.refusal { try await world.ask(Array(text.utf8), by: World.bob) }
        #expect(reason.hasPrefix("this is no request about attachments"))
    }
}
