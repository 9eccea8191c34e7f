import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import Plugins
import Synchronization
import Testing

@testable import PluginHost

/// What plug-ins and the host let go of before an account is removed.
@Suite struct AccountRemovalTests {
    private typealias Removed = @Sendable (Address, any PluginEnvironment) async throws -> Bool

    private func world(
        loaded: Bool = true, change: (inout PluginHostConfiguration) -> Void = { _ in }, _ removed: @escaping Removed
    ) async throws -> HostWorld {
        let world = try HostWorld([Sample.keeper("a.x/a", PluginScript(), removed: removed)]) {
            if !loaded { $0.loadAtStart = [] }
            change(&$0)
        }
        _ = try await world.host.reconcile()
        return world
    }

    private func counted(_ calls: borrowing Mutex<Int>) -> Int {
        calls.withLock { calls in
            calls += 1
            return calls
        }
    }

    @Test func `a plug-in is called until it is done, and everything that it does is kept`() async throws {
        let calls = Mutex(0)
        let world = try await world { address, environment in
            let count = counted(calls)
            try await environment.setValue(Array(address.description.utf8), for: [UInt8(count)])
            return count < 150
        }
        try await world.host.accountRemoved(Sample.ann)
        #expect(calls.withLock { $0 } == 150)
        #expect(try await world.store.pluginUsage("a.x/a").count == 150)
    }

    @Test func `what changed meanwhile is done again`() async throws {
        let calls = Mutex(0)
        let store = Mutex<MemoryPluginStore?>(nil)
        let world = try await world { _, environment in
            let value = try await environment.value(for: [1]) ?? []
            try await environment.setValue(value + [9], for: [1])
            let write = PluginValueWrite(plugin: "a.x/a", key: [1], value: [7])
            if counted(calls) == 1 { _ = try await store.withLock { $0 }?.commit(PluginEffects(writes: [write]), now: HostWorld.now) }
            return false
        }
        store.withLock { $0 = world.store }
        try await world.host.accountRemoved(Sample.ann)
        #expect(try await world.store.pluginValue([1], of: "a.x/a")?.value == [7, 9])
    }

    @Test func `a failure of a plug-in is one of the removal, and nothing of the host's has gone`() async throws {
        let world = try await world { _, environment in
            try await environment.setValue([1], for: [1])
            throw PluginError(.failed, "no")
        }
        try await hold(world, Sample.ann, 1)
        let error = await #expect(throws: PluginError.self) { try await world.host.accountRemoved(Sample.ann) }
        #expect(error == PluginError(.failed, "a.x/a: no"))
        #expect(try await world.store.pluginUsage("a.x/a").count == 0)
        #expect(try await world.store.pluginUsage(HostValues.holds).count == 1)
    }

    @Test func `what does not run and keeps something stands in the way`() async throws {
        let world = try await world(loaded: false) { _, _ in false }
        try await world.host.accountRemoved(Sample.ann)
        let write = PluginValueWrite(plugin: "a.x/a", key: [1], value: [7])
        _ = try await world.store.commit(PluginEffects(writes: [write]), now: HostWorld.now)
        let error = await #expect(throws: PluginError.self) { try await world.host.accountRemoved(Sample.ann) }
        #expect(error?.code == .unavailable)
    }

    @Test func `what was suspended stands in the way`() async throws {
        let world = try await world(change: { $0.errorBudget = 1 }) { _, _ in throw PluginError(.failed, "no") }
        for code in [PluginError.Code.failed, .suspended] {
            let error = await #expect(throws: PluginError.self) { try await world.host.accountRemoved(Sample.ann) }
            #expect(error?.code == code)
        }
    }

    // MARK: The host's own

    private func hold(_ world: HostWorld, _ owner: Address, _ count: Int) async throws {
        let writes = (0..<count).map { _ in
            PluginValueWrite(
                plugin: HostValues.holds, key: HostValues.holdKey(owner: owner, digest: Sample.digest(1), guid: RandomID.hex(16)),
                value: HostValues.holdValue(size: 1))
        }
        _ = try await world.store.commit(PluginEffects(writes: writes), now: HostWorld.now)
    }

    private func offer(_ world: HostWorld, _ owner: Address, to reader: Address, _ count: Int) async throws {
        let writes = try (0..<count).map { _ in
            let ticket = HostValues.Ticket(
                owner: owner, digest: Sample.digest(1), size: 1, reader: reader, expires: HostWorld.now + 60)
            return PluginValueWrite(
                plugin: HostValues.tickets, key: HostValues.ticketKey(guid: RandomID.hex(16), ticket: RandomID.bytes(32)),
                value: try ticket.encoded())
        }
        _ = try await world.store.commit(PluginEffects(writes: writes), now: HostWorld.now)
    }

    @Test func `custody of the account's files, offers of them and offers to it go, whatever plug-ins do`() async throws {
        let world = try HostWorld()
        // Who is called almost the same keeps everything.
        let other = Sample.address("ann@example.org.uk")
        for owner in [Sample.ann, Sample.bob, other] { try await hold(world, owner, 250) }
        try await offer(world, Sample.ann, to: Sample.eve, 150)
        try await offer(world, Sample.bob, to: Sample.ann, 150)
        try await offer(world, Sample.bob, to: other, 7)
        try await world.host.accountRemoved(Sample.ann)
        #expect(try await world.store.pluginUsage(HostValues.holds).count == 500)
        let prefix = HostValues.holdPrefix(owner: Sample.ann, digest: [])
        #expect(try await world.store.pluginKeys(prefix: prefix, after: nil, limit: 1, of: HostValues.holds).isEmpty)
        #expect(try await world.store.pluginUsage(HostValues.tickets).count == 7)
    }

    @Test func `nothing of the attachments of an account outlives it`() async throws {
        let builtIn = try BuiltIns.attachments
        let world = try HostWorld([BuiltInPlugin(descriptor: builtIn.descriptor, grants: builtIn.grants, make: builtIn.make)])
        _ = try await world.host.reconcile()
        var guids: [String] = []
        for _ in 0..<7 {
            let run = Sample.run()
            guard case .accepted(_, _, let kept) = await world.host.pipeline.submit(Sample.submission(), in: run) else {
                return #expect(Bool(false))
            }
            guids.append(try #require(kept.first?.guid))
            #expect(try await world.store.commit(run.effects, now: HostWorld.now))
        }
        let get = ExtensionEvent(
            identifier: AttachmentsXML.namespace, request: AttachmentCall.Get(guid: guids[0]).octets(),
            caller: CallerIdentity(principal: Sample.eve.description, method: "federated"))
        let fetch = PluginRun(principal: nil, now: HostWorld.now)
        guard case .answered = await world.host.pipeline.answer(get, caller: .federated, in: fetch) else {
            return #expect(Bool(false))
        }
        #expect(try await world.store.commit(fetch.effects, now: HostWorld.now))
        #expect(try await world.store.pluginUsage(HostValues.tickets).count == 1)
        // One more, that was asked for before and has not committed.
        let late = PluginRun(principal: nil, now: HostWorld.now)
        _ = await world.host.pipeline.answer(get, caller: .federated, in: late)
        try await world.host.accountRemoved(Sample.ann)
        for namespace in [HostValues.holds, HostValues.tickets] { #expect(try await world.store.pluginUsage(namespace).count == 0) }
        #expect(try await !world.store.commit(late.effects, now: HostWorld.now))
        guard case .fault(let fault, _) = await world.host.pipeline.answer(get, caller: .federated, in: Sample.run()) else {
            return #expect(Bool(false))
        }
        #expect(fault.reason == AttachmentsXML.refusal)
        // Once more changes nothing.
        try await world.host.accountRemoved(Sample.ann)
    }
}
