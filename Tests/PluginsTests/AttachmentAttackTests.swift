import Foundation
import Identity
import MailModel
import PluginAPI
import Testing

@testable import Plugins

/// What readers could do to others and to the plug-in.
@Suite struct AttachmentAttackTests {
    private typealias World = AttachmentWorld
    private static let allow = AttachmentKeep(onForward: .allow)

    private static func strangers(_ count: Int, _ prefix: String = "s") -> [Address] {
        (0..<count).map { World.address("\(prefix)\($0)@elsewhere.example") }
    }

    // MARK: Making the plug-in fail

    @Test func `a name of few characters and many scalars is cut in the question`() async throws {
        let world = try World()
        let name = String(repeating: "e" + String(repeating: "\u{0323}", count: 100), count: 10)
        let guid = try await world.kept(World.file(name).facts)
        #expect(try await world.share(guid, [World.dave]).state == .asked)
        #expect(world.sent[0].subject.unicodeScalars.count < 200)
    }

    @Test func `as many and as long addresses as there can be are no failure`() async throws {
        let world = try World()
        let domain = Array(repeating: String(repeating: "d", count: 60), count: 3).joined(separator: ".")
        let long = (0..<200).map { World.address(String(repeating: "l", count: 60) + "\($0)@\(domain).ex") }
        let guid = try await world.kept(World.file(String(repeating: "\u{1F600}", count: 1_024)).facts)
        #expect(try await world.share(guid, long).state == .asked)
        #expect(world.sent[0].text.utf8.count <= 65_536)
    }

    // MARK: Taking away

    @Test func `readers cannot use up what the owner needs to take away`() async throws {
        let world = try World()
        let readers = Self.strangers(500, "r")
        let guid = try await world.kept(to: readers, Self.allow)
        #expect(try await world.share(guid, Self.strangers(200), by: readers[0]).state == .granted)
        #expect(try await world.refusal { try await world.share(guid, [World.dave], by: readers[0]) }.hasPrefix("of at most 200"))
        // The owner still grants, to 200 more, ...
        #expect(try await world.share(guid, Self.strangers(200, "o"), by: World.ann).state == .granted)
        #expect(try await world.refusal { try await world.share(guid, [World.dave], by: World.ann) }.hasPrefix("of at most 400"))
        // ... and takes away from everybody.
        for start in [0, 200, 400] {
            let some = Array(readers[start..<min(start + 200, 500)])
            #expect(try await world.revoke(guid, some) == some.count)
        }
        #expect(try await world.revoke(guid, Self.strangers(200)) == 200)
        #expect(try await world.revoke(guid, Self.strangers(200, "o")) == 200)
        #expect(try await world.revoke(guid) == 0)
    }

    @Test func `what the owner blocks beforehand leaves room to take away`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob])
        #expect(try await world.revoke(guid, Self.strangers(200)) == 0)
        #expect(try await world.revoke(guid, Self.strangers(200, "t")) == 0)
        #expect(try await world.refusal { try await world.revoke(guid, [World.eve]) }.hasPrefix("of at most 400"))
        #expect(try await world.revoke(guid, [World.bob]) == 1)
        #expect(try await world.refusal { try await world.get(guid) } == AttachmentsXML.refusal)
    }

    // MARK: Learning who else reads

    @Test(arguments: [AttachmentKeep.OnForward.ask, .allow])
    func `a reader learns nothing of blind recipients by passing on`(_ onForward: AttachmentKeep.OnForward) async throws {
        let world = try World()
        let keep = AttachmentKeep(onForward: onForward)
        let guid = try await world.kept(to: [World.bob], bcc: [World.dave], keep)
        let blind = try await world.share(guid, [World.dave])
        let stranger = try await world.share(guid, [World.eve])
        #expect(blind.state == stranger.state && (blind.request == nil) == (stranger.request == nil))
        #expect(world.sent.count == (onForward == .ask ? 2 : 0))
        // What is left of the readers' grants is the same, too.
        let exceptions = world.values.keys.count { $0.starts(with: AttachmentKeys.exceptions(of: guid)) }
        #expect(exceptions == (onForward == .ask ? 0 : 2))
    }

    @Test func `who reads already is not granted it once more when the owner says yes`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob], bcc: [World.dave])
        let request = try #require(try await world.share(guid, [World.dave, World.eve]).request)
        _ = try await world.ask(AttachmentCall.Answer(guid: guid, request: request, grant: true), by: World.ann)
        #expect(try await world.log(guid).map(\.kind) == [.asked, .granted])
        #expect(try await world.log(guid).last?.who == World.eve)
    }

    // MARK: The log

    @Test func `nothing that readers do hides who fetched`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob, World.carol])
        for reader in [World.carol, World.bob] { _ = try await world.get(guid, by: reader, inline: reader == World.bob) }
        let (first, time) = (World.carol, world.now)
        world.pass(1)
        for number in 0..<3 { _ = try await world.share(guid, Self.strangers(200, "f\(number)x")) }
        #expect(try await world.log(guid).map(\.kind) == [.fetched, .fetched, .asked, .asked, .asked])
        for _ in 0..<600 { _ = try await world.get(guid) }
        let log = try await world.log(guid)
        #expect(log.count == 502)
        #expect(
            Set(log.prefix(2)) == [
                .init(.fetched, time: time, who: first), .init(.fetched, time: time, who: World.bob),
            ])
    }

    @Test func `passing on to the same again is no line of the log`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a").facts, Self.allow)
        for _ in 0..<5 { _ = try await world.share(guid, Self.strangers(100)) }
        #expect(try await world.log(guid).count == 100)
    }

    // MARK: As the owner

    @Test func `a token that names the owner passes nothing on`() async throws {
        let world = try World()
        let guid = try await world.kept()
        let call = AttachmentCall.Share(guid: guid, readers: [World.dave])
        let reason = try await world.refusal { try await world.ask(call, by: World.ann, method: "federated") }
        #expect(reason == AttachmentsXML.refusal)
        #expect(try await world.log(guid).isEmpty)
    }
}

/// What is left of attachments when an account goes.
@Suite struct AttachmentLeavingTests {
    private typealias World = AttachmentWorld

    private func list(_ world: World, _ request: AttachmentCall.List = .init()) async throws -> [String] {
        try AttachmentAnswer.List(octets: await world.ask(request, by: World.ann)).attachments.map(\.guid)
    }

    @Test func `with the owner's account everything goes, and the next of that address has nothing`() async throws {
        let world = try World()
        let id = MessageID.random()
        let guid = try await world.kept(World.file("a").facts, id: id, AttachmentKeep(onForward: .allow))
        _ = try await world.share(guid, [World.dave])
        _ = try await world.get(guid)
        for _ in 0..<9 { _ = try await world.kept() }
        let revoked = try await world.kept()
        _ = try await world.revoke(revoked)
        _ = try await world.submit([World.file("c").facts], from: World.carol)
        #expect(try await world.removeAccount(World.ann) == 4)
        #expect(world.offers.isEmpty && world.state.withLock { $0.holds.map(\.owner) } == [World.carol])
        let requests: [AttachmentCall] = [
            .get(.init(guid: guid)), .describe(.init(guid: guid)), .log(.init(guid: guid)), .revoke(.init(guid: guid)),
            .share(.init(guid: guid, readers: [World.eve])), .answer(.init(guid: guid, request: guid, grant: true)),
            .list(.init(after: guid)),
        ]
        for request in requests {
            #expect(try await world.refusal { try await world.ask(request.octets(), by: World.ann) } == AttachmentsXML.refusal)
        }
        for reader in [World.bob, World.dave] {
            #expect(try await world.refusal { try await world.get(guid, by: reader) } == AttachmentsXML.refusal)
            #expect(try await world.refusal { try await world.describe(guid, by: reader) } == AttachmentsXML.refusal)
        }
        #expect(try await list(world).isEmpty)
        #expect(try await list(world, .init(messageID: id)).isEmpty)
        // The next one begins anew, with no earlier versions either.
        world.pass(1)
        let new = try await world.kept(World.file("a").facts, replaces: id)
        #expect(try await list(world) == [new])
        #expect(try await world.get(new, by: World.ann).fetch == 0)
        #expect(try await world.get(new).fetch == 1)
        #expect(try await world.describe(new, by: World.ann).replaces.isEmpty)
        world.pass(days: 800)
        _ = try await world.tidy()
        #expect(Array(world.values.keys) == [AttachmentKeys.removal(World.ann)])
    }

    @Test func `the next of a reader's address does not get what was sent to the one before`() async throws {
        let world = try World()
        let listed = try await world.kept(to: [World.carol])
        let granted = try await world.kept(to: [World.bob])
        _ = try await world.share(granted, [World.carol], by: World.ann)
        for guid in [listed, granted] { _ = try await world.get(guid, by: World.carol) }
        #expect(try await world.removeAccount(World.carol) == 1)
        world.pass(1)
        for guid in [listed, granted] {
            #expect(try await world.refusal { try await world.get(guid, by: World.carol) } == AttachmentsXML.refusal)
        }
        #expect(try await world.get(granted).fetch == 2)
        // What is meant for the next one they get.
        _ = try await world.share(granted, [World.carol], by: World.ann)
        #expect(try await world.get(granted, by: World.carol).facts.to == World.carol)
        let new = try await world.kept(to: [World.carol])
        #expect(try await world.get(new, by: World.carol).fetch == 1)
    }

    @Test func `a damaged record does not keep an account from being removed`() async throws {
        let world = try World()
        let (bad, good) = (try await world.kept(), try await world.kept())
        world.state.withLock { $0.values[AttachmentKeys.record(bad)] = [0xFF] }
        #expect(try await world.removeAccount(World.ann) == 1)
        #expect(try await list(world).isEmpty)
        #expect(try await world.refusal { try await world.get(good) } == AttachmentsXML.refusal)
    }
}
