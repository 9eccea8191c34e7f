import Foundation

/// Spares a peer that is down, and us the waiting for it. A pure value, one per destination.
///
/// *Closed*: all pass. After ``Settings/threshold`` connection failures in a row it *opens*: nothing passes until its pause is
/// over; then it is *half open*: one probe passes, whose success closes it and whose failure opens it for twice as long.
public struct CircuitBreaker: Sendable, Hashable {
    public struct Settings: Sendable, Hashable {
        /// Connection failures in a row that open it.
        public var threshold = 3
        /// Seconds of the first pause.
        public var pause: TimeInterval = 30
        /// Longest pause in seconds.
        public var longestPause: TimeInterval = 30 * 60

        public init() {}
    }

    public enum State: Sendable, Hashable {
        case closed
        case open(until: Date)
        /// A probe is out.
        case halfOpen
    }

    public private(set) var state = State.closed
    public private(set) var failures = 0
    private var pauses = 0
    private let settings: Settings

    public init(_ settings: Settings = Settings()) {
        self.settings = settings
    }

    public enum Permission: Sendable, Hashable {
        case pass
        /// Exactly one attempt; its outcome must be reported.
        case probe
        case wait(until: Date)
        /// A probe is out already.
        case waitForProbe
    }

    /// Asks to make an attempt.
    public mutating func request(now: Date) -> Permission {
        switch state {
        case .closed: return .pass
        case .halfOpen: return .waitForProbe
        case .open(let until):
            guard now >= until else { return .wait(until: until) }
            state = .halfOpen
            return .probe
        }
    }

    /// The peer answered (whatever it said).
    public mutating func succeeded() {
        state = .closed
        failures = 0
        pauses = 0
    }

    /// The peer was not reached.
    public mutating func failed(now: Date) {
        failures += 1
        switch state {
        case .closed where failures < settings.threshold: break
        case .open: break
        case .closed, .halfOpen:
            let pause = min(settings.pause * pow(2, Double(min(pauses, 32))), settings.longestPause)
            pauses += 1
            state = .open(until: now.addingTimeInterval(pause))
        }
    }

    /// The attempt said nothing about the peer (cancelled at shutdown, a fault of ours): a probe is given back.
    public mutating func abandoned(now: Date) {
        if state == .halfOpen { state = .open(until: now) }
    }

    /// True when it can be forgotten without a difference.
    public var isPristine: Bool { state == .closed && failures == 0 }
}
