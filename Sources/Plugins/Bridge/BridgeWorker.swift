import Dispatch
import Foundation
import PluginAPI
import Synchronization

/// One process of the bridge's program: started when needed, kept running, ended when it does not behave.
///
/// Waiting for the program blocks, so the actor runs on a thread of its own instead of the shared ones. Nothing in it
/// suspends: events pass one after the other.
actor BridgeWorker {
    /// Octets of an answer.
    static let maxAnswer = 1 << 20
    private static let longestPause = Duration.seconds(60)
    private static let graceAtStop = Duration.seconds(2)

    private let executor = QueueExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: BridgeSettings
    private let now: @Sendable () -> ContinuousClock.Instant
    private var child: ChildProcess?
    private var failures = 0
    private var notBefore: ContinuousClock.Instant?
    private(set) var lastFailure: String?

    /// - Parameter now: the clock of pauses between starts.
    init(_ settings: BridgeSettings, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.settings = settings
        self.now = now
    }

    /// Starts the program if it does not run. Throws ``PluginError`` `.unavailable`.
    func prepare() throws(PluginError) { _ = try running() }

    /// Hands an event over.
    /// - Parameters:
    ///   - cancellation: ends the program, and with it this call, when the caller gives up.
    ///   - judge: reads the answer's frame (nil: it is empty). One that throws makes the program start anew, for who answers
    ///     nonsense once may be out of step for ever.
    /// - Throws: ``PluginError`` `.unavailable` (also during the pause after a failure), `.timedOut`, `.failed`.
    func exchange<Verdict: Sendable>(
        _ event: [UInt8], _ cancellation: BridgeCancellation,
        _ judge: @Sendable ([UInt8]?) throws(PluginError) -> Verdict
    ) throws(PluginError) -> (verdict: Verdict, lines: [String]) {
        guard !cancellation.isCancelled else { throw PluginError(.timedOut, "the call was given up") }
        let child = try running()
        guard cancellation.begin(child.pid) else { throw PluginError(.timedOut, "the call was given up") }
        do {
            defer { cancellation.end() }
            let answer = try child.exchange(event, maxAnswer: Self.maxAnswer, until: .now + settings.timeout)
            let verdict: Verdict
            do { verdict = try judge(answer.isEmpty ? nil : answer) } catch {
                throw PluginError(.failed, "the program's answer: \(error.reason)")
            }
            failures = 0
            lastFailure = nil
            return (verdict, child.takeErrorLines())
        } catch let error as PluginError {
            fail(error)
            throw error
        } catch {
            throw PluginError(.failed, "\(error)")
        }
    }

    func stop() {
        child?.end(grace: Self.graceAtStop)
        child = nil
    }

    private func running() throws(PluginError) -> ChildProcess {
        if let child {
            if child.isIdle() { return child }
            // It ended between two events, or talks without being asked: no event is lost by starting it anew.
            child.end()
            self.child = nil
        }
        if let notBefore, now() < notBefore {
            throw PluginError(.unavailable, "the program is not running; \(lastFailure ?? "it failed")")
        }
        do {
            let started = try ChildProcess(settings.command, settings.arguments)
            child = started
            return started
        } catch {
            fail(error)
            throw error
        }
    }

    private func fail(_ error: PluginError) {
        child?.end()
        child = nil
        var pause = settings.restart
        for _ in 0..<min(failures, 16) { pause = min(pause * 2, Self.longestPause) }
        failures += 1
        lastFailure = error.reason
        notBefore = now() + pause
    }
}

/// Lets the caller of one event give it up from any thread: by ending the program that works on it.
final class BridgeCancellation: Sendable {
    private struct State {
        var isCancelled = false
        var pid: pid_t?
    }

    private let state = Mutex(State())

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// False if it is given up already.
    func begin(_ pid: pid_t) -> Bool {
        state.withLock { state in
            state.pid = state.isCancelled ? nil : pid
            return !state.isCancelled
        }
    }

    /// To be called before the process is reaped: later its number may be another's.
    func end() { state.withLock { $0.pid = nil } }

    /// As `cancel`, but a program that works on the event already may finish it.
    func giveUp() { state.withLock { $0.isCancelled = true } }

    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            if let pid = state.pid { ChildProcess.kill(group: pid) }
        }
    }
}

/// An actor's thread.
private final class QueueExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "org.wsemail.bridge")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
