import NIOCore
import NIOPosix
import Synchronization

/// A value that several may offer and one awaits: the first offer counts. At most one task may await it.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, Never>)
        case resolved(Value)
    }
    private let state = Mutex(State.empty)

    /// Returns whether this offer was the first.
    @discardableResult
    func resolve(_ value: Value) -> Bool {
        let (isFirst, continuation) = state.withLock { state -> (Bool, CheckedContinuation<Value, Never>?) in
            switch state {
            case .empty:
                state = .resolved(value)
                return (true, nil)
            case .awaited(let continuation):
                state = .resolved(value)
                return (true, continuation)
            case .resolved: return (false, nil)
            }
        }
        continuation?.resume(returning: value)
        return isFirst
    }

    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if case .resolved(let value) = state { return value }
                state = .awaited(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}

/// Timers without a task each: most are cancelled before they fire.
enum Alarm {
    static func set(_ instant: ContinuousClock.Instant, _ body: @escaping @Sendable () -> Void) -> Scheduled<Void> {
        let wait = max(.zero, ContinuousClock.now.duration(to: instant))
        let (seconds, attoseconds) = wait.components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let amount: TimeAmount = .nanoseconds(nanoseconds.overflow ? .max / 2 : nanoseconds.partialValue + attoseconds / 1_000_000_000)
        return MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: amount, body)
    }
}
