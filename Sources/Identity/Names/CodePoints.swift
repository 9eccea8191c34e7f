/// Which code points a label or a local part may hold: the derived property of RFC 5892 (IDNA 2008), computed from
/// the Unicode tables of the Swift standard library.
///
/// Covered: the LetterDigits, Unstable, IgnorableProperties, IgnorableBlocks, OldHangulJamo and Exceptions classes and
/// all CONTEXTO rules. Refused altogether: CONTEXTJ (zero-width joiners), unassigned code points and all of UTS 46's
/// mappings except lower-casing and NFC; so full-width letters and dots, symbols and emoji are errors, not mapped.
enum CodePoints {
    /// PVALID of RFC 5892 §2.
    static func isValid(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x2D, 0x30...0x39, 0x61...0x7A: return true
        case 0..<0x80: return false
        // Exceptions (F), RFC 5892 §2.6
        case 0xDF, 0x3C2, 0x6FD, 0x6FE, 0xF0B, 0x3007: return true
        case 0x640, 0x7FA, 0x302E, 0x302F, 0x3031...0x3035, 0x303B: return false
        // IgnorableBlocks (D) and OldHangulJamo (I)
        case 0x20D0...0x20FF, 0x1D100...0x1D1FF, 0x1D200...0x1D24F: return false
        case 0x1100...0x11FF, 0xA960...0xA97F, 0xD7B0...0xD7FF: return false
        default: break
        }
        let properties = scalar.properties
        if properties.isDefaultIgnorableCodePoint || properties.isWhitespace || properties.isNoncharacterCodePoint {
            return false
        }
        // Unstable (B): what NFKC case folding would change.
        if properties.changesWhenNFKCCaseFolded { return false }
        switch properties.generalCategory {
        case .lowercaseLetter, .uppercaseLetter, .otherLetter, .modifierLetter, .decimalNumber: return true
        case .nonspacingMark, .spacingMark: return true
        default: return false
        }
    }

    static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    /// The characters that are valid only beside certain others (RFC 5892 appendix A.3 to A.9).
    static func contextFault(in scalars: [Unicode.Scalar]) -> String? {
        for (index, scalar) in scalars.enumerated() where !contextHolds(scalar, index, scalars) {
            return "\(name(scalar)) is not allowed in this position"
        }
        return nil
    }

    static func hasContextRule(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB, 0x660...0x669, 0x6F0...0x6F9: true
        default: false
        }
    }

    private static func contextHolds(_ scalar: Unicode.Scalar, _ index: Int, _ all: [Unicode.Scalar]) -> Bool {
        let before = index > 0 ? all[index - 1] : nil
        let after = index + 1 < all.count ? all[index + 1] : nil
        switch scalar.value {
        case 0xB7: return before == "l" && after == "l"
        case 0x375: return after.map { Script($0) == .greek } ?? false
        case 0x5F3, 0x5F4: return before.map { Script($0) == .hebrew } ?? false
        case 0x30FB: return all.contains { Script($0) == .japanese && $0.value != 0x30FB }
        case 0x660...0x669: return !all.contains { (0x6F0...0x6F9).contains($0.value) }
        case 0x6F0...0x6F9: return !all.contains { (0x660...0x669).contains($0.value) }
        default: return true
        }
    }

    /// For messages: `U+1F600`.
    static func name(_ scalar: Unicode.Scalar) -> String {
        let hex = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
    }

    /// Blocks whose characters run right to left. A superset of the Bidi classes R and AL.
    static func isRightToLeft(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x590...0x8FF, 0xFB1D...0xFDFF, 0xFE70...0xFEFF, 0x10800...0x10FFF, 0x1E800...0x1EFFF:
            !isMark(scalar)
        default: false
        }
    }
}

/// The scripts that matter for look-alikes and context rules; by block, which is enough for both.
enum Script: Hashable {
    case latin, greek, cyrillic, hebrew, armenian, japanese, other, common

    init(_ scalar: Unicode.Scalar) {
        if CodePoints.isMark(scalar) || scalar.properties.generalCategory == .decimalNumber || scalar == "-" {
            self = .common
            return
        }
        switch scalar.value {
        case 0x41...0x24F, 0x250...0x2AF, 0x1E00...0x1EFF, 0x2C60...0x2C7F, 0xA720...0xA7FF: self = .latin
        case 0x370...0x3FF, 0x1F00...0x1FFF: self = .greek
        case 0x400...0x52F, 0x1C80...0x1C8F, 0x2DE0...0x2DFF, 0xA640...0xA69F: self = .cyrillic
        case 0x530...0x58F: self = .armenian
        case 0x590...0x5FF, 0xFB1D...0xFB4F: self = .hebrew
        case 0x3005...0x3007, 0x3040...0x30FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0x20000...0x3FFFF: self = .japanese
        default: self = .other
        }
    }
}
