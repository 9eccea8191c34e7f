/// The namespaces that Namespaces in XML 1.0 §3 reserves.
enum ReservedNamespace {
    static let xml = Array("http://www.w3.org/XML/1998/namespace".utf8)
    static let xmlns = Array("http://www.w3.org/2000/xmlns/".utf8)
}

/// Declarations, prefixes and the uniqueness of attributes (Namespaces in XML 1.0 §2 to §6).
extension XMLParser {
    /// The prefix that an attribute of this name declares; empty for the default namespace, nil for no declaration.
    @inline(__always)
    func declaredPrefix(_ name: ScannedName) -> Range<Int>? {
        if name.prefixLength == 5, source.has("xmlns", at: name.start) {
            return name.localStart..<name.localStart &+ Int(name.localLength)
        }
        if name.prefixLength == 0, name.localLength == 5, source.has("xmlns", at: name.start) {
            return name.start..<name.start
        }
        return nil
    }

    mutating func declare(
        _ prefix: Range<Int>, _ value: Range<Int>, isPlain: Bool, _ record: inout ElementRecord
    ) throws(XMLError) {
        guard Int(record.bindingCount) < limits.maxNamespacesPerElement else {
            throw XMLError(.limitExceeded, at: prefix.lowerBound, "too many namespace declarations")
        }
        let depth = bindings[Int(scope)].depth &+ 1
        guard Int(depth) <= limits.maxNamespacesInScope else {
            throw XMLError(.limitExceeded, at: prefix.lowerBound, "too many namespaces in scope")
        }
        for index in record.bindingRange where samePrefix(bindings[index], prefix) {
            throw XMLError(.duplicateAttribute, at: prefix.lowerBound, "prefix declared twice")
        }
        let uriStart = namespaceBytes.count
        if isPlain {
            namespaceBytes.append(contentsOf: source.slice(value.lowerBound, value.upperBound))
        } else {
            TextDecoder.attributeValue(source, value) { namespaceBytes.append($0) }
        }
        try checkDeclaration(prefix, uriStart..<namespaceBytes.count)
        if record.isCanonicalTag, record.bindingCount > 0 {
            record.isCanonicalTag = isOrdered(bindings[bindings.count - 1], before: prefix)
        }
        bindings.append(
            Binding(
                prefixStart: UInt32(prefix.lowerBound), prefixLength: UInt16(prefix.count), depth: depth,
                uriStart: UInt32(uriStart), uriLength: UInt32(namespaceBytes.count - uriStart), previous: scope))
        record.bindingCount &+= 1
        scope = Int32(bindings.count - 1)
    }

    /// Namespaces in XML 1.0 §3 (reserved names), §5 [5] (no empty name for a prefix); relative names have no
    /// canonical form (Canonical XML 1.0 §1.3).
    private func checkDeclaration(_ prefix: Range<Int>, _ uri: Range<Int>) throws(XMLError) {
        let isXML = isNamespace(uri, ReservedNamespace.xml)
        let isXMLPrefix = prefix.count == 3 && source.has("xml", at: prefix.lowerBound)
        let isXMLNSPrefix = prefix.count == 5 && source.has("xmlns", at: prefix.lowerBound)
        func refuse(_ reason: String) -> XMLError { XMLError(.invalidNamespace, at: prefix.lowerBound, reason) }
        guard !isXMLNSPrefix else { throw refuse("the prefix xmlns is declared") }
        guard isXML == isXMLPrefix else {
            throw refuse("the prefix xml and its namespace belong to each other")
        }
        guard !isNamespace(uri, ReservedNamespace.xmlns) else { throw refuse("the namespace of xmlns is declared") }
        if uri.isEmpty {
            guard prefix.isEmpty else { throw refuse("a prefix is undeclared") }
        } else {
            guard hasScheme(uri) else { throw refuse("namespace name is not an absolute URI") }
        }
    }

    /// scheme ":" (RFC 3986 §3.1)
    private func hasScheme(_ uri: Range<Int>) -> Bool {
        for offset in 0..<uri.count {
            let byte = namespaceBytes[uri.lowerBound + offset]
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                if offset == 0 { return false }
            default: return byte == UInt8(ascii: ":") && offset > 0
            }
        }
        return false
    }

    private func isNamespace(_ uri: Range<Int>, _ name: [UInt8]) -> Bool {
        uri.count == name.count && namespaceBytes[uri].elementsEqual(name)
    }

    private func samePrefix(_ binding: Binding, _ prefix: Range<Int>) -> Bool {
        Int(binding.prefixLength) == prefix.count
            && source.equal(Int(binding.prefixStart), prefix.lowerBound, length: prefix.count)
    }

    private func isOrdered(_ binding: Binding, before prefix: Range<Int>) -> Bool {
        let start = Int(binding.prefixStart)
        return precedes(
            source.slice(start, start + Int(binding.prefixLength)), source.slice(prefix.lowerBound, prefix.upperBound))
    }

    // MARK: Prefixes

    @inline(__always)
    func namespace(of record: ElementRecord) throws(XMLError) -> Int32 {
        // Most elements have their parent's prefix and declare nothing.
        if record.bindingCount == 0, record.parent >= 0 {
            let parent = elements[Int(record.parent)]
            if parent.prefixLength == record.prefixLength,
                source.equal(parent.nameStart, record.nameStart, length: Int(record.prefixLength))
            {
                return parent.namespace
            }
        }
        return try lookUp(record.nameStart, record.prefixLength)
    }

    func lookUp(_ prefixStart: Int, _ prefixLength: UInt16) throws(XMLError) -> Int32 {
        let found = NamespaceTable.lookUp(
            bindings, source, scope, source.slice(prefixStart, prefixStart + Int(prefixLength)))
        guard let found else {
            throw XMLError(.unboundPrefix, at: prefixStart, "prefix without declaration")
        }
        return found
    }

    // MARK: Attributes

    /// Binds the prefixes of the attributes of `record`, and refuses two of the same expanded name.
    mutating func resolveAttributes(_ record: inout ElementRecord) throws(XMLError) {
        let range = record.attributeRange
        var isAscending = true
        for index in range {
            if attributes[index].prefixLength > 0 {
                attributes[index].namespace = try lookUp(
                    Int(attributes[index].nameStart), attributes[index].prefixLength)
            }
            if index > range.lowerBound, isAscending {
                isAscending = attributePrecedes(index - 1, index)
            }
        }
        // Strictly ascending in canonical order: no two are equal.
        if isAscending { return }
        record.isCanonicalTag = false
        for index in range.dropFirst() {
            for earlier in range.lowerBound..<index where sameName(earlier, index) {
                throw XMLError(.duplicateAttribute, at: Int(attributes[index].nameStart), "attribute given twice")
            }
        }
    }

    private func sameName(_ left: Int, _ right: Int) -> Bool {
        let (left, right) = (attributes[left], attributes[right])
        return left.localLength == right.localLength
            && source.equal(left.localStart, right.localStart, length: Int(left.localLength))
            && NamespaceTable.equal(bindings, namespaceBytes, left.namespace, right.namespace)
    }

    private func attributePrecedes(_ left: Int, _ right: Int) -> Bool {
        NamespaceTable.attribute(attributes[left], precedes: attributes[right], source, bindings, namespaceBytes)
    }
}
