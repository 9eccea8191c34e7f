import Delivery
import Foundation
import Synchronization

/// A clock on which waiting takes no time: who sleeps until a time moves everybody there.
///
/// Long sleeps (until a lease ends) take a second, so that they pass only when nothing else is going on.
final class HastyClock: Sendable {
    private let ahead = Mutex<TimeInterval>(0)

    var now: @Sendable () -> Date {
        { Date().addingTimeInterval(self.ahead.withLock { $0 }) }
    }

    var deliveryClock: DeliveryClock {
        DeliveryClock(now: now, sleep: { await self.sleep(until: $0) })
    }

    private func sleep(until date: Date) async {
        let isLong = date.timeIntervalSince(now()) > 10
        guard (try? await Task.sleep(for: isLong ? .seconds(1) : .milliseconds(2))) != nil else { return }
        ahead.withLock { ahead in
            ahead += max(0, date.timeIntervalSince(Date().addingTimeInterval(ahead)))
        }
    }
}
