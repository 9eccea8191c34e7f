/// Finds a short run of octets in a long one (Horspool): data of many megabytes is looked through for every boundary.
struct ByteSearch: Sendable {
    private let pattern: [UInt8]
    private let skips: [Int]

    var count: Int { pattern.count }

    /// - Parameter pattern: at least one octet.
    init(_ pattern: [UInt8]) {
        self.pattern = pattern
        var skips = [Int](repeating: pattern.count, count: 256)
        for (index, byte) in pattern.dropLast().enumerated() { skips[Int(byte)] = pattern.count - 1 - index }
        self.skips = skips
    }

    /// Where it first begins at `from` or behind.
    func first(in bytes: UnsafeBufferPointer<UInt8>, from: Int) -> Int? {
        guard let last = pattern.last, from >= 0 else { return nil }
        let length = pattern.count
        return pattern.withUnsafeBufferPointer { pattern in
            skips.withUnsafeBufferPointer { skips in
                var position = from
                while position + length <= bytes.count {
                    let byte = bytes[position + length - 1]
                    if byte == last, bytes[position..<(position + length)].elementsEqual(pattern) { return position }
                    position += skips[Int(byte)]
                }
                return nil
            }
        }
    }

    /// Whether all of the pattern but its first octet stands at `index`.
    func matchesTail(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        guard index + pattern.count - 1 <= bytes.count else { return false }
        return bytes[index..<(index + pattern.count - 1)].elementsEqual(pattern.dropFirst())
    }
}
