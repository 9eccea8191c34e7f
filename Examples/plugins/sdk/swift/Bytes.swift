// Text in plug-ins is UTF-8 in arrays of octets. Swift's String is there in Embedded Swift, but its work per character
// costs thirty times as much.

typealias Bytes = [UInt8]

/// So that a literal can stand where octets are wanted: `log(.info, "hello")`, `join("user:", address)`.
extension Array: @retroactive ExpressibleByUnicodeScalarLiteral where Element == UInt8 {}
extension Array: @retroactive ExpressibleByExtendedGraphemeClusterLiteral where Element == UInt8 {}
extension Array: @retroactive ExpressibleByStringLiteral where Element == UInt8 {
    public init(stringLiteral text: StaticString) {
        self.init(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

/// One after the other. (`+` between literals and octets takes the compiler too long.)
func join(_ parts: Bytes...) -> Bytes {
    var joined: Bytes = []
    for part in parts { joined += part }
    return joined
}

extension Array where Element == UInt8 {
    /// A number in decimal digits.
    init(decimal number: Int64) {
        self = []
        var rest = number.magnitude
        repeat {
            append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        if number < 0 { append(0x2D) }
        reverse()
    }

    init(decimal number: Int) { self.init(decimal: Int64(number)) }

    /// The decimal number that the octets are; nil if they are anything else, or more than 18 digits.
    var number: Int64? {
        let digits = first == 0x2D ? dropFirst() : self[...]
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            value = value * 10 + Int64(digit - 0x30)
        }
        return first == 0x2D ? -value : value
    }

    /// With A-Z as a-z; other scripts stay as they are.
    var lowercased: Bytes { map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 32 : $0 } }

    /// Without white space at both ends.
    var trimmed: Bytes {
        var start = 0
        var end = count
        while start < end, self[start].isWhiteSpace { start += 1 }
        while end > start, self[end - 1].isWhiteSpace { end -= 1 }
        return Bytes(self[start..<end])
    }

    func hasPrefix(_ prefix: Bytes) -> Bool { matches(prefix, at: 0) }

    func hasSuffix(_ suffix: Bytes) -> Bool { count >= suffix.count && matches(suffix, at: count - suffix.count) }

    func matches(_ part: Bytes, at index: Int) -> Bool {
        guard index >= 0, count - index >= part.count else { return false }
        for offset in 0..<part.count where self[index + offset] != part[offset] { return false }
        return true
    }

    /// Where `part` first occurs at or after `start`.
    func index(of part: Bytes, from start: Int = 0) -> Int? {
        var index = start
        while count - index >= part.count {
            if matches(part, at: index) { return index }
            index += 1
        }
        return nil
    }

    func contains(_ part: Bytes) -> Bool { index(of: part) != nil }

    /// The parts between separators, trimmed, without empty ones.
    func split(at separator: UInt8) -> [Bytes] {
        var parts: [Bytes] = []
        for part in split(separator: separator, omittingEmptySubsequences: true) {
            let trimmed = Bytes(part).trimmed
            if !trimmed.isEmpty { parts.append(trimmed) }
        }
        return parts
    }

    /// Whether a pattern with `*` for any octets describes the whole. Case counts.
    func isLike(_ pattern: Bytes) -> Bool {
        var (at, inPattern) = (0, 0)
        var star: (pattern: Int, at: Int)?
        while at < count {
            if inPattern < pattern.count, pattern[inPattern] == 0x2A {
                star = (inPattern, at)
                inPattern += 1
            } else if inPattern < pattern.count, pattern[inPattern] == self[at] {
                (at, inPattern) = (at + 1, inPattern + 1)
            } else if let last = star {
                star = (last.pattern, last.at + 1)
                (at, inPattern) = (last.at + 1, last.pattern + 1)
            } else {
                return false
            }
        }
        while inPattern < pattern.count, pattern[inPattern] == 0x2A { inPattern += 1 }
        return inPattern == pattern.count
    }

    /// The local part and the domain of an address.
    var addressParts: (local: Bytes, domain: Bytes)? {
        guard let at = lastIndex(of: 0x40), at > 0, at < count - 1 else { return nil }
        return (Bytes(self[..<at]), Bytes(self[(at + 1)...]))
    }

    /// Whether the host will surely take it as an address: ASCII, a dot-atom, a domain of two or more plain labels. Check what
    /// users give you: a bad address in a verdict or message is a failure of the plug-in, and many failures take it out.
    var isPlainAddress: Bool {
        guard count <= 254, let (local, domain) = addressParts, local.count <= 64 else { return false }
        for atom in local.split(separator: 0x2E, omittingEmptySubsequences: false) {
            guard !atom.isEmpty, atom.allSatisfy({ $0.isAtomText }) else { return false }
        }
        var labels = 0
        var isNumber = false
        for label in domain.split(separator: 0x2E, omittingEmptySubsequences: false) {
            let label = Bytes(label)
            guard !label.isEmpty, label.count <= 63, label.allSatisfy({ $0.isLabelText }), label[0] != 0x2D, label[label.count - 1] != 0x2D,
                !label.matches("--", at: 2)
            else { return false }
            labels += 1
            isNumber = label[0] <= 0x39
        }
        return labels >= 2 && !isNumber
    }

    /// Whether it has none of the characters that the host refuses in folder names and subjects: controls, line and paragraph
    /// separators, noncharacters.
    var isOneLine: Bool {
        for (index, octet) in enumerated() {
            if octet < 0x20 || octet == 0x7F { return false }
            if octet == 0xC2, index + 1 < count, self[index + 1] < 0xA0 { return false }
            if octet == 0xE2, matches([0xE2, 0x80, 0xA8], at: index) || matches([0xE2, 0x80, 0xA9], at: index) { return false }
            if octet == 0xEF, matches([0xEF, 0xBF, 0xBE], at: index) || matches([0xEF, 0xBF, 0xBF], at: index) { return false }
        }
        return true
    }

    /// The first octets, at most `limit`, ending with a whole character.
    func cut(_ limit: Int) -> Bytes {
        guard count > limit else { return self }
        var end = limit
        while end > 0, self[end] & 0xC0 == 0x80 { end -= 1 }
        return Bytes(self[..<end])
    }
}

extension UInt8 {
    /// RFC 5322 §3.2.3, without capitals.
    fileprivate var isAtomText: Bool {
        switch self {
        case 0x61...0x7A, 0x30...0x39, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2F, 0x3D, 0x3F, 0x5E...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    fileprivate var isLabelText: Bool {
        switch self {
        case 0x61...0x7A, 0x30...0x39, 0x2D: true
        default: false
        }
    }

    var isWhiteSpace: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0D) }
}
