import Foundation
import Identity
import Logging
import MailStore
import ServiceLifecycle

/// Empties the queue: leases jobs that are due, hands them to their destinations in batches, and settles each by what the peer
/// said of it.
///
/// ```
/// queue ── leaseDue ──▶ per destination: breaker, limiter ──▶ batches ──▶ PeerProtocol.deliver
///   ▲                                                                        │ per message
///   └── postpone (back-off) ◀── deferred ─┬─ answered / refused ─▶ complete (+ bounce)
/// ```
///
/// All that it promises rests on the store: a job lives until `complete`, which is one transaction with the bounce; a lease
/// that was lost by a crash comes back; the peer recognises what it has already (design §4, attempt and intent). The agent itself
/// keeps nothing that matters: only breakers and counts.
public actor DeliveryAgent: Service {
    let store: any QueueStore
    let peer: any PeerProtocol
    let composer: any BounceComposer
    let configuration: AgentConfiguration
    let clock: DeliveryClock
    let metrics: DeliveryMetrics
    let logger: Logger
    /// Draws from 0..<1 for the jitter.
    let random: @Sendable () -> Double

    private var limiter: DestinationLimiter
    private var breakers: [MailDomain: CircuitBreaker] = [:]
    private var isStopping = false
    private nonisolated let work = WakeSignal()
    private nonisolated let stopping = WakeSignal()

    public init(
        store: any QueueStore, peer: any PeerProtocol, composer: any BounceComposer,
        configuration: AgentConfiguration = AgentConfiguration(), clock: DeliveryClock = .system,
        metrics: DeliveryMetrics = .none, logger: Logger,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.store = store
        self.peer = peer
        self.composer = composer
        self.configuration = configuration
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        self.random = random
        limiter = DestinationLimiter(
            maxPerDestination: configuration.maxCallsPerDestination, maxTotal: configuration.maxCalls)
    }

    /// Looks at the queue now. The store's own `queueChanges()` does this too; harmless when there is nothing.
    public nonisolated func wake() {
        work.raise()
    }

    /// Forgets what is known of a destination's failures, so that `queue retry` does not wait for a breaker.
    public func resetBreaker(_ destination: MailDomain? = nil) {
        if let destination { breakers[destination] = nil } else { breakers = [:] }
        work.raise()
    }

    /// Destinations whose breaker is not closed; for `status`.
    public var suspended: [MailDomain: CircuitBreaker.State] {
        breakers.mapValues(\.state).filter { $0.value != .closed }
    }

    // MARK: Running

    private enum Ended: Sendable { case loop, grace, changes }

    /// Works until graceful shutdown or cancellation, then gives all leases back.
    public func run() async {
        let changes = store.queueChanges()
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Ended.self) { group in
                group.addTask {
                    await self.loop()
                    return .loop
                }
                group.addTask { [work] in
                    for await _ in changes { work.raise() }
                    return .changes
                }
                group.addTask { [stopping, clock, configuration] in
                    await stopping.wait()
                    await clock.sleep(clock.now().addingTimeInterval(configuration.shutdownGrace))
                    return .grace
                }
                while let ended = await group.next(), ended == .changes {}
                group.cancelAll()
            }
        } onGracefulShutdown: { [stopping, work] in
            stopping.raise()
            work.raise()
        }
    }

    private func loop() async {
        await withDiscardingTaskGroup { group in
            while !shouldStop {
                let next = await dispatch(into: &group)
                if shouldStop { break }
                await wait(until: next)
            }
        }
    }

    private var shouldStop: Bool { Task.isCancelled || Task.isShuttingDownGracefully || isStopping }

    private func wait(until date: Date?) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [work] in await work.wait() }
            if let date {
                // Never a busy loop, whatever the store says.
                let floor = clock.now().addingTimeInterval(0.02)
                group.addTask { [clock] in await clock.sleep(max(date, floor)) }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Leases and starts what can be started. Returns when to look again if nothing else happens.
    private func dispatch(into group: inout DiscardingTaskGroup) async -> Date? {
        do throws(StoreError) {
            try await dispatchExpired(into: &group)
            while !shouldStop, limiter.freeInTotal > 0 {
                let now = clock.now()
                let jobs = try await store.leaseDue(
                    now: now, limit: configuration.batch.count * min(limiter.freeInTotal, 8), leaseFor: configuration.lease,
                    excluding: blocked(now), maxPerDestination: configuration.batch.count)
                if jobs.isEmpty { break }
                await start(jobs, now: now, in: &group)
            }
            // A worker that ends rings the bell, so full destinations need no time of their own.
            guard limiter.freeInTotal > 0 else { return nil }
            let now = clock.now()
            let due = try await store.nextDue(excluding: blocked(now))
            return [due, nextProbe(after: now)].compactMap { $0 }.min()
        } catch {
            metrics.record(.storeFailure)
            logger.error("The queue cannot be read", metadata: ["error": "\(error)"])
            return clock.now().addingTimeInterval(configuration.storePause)
        }
    }

    private func dispatchExpired(into group: inout DiscardingTaskGroup) async throws(StoreError) {
        while !shouldStop, limiter.freeInTotal > 0 {
            let limit = min(16, limiter.freeInTotal)
            let jobs = try await store.leaseExpired(
                now: clock.now(), limit: limit, leaseFor: configuration.lease, excluding: configuration.localDomains)
            if jobs.isEmpty { return }
            for (destination, jobs) in Self.grouped(jobs) {
                // Asking for the status may exceed the destination's share: few, cheap, and their time is over.
                let hasPlace = limiter.start(destination)
                group.addTask {
                    await self.expire(jobs)
                    if hasPlace { await self.finished(destination) }
                }
            }
        }
    }

    private func start(_ jobs: [LeasedJob], now: Date, in group: inout DiscardingTaskGroup) async {
        for (destination, jobs) in Self.grouped(jobs) {
            var breaker = breakers[destination] ?? CircuitBreaker(configuration.breaker)
            let permission = breaker.request(now: now)
            breakers[destination] = breaker.isPristine ? nil : breaker
            var work = jobs
            switch permission {
            case .pass: break
            case .probe:
                await release(Array(jobs.dropFirst()))
                work = Array(jobs.prefix(1))
            case .wait, .waitForProbe:
                await release(jobs)
                continue
            }
            guard limiter.start(destination) else {
                await release(jobs)
                breakers[destination]?.abandoned(now: now)
                continue
            }
            group.addTask { [work] in await self.deliver(work, to: destination) }
        }
    }

    private static func grouped(_ jobs: [LeasedJob]) -> [(MailDomain, [LeasedJob])] {
        Dictionary(grouping: jobs, by: \.job.destination).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Destinations that take nothing just now, and those that are not ours to deliver to.
    private func blocked(_ now: Date) -> Set<MailDomain> {
        var blocked = limiter.full.union(configuration.localDomains)
        for (destination, breaker) in breakers {
            switch breaker.state {
            case .open(let until) where now < until: blocked.insert(destination)
            case .halfOpen: blocked.insert(destination)
            case .open, .closed: break
            }
        }
        return blocked
    }

    private func nextProbe(after now: Date) -> Date? {
        breakers.values.compactMap { breaker in
            if case .open(let until) = breaker.state, until > now { return until }
            return nil
        }.min()
    }

    // MARK: For the workers

    func finished(_ destination: MailDomain) {
        limiter.finish(destination)
        work.raise()
    }

    /// What the outcome of a call says about the peer's being there.
    enum PeerContact { case reached, notReached, unclear }

    func report(_ contact: PeerContact, of destination: MailDomain) {
        let now = clock.now()
        var breaker = breakers[destination] ?? CircuitBreaker(configuration.breaker)
        let before = breaker.state
        switch contact {
        case .reached: breaker.succeeded()
        case .notReached: breaker.failed(now: now)
        case .unclear: breaker.abandoned(now: now)
        }
        breakers[destination] = breaker.isPristine ? nil : breaker
        guard breaker.state != before else { return }
        if case .open = breaker.state, contact == .notReached { metrics.record(.breakerOpened(destination)) }
        if breaker.state == .closed { metrics.record(.breakerClosed(destination)) }
    }

    func mayContinue(_ destination: MailDomain) -> Bool {
        guard !shouldStop else { return false }
        return breakers[destination].map { $0.state == .closed } ?? true
    }

    func release(_ jobs: [LeasedJob]) async {
        guard !jobs.isEmpty else { return }
        do throws(StoreError) {
            try await store.release(jobs.map(\.lease), now: clock.now())
        } catch {
            // They come back by themselves when the lease ends.
            metrics.record(.storeFailure)
            logger.warning("Leases could not be given back", metadata: ["error": "\(error)"])
        }
    }
}
