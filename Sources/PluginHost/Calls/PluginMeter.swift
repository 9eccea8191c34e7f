import PluginAPI
import Synchronization

/// Counts one plug-in's calls, over all its versions.
final class PluginMeter: Sendable {
    private let state = Mutex(PluginMetrics())

    var metrics: PluginMetrics { state.withLock { $0 } }

    func began() { state.withLock { $0.inFlight += 1 } }

    /// - Parameter isOver: false: it was given up and goes on; `ended` follows.
    func counted(_ failure: PluginError.Code?, took duration: Duration, isOver: Bool) {
        let (seconds, attoseconds) = duration.components
        state.withLock { metrics in
            metrics.calls += 1
            if let failure { metrics.failuresByCode[failure, default: 0] += 1 }
            metrics.totalMicroseconds += UInt64(max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
            if isOver { metrics.inFlight -= 1 }
        }
    }

    func ended() { state.withLock { $0.inFlight -= 1 } }
}
