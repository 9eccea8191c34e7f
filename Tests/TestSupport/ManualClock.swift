import Delivery
import Foundation
import NIOConcurrencyHelpers

/// A clock that only tests move. Sleepers wake when it has been moved past their time.
public final class ManualClock: Sendable {
    private struct Sleeper {
        let until: Date
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now: Date
        var sleepers: [UInt64: Sleeper] = [:]
        var next: UInt64 = 0
        /// Who waits for somebody to sleep until at least a certain time.
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    private let state: NIOLockedValueBox<State>

    public init(_ now: Date = Date(timeIntervalSince1970: 1_800_000_000)) {
        state = NIOLockedValueBox(State(now: now))
    }

    public var now: Date { state.withLockedValue { $0.now } }

    /// As the agent wants it.
    public var deliveryClock: DeliveryClock {
        DeliveryClock(now: { self.now }, sleep: { await self.sleep(until: $0) })
    }

    public func advance(by seconds: TimeInterval) {
        let due = state.withLockedValue { state -> [Sleeper] in
            state.now += seconds
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return Array(due.values)
        }
        due.forEach { $0.continuation.resume() }
    }

    /// Times that somebody sleeps until, earliest first.
    public var alarms: [Date] { state.withLockedValue { $0.sleepers.values.map(\.until).sorted() } }

    public func sleep(until date: Date) async {
        let id = state.withLockedValue { state -> UInt64 in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isDone, watchers) = state.withLockedValue { state in
                    if date <= state.now || Task.isCancelled { return (true, [CheckedContinuation<Void, Never>]()) }
                    state.sleepers[id] = Sleeper(until: date, continuation: continuation)
                    defer { state.watchers = [] }
                    return (false, state.watchers)
                }
                if isDone { continuation.resume() }
                watchers.forEach { $0.resume() }
            }
        } onCancel: {
            state.withLockedValue { $0.sleepers.removeValue(forKey: id) }?.continuation.resume()
        }
    }

    /// Returns when somebody sleeps until a time that `wanted` accepts.
    public func untilAsleep(_ wanted: @Sendable (Date) -> Bool = { _ in true }) async {
        while true {
            await withCheckedContinuation { continuation in
                let isThere = state.withLockedValue { state in
                    if state.sleepers.values.contains(where: { wanted($0.until) }) { return true }
                    state.watchers.append(continuation)
                    return false
                }
                if isThere { continuation.resume() }
            }
            if alarms.contains(where: wanted) { return }
        }
    }
}
