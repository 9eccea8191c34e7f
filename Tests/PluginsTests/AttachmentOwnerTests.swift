import Foundation
import Identity
import MailModel
import PluginAPI
import Testing

@testable import Plugins

/// What owners do, what readers pass on, and what time takes.
@Suite struct AttachmentOwnerTests {
    private typealias World = AttachmentWorld

    // MARK: Lists and logs

    private func list(_ world: World, _ request: AttachmentCall.List = .init(), by: Address = World.ann) async throws
        -> AttachmentAnswer.List
    {
        try AttachmentAnswer.List(octets: await world.ask(request, by: by))
    }

    @Test func `owners see their own, newest first, in pages`() async throws {
        let world = try World()
        var guids: [String] = []
        for index in 0..<5 {
            guids.append(try await world.kept(World.file("\(index)").facts))
            world.pass(1)
        }
        _ = try await world.submit([World.file("c").facts], from: World.carol)
        #expect(try await list(world).attachments.map(\.guid) == guids.reversed())
        let first = try await list(world, .init(limit: 2))
        #expect(first.attachments.map(\.name) == ["4", "3"] && first.more)
        let second = try await list(world, .init(after: guids[3], limit: 3))
        #expect(second.attachments.map(\.name) == ["2", "1", "0"] && !second.more)
        let foreign = try await list(world, by: World.carol).attachments[0].guid
        #expect(try await world.refusal { try await list(world, .init(after: foreign)) } == AttachmentsXML.refusal)
        #expect(try await list(world, by: World.bob).attachments.isEmpty)
    }

    @Test func `owners see those of one message`() async throws {
        let world = try World()
        let id = MessageID.random()
        _ = try await world.kept()
        _ = try await world.submit((1...3).map { World.file("\($0)", [$0]).facts }, id: id)
        let all = try await list(world, .init(messageID: id)).attachments
        #expect(Set(all.map(\.name)) == ["1", "2", "3"] && all.allSatisfy { $0.messageID == id && !$0.isRevoked && $0.fetches == 0 })
        let rest = try await list(world, .init(messageID: id, after: all[0].guid))
        #expect(rest.attachments.map(\.guid) == all.dropFirst().map(\.guid))
        #expect(try await list(world, .init(messageID: id), by: World.carol).attachments.isEmpty)
    }

    /// model: grant
    @Test func `the log, revoking and answering are the owner's alone, also for readers`() async throws {
        let world = try World()
        let guid = try await world.kept()
        let requests: [AttachmentCall] = [
            .log(.init(guid: guid)), .revoke(.init(guid: guid)), .answer(.init(guid: guid, request: guid, grant: true)),
            .log(.init(guid: RandomID.hex(16))),
        ]
        for caller in [World.bob, World.eve] {
            for request in requests {
                #expect(try await world.refusal { try await world.ask(request.octets(), by: caller) } == AttachmentsXML.refusal)
            }
        }
    }

    // MARK: Revoking

    @Test func `revoked from all, it is gone for all at once: tickets, file and the leave to read`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob, World.carol])
        let other = try await world.kept()
        for guid in [guid, other] { _ = try await world.get(guid) }
        #expect(try await world.revoke(guid) == 2)
        #expect(world.offers.map(\.guid) == [other])
        #expect(world.state.withLock { $0.holds.map(\.guid) } == [other])
        for reader in [World.bob, World.carol] {
            #expect(try await world.refusal { try await world.get(guid, by: reader) } == AttachmentsXML.refusal)
        }
        #expect(try await world.refusal { try await world.get(guid, by: World.ann) }.contains("you revoked"))
        #expect(try await world.revoke(guid) == 0)
        #expect(try await world.log(guid).map(\.kind) == [.fetched, .revoked])
        #expect(try await list(world).attachments.first { $0.guid == guid }?.isRevoked == true)
    }

    @Test func `revoked from one, others go on`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob, World.carol])
        for reader in [World.bob, World.carol] { _ = try await world.get(guid, by: reader) }
        #expect(try await world.revoke(guid, [World.bob]) == 1)
        #expect(world.offers.map(\.reader) == [World.carol])
        #expect(try await world.revoke(guid, [World.bob, World.eve, World.ann]) == 0)
        #expect(world.offers.isEmpty)
        #expect(try await world.refusal { try await world.get(guid) } == AttachmentsXML.refusal)
        #expect(try await world.get(guid, by: World.carol).fetch == 3)
        #expect(try await world.get(guid, by: World.ann).fetch == 3)
        #expect(try await world.revoke(guid) == 1)
    }

    @Test func `200 readers can be taken away at once, all 500, and of 400 others something can be said`() async throws {
        let world = try World()
        let readers = (0..<500).map { World.address("r\($0)@far.example") }
        let guid = try await world.kept(to: readers)
        for start in [0, 200] { #expect(try await world.revoke(guid, Array(readers[start..<(start + 200)])) == 200) }
        #expect(try await world.revoke(guid, Array(readers[400..<500])) == 100)
        #expect(try await world.refusal { try await world.revoke(guid, [World.eve]) }.hasPrefix("of at most 400 readers"))
        #expect(try await world.revoke(guid) == 0)
    }

    // MARK: Passing on

    @Test func `what must not be passed on is not`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a").facts, AttachmentKeep(onForward: .forbid))
        #expect(try await world.refusal { try await world.share(guid, [World.eve]) } == AttachmentsXML.notPassedOn)
        // The owner may.
        #expect(try await world.share(guid, [World.dave], by: World.ann).state == .granted)
        #expect(try await world.get(guid, by: World.dave).facts.to == World.dave)
    }

    @Test func `what may be passed on is, but not to whom the owner has taken it from`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a").facts, AttachmentKeep(onForward: .allow))
        #expect(try await world.share(guid, [World.dave, World.bob]).state == .granted)
        #expect(try await world.log(guid) == [.init(.granted, time: world.now, who: World.dave, by: World.bob)])
        #expect(try await world.get(guid, by: World.dave).fetch == 1)
        // Who was granted it may pass it on, too.
        #expect(try await world.share(guid, [World.carol], by: World.dave).state == .granted)
        _ = try await world.revoke(guid, [World.dave])
        #expect(try await world.refusal { try await world.share(guid, [World.dave]) } == AttachmentsXML.notPassedOn)
        #expect(try await world.refusal { try await world.share(guid, [World.eve], by: World.dave) } == AttachmentsXML.refusal)
        #expect(world.sent.isEmpty)
    }

    @Test func `the owner is asked, with the command that allows it, and only once`() async throws {
        let world = try World()
        let guid = try await world.kept(World.file("a\nb").facts)
        let asked = try await world.share(guid, [World.dave, World.eve])
        let request = try #require(asked.request)
        #expect(asked.state == .asked)
        #expect(world.sent.count == 1 && world.sent[0].to == [World.ann] && world.sent[0].sender == .service)
        #expect(world.sent[0].text.contains("wsemail attachments allow \(guid) \(request)\n"))
        #expect(try await world.share(guid, [World.eve, World.dave]) == asked)
        #expect(world.sent.count == 1)
        #expect(try await world.refusal { try await world.get(guid, by: World.dave) } == AttachmentsXML.refusal)
        _ = try await world.ask(AttachmentCall.Answer(guid: guid, request: request, grant: true), by: World.ann)
        #expect(try await world.get(guid, by: World.dave).fetch == 1)
        // Whoever may read it already, a reader is answered the same.
        #expect(try await world.share(guid, [World.dave]).state == .asked)
        let again = AttachmentCall.Answer(guid: guid, request: request, grant: true)
        #expect(try await world.refusal { try await world.ask(again, by: World.ann) }.hasPrefix("there is no such request"))
        #expect(try await world.log(guid).map(\.kind) == [.asked, .granted, .granted, .fetched, .asked])
    }

    @Test func `the owner says no`() async throws {
        let world = try World()
        let guid = try await world.kept()
        let request = try #require(try await world.share(guid, [World.dave]).request)
        _ = try await world.ask(AttachmentCall.Answer(guid: guid, request: request, grant: false), by: World.ann)
        #expect(try await world.refusal { try await world.get(guid, by: World.dave) } == AttachmentsXML.refusal)
        #expect(try await world.log(guid).map(\.kind) == [.asked, .refused])
    }

    @Test func `a reader has 10 requests open, all together 100, each for up to 200`() async throws {
        let world = try World()
        let readers = (0..<11).map { World.address("r\($0)@far.example") }
        let guid = try await world.kept(to: readers)
        func ask(_ index: Int, by reader: Address, _ count: Int = 1) async throws -> AttachmentAnswer.Share {
            try await world.share(guid, (0..<count).map { World.address("n\(index).\($0)@far.example") }, by: reader)
        }
        for reader in readers.prefix(10) {
            for index in 0..<10 { #expect(try await ask(index, by: reader, index == 0 ? 200 : 1).state == .asked) }
            #expect(try await world.refusal { try await ask(10, by: reader) }.hasPrefix("too many requests"))
        }
        #expect(try await world.refusal { try await ask(0, by: readers[10]) }.hasPrefix("too many requests"))
        #expect(world.values.values.map(\.count).max() ?? 0 <= 65_536)
    }

    @Test func `what was revoked is not granted afterwards`() async throws {
        let world = try World()
        let guid = try await world.kept()
        let request = try #require(try await world.share(guid, [World.dave]).request)
        _ = try await world.revoke(guid)
        let answer = AttachmentCall.Answer(guid: guid, request: request, grant: true)
        #expect(try await world.refusal { try await world.ask(answer, by: World.ann) }.contains("you revoked"))
        #expect(try await world.refusal { try await world.share(guid, [World.dave]) } == AttachmentsXML.refusal)
    }

    @Test func `what has expired is neither passed on nor granted`() async throws {
        let world = try World()
        let guid = try await world.kept()
        let request = try #require(try await world.share(guid, [World.dave]).request)
        world.pass(days: 30)
        #expect(try await world.refusal { try await world.share(guid, [World.eve]) } == AttachmentsXML.expired)
        let answer = AttachmentCall.Answer(guid: guid, request: request, grant: true)
        #expect(try await world.refusal { try await world.ask(answer, by: World.ann) } == AttachmentsXML.expired)
    }

    // MARK: Time

    @Test func `files go when their time is over, records and logs a year later, and then nothing is left`() async throws {
        let world = try World()
        let guid = try await world.kept(to: [World.bob, World.carol])
        let longer = try await world.kept(World.file("b").facts, AttachmentKeep(expires: world.now + 60 * 86_400))
        _ = try await world.get(guid)
        _ = try await world.share(guid, [World.dave])
        _ = try await world.revoke(guid, [World.carol])
        #expect(try await world.tidy() == 1)
        world.pass(days: 30)
        _ = try await world.tidy()
        #expect(world.state.withLock { $0.holds.map(\.guid) } == [longer])
        #expect(try await world.log(guid).last?.kind == .expired)
        #expect(try await world.refusal { try await world.get(guid) } == AttachmentsXML.expired)
        #expect(try await list(world).attachments.count == 2)
        world.pass(days: 364)
        _ = try await world.tidy()
        #expect(try await list(world).attachments.count == 2)
        world.pass(days: 1)
        _ = try await world.tidy()
        #expect(try await list(world).attachments.map(\.guid) == [longer])
        world.pass(days: 31)
        _ = try await world.tidy()
        #expect(world.values.isEmpty && world.state.withLock { $0.holds.isEmpty })
    }

    @Test func `what was revoked is tidied up like the rest`() async throws {
        let world = try World()
        let guid = try await world.kept()
        _ = try await world.revoke(guid)
        world.pass(days: 30)
        _ = try await world.tidy()
        #expect(try await world.log(guid).map(\.kind) == [.revoked])
        world.pass(days: 366)
        _ = try await world.tidy()
        #expect(world.values.isEmpty)
    }

    @Test func `much is tidied up in many small calls`() async throws {
        let world = try World()
        let readers = (0..<200).map { World.address("r\($0)@far.example") }
        let guid = try await world.kept(to: readers)
        for _ in 0..<600 { _ = try await world.get(guid, by: readers[0]) }
        for start in [0, 100] { _ = try await world.revoke(guid, Array(readers[start..<(start + 100)])) }
        for _ in 0..<50 { _ = try await world.kept() }
        world.pass(days: 31)
        #expect(try await world.tidy() == 3)
        #expect(world.state.withLock { $0.holds.isEmpty })
        world.pass(days: 366)
        #expect(try await world.tidy() > 50)
        #expect(world.values.isEmpty)
    }

    @Test func `a damaged record holds nothing else up`() async throws {
        let world = try World()
        let (bad, good) = (try await world.kept(), try await world.kept())
        world.state.withLock { $0.values[AttachmentKeys.record(bad)] = [0xFF] }
        world.pass(days: 31)
        _ = try await world.tidy()
        #expect(world.state.withLock { $0.holds.map(\.guid) } == [bad])
        #expect(try await world.log(good).map(\.kind) == [.expired])
        #expect(world.state.withLock { $0.lines }.contains { $0.contains("damaged") })
    }
}
