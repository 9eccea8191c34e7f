import FoundationEssentials
import Identity

/// Challenges handed out for X.509 logins: random, short-lived, good for one use, bounded in number.
public struct ChallengeStore: Sendable {
    public static let length = 32

    private let lifetime: TimeInterval
    private let limit: Int
    private var expiries: [[UInt8]: Date] = [:]
    /// In order of expiry: the life is the same for all.
    private var queue: [(challenge: [UInt8], expires: Date)] = []
    private var head = 0

    /// - Parameters:
    ///   - lifetime: seconds, at most 120.
    ///   - limit: challenges outstanding at once; above it the oldest goes. Anybody may ask for challenges: refusing more would
    ///     let a stranger keep everybody else from logging in, while a login redeems its own within seconds.
    public init(lifetime: TimeInterval = 120, limit: Int = 10_000) {
        self.lifetime = min(lifetime, 120)
        self.limit = limit
    }

    public var count: Int { expiries.count }

    public mutating func issue(now: Date) -> (challenge: [UInt8], expires: Date) {
        purge(now)
        if queue.count - head >= limit {
            expiries.removeValue(forKey: queue[head].challenge)
            head += 1
        }
        let challenge = RandomID.bytes(Self.length)
        let expires = now.addingTimeInterval(lifetime)
        expiries[challenge] = expires
        queue.append((challenge, expires))
        return (challenge, expires)
    }

    /// True exactly once per challenge, within its life.
    public mutating func redeem(_ challenge: [UInt8], now: Date) -> Bool {
        purge(now)
        guard let expires = expiries.removeValue(forKey: challenge) else { return false }
        return now < expires
    }

    private mutating func purge(_ now: Date) {
        while head < queue.count, queue[head].expires <= now {
            expiries.removeValue(forKey: queue[head].challenge)
            head += 1
        }
        if head > 1024 && head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }
}
