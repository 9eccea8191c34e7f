/// Lower-case hexadecimal.
public enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Two lower-case (or upper-case) digits a byte.
    public static func encode(
        _ bytes: some Collection<UInt8>, separator: Character? = nil, uppercase: Bool = false
    ) -> String {
        var result = ""
        for (index, byte) in bytes.enumerated() {
            if index > 0, let separator { result.append(separator) }
            result.unicodeScalars.append(Unicode.Scalar(digits[Int(byte >> 4)]))
            result.unicodeScalars.append(Unicode.Scalar(digits[Int(byte & 15)]))
        }
        return uppercase ? result.uppercased() : result
    }

    static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// The bytes that an even number of digits stands for, nil for anything else.
    public static func decode(_ string: some Collection<UInt8>) -> [UInt8]? {
        guard string.count.isMultiple(of: 2) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(string.count / 2)
        var high: UInt8?
        for byte in string {
            guard let nibble = value(byte) else { return nil }
            if let first = high {
                result.append(first << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        return result
    }
}
