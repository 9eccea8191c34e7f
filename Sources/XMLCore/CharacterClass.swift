/// Character classes of XML 1.0 (5th edition) and the word-at-a-time searches built on them.
enum CharacterClass {
    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x09 || byte == 0x0D
    }

    /// An ASCII NameStartChar other than ":" (§2.3 [4]).
    @inline(__always)
    static func isNameStart(_ byte: UInt8) -> Bool {
        byte >= 64 && byte < 128 && (0x07FF_FFFE_87FF_FFFE as UInt64) >> UInt64(byte & 63) & 1 == 1
    }

    /// An ASCII NameChar other than ":" (§2.3 [4a]): the above, digits, "-" and ".".
    @inline(__always)
    static func isName(_ byte: UInt8) -> Bool {
        if byte >= 64 { return isNameStart(byte) }
        return (0x03FF_6000_0000_0000 as UInt64) >> UInt64(byte) & 1 == 1
    }

    /// A NameStartChar outside ASCII (§2.3 [4]).
    static func isNameStart(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x2FF, 0x370...0x37D, 0x37F...0x1FFF, 0x200C...0x200D,
            0x2070...0x218F, 0x2C00...0x2FEF, 0x3001...0xD7FF, 0xF900...0xFDCF, 0xFDF0...0xFFFD,
            0x10000...0xEFFFF:
            true
        default: false
        }
    }

    /// A NameChar outside ASCII (§2.3 [4a]).
    static func isName(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0xB7, 0x300...0x36F, 0x203F...0x2040: true
        default: isNameStart(scalar)
        }
    }

    /// Char (§2.2 [2]).
    static func isCharacter(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x9, 0xA, 0xD, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }
}

/// Tests on the eight bytes of a word at once. Each sets the top bit of the bytes that match; only the lowest bit set
/// is exact (a borrow may reach the bytes above it), which is all a search needs.
enum Word {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    static let tops: UInt64 = 0x8080_8080_8080_8080

    @inline(__always)
    static func zeros(_ word: UInt64) -> UInt64 {
        (word &- ones) & ~word & tops
    }

    @inline(__always)
    static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        zeros(word ^ (ones &* UInt64(byte)))
    }

    /// Bytes below 0x20. For words of ASCII only.
    @inline(__always)
    static func controls(_ word: UInt64) -> UInt64 {
        (word &- ones &* 0x20) & ~word & tops
    }

    /// "<" and ">", which differ in one bit.
    @inline(__always)
    static func angles(_ word: UInt64) -> UInt64 {
        zeros((word & (ones &* 0xFD)) ^ (ones &* 0x3C))
    }

    @inline(__always)
    static func firstByte(_ mask: UInt64) -> Int {
        mask.trailingZeroBitCount >> 3
    }
}

extension ByteView {
    /// The first of "<", ">", "&", CR at or after `index`, or the end.
    @inline(__always)
    func nextTextStop(from index: Int) -> Int {
        var index = index
        while let word = word(at: index) {
            let stops = Word.angles(word) | Word.equal(word, 0x26) | Word.equal(word, 0x0D)
            if stops != 0 { return index &+ Word.firstByte(stops) }
            index &+= 8
        }
        while index < count {
            let byte = self[index]
            // "&" 0x26, "<" 0x3C, ">" 0x3E, CR 0x0D
            if byte < 64, (0x5000_0040_0000_2000 as UInt64) >> UInt64(byte) & 1 == 1 { return index }
            index &+= 1
        }
        return count
    }

    /// The first of `quote`, the double quote, "<", "&", tab, LF, CR at or after `index`, or the end.
    @inline(__always)
    func nextValueStop(from index: Int, quote: UInt8) -> Int {
        // tab, LF, CR, double quote, "&", "<"
        let stops = (0x1000_0044_0000_2600 as UInt64) | 1 << UInt64(quote & 63)
        var index = index
        while index < count {
            let byte = self[index]
            if byte < 64, stops >> UInt64(byte) & 1 == 1 { return index }
            index &+= 1
        }
        return count
    }

    /// The scalar at `index` and its length, of bytes known to be UTF-8; nil at the end.
    func scalar(at index: Int) -> (value: UInt32, length: Int)? {
        guard index < count else { return nil }
        let first = UInt32(self[index])
        func continuation(_ offset: Int) -> UInt32 { UInt32(self[index &+ offset] & 0x3F) }
        if first < 0x80 { return (first, 1) }
        if first < 0xE0 { return ((first & 0x1F) << 6 | continuation(1), 2) }
        if first < 0xF0 { return ((first & 0x0F) << 12 | continuation(1) << 6 | continuation(2), 3) }
        return ((first & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3), 4)
    }
}
