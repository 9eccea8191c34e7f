/// One pass over validated bytes that fills the tables of ``XMLDocument``. No recursion: the open elements are the
/// chain of `parent` from `current`.
struct XMLParser: ~Copyable {
    let source: ByteView
    let limits: XMLLimits
    var position = 0

    var elements = ContiguousArray<ElementRecord>()
    var attributes = ContiguousArray<AttributeRecord>()
    var bindings = ContiguousArray<Binding>()
    var namespaceBytes = ContiguousArray<UInt8>()
    var tokens = ContiguousArray<Token>()

    /// The innermost open element; -1 outside the root.
    var current: Int32 = -1
    var depth = 0
    /// The head of the chain of bindings in scope.
    var scope = Binding.xml
    var references = 0
    var textRuns = 0

    init(_ source: ByteView, limits: XMLLimits) {
        self.source = source
        self.limits = limits
        let estimate = min(source.count / 40, 1024) + 8
        elements.reserveCapacity(estimate)
        attributes.reserveCapacity(estimate)
        bindings.reserveCapacity(16)
        namespaceBytes.reserveCapacity(1024)
        tokens.reserveCapacity(estimate * 3)
        bindings.append(
            Binding(prefixStart: 0, prefixLength: 0, depth: 0, uriStart: 0, uriLength: 0, previous: -1))
        let xml = ReservedNamespace.xml
        namespaceBytes.append(contentsOf: xml)
        bindings.append(
            Binding(prefixStart: 0, prefixLength: 3, depth: 0, uriStart: 0, uriLength: UInt32(xml.count), previous: -1))
    }

    // MARK: Document (XML 1.0 §2.1, §2.8)

    mutating func parseDocument() throws(XMLError) {
        // A byte order mark.
        if source[0] == 0xEF, source[1] == 0xBB, source[2] == 0xBF { position = 3 }
        if source.has("<?xml", at: position), CharacterClass.isSpace(source[position + 5]) {
            try parseDeclaration()
        }
        try parseMiscellany()
        guard source[position] == UInt8(ascii: "<") else { throw malformed("no root element") }
        try parseStartTag()
        while current >= 0 {
            try parseContent()
        }
        try parseMiscellany()
        guard position == source.count else { throw malformed("content after the root element") }
    }

    /// White space and comments around the root; they are in no canonical form of an element.
    private mutating func parseMiscellany() throws(XMLError) {
        while true {
            skipSpace()
            guard source[position] == UInt8(ascii: "<") else { return }
            switch source[position + 1] {
            case UInt8(ascii: "!"):
                guard source.has("<!--", at: position) else { throw forbiddenMarkup() }
                _ = try scanComment()
            case UInt8(ascii: "?"):
                throw forbiddenMarkup()
            default:
                return
            }
        }
    }

    private mutating func parseContent() throws(XMLError) {
        guard source[position] == UInt8(ascii: "<") else { return try parseText() }
        switch source[position + 1] {
        case UInt8(ascii: "/"): try parseEndTag()
        case UInt8(ascii: "!"):
            if source.has("<!--", at: position) {
                let content = try scanComment()
                try appendRun(.comment, content.lowerBound, content.upperBound, [])
            } else if source.has("<![CDATA[", at: position) {
                try parseCDATA()
            } else {
                throw forbiddenMarkup()
            }
        case UInt8(ascii: "?"): throw forbiddenMarkup()
        default: try parseStartTag()
        }
    }

    /// `<?xml version="1.0" encoding="utf-8" standalone="yes"?>` (§2.8 [23])
    private mutating func parseDeclaration() throws(XMLError) {
        position += 5
        guard let version = try pseudoAttribute("version"), is10(version) else {
            throw XMLError(.forbiddenConstruct, at: position, "XML version other than 1.0")
        }
        if let encoding = try pseudoAttribute("encoding"), !isUTF8(encoding) {
            throw XMLError(.forbiddenConstruct, at: encoding.lowerBound, "encoding other than UTF-8")
        }
        if let standalone = try pseudoAttribute("standalone") {
            let yes = source.has("yes", at: standalone.lowerBound) && standalone.count == 3
            let no = source.has("no", at: standalone.lowerBound) && standalone.count == 2
            guard yes || no else { throw malformed("standalone is yes or no") }
        }
        skipSpace()
        guard source.has("?>", at: position) else { throw malformed("XML declaration") }
        position += 2
    }

    private mutating func pseudoAttribute(_ name: StaticString) throws(XMLError) -> Range<Int>? {
        var index = position
        while CharacterClass.isSpace(source[index]) { index += 1 }
        guard source.has(name, at: index) else { return nil }
        guard index > position else { throw malformed("white space missing in XML declaration") }
        position = index + name.utf8CodeUnitCount
        skipSpace()
        guard source[position] == UInt8(ascii: "=") else { throw malformed("= missing in XML declaration") }
        position += 1
        skipSpace()
        let quote = source[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw malformed("quote missing") }
        let start = position + 1
        position = source.nextValueStop(from: start, quote: quote)
        guard source[position] == quote else { throw malformed("XML declaration") }
        position += 1
        return start..<(position - 1)
    }

    private func is10(_ value: Range<Int>) -> Bool {
        value.count == 3 && source.has("1.0", at: value.lowerBound)
    }

    private func isUTF8(_ value: Range<Int>) -> Bool {
        guard value.count == 5 else { return false }
        return source.has("utf-8", at: value.lowerBound) || source.has("UTF-8", at: value.lowerBound)
            || source.has("Utf-8", at: value.lowerBound)
    }

    // MARK: Helpers

    @inline(__always)
    mutating func skipSpace() {
        while CharacterClass.isSpace(source[position]) { position &+= 1 }
    }

    func malformed(_ reason: String) -> XMLError {
        let reason = position >= source.count ? "\(reason) (the document ends here)" : reason
        return XMLError(.malformed, at: position, reason)
    }

    private func forbiddenMarkup() -> XMLError {
        if source.has("<?", at: position) {
            return XMLError(.forbiddenConstruct, at: position, "processing instruction")
        }
        if source.has("<!DOCTYPE", at: position) {
            return XMLError(.forbiddenConstruct, at: position, "document type declaration")
        }
        return malformed("unknown markup declaration")
    }
}
