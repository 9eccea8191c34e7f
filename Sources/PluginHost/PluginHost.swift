import Foundation
import Logging
import MailStore
import PluginAPI
import PluginEngine
import Synchronization

/// Runs a server's plug-ins.
///
/// What is to run stands in the store; ``PluginManager`` changes it there, and ``reconcile()`` makes it so, while calls go on:
/// the new pipeline is complete before anybody sees it, events that are under way finish on the one they began with, and a
/// plug-in that was replaced is stopped when the last pipeline that names it is gone and its last call has ended.
public final class PluginHost: Sendable {
    /// How long a replaced plug-in may keep its last calls, and events their old pipeline, before it is stopped all the same.
    static let retirementSeconds = 120.0
    /// The same at shutdown.
    static let shutDownSeconds = 10.0

    let parts: HostParts
    let builtIns: [BuiltInPlugin]
    let loader: PluginLoader
    /// One reconciliation at a time.
    let gate = SerialGate()
    /// Apart from `state`: read for every event.
    private let current = Mutex(PluginPipeline.empty)
    let state: Mutex<State>

    struct State {
        var generation: UInt64 = 0
        var statuses: [PluginStatus] = []
        var leases: [PluginIdentifier: PluginLease] = [:]
        var meters: [PluginIdentifier: PluginMeter] = [:]
        var retiring: [ObjectIdentifier: (instance: PluginInstance, task: Task<Void, Never>)] = [:]
        var isShutDown = false
        var shelf: PackageShelf
    }

    /// - Parameter engine: makes an engine of the host's own: called when a sandboxed plug-in is first loaded, and again only
    ///   if it threw.
    public convenience init(
        configuration: PluginHostConfiguration, store: any PluginStore & DomainStateStore,
        engine: @escaping @Sendable () throws(PluginError) -> any PluginEngine, builtIns: [BuiltInPlugin], services: HostServices,
        logger: Logger, clock: @escaping @Sendable () -> Date
    ) {
        let parts = HostParts(configuration, store: store, services: services, logger: logger, clock: clock)
        self.init(parts, engine: engine, builtIns: builtIns, source: SignedPackageSource())
    }

    init(
        _ parts: HostParts, engine: @escaping @Sendable () throws(PluginError) -> any PluginEngine, builtIns: [BuiltInPlugin],
        source: any PackageSource
    ) {
        self.parts = parts
        self.builtIns = builtIns
        loader = PluginLoader(
            parts: parts, engine: EngineBox(engine), threads: PluginThreads(parts.configuration.threads), compiling: PluginThreads(1))
        state = Mutex(State(shelf: PackageShelf(source, parts.store)))
    }

    /// The plug-ins of this moment; cheap. Take it once for an event.
    public var pipeline: PluginPipeline { current.withLock { $0 } }

    func publish(_ pipeline: PluginPipeline) {
        // The old one may be the last of its kind: what its end sets off must not happen under the lock.
        let old = current.withLock { current in
            defer { current = pipeline }
            return current
        }
        _ = consume old
    }

    /// What the administrator sees: the state after the last reconciliation, with today's figures.
    public func statuses() async -> [PluginStatus] {
        var statuses: [PluginStatus] = []
        for status in state.withLock({ $0.statuses }) { statuses.append(await completed(status, askingHealth: true)) }
        return statuses
    }

    func completed(_ status: PluginStatus, askingHealth: Bool) async -> PluginStatus {
        var status = status
        let (lease, meter) = state.withLock { ($0.leases[status.identifier], $0.meters[status.identifier]) }
        if let meter { status.metrics = meter.metrics }
        do {
            let usage = try await parts.store.pluginUsage(status.identifier.description)
            status.storage.count = usage.count
            status.storage.bytes = usage.bytes
        } catch {
            parts.logger.warning("the values of \(status.identifier) could not be counted: \(error.reason)")
        }
        guard let instance = lease?.instance, status.state == .active else { return status }
        if let suspension = instance.suspension { status.state = .suspended(suspension.reason) }
        guard askingHealth else { return status }
        let plugin = instance.plugin
        status.health = await Bounded.run(1) { await plugin.health() } ?? .failed("it does not answer")
        return status
    }

    /// Ends all plug-ins: no new calls (they end `unavailable`, whatever the policy), ten seconds for those under way. The host
    /// cannot be used afterwards.
    public func shutDown() async {
        await gate.enter()
        defer { gate.leave() }
        guard !state.withLock({ $0.isShutDown }) else { return }
        // Not an empty one: what still runs must not pass anybody by.
        let shuttingDown = PluginError(.unavailable, "the server is shutting down")
        publish(PluginPipeline(snapshot: pipeline.snapshot.closed(shuttingDown)))
        let leases = state.withLock { state in
            defer { state.leases = [:] }
            state.isShutDown = true
            state.statuses = []
            return Array(state.leases.values)
        }
        retire(leases)
        let retiring = state.withLock { Array($0.retiring.values) }
        for (instance, _) in retiring { instance.gate.close() }
        let alarm = Alarm.set(.now + .seconds(Self.shutDownSeconds)) {
            for (instance, _) in retiring { instance.gate.stopWaiting() }
        }
        for (_, task) in retiring { await task.value }
        alarm.cancel()
        await loader.threads.shutDown()
        await loader.compiling.shutDown()
        loader.engine.shutDown()
    }

    /// Stops instances when nobody uses them any more.
    /// - Parameter leases: given away: what holds them afterwards are pipelines under way.
    func retire(_ leases: consuming [PluginLease]) {
        let instances = leases.map(\.instance)
        leases = []
        for instance in instances {
            let id = ObjectIdentifier(instance)
            let deadline = ContinuousClock.now + .seconds(Self.retirementSeconds)
            state.withLock { state in
                // Unavoidable: it outlives the reconciliation that ordered it, which must not wait for calls under way.
                // `shutDown` waits for it.
                let task = Task { [self] in
                    await instance.retire(by: deadline)
                    self.state.withLock { _ = $0.retiring.removeValue(forKey: id) }
                }
                state.retiring[id] = (instance, task)
            }
        }
    }
}
