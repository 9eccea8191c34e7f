/// Start tags, end tags, names and attributes (XML 1.0 §3.1, Namespaces in XML 1.0 §4).
extension XMLParser {
    mutating func parseStartTag() throws(XMLError) {
        guard depth < limits.maxDepth else {
            throw XMLError(.limitExceeded, at: position, "elements nested too deeply")
        }
        guard elements.count < limits.maxElements else {
            throw XMLError(.limitExceeded, at: position, "too many elements")
        }
        let start = position
        position &+= 1
        let name = try scanName()
        var record = ElementRecord(
            start: UInt32(start), end: 0, prefixLength: name.prefixLength, localLength: name.localLength,
            parent: current, next: 0, firstToken: UInt32(tokens.count), lastToken: 0,
            firstAttribute: UInt32(attributes.count), attributeCount: 0, bindingCount: 0,
            firstBinding: UInt32(bindings.count), namespace: Binding.none, scope: scope, isCanonicalTag: true)
        let isEmpty = try parseAttributes(&record)
        record.scope = scope
        record.namespace = try namespace(of: record)
        if record.attributeCount > 0 { try resolveAttributes(&record) }
        let index = Int32(elements.count)
        elements.append(record)
        tokens.append(
            Token(
                start: UInt32(start), end: UInt32(position), element: UInt32(index),
                kind: isEmpty ? .empty : .start, form: []))
        current = index
        depth += 1
        if isEmpty { close() }
    }

    /// The attributes up to and with the end of the tag; true for an empty-element tag.
    private mutating func parseAttributes(_ record: inout ElementRecord) throws(XMLError) -> Bool {
        while true {
            let gap = position
            skipSpace()
            switch source[position] {
            case UInt8(ascii: ">"):
                if position != gap { record.isCanonicalTag = false }
                position &+= 1
                return false
            case UInt8(ascii: "/"):
                guard source[position &+ 1] == UInt8(ascii: ">") else { throw malformed("/ in a tag") }
                if position != gap { record.isCanonicalTag = false }
                position &+= 2
                return true
            default:
                guard position != gap else { throw malformed("white space missing in a tag") }
                if position &- gap != 1 || source[gap] != UInt8(ascii: " ") { record.isCanonicalTag = false }
                try parseAttribute(&record)
            }
        }
    }

    private mutating func parseAttribute(_ record: inout ElementRecord) throws(XMLError) {
        let name = try scanName()
        let afterName = position
        skipSpace()
        guard source[position] == UInt8(ascii: "=") else { throw malformed("= missing after an attribute name") }
        position &+= 1
        let afterEquals = position
        skipSpace()
        let quote = source[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw malformed("quote missing before an attribute value")
        }
        if afterEquals != afterName &+ 1 || position != afterEquals || quote != UInt8(ascii: "\"") {
            record.isCanonicalTag = false
        }
        position &+= 1
        let start = position
        let form = try scanValue(quote: quote)
        let value = start..<position
        position &+= 1
        guard value.count <= limits.maxAttributeLength else {
            throw XMLError(.limitExceeded, at: start, "attribute value too long")
        }
        if !form.contains(.canonical) { record.isCanonicalTag = false }
        try appendAttribute(name, value, form, &record)
    }

    private mutating func appendAttribute(
        _ name: ScannedName, _ value: Range<Int>, _ form: TextForm, _ record: inout ElementRecord
    ) throws(XMLError) {
        if let prefix = declaredPrefix(name) {
            // Canonical XML puts declarations first.
            if record.attributeCount > 0 { record.isCanonicalTag = false }
            return try declare(prefix, value, isPlain: form.contains(.plain), &record)
        }
        guard Int(record.attributeCount) < limits.maxAttributesPerElement else {
            throw XMLError(.limitExceeded, at: name.start, "too many attributes")
        }
        attributes.append(
            AttributeRecord(
                nameStart: UInt32(name.start), prefixLength: name.prefixLength, localLength: name.localLength,
                valueStart: UInt32(value.lowerBound), valueEnd: UInt32(value.upperBound), namespace: Binding.none,
                form: form))
        record.attributeCount &+= 1
    }

    /// Moves to the closing quote.
    private mutating func scanValue(quote: UInt8) throws(XMLError) -> TextForm {
        var form: TextForm = [.plain, .canonical]
        while true {
            position = source.nextValueStop(from: position, quote: quote)
            switch source[position] {
            case quote:
                return form
            case UInt8(ascii: "\""):
                // Within single quotes; canonical XML has it as a reference.
                form.remove(.canonical)
                position &+= 1
            case UInt8(ascii: "&"):
                form.remove(.plain)
                let reference = try parseReference()
                if !reference.isCanonicalInAttribute { form.remove(.canonical) }
            case 0x09, 0x0A, 0x0D:
                form = []
                position &+= 1
            case UInt8(ascii: "<"):
                throw malformed("< in an attribute value")
            default:
                throw malformed("attribute value not closed")
            }
        }
    }

    mutating func parseEndTag() throws(XMLError) {
        let start = position
        let record = elements[Int(current)]
        let length = record.nameLength
        guard source.equal(start &+ 2, record.nameStart, length: length) else {
            throw malformed("end tag does not match the start tag")
        }
        position = start &+ 2 &+ length
        var form: TextForm = .canonical
        if source[position] != UInt8(ascii: ">") {
            guard CharacterClass.isSpace(source[position]) else {
                throw malformed("end tag does not match the start tag")
            }
            skipSpace()
            guard source[position] == UInt8(ascii: ">") else { throw malformed("end tag not closed") }
            form = []
        }
        position &+= 1
        tokens.append(
            Token(start: UInt32(start), end: UInt32(position), element: UInt32(current), kind: .end, form: form))
        close()
    }

    /// Leaves the current element, whose last tag ends at `position`.
    private mutating func close() {
        let index = Int(current)
        elements[index].end = UInt32(position)
        elements[index].next = UInt32(elements.count)
        elements[index].lastToken = UInt32(tokens.count - 1)
        current = elements[index].parent
        scope = current < 0 ? Binding.xml : elements[Int(current)].scope
        depth -= 1
    }

    // MARK: Names

    struct ScannedName {
        var start: Int
        var prefixLength: UInt16
        var localLength: UInt16
        var localStart: Int { prefixLength == 0 ? start : start &+ Int(prefixLength) &+ 1 }
    }

    /// A QName (Namespaces in XML 1.0 §4 [7]) at `position`, which moves past it.
    @inline(__always)
    mutating func scanName() throws(XMLError) -> ScannedName {
        let start = position
        var length = try scanNCName()
        var prefixLength = 0
        if source[position] == UInt8(ascii: ":") {
            prefixLength = length
            position &+= 1
            length = try scanNCName()
            guard source[position] != UInt8(ascii: ":") else { throw malformed("two colons in a name") }
        }
        guard position &- start <= limits.maxNameLength else {
            throw XMLError(.limitExceeded, at: start, "name too long")
        }
        return ScannedName(
            start: start, prefixLength: UInt16(truncatingIfNeeded: prefixLength),
            localLength: UInt16(truncatingIfNeeded: length))
    }

    /// The length of the NCName at `position`, which moves past it.
    @inline(__always)
    private mutating func scanNCName() throws(XMLError) -> Int {
        let start = position
        if CharacterClass.isNameStart(source[position]) {
            position &+= 1
        } else if let scalar = source.scalar(at: position), CharacterClass.isNameStart(scalar.value) {
            position &+= scalar.length
        } else {
            throw malformed("name expected")
        }
        while true {
            if CharacterClass.isName(source[position]) {
                position &+= 1
            } else if source[position] >= 0x80, let scalar = source.scalar(at: position),
                CharacterClass.isName(scalar.value)
            {
                position &+= scalar.length
            } else {
                return position &- start
            }
        }
    }
}
