import Foundation
import Identity
import PluginAPI
import Synchronization
import Testing

@testable import PluginHost

/// Places, time limits and the error budget.
@Suite struct CallTests {
    private let name = "a.x/a"

    private func world(
        policy: FailurePolicy = .closed, change: (inout PluginHostConfiguration) -> Void = { _ in },
        _ delivery: @escaping @Sendable (DeliveryEvent, any PluginEnvironment) async throws -> DeliveryVerdict
    ) async throws -> HostWorld {
        let descriptor = Sample.descriptor(name, roles: [.delivery: 1, .extension: 1], extensions: ["urn:x"], policy: policy)
        let script = PluginScript(
            delivery: delivery,
            answer: { call, _ in
                if call.request.isEmpty { throw PluginFault("empty") }
                return call.request
            })
        let world = try HostWorld([Sample.builtIn(descriptor, script)], change: change)
        _ = try await world.host.reconcile()
        return world
    }

    private func deliver(_ world: HostWorld) async throws -> DeliveryOutcome {
        await world.host.pipeline.deliver(try Sample.delivery(), in: Sample.run())
    }

    @Test func `no more calls run at once than there are places, the others wait in turn, and the rest are refused`() async throws {
        let latch = Latch()
        let peak = Mutex((now: 0, peak: 0))
        let began = AsyncStream<Void>.makeStream()
        let world = try await world(change: { ($0.concurrency, $0.queueLength) = (2, 3) }) { _, _ in
            peak.withLock { $0 = ($0.now + 1, max($0.peak, $0.now + 1)) }
            began.continuation.yield()
            await latch.wait()
            peak.withLock { $0.now -= 1 }
            return .proceed
        }
        let pipeline = world.host.pipeline
        let event = try Sample.delivery()
        let outcomes = await withTaskGroup { group in
            for _ in 0..<2 { group.addTask { await pipeline.deliver(event, in: Sample.run()) } }
            var started = began.stream.makeAsyncIterator()
            for _ in 0..<2 { _ = await started.next() }
            for _ in 0..<8 { group.addTask { await pipeline.deliver(event, in: Sample.run()) } }
            // Five find no place to wait; only then may the others go on.
            var refused: [DeliveryOutcome] = []
            while refused.count < 5, let outcome = await group.next() { refused.append(outcome) }
            latch.open()
            var all = refused
            for await outcome in group { all.append(outcome) }
            return all
        }
        let busy = DeliveryOutcome.unavailable(reason: "busy: 3 calls wait already", by: Sample.plugin(name))
        #expect(outcomes.count { $0 == busy } == 5)
        #expect(outcomes.count { $0 == .deliver(folder: nil, flags: []) } == 5)
        #expect(peak.withLock { $0.peak } == 2)
        let metrics = await world.host.statuses()[0].metrics
        #expect(metrics.calls == 10 && metrics.failuresByCode == [.busy: 5] && metrics.inFlight == 0)
    }

    @Test func `code that heeds nothing is given up, keeps its place, and takes itself out`() async throws {
        let latch = Latch()
        let world = try await world(change: { ($0.concurrency, $0.defaultLimits.seconds, $0.errorBudget) = (2, 0.05, 4) }) { _, _ in
            await latch.wait()
            return .consume
        }
        for _ in 0..<2 {
            let late = DeliveryOutcome.unavailable(
                reason: "timedOut: it took longer than its time limit", by: Sample.plugin(name))
            #expect(try await deliver(world) == late)
        }
        #expect(await world.host.statuses()[0].metrics.inFlight == 2)
        for _ in 0..<2 {
            let busy = DeliveryOutcome.unavailable(
                reason: "busy: all its places are held by calls that never ended", by: Sample.plugin(name))
            #expect(try await deliver(world) == busy)
        }
        guard case .suspended = await world.host.statuses()[0].state else { return #expect(Bool(false)) }
        #expect(await world.host.statuses()[0].metrics.timeouts == 2)
        latch.open()
        await world.host.shutDown()
    }

    @Test func `waiting for a place counts into the time limit`() async throws {
        let latch = Latch()
        let began = AsyncStream<Void>.makeStream()
        let world = try await world(change: { $0.concurrency = 1 }) { _, _ in
            began.continuation.yield()
            await latch.wait()
            return .proceed
        }
        let pipeline = world.host.pipeline
        let event = try Sample.delivery()
        let gate = CallGate(places: 1, queueLength: 1)
        try await gate.enter(until: .now + .seconds(30))
        await #expect(throws: PluginError.self) { try await gate.enter(until: .now) }
        gate.leave()
        async let first = pipeline.deliver(event, in: Sample.run())
        var started = began.stream.makeAsyncIterator()
        _ = await started.next()
        latch.open()
        #expect(await first == .deliver(folder: nil, flags: []))
    }

    @Test func `a plug-in that keeps failing is taken out, also after a restart, until it is enabled`() async throws {
        let isBad = Atomic(true)
        struct Oops: Error {}
        let world = try await world(change: { $0.errorBudget = 3 }) { _, _ in
            if isBad.load(ordering: .relaxed) { throw Oops() }
            return .consume
        }
        for _ in 0..<3 {
            #expect(try await deliver(world) == .unavailable(reason: "failed: Oops()", by: Sample.plugin(name)))
        }
        let suspended = "3 of its last calls failed, the last one: failed: Oops()"
        #expect(try await deliver(world) == .unavailable(reason: "suspended: " + suspended, by: Sample.plugin(name)))
        #expect(await world.host.statuses()[0].state == .suspended(suspended))
        #expect(try await world.state(name) == .suspended(suspended))
        #expect(await world.host.statuses()[0].metrics.calls == 3)
        let second = world.restarted()
        #expect(try await second.reconcile()[0].state == .suspended(suspended))
        #expect(try await world.manager.list()[0].state == .suspended(suspended))
        let pipeline = second.pipeline
        #expect(pipeline.hasDelivery)
        let outcome = await pipeline.deliver(try Sample.delivery(), in: Sample.run())
        #expect(outcome == .unavailable(reason: "suspended: " + suspended, by: Sample.plugin(name)))
        isBad.store(false, ordering: .relaxed)
        try await world.manager.setEnabled(name, true)
        #expect(try await world.state(name) == .active)
        #expect(try await deliver(world) == .consumed(by: Sample.plugin(name)))
    }

    @Test func `a suspension that could not be written is written later, and holds meanwhile`() async throws {
        let world = try await world(change: { $0.errorBudget = 1 }) { _, _ in throw PluginError(.failed, "no") }
        world.store.isBroken = true
        _ = try await deliver(world)
        world.store.isBroken = false
        guard case .suspended? = try await world.state(name) else { return #expect(Bool(false)) }
        guard case .suspended? = try await world.restarted().reconcile().first?.state else { return #expect(Bool(false)) }
    }

    @Test func `only the last 100 calls count, and refusals do not`() async throws {
        var window = ErrorWindow()
        for index in 0..<1_000 { window.record(failed: index.isMultiple(of: 10)) }
        #expect(window.failures == 10)
        for _ in 0..<100 { window.record(failed: false) }
        #expect(window.failures == 0)

        let world = try await world(change: { $0.errorBudget = 2 }) { _, _ in .refuse(reason: "no") }
        for _ in 0..<5 {
            _ = try await deliver(world)
            _ = await world.host.pipeline.answer(Sample.call("urn:x", ""), caller: .user, in: Sample.run())
        }
        #expect(await world.host.statuses()[0].state == .active)
    }

    @Test func `fail-open mail passes a plug-in that is out, fail-closed mail waits for it`() async throws {
        for policy in FailurePolicy.allCases {
            let world = try await world(policy: policy, change: { $0.errorBudget = 1 }) { _, _ in throw PluginError(.failed, "no") }
            let passes = DeliveryOutcome.deliver(folder: nil, flags: [])
            #expect((try await deliver(world) == passes) == (policy == .open))
            #expect((try await deliver(world) == passes) == (policy == .open))
            _ = try await world.host.reconcile()
            #expect(world.host.pipeline.hasDelivery == (policy == .closed))
            // There is no mail that could pass without an extension.
            let outcome = await world.host.pipeline.answer(Sample.call(), caller: .user, in: Sample.run())
            guard case .unavailable = outcome else { return #expect(Bool(false)) }
            try await world.manager.setEnabled(name, false)
            _ = try await world.host.reconcile()
            #expect(try await deliver(world) == passes)
        }
    }

    @Test func `after the shutdown nothing passes a plug-in, not even a fail-open one`() async throws {
        let world = try await world(policy: .open) { _, _ in .consume }
        let pipeline = world.host.pipeline
        await world.host.shutDown()
        let outcome = await pipeline.deliver(try Sample.delivery(), in: Sample.run())
        #expect(outcome == .unavailable(reason: "the plug-in host is shut down", by: Sample.plugin(name)))
        await #expect(throws: PluginError.self) { try await world.host.reconcile() }
        let out = DeliveryOutcome.unavailable(reason: "unavailable: the server is shutting down", by: Sample.plugin(name))
        #expect(try await deliver(world) == out)
        let answer = await world.host.pipeline.answer(Sample.call(), caller: .user, in: Sample.run())
        #expect(answer == .unavailable(reason: "unavailable: the server is shutting down", by: Sample.plugin(name)))
    }

    @Test func `a call that says at its deadline that it never had its turn is not counted, all else is late`() async throws {
        for (error, code) in [(PluginError(.busy, "others"), PluginError.Code.busy), (PluginError(.failed, "x"), .timedOut)] {
            let change = { (configuration: inout PluginHostConfiguration) in
                (configuration.defaultLimits.seconds, configuration.errorBudget) = (0.02, 1)
                configuration.lastWord = .seconds(60)
            }
            let world = try await world(change: change) { _, _ in
                try? await Task.sleep(for: .seconds(60))
                throw error
            }
            _ = try await deliver(world)
            let status = await world.host.statuses()[0]
            #expect(status.metrics.failuresByCode == [code: 1])
            #expect((status.state == .active) == (code == .busy))
        }
    }

    @Test func `a store that stalls is not the plug-in's fault, time that it burns itself is`() async throws {
        for (module, code) in [("count", PluginError.Code.storage), ("burn", .timedOut)] {
            let world = try HostWorld { ($0.defaultLimits.seconds, $0.errorBudget) = (0.2, 1) }
            let package = FakePackage(name, capabilities: [.keyValue], policy: .closed, module: module)
            _ = try await world.manager.install(package.octets, grants: [.keyValue], allowDowngrade: false, by: "test")
            #expect(try await world.state(name) == .active)
            let latch = Latch()
            world.store.stall = latch
            guard case .unavailable = try await deliver(world) else { return #expect(Bool(false)) }
            latch.open()
            let status = await world.host.statuses()[0]
            #expect(status.metrics.failuresByCode == [code: 1])
            #expect((status.state == .active) == (code == .storage))
            await world.host.shutDown()
        }
    }
}
