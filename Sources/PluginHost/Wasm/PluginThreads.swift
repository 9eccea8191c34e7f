import NIOPosix
import PluginAPI
import Synchronization

/// Threads for code that blocks: the cooperative pool must never wait for a plug-in.
final class PluginThreads: Sendable {
    private struct State {
        /// Made when it is first needed: a server without sandboxed plug-ins needs no threads for them.
        var pool: NIOThreadPool?
        var outstanding = 0
        var isShutDown = false
    }
    private let count: Int
    private let state = Mutex(State())

    init(_ count: Int) { self.count = max(count, 1) }

    /// Runs a body on one of the threads.
    /// - Parameter deadline: until when it must have begun; `body` keeps its own time afterwards. nil: whenever.
    /// - Throws: ``PluginError`` `.busy`, `.unavailable` after the shutdown, and what `body` throws.
    func run<T: Sendable>(
        until deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable () throws(PluginError) -> T
    ) async throws(PluginError) -> T {
        let outcome = OneShot<Result<T, PluginError>>()
        let claim = Claim()
        let (pool, mayWait) = admit()
        guard let pool else { throw PluginError(.unavailable, "the plug-in host is shut down") }
        pool.submit { [self] state in
            defer { self.state.withLock { $0.outstanding -= 1 } }
            guard claim.take() else { return }
            guard state == .active else {
                outcome.resolve(.failure(PluginError(.unavailable, "the plug-in host is shut down")))
                return
            }
            do throws(PluginError) {
                outcome.resolve(.success(try body()))
            } catch {
                outcome.resolve(.failure(error))
            }
        }
        guard mayWait, let deadline else { return try await outcome.value().get() }
        let alarm = Alarm.set(deadline) {
            if claim.take() { outcome.resolve(.failure(PluginError(.busy, "no thread became free in time"))) }
        }
        defer { alarm.cancel() }
        return try await outcome.value().get()
    }

    private func admit() -> (NIOThreadPool?, mayWait: Bool) {
        state.withLock { state in
            guard !state.isShutDown else { return (nil, false) }
            state.outstanding += 1
            if let pool = state.pool { return (pool, state.outstanding > count) }
            let pool = NIOThreadPool(numberOfThreads: count)
            pool.start()
            state.pool = pool
            return (pool, state.outstanding > count)
        }
    }

    /// Returns when the bodies that run have ended.
    func shutDown() async {
        let pool = state.withLock { state in
            state.isShutDown = true
            return state.pool
        }
        do { try await pool?.shutdownGracefully() } catch { assertionFailure("a thread pool does not fail to end: \(error)") }
    }

    /// Taken by whoever comes first: the thread or the alarm.
    private final class Claim: Sendable {
        private let isTaken = Atomic(false)
        func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
    }
}
