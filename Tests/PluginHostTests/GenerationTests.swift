import Foundation
import PluginAPI
import Synchronization
import Testing

@testable import PluginHost

/// Mail flows while the administrator changes everything.
@Suite struct GenerationTests {
    /// The order of the queue by generation, as the administrator's side saw it.
    private final class Expected: Sendable {
        private let orders = Mutex<[UInt64: [String]]>([:])
        func note(_ pipeline: PluginPipeline) {
            let order = pipeline.snapshot.delivery.map { entry -> String in
                guard case .running(let lease) = entry.target else { return "out" }
                return "\(entry.identifier)@\(lease.instance.key.version)"
            }
            orders.withLock { $0[pipeline.generation] = order }
        }
        subscript(generation: UInt64) -> [String]? { orders.withLock { $0[generation] } }
        private let over = Atomic(false)
        var isOver: Bool { over.load(ordering: .acquiring) }
        func end() { over.store(true, ordering: .releasing) }
        /// Different ones.
        var count: Int { orders.withLock { Set($0.values.map { $0.joined(separator: " ") }).count } }
    }

    @Test func `each event sees exactly one set of plug-ins, none fails, and each plug-in stops once after its last call`() async throws {
        let log = CallLog()
        let instances = Mutex(0)
        let fixed = ["a.x/a", "c.x/c"].map { name -> BuiltInPlugin in
            BuiltInPlugin(descriptor: Sample.descriptor(name, roles: [.delivery: 500])) { _ throws(PluginError) in
                let number = instances.withLock { count in
                    count += 1
                    return count
                }
                return WatchedPlugin("\(name) \(number)", log)
            }
        }
        let world = try HostWorld(fixed)
        try await world.manager.install(FakePackage("b.x/b").octets, grants: nil, allowDowngrade: false, by: "root").check()
        try await world.manager.setLoaded("b.x", true)
        _ = try await world.host.reconcile()
        let expected = Expected()
        expected.note(world.host.pipeline)
        let event = try Sample.delivery()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<8 {
                group.addTask {
                    var events = 0
                    while events < 250 || !expected.isOver {
                        events += 1
                        // An empty pipeline never suspends: the administrator must have his turn.
                        await Task.yield()
                        let run = Sample.run()
                        let pipeline = world.host.pipeline
                        let outcome = await pipeline.deliver(event, in: run)
                        // The administrator's side notes a generation right after it is published: wait for that.
                        while expected[pipeline.generation] == nil, !expected.isOver { await Task.yield() }
                        #expect(outcome == .deliver(folder: nil, flags: []), "lane \(lane)")
                        #expect(run.trace.map { "\($0.identifier)@\($0.version)" } == expected[pipeline.generation])
                        #expect(run.trace.allSatisfy { $0.generation == pipeline.generation })
                    }
                }
            }
            group.addTask {
                defer { expected.end() }
                try await Self.administer(world, expected)
            }
            try await group.waitForAll()
        }
        #expect(expected.count > 6)
        for status in await world.host.statuses() { #expect(status.metrics.failures == 0 && status.metrics.inFlight == 0) }
        await world.host.shutDown()
        let lines = log.all
        let started = lines.filter { $0.hasPrefix("start ") }.map { $0.dropFirst(6) }
        #expect(started.count == instances.withLock { $0 } && started.count > 10)
        for name in started {
            #expect(lines.count { $0 == "stop \(name)" } == 1)
            #expect(lines.last { $0.hasSuffix(" \(name)") } == "stop \(name)", "a call after the end of \(name)")
        }
    }

    private static func administer(_ world: HostWorld, _ expected: Expected) async throws {
        let manager = world.manager
        func follow() async throws {
            for status in try await world.host.reconcile() {
                if case .failed(let reason) = status.state { Issue.record("\(status.identifier): \(reason)") }
            }
            expected.note(world.host.pipeline)
        }
        for round in 1...12 {
            try await manager.setPriority("a.x", role: .delivery, to: round.isMultiple(of: 2) ? 1 : 900)
            try await follow()
            try await manager.setEnabled("c.x", false)
            try await follow()
            try await manager.install(
                FakePackage("b.x/b", version: "1.0.\(round)").octets, grants: nil, allowDowngrade: false, by: "root"
            ).check()
            try await follow()
            try await manager.setLoaded("a.x", false)
            try await follow()
            try await manager.setEnabled("c.x", true)
            try await manager.setLoaded("a.x", true)
            try await follow()
            try await manager.setLimits("c.x", PluginLimits(seconds: Double(20 + round)))
            try await manager.setLoaded("b.x", !round.isMultiple(of: 3))
            try await follow()
        }
    }
}

extension InstallReport {
    fileprivate func check() { #expect(!isUnchanged || version.patch == 0) }
}

/// Says when it is called, and complains when that is after its end.
final class WatchedPlugin: DeliveryProcessor {
    private let name: String
    private let log: CallLog

    init(_ name: String, _ log: CallLog) {
        self.name = name
        self.log = log
    }

    func start(_ context: PluginContext) async { log.add("start \(name)") }
    func stop() async { log.add("stop \(name)") }

    func process(_ delivery: DeliveryEvent, _ environment: any PluginEnvironment) async -> DeliveryVerdict {
        log.add("call \(name)")
        await Task.yield()
        log.add("return \(name)")
        return .proceed
    }
}
