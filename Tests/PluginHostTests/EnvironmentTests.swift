import Foundation
import Identity
import MailStore
import PluginAPI
import Synchronization
import Testing

@testable import PluginHost

/// What plug-ins can reach, and what becomes of it.
@Suite struct EnvironmentTests {
    /// Runs a delivery through scripts in order, each a plug-in of its own with all capabilities (or those given).
    private func run(
        _ scripts: [@Sendable (any PluginEnvironment) async throws -> Void], granting: Set<PluginCapability>? = nil,
        principal: Address? = Sample.bob, store change: (MemoryPluginStore) async throws -> Void = { _ in }
    ) async throws -> (HostWorld, PluginRun, DeliveryOutcome) {
        let all = Set(PluginCapability.allCases).filter { !$0.isForCompiledInOnly }
        let plugins = scripts.enumerated().map { index, script in
            Sample.builtIn(
                Sample.descriptor("a.x/p\(index)", roles: [.delivery: index], capabilities: all, policy: .closed),
                PluginScript(delivery: { _, environment in
                    try await script(environment)
                    return .proceed
                }))
        }
        let world = try HostWorld(plugins)
        try await change(world.store)
        for index in scripts.indices { try await world.manager.grant("a.x/p\(index)", granting ?? all) }
        _ = try await world.host.reconcile()
        let run = PluginRun(principal: principal, now: HostWorld.now)
        let outcome = await world.host.pipeline.deliver(try Sample.delivery(), in: run)
        return (world, run, outcome)
    }

    private let key = Array("k".utf8)

    @Test func `a call reads what it and earlier calls of the run have written, and each key is checked once`() async throws {
        let seen = Mutex<[[UInt8]?]>([])
        let key = key
        let script: @Sendable (any PluginEnvironment) async throws -> Void = { environment in
            let before = try await environment.value(for: key)
            try await environment.setValue((before ?? []) + [1], for: key)
            let after = try await environment.value(for: key)
            seen.withLock { $0 += [before, after] }
        }
        let effects = PluginEffects(writes: [PluginValueWrite(plugin: "a.x/p0", key: key, value: [7])])
        let (world, run, _) = try await run([script, script]) { store in
            _ = try await store.commit(effects, now: HostWorld.now)
        }
        // A second event part in the same run: the resolver and the deliverer of one plug-in, say.
        _ = await world.host.pipeline.deliver(try Sample.delivery(), in: run)
        #expect(seen.withLock { $0 } == [[7], [7, 1], nil, [1], [7, 1], [7, 1, 1], [1], [1, 1]])
        #expect(
            run.checks == [
                PluginValueCheck(plugin: "a.x/p0", key: key, version: 1), PluginValueCheck(plugin: "a.x/p1", key: key, version: nil),
            ])
        #expect(run.writes.map(\.value) == [[7, 1], [1], [7, 1, 1], [1, 1]])
        #expect(try await world.store.commit(PluginEffects(checks: run.checks, writes: run.writes), now: HostWorld.now))
        #expect(try await !world.store.commit(PluginEffects(checks: run.checks, writes: run.writes), now: HostWorld.now))
        #expect(try await world.store.pluginValue(key, of: "a.x/p0")?.value == [7, 1, 1])
    }

    @Test func `a key that was only written, or was removed, is not read from the store`() async throws {
        let key = key
        let (_, run, _) = try await run([
            { environment in
                try await environment.setValue([1], for: key)
                try await environment.setValue(nil, for: key)
                #expect(try await environment.value(for: key) == nil)
            }
        ])
        #expect(run.checks.isEmpty)
        #expect(run.writes.map(\.value) == [[1], nil])
    }

    @Test func `the effects of a call that failed are dropped, those of the others stay`() async throws {
        let key = key
        let good: @Sendable (any PluginEnvironment) async throws -> Void = { environment in
            try await environment.setValue([1], for: key)
            try await environment.send(OutgoingMessage(to: [Sample.ann], subject: "s", text: "t"))
        }
        let (_, run, outcome) = try await run([
            good,
            { environment in
                _ = try await environment.value(for: key)
                try await good(environment)
                throw PluginError(.failed, "no")
            },
        ])
        #expect(outcome == .unavailable(reason: "failed: no", by: Sample.plugin("a.x/p1")))
        #expect(run.checks.isEmpty && run.writes.count == 1)
        let message = OutgoingMessage(to: [Sample.ann], subject: "s", text: "t")
        #expect(run.messages == [PluginMessage(plugin: Sample.plugin("a.x/p0"), message: message, principal: Sample.bob)])
    }

    @Test func `without a capability every door is closed`() async throws {
        let codes = Mutex<[PluginError.Code]>([])
        let key = key
        _ = try await run(
            [
                { environment in
                    func note(_ body: () async throws -> Void) async {
                        do { try await body() } catch { codes.withLock { $0.append((error as? PluginError)?.code ?? .failed) } }
                    }
                    await note { try environment.log(.info, "x") }
                    await note { _ = try environment.now() }
                    await note { _ = try await environment.value(for: key) }
                    await note { try await environment.setValue([], for: key) }
                    await note { _ = try await environment.keys(withPrefix: [], after: nil, limit: 1) }
                    await note { try await environment.send(OutgoingMessage(to: [Sample.ann], subject: "", text: "")) }
                    await note { _ = try await environment.lookUp(Sample.ann) }
                }
            ], granting: [])
        #expect(codes.withLock { $0 } == Array(repeating: .notGranted, count: 7))
    }

    @Test func `with them they open`() async throws {
        let key = key
        let (_, _, outcome) = try await run([
            { environment in
                try environment.log(.info, String(repeating: "x\n", count: 1_000))
                #expect(try environment.now() == HostWorld.now)
                #expect(try await environment.lookUp(Sample.ann) == .mailbox)
                #expect(try await environment.lookUp(Sample.bob) == .unknown)
                #expect(try await environment.lookUp(Sample.eve) == .foreign)
                try await environment.setValue([1], for: key)
                #expect(try await environment.keys(withPrefix: [], after: nil, limit: 1_000) == [])
            }
        ])
        #expect(outcome == .deliver(folder: nil, flags: []))
    }

    private struct Bound: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let isWithin: Bool
        let act: @Sendable (any PluginEnvironment) async throws -> Void

        init(_ name: String, _ isWithin: Bool, _ act: @escaping @Sendable (any PluginEnvironment) async throws -> Void) {
            testDescription = name
            self.isWithin = isWithin
            self.act = act
        }
    }

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
    private static func send(_ count: Int, to: Int = 1, subject: Int = 0, text: Int = 0, _ environment: any PluginEnvironment) async throws
    {
        let message = OutgoingMessage(
            to: (0..<to).map { Sample.address("a\($0)@example.org") }, subject: String(repeating: "s", count: subject),
            text: String(repeating: "t", count: text))
        for _ in 0..<count { try await environment.send(message) }
    }

    private static let bounds: [Bound] = [
        Bound("an empty key", false) { try await $0.setValue([], for: []) },
        Bound("a key of 512", true) { try await $0.setValue([], for: zeros(512)) },
        Bound("a key of 513", false) { try await $0.setValue([], for: zeros(513)) },
        Bound("reading a key of 513", false) { _ = try await $0.value(for: zeros(513)) },
        Bound("a value of 64 KiB", true) { try await $0.setValue(zeros(65_536), for: [1]) },
        Bound("a larger value", false) { try await $0.setValue(zeros(65_537), for: [1]) },
        Bound("1,000 writes", true) { for _ in 0..<1_000 { try await $0.setValue([], for: [1]) } },
        Bound("1,001 writes", false) { for _ in 0...1_000 { try await $0.setValue([], for: [1]) } },
        Bound("1,000 reads", true) { for index in 0..<1_000 { _ = try await $0.value(for: Array("\(index)".utf8)) } },
        Bound("1,001 reads", false) { for index in 0...1_000 { _ = try await $0.value(for: Array("\(index)".utf8)) } },
        Bound("16 MiB of values", false) { for _ in 0...256 { try await $0.setValue(zeros(65_536), for: [1]) } },
        Bound("listing 1,000", true) { _ = try await $0.keys(withPrefix: [], after: nil, limit: 1_000) },
        Bound("listing 1,001", false) { _ = try await $0.keys(withPrefix: [], after: nil, limit: 1_001) },
        Bound("listing none", false) { _ = try await $0.keys(withPrefix: [], after: nil, limit: 0) },
        Bound("10 messages", true) { try await send(10, $0) },
        Bound("11 messages", false) { try await send(11, $0) },
        Bound("20 recipients", true) { try await send(1, to: 20, $0) },
        Bound("21 recipients", false) { try await send(1, to: 21, $0) },
        Bound("a subject of 998", true) { try await send(1, subject: 998, $0) },
        Bound("a subject of 999", false) { try await send(1, subject: 999, $0) },
        Bound("a text of 64 KiB", true) { try await send(1, text: 65_536, $0) },
        Bound("a longer text", false) { try await send(1, text: 65_537, $0) },
    ]

    @Test(arguments: bounds) private func `each bound holds, just inside and just outside`(_ bound: Bound) async throws {
        let (_, run, outcome) = try await run([bound.act])
        #expect((outcome == .deliver(folder: nil, flags: [])) == bound.isWithin)
        if !bound.isWithin { #expect(run.writes.isEmpty && run.messages.isEmpty && run.checks.isEmpty) }
    }

    @Test func `who has no mailbox here cannot be written for, but the service can`() async throws {
        let message = OutgoingMessage(to: [Sample.ann], subject: "", text: "")
        let (_, _, refused) = try await run([{ try await $0.send(message) }], principal: nil)
        guard case .unavailable = refused else { return #expect(Bool(false)) }
        var service = message
        service.sender = .service
        let (_, run, _) = try await run([{ [service] in try await $0.send(service) }], principal: nil)
        #expect(run.messages.map(\.message) == [service])
    }

    @Test func `a failing store is reported as such and is not the plug-in's fault`() async throws {
        let key = key
        let plugin = Sample.builtIn(
            Sample.descriptor("a.x/a", roles: [.delivery: 1], capabilities: [.keyValue], policy: .closed),
            PluginScript(delivery: { _, environment in
                _ = try await environment.value(for: key)
                return .proceed
            }))
        let world = try HostWorld([plugin]) { $0.errorBudget = 2 }
        try await world.manager.grant("a.x/a", [.keyValue])
        _ = try await world.host.reconcile()
        world.store.isBroken = true
        for _ in 0..<5 {
            let outcome = await world.host.pipeline.deliver(try Sample.delivery(), in: Sample.run())
            #expect(outcome == .unavailable(reason: "storage: the disk is gone", by: Sample.plugin("a.x/a")))
        }
        world.store.isBroken = false
        #expect(await world.host.pipeline.deliver(try Sample.delivery(), in: Sample.run()) == .deliver(folder: nil, flags: []))
    }

    @Test func `a call that has ended reaches nothing any more`() async throws {
        let kept = Mutex<(any PluginEnvironment)?>(nil)
        let (_, run, _) = try await run([{ environment in kept.withLock { $0 = environment } }])
        let environment = try #require(kept.withLock { $0 })
        await #expect(throws: PluginError.self) { try await environment.setValue([1], for: [1]) }
        #expect(throws: PluginError.self) { try environment.log(.info, "late") }
        #expect(run.writes.isEmpty)
    }
}
