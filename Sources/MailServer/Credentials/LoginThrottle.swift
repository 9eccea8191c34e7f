import Foundation

/// Slows password guessing: after a number of failures an account, and the network address that tries, must wait; each
/// further failure doubles the wait. Pure: the caller passes the time.
struct LoginThrottle: Sendable {
    private struct Record {
        var failures: Int
        var last: Date
        var blockedUntil: Date
    }

    private static let longestWait: TimeInterval = 3_600
    /// Old records are forgotten beyond this many, so that a flood of names takes no more memory.
    private let capacity: Int
    private let allowed: Int
    private let firstWait: TimeInterval
    private var records: [String: Record] = [:]

    init(allowed: Int, firstWait: TimeInterval, capacity: Int = 50_000) {
        self.allowed = allowed
        self.firstWait = firstWait
        self.capacity = capacity
    }

    /// Seconds that the caller must still wait; nil when it may try.
    func wait(for key: String, now: Date) -> TimeInterval? {
        guard let record = records[key], record.blockedUntil > now else { return nil }
        return record.blockedUntil.timeIntervalSince(now)
    }

    mutating func failed(_ key: String, now: Date) {
        if records.count >= capacity { records = records.filter { $0.value.blockedUntil > now } }
        if records.count >= capacity { records.removeAll() }
        var record = records[key] ?? Record(failures: 0, last: now, blockedUntil: now)
        // An hour without a failure is forgiven.
        if now.timeIntervalSince(record.last) > LoginThrottle.longestWait { record.failures = 0 }
        record.failures += 1
        record.last = now
        if record.failures >= allowed {
            let wait = firstWait * pow(2, Double(min(record.failures - allowed, 12)))
            record.blockedUntil = now.addingTimeInterval(min(wait, LoginThrottle.longestWait))
        }
        records[key] = record
    }

    mutating func succeeded(_ key: String) {
        records[key] = nil
    }
}
