import Foundation

/// A token bucket per caller. Pure: the caller passes the time.
struct RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var updated: Date
    }

    private let rate: Double
    private let burst: Double
    private let capacity: Int
    private var buckets: [String: Bucket] = [:]

    /// - Parameters:
    ///   - rate: calls a second, sustained.
    ///   - burst: calls at once.
    init(rate: Double, burst: Double, capacity: Int = 100_000) {
        self.rate = rate
        self.burst = burst
        self.capacity = capacity
    }

    /// Takes one token; false when there is none.
    mutating func admit(_ key: String, now: Date) -> Bool {
        if buckets.count >= capacity, buckets[key] == nil {
            // Full buckets carry no information.
            buckets = buckets.filter { $0.value.tokens + now.timeIntervalSince($0.value.updated) * rate < burst }
            if buckets.count >= capacity { return false }
        }
        var bucket = buckets[key] ?? Bucket(tokens: burst, updated: now)
        bucket.tokens = min(burst, bucket.tokens + max(0, now.timeIntervalSince(bucket.updated)) * rate)
        bucket.updated = now
        let admitted = bucket.tokens >= 1
        if admitted { bucket.tokens -= 1 }
        buckets[key] = bucket
        return admitted
    }
}
