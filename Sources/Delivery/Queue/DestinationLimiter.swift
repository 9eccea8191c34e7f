import Identity

/// How many calls may be out at once, per destination and in all. A pure value.
public struct DestinationLimiter: Sendable {
    public let maxPerDestination: Int
    public let maxTotal: Int
    private var running: [MailDomain: Int] = [:]
    public private(set) var total = 0

    public init(maxPerDestination: Int = 4, maxTotal: Int = 64) {
        self.maxPerDestination = max(1, maxPerDestination)
        self.maxTotal = max(1, maxTotal)
    }

    public func canStart(_ destination: MailDomain) -> Bool {
        total < maxTotal && running[destination, default: 0] < maxPerDestination
    }

    /// Takes a place; false when there is none.
    public mutating func start(_ destination: MailDomain) -> Bool {
        guard canStart(destination) else { return false }
        running[destination, default: 0] += 1
        total += 1
        return true
    }

    /// Gives a place back.
    public mutating func finish(_ destination: MailDomain) {
        guard let count = running[destination], count > 0 else { return }
        running[destination] = count == 1 ? nil : count - 1
        total -= 1
    }

    /// Destinations with no place left.
    public var full: Set<MailDomain> {
        Set(running.filter { $0.value >= maxPerDestination }.keys)
    }

    public var freeInTotal: Int { maxTotal - total }

    public func free(_ destination: MailDomain) -> Int {
        min(maxPerDestination - running[destination, default: 0], freeInTotal)
    }
}
