import Foundation
import Logging
import PluginAPI
import Synchronization

/// What makes two instances the same: while none of it changes, a running instance is kept.
struct InstanceKey: Hashable, Sendable {
    let identifier: PluginIdentifier
    let version: PluginVersion
    /// SHA-256 of the package; empty for what is compiled in.
    let package: [UInt8]
    let settings: [String: String]
    let granted: Set<PluginCapability>
    let limits: EffectiveLimits
}

/// A plug-in that was taken out because it kept failing.
struct Suspension: Codable, Sendable, Hashable {
    let reason: String
    let since: Date
}

/// One started plug-in, in one version and with one set of settings, and what its calls share.
final class PluginInstance: Sendable {
    let key: InstanceKey
    let plugin: any Plugin
    let parts: HostParts
    let logger: Logger
    let meter: PluginMeter
    let gate: CallGate
    /// The plug-in by role, found once instead of at each call.
    let sending: (any SendingProcessor)?
    let delivery: (any DeliveryProcessor)?
    let extensions: (any ExtensionProcessor)?
    let resolver: (any RecipientResolver)?
    /// Whether the plug-in ends its calls at their deadline itself.
    private let isConfined: Bool
    private let health = Mutex(Health())

    private struct Health {
        var window = ErrorWindow()
        var suspension: Suspension?
        var isRecorded = false
    }

    var identifier: PluginIdentifier { key.identifier }

    /// Octets of an extension's answer. Who keeps files may answer one of 16 MiB, in base64.
    var answerLimit: Int { key.granted.contains(.blobs) ? max(key.limits.call.answer, 24 << 20) : key.limits.call.answer }

    init(_ key: InstanceKey, _ plugin: any Plugin, meter: PluginMeter, parts: HostParts) {
        self.key = key
        self.plugin = plugin
        self.meter = meter
        self.parts = parts
        var logger = parts.logger
        logger[metadataKey: "plugin"] = "\(key.identifier)"
        logger[metadataKey: "version"] = "\(key.version)"
        self.logger = logger
        gate = CallGate(places: key.limits.concurrency, queueLength: parts.configuration.queueLength)
        sending = plugin as? any SendingProcessor
        delivery = plugin as? any DeliveryProcessor
        extensions = plugin as? any ExtensionProcessor
        resolver = plugin as? any RecipientResolver
        isConfined = plugin is WasmPlugin
    }

    /// The first declared role that the code does not play.
    func missing(of roles: some Sequence<PluginRole>) -> PluginRole? {
        roles.first { role in
            switch role {
            case .sending: sending == nil
            case .delivery: delivery == nil
            case .extension: extensions == nil
            case .resolver: resolver == nil
            }
        }
    }

    // MARK: Calls

    /// Runs one call: place, time limit, effects, counters, error budget.
    /// - Parameter body: calls the plug-in and checks its verdict, so that a bad one counts as a failure.
    func call<T: Sendable>(
        _ run: PluginRun, generation: UInt64, _ body: @escaping @Sendable (CallEnvironment) async throws -> T
    ) async -> Result<T, CallFailure> {
        if let suspension { return .failure(.error(PluginError(.suspended, suspension.reason))) }
        let start = ContinuousClock.now
        let deadline = start + .seconds(key.limits.call.seconds)
        meter.began()
        do throws(PluginError) {
            try await gate.enter(until: deadline)
        } catch {
            meter.counted(error.code, took: start.duration(to: .now), isOver: true)
            guard error.code != .unavailable else { return .failure(.shutDown) }
            await judge(.failure(.error(error)), isBlamed: gate.isStuck)
            return .failure(.error(error))
        }
        run.saw(PluginTrace(identifier: identifier, version: key.version, generation: generation))
        let environment = CallEnvironment(self, run: run, deadline: deadline)
        let (result, isOver) =
            isConfined ? (await Self.attempt(environment, body), true) : await raced(environment, until: deadline, body)
        let effects = environment.finish()
        if case .success = result { run.merge(effects, of: identifier) }
        meter.counted(result.error?.code, took: start.duration(to: .now), isOver: isOver)
        if isOver { gate.leave() }
        // Threads are everybody's: who got none, or too late, has done nothing wrong. What is out for a while (a program that is
        // started anew) comes back by itself: suspended, it would stay out, and who can make it stumble once could stop all mail.
        await judge(result.map { _ in () }, isBlamed: result.error?.code != .busy && result.error?.code != .unavailable)
        return result
    }

    /// Waits for a plug-in that keeps no deadline by itself no longer than the deadline.
    private func raced<T: Sendable>(
        _ environment: CallEnvironment, until deadline: ContinuousClock.Instant,
        _ body: @escaping @Sendable (CallEnvironment) async throws -> T
    ) async -> (Result<T, CallFailure>, isOver: Bool) {
        let outcome = OneShot<(Result<T, CallFailure>, isOver: Bool)>()
        let waited = WaitFlag()
        // Unavoidable: Swift code that does not heed cancellation cannot be killed, and a child task could not be left behind.
        // It keeps its place until it ends (`CallGate.gaveUp`), so that no more of them pile up than the plug-in has places.
        let task = Task {
            let result = await Self.attempt(environment, body)
            // After the deadline only this counts: that it never had its turn. All else is late.
            let isLate = Task.isCancelled && result.error?.code != .busy
            guard !outcome.resolve((isLate ? .failure(waited.value ? Self.slowFiles : Self.late) : result, true)) else { return }
            meter.ended()
            gate.ended()
        }
        let end = Alarm.set(deadline) {
            waited.value = environment.isWaitingForFiles
            task.cancel()
        }
        let alarm = Alarm.set(deadline + parts.configuration.lastWord) { [gate] in
            guard outcome.resolve((.failure(waited.value ? Self.slowFiles : Self.late), false)) else { return }
            gate.gaveUp()
        }
        defer {
            end.cancel()
            alarm.cancel()
        }
        return await outcome.value()
    }

    private static let slowFiles = CallFailure.error(PluginError(.storage, "the server's files took longer than its time limit"))
    private static let late = CallFailure.error(PluginError(.timedOut, "it took longer than its time limit"))

    private static func attempt<T: Sendable>(
        _ environment: CallEnvironment, _ body: @Sendable (CallEnvironment) async throws -> T
    ) async -> Result<T, CallFailure> {
        do {
            let value = try await body(environment)
            try await environment.requireRoom()
            return .success(value)
        } catch let error as PluginError {
            return .failure(.error(error))
        } catch let fault as PluginFault {
            let start = String.UnicodeScalarView(fault.reason.unicodeScalars.prefix(VerdictRules.reasonLength))
            let reason = VerdictRules.line(String(start))
            return .failure(.fault(PluginFault(reason, isTransient: fault.isTransient)))
        } catch {
            return .failure(.error(PluginError(.failed, VerdictRules.line(String("\(error)".prefix(300))))))
        }
    }

    // MARK: Error budget

    var suspension: Suspension? { health.withLock { $0.suspension } }

    /// A suspension that the store does not know yet.
    var unrecordedSuspension: Suspension? { health.withLock { $0.isRecorded ? nil : $0.suspension } }

    /// A suspension that the store knows.
    var isSuspensionRecorded: Bool { health.withLock { $0.isRecorded && $0.suspension != nil } }

    /// Counts a call against the budget, and takes the plug-in out when that is used up.
    /// - Parameter isBlamed: false for a call that never began because others were before it.
    private func judge(_ result: Result<Void, CallFailure>, isBlamed: Bool) async {
        let error = result.error
        if let error {
            logger.warning("a call of \(identifier) failed: \(error.reason)", metadata: ["code": "\(error.code.rawValue)"])
        }
        // The store's troubles are not the plug-in's.
        let failed = isBlamed && error != nil && error?.code != .storage
        guard failed || error == nil else { return }
        let budget = parts.configuration.errorBudget
        let now = parts.clock()
        let suspension = health.withLock { health -> Suspension? in
            health.window.record(failed: failed)
            guard health.suspension == nil, failed, health.window.failures >= budget else { return nil }
            let reason = "\(health.window.failures) of its last calls failed, the last one: \(error?.description ?? "")"
            health.suspension = Suspension(reason: String(reason.prefix(400)), since: now)
            return health.suspension
        }
        guard let suspension else { return }
        logger.error("\(identifier) is suspended: \(suspension.reason)")
        await record(suspension)
    }

    /// Makes the suspension durable. On a failure of the store `reconcile` tries again.
    func record(_ suspension: Suspension) async {
        do throws(PluginError) {
            try await SuspensionStore(parts.store).set(suspension, for: identifier)
            health.withLock { $0.isRecorded = true }
        } catch {
            logger.error("the suspension of \(identifier) could not be recorded: \(error.reason)")
        }
    }

    // MARK: End

    /// Waits for the last call, then stops the plug-in. To be called once.
    func retire(by deadline: ContinuousClock.Instant) async {
        if await !gate.drained(by: deadline) {
            logger.warning("\(identifier) is stopped although calls of it have not ended")
        }
        let plugin = plugin
        if await Bounded.run(Self.stopSeconds, { await plugin.stop() }) == nil {
            logger.warning("\(identifier) did not stop in time")
        }
    }

    static let stopSeconds = 5.0
}

/// Whether a call waited for the server's files when its time was over.
private final class WaitFlag: Sendable {
    private let flag = Mutex(false)
    var value: Bool {
        get { flag.withLock { $0 } }
        set { flag.withLock { $0 = newValue } }
    }
}

/// Why a call brought no verdict.
enum CallFailure: Error {
    case error(PluginError)
    /// An extension's refusal: it did its work.
    case fault(PluginFault)
    /// The server is about to end. Whatever the policy, mail must not pass without the plug-in because of that.
    case shutDown
}

extension Result where Failure == CallFailure {
    /// The failure, if it is one.
    var error: PluginError? {
        if case .failure(.error(let error)) = self { return error }
        return nil
    }
}

/// Keeps an instance in use: pipelines hold it. When the last pipeline that names it is gone, nobody can begin a call any more.
final class PluginLease: Sendable {
    let instance: PluginInstance

    init(_ instance: PluginInstance) { self.instance = instance }

    deinit { instance.gate.release() }
}
