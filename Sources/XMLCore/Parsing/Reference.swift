/// A character reference or a reference to a predefined entity (XML 1.0 §4.1, §4.6).
struct Reference {
    let scalar: UInt32
    let end: Int
    /// Written as canonical XML writes this character in text, or in an attribute value.
    let isCanonicalInText: Bool
    let isCanonicalInAttribute: Bool

    /// Reads the reference at the "&" at `index`.
    init(_ source: ByteView, at index: Int) throws(XMLError) {
        if source[index + 1] == UInt8(ascii: "#") {
            self = try Self.character(source, at: index)
        } else if let entity = Self.entity(source, at: index) {
            self = entity
        } else {
            throw XMLError(.undefinedEntity, at: index, "not a predefined entity")
        }
    }

    private init(_ scalar: UInt32, end: Int, inText: Bool, inAttribute: Bool) {
        self.scalar = scalar
        self.end = end
        isCanonicalInText = inText
        isCanonicalInAttribute = inAttribute
    }

    private static func entity(_ source: ByteView, at index: Int) -> Reference? {
        if source.has("&amp;", at: index) { return Reference(0x26, end: index + 5, inText: true, inAttribute: true) }
        if source.has("&lt;", at: index) { return Reference(0x3C, end: index + 4, inText: true, inAttribute: true) }
        if source.has("&gt;", at: index) { return Reference(0x3E, end: index + 4, inText: true, inAttribute: false) }
        if source.has("&quot;", at: index) { return Reference(0x22, end: index + 6, inText: false, inAttribute: true) }
        if source.has("&apos;", at: index) { return Reference(0x27, end: index + 6, inText: false, inAttribute: false) }
        return nil
    }

    private static func character(_ source: ByteView, at index: Int) throws(XMLError) -> Reference {
        let isHexadecimal = source[index + 2] == UInt8(ascii: "x")
        let first = index + (isHexadecimal ? 3 : 2)
        var position = first
        var value: UInt32 = 0
        while let digit = digit(source[position], isHexadecimal: isHexadecimal) {
            value = value * (isHexadecimal ? 16 : 10) + digit
            guard value <= 0x10FFFF else {
                throw XMLError(.invalidCharacter, at: index, "reference beyond Unicode")
            }
            position += 1
        }
        guard position > first, source[position] == UInt8(ascii: ";") else {
            throw XMLError(.malformed, at: index, "character reference")
        }
        guard CharacterClass.isCharacter(value) else {
            throw XMLError(.invalidCharacter, at: index, "reference to a character XML forbids")
        }
        let isReturn = source.has("&#xD;", at: index)
        let isSpace = source.has("&#x9;", at: index) || source.has("&#xA;", at: index)
        return Reference(value, end: position + 1, inText: isReturn, inAttribute: isReturn || isSpace)
    }

    @inline(__always)
    private static func digit(_ byte: UInt8, isHexadecimal: Bool) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f") where isHexadecimal: UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F") where isHexadecimal: UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension UInt32 {
    /// Calls `body` with each byte of this scalar's UTF-8.
    @inline(__always)
    func forEachUTF8(_ body: (UInt8) -> Void) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | (self >> shift & 0x3F)) }
        if self < 0x80 {
            body(UInt8(truncatingIfNeeded: self))
        } else if self < 0x800 {
            body(UInt8(truncatingIfNeeded: 0xC0 | self >> 6))
            body(tail(0))
        } else if self < 0x10000 {
            body(UInt8(truncatingIfNeeded: 0xE0 | self >> 12))
            body(tail(6))
            body(tail(0))
        } else {
            body(UInt8(truncatingIfNeeded: 0xF0 | self >> 18))
            body(tail(12))
            body(tail(6))
            body(tail(0))
        }
    }
}
