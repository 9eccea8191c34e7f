/// A service record (RFC 2782).
public struct SRVRecord: Sendable, Hashable {
    public let priority: Int
    public let weight: Int
    public let port: Int
    /// Lower case, without the final dot; empty for the root, which means "no such service here".
    public let target: String

    public init(priority: Int, weight: Int, port: Int, target: String) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }

    /// Reads record data; nil unless it is exactly one well-formed record.
    ///
    /// The target is uncompressed (RFC 2782: "name compression is not to be used for this field"). Labels other than
    /// letters, digits, hyphens and underscores are refused: no host has such a name, and a log line is no place for it.
    public init?(data: [UInt8]) {
        guard data.count > 6 else { return nil }
        func number(_ at: Int) -> Int { Int(data[at]) << 8 | Int(data[at + 1]) }
        guard let target = Self.name(data[6...]) else { return nil }
        self.init(priority: number(0), weight: number(2), port: number(4), target: target)
    }

    private static func name(_ data: ArraySlice<UInt8>) -> String? {
        var labels: [String] = []
        var rest = data
        while let length = rest.popFirst() {
            if length == 0 { return rest.isEmpty ? labels.joined(separator: ".") : nil }
            guard length <= 63, rest.count > Int(length) else { return nil }
            let label = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            guard label.allSatisfy(isHostCharacter) else { return nil }
            labels.append(String(decoding: label, as: UTF8.self).lowercased())
        }
        return nil
    }

    private static func isHostCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// The order in which to try services (RFC 2782, "Usage rules").
public enum SRVOrdering {
    /// By ascending priority; within one, drawn without replacement with a chance in proportion to the weight. Records of
    /// weight 0 stand first in each draw, so that they keep a very small chance.
    public static func order(
        _ records: [SRVRecord], using generator: inout some RandomNumberGenerator
    ) -> [SRVRecord] {
        var ordered: [SRVRecord] = []
        ordered.reserveCapacity(records.count)
        let priorities = Dictionary(grouping: records, by: \.priority)
        for priority in priorities.keys.sorted() {
            var left = (priorities[priority] ?? []).sorted { $0.weight == 0 && $1.weight != 0 }
            while !left.isEmpty {
                let total = left.reduce(0) { $0 + $1.weight }
                let drawn = Int.random(in: 0...total, using: &generator)
                ordered.append(left.remove(at: Self.index(of: drawn, in: left)))
            }
        }
        return ordered
    }

    /// The first record whose running sum of weights reaches `drawn`.
    private static func index(of drawn: Int, in records: [SRVRecord]) -> Int {
        var sum = 0
        for (index, record) in records.enumerated() {
            sum += record.weight
            if sum >= drawn { return index }
        }
        return records.count - 1
    }
}
