/// What of a file a request asks for (RFC 9110 §14.2).
enum ByteRange: Sendable, Equatable {
    case whole
    /// Not empty, and inside the file.
    case part(Range<UInt64>)
    case unsatisfiable

    /// A range that is malformed, of another unit, or of more than one piece is ignored, as a server may.
    init(parsing value: String?, size: UInt64) {
        self = value.flatMap { ByteRange.parse($0, size: size) } ?? .whole
    }

    private static func parse(_ value: String, size: UInt64) -> ByteRange? {
        let unit = "bytes="
        guard value.utf8.count <= 64, value.lowercased().hasPrefix(unit) else { return nil }
        let bounds = value.dropFirst(unit.count).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return nil }
        if bounds[0].isEmpty {
            guard let suffix = number(bounds[1]) else { return nil }
            return suffix == 0 || size == 0 ? .unsatisfiable : .part((size - min(suffix, size))..<size)
        }
        guard let first = number(bounds[0]) else { return nil }
        if bounds[1].isEmpty { return first < size ? .part(first..<size) : .unsatisfiable }
        guard let last = number(bounds[1]), last >= first else { return nil }
        return first < size ? .part(first..<(min(last, size - 1) + 1)) : .unsatisfiable
    }

    /// Decimal digits, at most 18: any sum of two such numbers is a number still.
    static func number(_ text: some StringProtocol) -> UInt64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt64(text)
    }
}
