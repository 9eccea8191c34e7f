import Foundation
import Identity
import MailModel
import PluginAPI
import Testing

@testable import Plugins

/// What the attachment plug-in keeps, and on what terms.
@Suite struct AttachmentSendingTests {
    private typealias World = AttachmentWorld
    private let a = World.file("a.txt", [1]).facts
    private let b = World.file("b.txt", [2]).facts

    @Test func `it keeps every attachment whose file is here, each under a GUID of its own`() async throws {
        let world = try World()
        guard case .keep(let guids) = try await world.submit([a, b], here: [a.digest]) else { return #expect(Bool(false)) }
        #expect(Set(guids.keys) == [a.digest])
        guard case .keep(let again) = try await world.submit([a, b]) else { return #expect(Bool(false)) }
        #expect(Set(again.keys) == [a.digest, b.digest])
        let all = Array(guids.values) + Array(again.values)
        #expect(Set(all).count == 3 && all.allSatisfy(AttachmentsXML.isGUID))
    }

    @Test func `equal files in one message are one`() async throws {
        let same = MessageFacts.Attachment(name: "copy.txt", mediaType: "text/plain", size: a.size, digest: a.digest)
        guard case .keep(let guids) = try await World().submit([a, same]) else { return #expect(Bool(false)) }
        #expect(guids.count == 1)
    }

    @Test func `a message without files here passes untouched`() async throws {
        let world = try World()
        #expect(try await world.submit([]) == .proceed)
        #expect(try await world.submit([a], here: []) == .proceed)
        #expect(world.values.isEmpty)
    }

    @Test func `terms are as the sender says, the single ones first, and as the settings say otherwise`() async throws {
        let world = try World(["default-expiry-days": "3", "default-on-forward": "forbid"])
        let general = AttachmentKeep(maxFetches: 9)
        let single = AttachmentKeep(expires: world.now + 60, onForward: .allow, digest: a.digest)
        guard case .keep(let guids) = try await world.submit([a, b], options: [general, single]) else { return #expect(Bool(false)) }
        let first = try await world.describe(try #require(guids[a.digest]), by: World.ann)
        #expect(first.facts.expires == world.now + 60 && first.onForward == .allow && first.facts.remaining == 9)
        let second = try await world.describe(try #require(guids[b.digest]), by: World.ann)
        #expect(second.facts.expires == world.now + 3 * 86_400 && second.onForward == .forbid && second.facts.remaining == 9)
    }

    private func refusal(_ options: [AttachmentKeep] = [], raw: [String] = []) async throws -> String {
        let world = try World()
        let verdict = try await world.submit([a], options: options, raw: raw)
        guard case .refuse(let reason, false) = verdict else { return "\(verdict)" }
        #expect(world.values.isEmpty)
        return reason
    }

    @Test func `terms that cannot be kept are refused with a reason`() async throws {
        let now = try World().now
        #expect(try await refusal([.init(expires: now)]) == "an attachment would expire before it is sent")
        #expect(try await refusal([.init(expires: now + 365 * 86_400 + 1)]).hasPrefix("an attachment is kept for at most 365 days"))
        #expect(try await refusal([.init(), .init()]) == "two options are for all attachments")
        #expect(try await refusal([.init(digest: a.digest), .init(digest: a.digest)]) == "two options are for one attachment")
        #expect(try await refusal([.init(digest: b.digest)]).hasPrefix("an option names a file that is not attached"))
        for raw in [
            "<Keep/>", "<Keep xmlns='urn:wsemail:2:attachments' for='x'/>", "<Keep xmlns='urn:wsemail:2:attachments' maxFetches='0'/>",
        ] {
            #expect(try await refusal(raw: [raw]).hasPrefix("the option for attachments is none"))
        }
        #expect(try await World().submit([a], options: [.init(expires: now + 365 * 86_400)]) != .proceed)
    }

    @Test func `a message with attachments goes to 500 addresses, not to more`() async throws {
        let many = (0..<501).map { World.address("r\($0)@far.example") }
        let files = (0..<64).map { World.file("f\($0)", [UInt8($0)]).facts }
        let replaced = MessageID.random()
        let world = try World()
        _ = try await world.submit(files, id: replaced)
        // Also at once with as many attachments and earlier versions as there can be: the bounds of a call hold.
        guard case .keep = try await world.submit(files, to: Array(many.prefix(500)), replaces: replaced) else {
            return #expect(Bool(false))
        }
        guard case .refuse = try await World().submit([a], to: many) else { return #expect(Bool(false)) }
    }

    @Test func `a name has 1,024 characters at most`() async throws {
        func named(_ count: Int) -> MessageFacts.Attachment {
            .init(name: String(repeating: "n", count: count), mediaType: "x/y", size: 1, digest: a.digest)
        }
        guard case .keep = try await World().submit([named(1_024)]) else { return #expect(Bool(false)) }
        guard case .refuse = try await World().submit([named(1_025)]) else { return #expect(Bool(false)) }
    }

    @Test func `somebody else's message is not kept`() async throws {
        await #expect(throws: PluginError.self) { _ = try await World().submit([a], principal: World.eve) }
    }

    @Test func `a message that replaces another gives new versions of what has the same name, or is the only one`() async throws {
        let world = try World()
        let (first, second, third) = (MessageID.random(), MessageID.random(), MessageID.random())
        let old = try await world.kept(World.file("plan.txt", [1]).facts, id: first)
        let middle = try await world.kept(World.file("plan-2.txt", [2]).facts, id: second, replaces: first)
        let new = try await world.kept(World.file("plan-2.txt", [3]).facts, to: [World.bob, World.carol], id: third, replaces: second)
        let told = try await world.describe(old, by: World.bob)
        #expect(told.replacements.map(\.guid) == [middle, new] && told.replaces.isEmpty)
        #expect(told.replacements.map(\.messageID) == [second, third])
        #expect(try await world.describe(middle, by: World.bob).replaces.map(\.guid) == [old])
        // Who reads only the newest learns nothing of the others.
        #expect(try await world.describe(new, by: World.carol).replaces.isEmpty)
        #expect(try await world.describe(new, by: World.bob).replaces.map(\.guid) == [middle, old])
    }

    @Test func `nobody replaces another's attachments, and different names are no versions`() async throws {
        let world = try World()
        let first = MessageID.random()
        let old = try await world.kept(id: first)
        _ = try await world.submit([a], from: World.carol, replaces: first)
        #expect(try await world.describe(old, by: World.ann).replacements.isEmpty)
        let two = [World.file("x", [8]).facts, World.file("y", [9]).facts]
        _ = try await world.submit(two, replaces: first)
        #expect(try await world.describe(old, by: World.ann).replacements.isEmpty)
    }

    @Test(arguments: [
        ("default-expiry-days", "1", true), ("default-expiry-days", "0", false), ("default-expiry-days", "365", true),
        ("default-expiry-days", "366", false), ("max-expiry-days", "3650", true), ("max-expiry-days", "3651", false),
        ("max-expiry-days", "29", false), ("inline-limit", "0", true), ("inline-limit", "10485760", true),
        ("inline-limit", "10485761", false), ("inline-limit", "x", false), ("default-on-forward", "allow", true),
        ("default-on-forward", "maybe", false),
    ])
    func `settings have bounds`(_ name: String, _ value: String, _ isGood: Bool) {
        #expect(((try? AttachmentSettings([name: value])) != nil) == isGood)
    }

    @Test func `it is compiled in, last at sending, closed, and has what it asks for`() throws {
        let builtIn = try BuiltIns.attachments
        #expect(builtIn.descriptor.identifier.description == "org.wsemail.builtin/attachments")
        #expect(builtIn.descriptor.roles[.sending] == 1_000 && builtIn.descriptor.failurePolicy == .closed)
        #expect(builtIn.grants == builtIn.descriptor.capabilities)
        #expect(builtIn.descriptor.extensions.map(\.identifier) == ["urn:wsemail:2:attachments"])
        #expect(builtIn.descriptor.extensions.first?.callers == [.user, .federated])
        let presets = Dictionary(uniqueKeysWithValues: builtIn.descriptor.settings.map { ($0.name, $0.preset) })
        #expect(try builtIn.make(presets) is Attachments)
        #expect(BuiltIns.all.count == 2)
    }
}
