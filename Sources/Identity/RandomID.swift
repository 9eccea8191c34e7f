/// Unpredictable identifiers. All randomness is the system's (`getrandom`).
public enum RandomID {
    /// `count` random bytes.
    public static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count {
            withUnsafeBytes(of: generator.next() as UInt64) { result.append(contentsOf: $0) }
        }
        result.removeLast(result.count - count)
        return result
    }

    /// A lower-case hexadecimal token of `byteCount` random bytes (16: 128 bits).
    public static func hex(_ byteCount: Int = 16) -> String { Hex.encode(bytes(byteCount)) }

    /// A new `urn:uuid:` (RFC 9562 version 4: it tells nothing about when or where it was made).
    public static func urn() -> String { MessageID.random().urn }
}
