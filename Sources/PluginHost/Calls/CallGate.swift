import PluginAPI
import Synchronization

/// The places of one plug-in: so many calls at once, so many more that wait, in order of arrival. Also knows when the last
/// call has ended for good.
final class CallGate: Sendable {
    private struct State {
        var running = 0
        /// Of those running: calls that were given up and have not ended.
        var stuck = 0
        var waiting: [OneShot<Bool>] = []
        var isReleased = false
        var isClosed = false
    }
    private let state = Mutex(State())
    private let places: Int
    private let queueLength: Int
    private let idle = OneShot<Bool>()

    init(places: Int, queueLength: Int) {
        self.places = max(places, 1)
        self.queueLength = max(queueLength, 0)
    }

    /// Whether calls that were given up hold places: then it is the plug-in's fault when others wait too long.
    var isStuck: Bool { state.withLock { $0.stuck > 0 } }

    /// Takes a place. Throws ``PluginError`` `.busy`, `.timedOut`; `.unavailable` after `close`.
    func enter(until deadline: ContinuousClock.Instant) async throws(PluginError) {
        let admission = state.withLock { state -> Result<OneShot<Bool>?, PluginError> in
            guard !state.isClosed else { return .failure(PluginError(.unavailable, "the plug-in host is shut down")) }
            if state.running < places {
                state.running += 1
                return .success(nil)
            }
            guard state.stuck < places else {
                return .failure(PluginError(.busy, "all its places are held by calls that never ended"))
            }
            guard state.waiting.count < queueLength else {
                return .failure(PluginError(.busy, "\(queueLength) calls wait already"))
            }
            let waiter = OneShot<Bool>()
            state.waiting.append(waiter)
            return .success(waiter)
        }
        guard let waiter = try admission.get() else { return }
        let alarm = Alarm.set(deadline) { [self] in
            state.withLock { state in state.waiting.removeAll { $0 === waiter } }
            waiter.resolve(false)
        }
        defer { alarm.cancel() }
        guard await waiter.value() else { throw PluginError(.timedOut, "no place became free in time") }
    }

    /// Gives a place back, to the first that waits.
    func leave() {
        let isIdle = state.withLock { state in
            while !state.waiting.isEmpty {
                // The place goes over to it: `running` stays. Lost only against its alarm.
                if state.waiting.removeFirst().resolve(true) { return false }
            }
            state.running -= 1
            return state.isReleased && state.running == 0
        }
        if isIdle { idle.resolve(true) }
    }

    /// A call was given up: it keeps its place until it ends.
    func gaveUp() { state.withLock { $0.stuck += 1 } }

    /// A call that was given up has ended.
    func ended() {
        state.withLock { $0.stuck -= 1 }
        leave()
    }

    /// No new call can come.
    func release() {
        let isIdle = state.withLock { state in
            state.isReleased = true
            return state.running == 0
        }
        if isIdle { idle.resolve(true) }
    }

    /// Lets no new call in, even of pipelines that are still about.
    func close() {
        state.withLock { $0.isClosed = true }
        release()
    }

    /// Ends the waiting of `drained` now.
    func stopWaiting() { idle.resolve(false) }

    /// Waits until no call can come and none runs. Only one task may wait. Returns false if that was not so by the deadline.
    func drained(by deadline: ContinuousClock.Instant) async -> Bool {
        let alarm = Alarm.set(deadline) { [idle] in idle.resolve(false) }
        defer { alarm.cancel() }
        return await idle.value()
    }
}
