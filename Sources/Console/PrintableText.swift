/// Makes foreign text fit for a terminal, and knows how many columns it takes there.
public enum PrintableText {
    /// `text` without anything that could steer a terminal or mislead the reader: control characters, escape sequences and
    /// characters that turn the direction of writing become U+FFFD.
    ///
    /// - Parameter keepsLines: line feeds and tabs stay; otherwise they become spaces.
    public static func clean(_ text: String, keepsLines: Bool = false) -> String {
        guard text.unicodeScalars.contains(where: { isUnsafe($0) || $0 == "\n" || $0 == "\t" || $0 == "\r" }) else {
            return text
        }
        var result = String.UnicodeScalarView()
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            defer { previous = scalar }
            switch scalar {
            case "\n" where previous == "\r": continue
            case "\r", "\n": result.append(keepsLines ? "\n" : " ")
            case "\t": result.append(keepsLines ? "\t" : " ")
            default: result.append(isUnsafe(scalar) ? "\u{FFFD}" : scalar)
            }
        }
        return String(result)
    }

    /// Columns that `text` takes in a terminal.
    public static func width(_ text: String) -> Int {
        text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.reduce(0) { $0 + width($1) }
    }

    /// `text` cut to at most `limit` columns, the cut marked by an ellipsis.
    public static func truncate(_ text: String, to limit: Int) -> String {
        guard limit > 0 else { return "" }
        guard width(text) > limit else { return text }
        var result = ""
        var used = 1
        for character in text {
            let columns = width(character)
            guard used + columns <= limit else { break }
            used += columns
            result.append(character)
        }
        return result + "…"
    }

    private static func width(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        if scalars.contains(where: { $0 == "\u{FE0F}" || ($0.properties.isEmojiPresentation) }) { return 2 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return wide.contains { $0.contains(first.value) } ? 2 : 1
        }
    }

    /// East Asian Width W and F (UAX #11), in blocks.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A, 0x09, 0x0D: false
        case 0x00...0x1F, 0x7F...0x9F: true
        // Direction overrides and isolates, line and paragraph separators, invisible tags.
        case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF, 0xE0000...0xE007F: true
        default: false
        }
    }
}
