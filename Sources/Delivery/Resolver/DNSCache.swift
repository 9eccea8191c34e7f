import Foundation

/// Answers by name, for as long as they may be kept. Bounded; a pure value.
struct DNSCache<Value: Sendable>: Sendable {
    private struct Entry {
        let value: Value
        let expires: Date
    }

    private var entries: [String: Entry] = [:]
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { entries.count }

    func value(_ name: String, now: Date) -> Value? {
        guard let entry = entries[name], now < entry.expires else { return nil }
        return entry.value
    }

    mutating func insert(_ value: Value, for name: String, seconds: Int, now: Date) {
        if entries[name] == nil, entries.count >= capacity { makeRoom(now) }
        entries[name] = Entry(value: value, expires: now.addingTimeInterval(TimeInterval(seconds)))
    }

    /// Drops what has expired; if that is nothing, the quarter that expires first.
    private mutating func makeRoom(_ now: Date) {
        let before = entries.count
        entries = entries.filter { now < $0.value.expires }
        guard entries.count == before else { return }
        let oldest = entries.sorted { $0.value.expires < $1.value.expires }.prefix(max(1, capacity / 4))
        for (name, _) in oldest { entries.removeValue(forKey: name) }
    }
}
