/// Character data, CDATA sections, comments and references (XML 1.0 §2.4, §2.5, §2.7, §4.1).
extension XMLParser {
    mutating func parseText() throws(XMLError) {
        let start = position
        var form: TextForm = [.plain, .canonical]
        while true {
            position = source.nextTextStop(from: position)
            switch source[position] {
            case UInt8(ascii: "<"):
                return try appendRun(.text, start, position, form)
            case UInt8(ascii: ">"):
                if position - start >= 2, source.has("]]>", at: position - 2) {
                    throw malformed("]]> in character data")
                }
                form.remove(.canonical)
                position += 1
            case UInt8(ascii: "&"):
                form.remove(.plain)
                let reference = try parseReference()
                if !reference.isCanonicalInText { form.remove(.canonical) }
            case 0x0D:
                form = []
                position += 1
            default:
                throw malformed("element not closed")
            }
        }
    }

    mutating func parseCDATA() throws(XMLError) {
        let start = position + 9
        var index = start
        var hasReturn = false
        while !(source[index] == UInt8(ascii: "]") && source.has("]]>", at: index)) {
            guard index < source.count else { throw malformed("CDATA section not closed") }
            if source[index] == 0x0D { hasReturn = true }
            index += 1
        }
        position = index + 3
        try appendRun(.cdata, start, index, hasReturn ? [] : .plain)
    }

    /// The content of the comment at `position`, which moves past it.
    mutating func scanComment() throws(XMLError) -> Range<Int> {
        let start = position + 4
        var index = start
        while !(source[index] == UInt8(ascii: "-") && source[index + 1] == UInt8(ascii: "-")) {
            guard index < source.count else { throw malformed("comment not closed") }
            index += 1
        }
        guard source[index + 2] == UInt8(ascii: ">") else {
            throw XMLError(.malformed, at: index, "-- in a comment")
        }
        position = index + 3
        return start..<index
    }

    @inline(__always)
    mutating func appendRun(_ kind: Token.Kind, _ start: Int, _ end: Int, _ form: TextForm) throws(XMLError) {
        textRuns &+= 1
        guard textRuns <= limits.maxTextRuns else {
            throw XMLError(.limitExceeded, at: start, "too many runs of text")
        }
        tokens.append(
            Token(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
                element: UInt32(bitPattern: current), kind: kind, form: form))
    }

    /// Checks the reference at `position` and moves past it.
    mutating func parseReference() throws(XMLError) -> Reference {
        references += 1
        guard references <= limits.maxReferences else {
            throw XMLError(.limitExceeded, at: position, "too many references")
        }
        let reference = try Reference(source, at: position)
        position = reference.end
        return reference
    }
}
