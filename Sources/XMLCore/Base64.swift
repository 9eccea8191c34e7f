/// Base64 of RFC 4648 §4: padded, no line breaks, and when decoding no bit that is not accounted for.
public enum Base64 {
    public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        append(bytes, to: &result)
        return result
    }

    public static func encodeToString(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: encode(bytes), as: UTF8.self)
    }

    /// nil unless `text` is base64 in its one right spelling.
    ///
    /// - Parameter allowingSpace: skips XML white space, as `xs:base64Binary` does.
    public static func decode(_ text: some Collection<UInt8>, allowingSpace: Bool = false) -> [UInt8]? {
        let fast = text.withContiguousStorageIfAvailable { decode($0, allowingSpace: allowingSpace) }
        if let fast { return fast }
        return Array(text).withUnsafeBufferPointer { decode($0, allowingSpace: allowingSpace) }
    }

    public static func decode(_ text: String, allowingSpace: Bool = false) -> [UInt8]? {
        decode(text.utf8, allowingSpace: allowingSpace)
    }

    static func append(_ bytes: some Collection<UInt8>, to result: inout [UInt8]) {
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { encode($0, to: &result) }
        if isDone == nil {
            Array(bytes).withUnsafeBufferPointer { encode($0, to: &result) }
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let space: UInt8 = 0x40
    private static let invalid: UInt8 = 0x80
    /// The six bits of each character, or one of the two marks above.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        for character in [0x20, 0x09, 0x0A, 0x0D] { table[character] = space }
        return table
    }()

    private static func encode(_ bytes: UnsafeBufferPointer<UInt8>, to result: inout [UInt8]) {
        result.reserveCapacity(result.count + (bytes.count + 2) / 3 * 4)
        alphabet.withUnsafeBufferPointer { alphabet in
            var index = 0
            while index + 3 <= bytes.count {
                let group = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
                result.append(alphabet[Int(group >> 18)])
                result.append(alphabet[Int(group >> 12 & 63)])
                result.append(alphabet[Int(group >> 6 & 63)])
                result.append(alphabet[Int(group & 63)])
                index += 3
            }
            guard index < bytes.count else { return }
            let second = index + 1 < bytes.count ? UInt32(bytes[index + 1]) : nil
            let group = UInt32(bytes[index]) << 16 | (second ?? 0) << 8
            result.append(alphabet[Int(group >> 18)])
            result.append(alphabet[Int(group >> 12 & 63)])
            result.append(second == nil ? UInt8(ascii: "=") : alphabet[Int(group >> 6 & 63)])
            result.append(UInt8(ascii: "="))
        }
    }

    static func decode(_ text: UnsafeBufferPointer<UInt8>, allowingSpace: Bool) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3 + 3)
        var group: UInt32 = 0
        var digits = 0
        var padding = 0
        let isValid = values.withUnsafeBufferPointer { values in
            for byte in text {
                let value = values[Int(byte)]
                if value < 64 {
                    if padding > 0 { return false }
                    group = group << 6 | UInt32(value)
                    digits &+= 1
                    if digits & 3 == 0 {
                        result.append(UInt8(truncatingIfNeeded: group >> 16))
                        result.append(UInt8(truncatingIfNeeded: group >> 8))
                        result.append(UInt8(truncatingIfNeeded: group))
                    }
                } else if value == space, allowingSpace {
                    continue
                } else if byte == UInt8(ascii: "="), padding < 2 {
                    padding += 1
                } else {
                    return false
                }
            }
            return true
        }
        guard isValid, (digits + padding) & 3 == 0 else { return nil }
        switch digits & 3 {
        case 0: return padding == 0 ? result : nil
        case 2:
            guard group & 0xF == 0 else { return nil }
            result.append(UInt8(truncatingIfNeeded: group >> 4))
            return result
        case 3:
            guard group & 0x3 == 0 else { return nil }
            result.append(UInt8(truncatingIfNeeded: group >> 10))
            result.append(UInt8(truncatingIfNeeded: group >> 2))
            return result
        default: return nil
        }
    }
}
