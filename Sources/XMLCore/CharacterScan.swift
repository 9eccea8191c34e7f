/// Checks that bytes are UTF-8 of characters that XML 1.0 allows (§2.2), before anything else looks at them.
enum CharacterScan {
    static func validate(_ source: ByteView) throws(XMLError) {
        var index = 0
        while index < source.count {
            if let word = source.word(at: index), word & Word.tops == 0, Word.controls(word) == 0 {
                index &+= 8
                continue
            }
            // Up to a word's worth of single steps, then fast again.
            let pause = min(index &+ 8, source.count)
            while index < pause {
                index &+= try length(source, index)
            }
        }
    }

    /// The length of the character at `index`; throws if it is none.
    @inline(__always)
    private static func length(_ source: ByteView, _ index: Int) throws(XMLError) -> Int {
        let byte = source[index]
        if byte < 0x80 {
            guard byte >= 0x20 || byte == 0x0A || byte == 0x09 || byte == 0x0D else {
                throw XMLError(.invalidCharacter, at: index, "control character")
            }
            return 1
        }
        let length = sequenceLength(source, index)
        guard length > 0 else { throw XMLError(.invalidUTF8, at: index, "not UTF-8") }
        if byte == 0xEF, source[index &+ 1] == 0xBF, source[index &+ 2] >= 0xBE {
            throw XMLError(.invalidCharacter, at: index, "U+FFFE or U+FFFF")
        }
        return length
    }

    /// The length of the UTF-8 sequence at `index` (Unicode 15, table 3-7: no overlong form, no surrogate, nothing
    /// above U+10FFFF), or 0 if there is none. Only for bytes of 0x80 and above.
    static func sequenceLength(_ source: ByteView, _ index: Int) -> Int {
        let second = source[index &+ 1]
        func continues(_ offset: Int) -> Bool { source[index &+ offset] & 0xC0 == 0x80 }
        switch source[index] {
        case 0xC2...0xDF: return continues(1) ? 2 : 0
        case 0xE0: return (0xA0...0xBF).contains(second) && continues(2) ? 3 : 0
        case 0xED: return (0x80...0x9F).contains(second) && continues(2) ? 3 : 0
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : 0
        case 0xF0: return (0x90...0xBF).contains(second) && continues(2) && continues(3) ? 4 : 0
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : 0
        case 0xF4: return (0x80...0x8F).contains(second) && continues(2) && continues(3) ? 4 : 0
        default: return 0
        }
    }
}
