import PluginAPI

/// One plug-in in one queue.
struct PipelineEntry: Sendable {
    enum Target: Sendable {
        case running(PluginLease)
        /// It should work and cannot.
        case out(PluginError)
    }

    let identifier: PluginIdentifier
    let policy: FailurePolicy
    let priority: Int
    let target: Target
    /// It looks after files: what brings none, and says nothing to it, does not depend on it.
    var isCustodian = false

    /// Lower priorities first, then by identifier.
    static func precedes(_ left: PipelineEntry, _ right: PipelineEntry) -> Bool {
        (left.priority, left.identifier) < (right.priority, right.identifier)
    }

    /// Whether the queue must be entered because of it: not for one that is out and may be passed over.
    var matters: Bool {
        if case .out = target { return policy == .closed }
        return true
    }

    /// Whether mail waits because of a failure.
    func stops(_ failure: CallFailure) -> Bool {
        if case .shutDown = failure { return true }
        return policy == .closed
    }

    func call<T: Sendable>(
        _ run: PluginRun, _ generation: UInt64,
        _ body: @escaping @Sendable (PluginInstance, CallEnvironment) async throws -> T
    ) async -> Result<T, CallFailure> {
        switch target {
        case .out(let error): return .failure(.error(error))
        case .running(let lease):
            let instance = lease.instance
            let result = await instance.call(run, generation: generation) { environment in
                try await body(instance, environment)
            }
            // The lease must outlive the beginning of the call: otherwise the instance could be stopped under it.
            return withExtendedLifetime(lease) { result }
        }
    }
}

/// The queues of one generation. Never changed, only replaced.
final class PipelineSnapshot: Sendable {
    struct Route: Sendable {
        let callers: Set<ExtensionCaller>
        let entry: PipelineEntry
    }

    let generation: UInt64
    let sending: [PipelineEntry]
    let delivery: [PipelineEntry]
    let resolvers: [PipelineEntry]
    let extensions: [String: Route]

    /// - Parameter queues: in any order.
    init(generation: UInt64, queues: [PluginRole: [PipelineEntry]], extensions: [String: Route]) {
        self.generation = generation
        let ordered = { (role: PluginRole) in (queues[role] ?? []).filter(\.matters).sorted(by: PipelineEntry.precedes) }
        sending = ordered(.sending)
        delivery = ordered(.delivery)
        resolvers = ordered(.resolver)
        self.extensions = extensions
    }

    /// The same queues with nobody in them who works: mail for any of them waits, whatever its policy.
    func closed(_ reason: PluginError) -> PipelineSnapshot {
        func out(_ entry: PipelineEntry) -> PipelineEntry {
            PipelineEntry(
                identifier: entry.identifier, policy: .closed, priority: entry.priority, target: .out(reason),
                isCustodian: entry.isCustodian)
        }
        let queues: [PluginRole: [PipelineEntry]] = [
            .sending: sending.map(out), .delivery: delivery.map(out), .resolver: resolvers.map(out),
        ]
        return PipelineSnapshot(
            generation: generation, queues: queues, extensions: extensions.mapValues { Route(callers: $0.callers, entry: out($0.entry)) })
    }
}
