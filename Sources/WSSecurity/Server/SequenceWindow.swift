/// Which sequence numbers of one session have been seen: a sliding bitmap (as RFC 4303 §3.4.3), no clock, no I/O.
///
/// Surviving a restart without a write per call: every number up to `ceiling` may have been used, and that much is
/// durable. A number above it raises the ceiling by a block, which must be durable before the call counts. After a
/// restart the stored ceiling is the new floor: numbers at or below it are refused with the next good one.
public struct SequenceWindow: Sendable, Equatable {
    public enum Verdict: Sendable, Equatable {
        case accepted
        /// Accepted once the caller has made this ceiling durable and confirmed it.
        case acceptedAbove(ceiling: UInt64)
        case replayed
        /// At or below the floor, or left of the window: use `next` or higher.
        case stale(next: UInt64)
    }

    /// How far ahead a ceiling is raised: one write per so many calls.
    public static let block: UInt64 = 1024
    /// Numbers beyond this are refused, far from overflow.
    public static let maximum: UInt64 = 1 << 62

    public let width: UInt64
    public private(set) var floor: UInt64
    public private(set) var highest: UInt64
    public private(set) var ceiling: UInt64
    private var words: [UInt64]

    /// - Parameters:
    ///   - width: numbers a call may arrive late by; 64 to 1024, rounded up to whole words.
    ///   - floor: numbers up to here are refused.
    ///   - ceiling: numbers up to here are known durable as "may be used".
    public init(width: Int = 256, floor: UInt64 = 0, ceiling: UInt64? = nil) {
        let count = (min(max(width, 64), 1024) + 63) / 64
        self.width = UInt64(count * 64)
        self.floor = min(floor, Self.maximum)
        highest = self.floor
        self.ceiling = max(ceiling ?? floor, floor)
        words = [UInt64](repeating: 0, count: count)
    }

    /// The number a client may use next whatever happened before.
    public var next: UInt64 { highest + 1 }

    public mutating func admit(_ number: UInt64) -> Verdict {
        guard number > floor, number <= Self.maximum else { return .stale(next: next) }
        if number > highest {
            advance(to: number)
        } else if highest - number >= width {
            return .stale(next: next)
        } else if isSet(number) {
            return .replayed
        }
        set(number)
        return number <= ceiling ? .accepted : .acceptedAbove(ceiling: number + Self.block)
    }

    /// The ceiling is durable now.
    public mutating func confirm(ceiling: UInt64) { self.ceiling = max(self.ceiling, ceiling) }

    private mutating func advance(to number: UInt64) {
        let distance = number - highest
        if distance >= width {
            for index in words.indices { words[index] = 0 }
        } else {
            for passed in (highest + 1)...number { clear(passed) }
        }
        highest = number
    }

    private func position(_ number: UInt64) -> (word: Int, bit: UInt64) {
        let slot = number % width
        return (Int(slot / 64), 1 << (slot % 64))
    }

    private func isSet(_ number: UInt64) -> Bool {
        let (word, bit) = position(number)
        return words[word] & bit != 0
    }

    private mutating func set(_ number: UInt64) {
        let (word, bit) = position(number)
        words[word] |= bit
    }

    private mutating func clear(_ number: UInt64) {
        let (word, bit) = position(number)
        words[word] &= ~bit
    }
}
