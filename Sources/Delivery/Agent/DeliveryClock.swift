import Foundation

/// Time as the agent sees it: what o'clock it is, and waiting for a time. Tests pass one that they advance by hand.
public struct DeliveryClock: Sendable {
    public let now: @Sendable () -> Date
    /// Returns at `date` or when the task is cancelled.
    public let sleep: @Sendable (_ until: Date) async -> Void

    public init(
        now: @escaping @Sendable () -> Date, sleep: @escaping @Sendable (_ until: Date) async -> Void
    ) {
        self.now = now
        self.sleep = sleep
    }

    /// The machine's clocks.
    public static let system = DeliveryClock(
        now: { Date() },
        sleep: { date in
            let seconds = max(0, date.timeIntervalSinceNow)
            // A cancelled sleep simply ends the wait.
            try? await Task.sleep(for: .seconds(min(seconds, 86_400)))
        })
}
