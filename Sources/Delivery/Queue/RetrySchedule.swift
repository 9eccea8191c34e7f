import Foundation

/// When to try again, and when to stop. A pure value.
public struct RetrySchedule: Sendable, Hashable {
    /// Seconds after the first failed attempt.
    public var first: TimeInterval = 30
    /// Each further wait is so many times the one before.
    public var factor: Double = 2
    /// Longest wait in seconds.
    public var longest: TimeInterval = 2 * 3600
    /// Part of the wait that is drawn at random, so that what failed together does not come back together: 0.2 is ±20 %.
    public var jitter: Double = 0.2
    /// Seconds from acceptance until the message is given up. The server writes it into the job.
    public var expiry: TimeInterval = 5 * 24 * 3600
    /// Seconds from acceptance for which "this domain has no WSEmail service", unproved by DNSSEC, is taken for a passing
    /// fault of DNS.
    public var noServiceGrace: TimeInterval = 4 * 3600

    public init() {}

    /// Seconds to wait after `attempts` failed attempts (≥ 1); `random` is drawn from 0..<1.
    public func delay(afterAttempts attempts: Int, random: Double) -> TimeInterval {
        // Past this exponent any wait is the longest one; pow would run into infinity.
        let exponent = Double(min(max(attempts, 1) - 1, 64))
        let nominal = min(first * pow(factor, exponent), longest)
        return max(1, nominal * (1 + jitter * (2 * min(max(random, 0), 1) - 1)))
    }

    /// What to do with a job whose attempt failed as a whole.
    public enum Verdict: Sendable, Hashable {
        case retry(at: Date)
        case giveUp
    }

    /// - Parameters:
    ///   - attempts: failed attempts, this one included.
    ///   - created, expires: of the job.
    public func verdict(
        on error: DeliveryError, attempts: Int, created: Date, expires: Date, now: Date, random: Double
    ) -> Verdict {
        guard error.isTransient, now < expires else { return .giveUp }
        if error.code == .noService, now >= created.addingTimeInterval(noServiceGrace) { return .giveUp }
        let next = now.addingTimeInterval(delay(afterAttempts: attempts, random: random))
        return .retry(at: min(next, expires))
    }
}
