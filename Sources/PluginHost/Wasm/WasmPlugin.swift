import Identity
import PluginAPI
import PluginEngine

/// A sandboxed module in all its roles. Every call runs in a fresh instance of the module, on a thread of the host's own.
final class WasmPlugin: SendingProcessor, DeliveryProcessor, ExtensionProcessor, RecipientResolver {
    private let module: any PluginModule
    private let limits: CallLimits
    private let threads: PluginThreads

    private init(_ module: any PluginModule, _ limits: CallLimits, _ threads: PluginThreads) {
        self.module = module
        self.limits = limits
        self.threads = threads
    }

    /// Compiles a module and asks it what it is. Blocks.
    /// - Throws: ``PluginError`` of the engine; `.invalidModule` when it does not take a role that its manifest promises.
    static func load(
        _ octets: [UInt8], digest: [UInt8], key: InstanceKey, roles: some Sequence<PluginRole>, engine: any PluginEngine,
        threads: PluginThreads
    ) throws(PluginError) -> WasmPlugin {
        let module = try engine.compile(octets, digest: digest, granted: key.granted)
        let description = try DescriptionFrame(octets: try module.describe(key.limits.call))
        let missing = Set(roles).subtracting(description.roles).sorted()
        guard missing.isEmpty else {
            let names = missing.map(\.rawValue).joined(separator: ", ")
            throw PluginError(.invalidModule, "the module does not take the roles of its manifest: \(names)")
        }
        return WasmPlugin(module, key.limits.call, threads)
    }

    func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict {
        try VerdictFrames.sending(await call(.sending, .sending(submission), environment))
    }

    func process(_ delivery: DeliveryEvent, _ environment: any PluginEnvironment) async throws -> DeliveryVerdict {
        try VerdictFrames.delivery(await call(.delivery, .delivery(delivery), environment))
    }

    func answer(_ event: ExtensionEvent, _ environment: any PluginEnvironment) async throws -> [UInt8] {
        switch try VerdictFrames.answer(await call(.extension, .extension(event), environment)) {
        case .answer(let element): return element
        case .refuse(let fault): throw fault
        }
    }

    func resolve(_ address: Address, _ environment: any PluginEnvironment) async throws -> [Address]? {
        try VerdictFrames.resolved(await call(.resolver, .resolver(address), environment))
    }

    private func call(
        _ kind: CallKind, _ event: PluginEvent, _ environment: any PluginEnvironment
    ) async throws(PluginError) -> [UInt8]? {
        guard let environment = environment as? CallEnvironment else {
            throw PluginError(.failed, "a module runs in the host's environment only")
        }
        let (module, limits) = (module, limits)
        let total = limits.seconds
        return try await threads.run(until: environment.deadline) { () throws(PluginError) -> [UInt8]? in
            var limits = limits
            limits.seconds = environment.secondsLeft
            guard limits.seconds > 0 else { throw PluginError(.busy, "no thread became free in time") }
            let frame = EventFrames.encode(event, settings: environment.settings)
            let host = HostCallBridge(environment)
            do throws(PluginError) {
                return try module.handle(kind, frame, limits: limits, host: host)
            } catch {
                // One wait, not all of them: a module that does nothing but ask must not burn its time unblamed.
                if error.code == .timedOut, host.longestWait > limits.seconds / 2 {
                    throw PluginError(.storage, "the server's store did not answer in time")
                }
                // It began late because others were before it: what it was left with was no fair trial.
                guard error.code == .timedOut, limits.seconds < total / 2 else { throw error }
                throw PluginError(.busy, "a thread became free only \(limits.seconds) s before the end of its time")
            }
        }
    }
}

extension CallEnvironment {
    /// Until the deadline; negative after it.
    var secondsLeft: Double {
        let (seconds, attoseconds) = ContinuousClock.now.duration(to: deadline).components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
