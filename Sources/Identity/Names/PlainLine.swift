/// One line of text that is safe to show to people: names, titles, summaries of strangers.
///
/// What could steer a terminal, hide itself or turn the direction of writing is refused, not replaced, because such a
/// text is compared and signed.
public enum PlainLine {
    /// What is wrong with `text`, nil if nothing is.
    /// - Parameters:
    ///   - limit: Unicode scalars, inclusive.
    ///   - joiners: admits U+200C and U+200D, which Persian, Indic scripts and emoji need. Never for names that stand for
    ///     an identity: the joiners cannot be seen.
    public static func fault(in text: String, limit: Int, joiners: Bool = false) -> String? {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return "is empty" }
        guard text.utf8.count <= limit * 4, text.unicodeScalars.count <= limit else {
            return "is longer than \(limit) characters"
        }
        guard !first.properties.isWhitespace, !last.properties.isWhitespace else { return "begins or ends with a space" }
        for scalar in text.unicodeScalars where !isShowable(scalar, joiners) {
            return "holds the character \(CodePoints.name(scalar))"
        }
        return nil
    }

    private static func isShowable(_ scalar: Unicode.Scalar, _ joiners: Bool) -> Bool {
        switch scalar.properties.generalCategory {
        case .format: joiners && (scalar == "\u{200C}" || scalar == "\u{200D}")
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
