/// Exclusive XML Canonicalization 1.0 without comments (W3C, 18 July 2002), of a subtree as its own apex.
///
/// Most of what SOAP stacks send is in canonical form already, save for the namespaces: such tags and text are copied
/// in long runs, and only the rest is written anew.
struct Canonicalizer {
    let document: XMLDocument
    let source: ByteView
    /// InclusiveNamespaces PrefixList: empty for "#default".
    let inclusivePrefixes: [[UInt8]]
    /// The root of a subtree that is left out; -1 for none.
    let excluded: Int
    var output: CanonicalOutput
    /// Has the prefix list count for the apex alone, for writing into a context that has declared those prefixes.
    var isListForApexOnly = false

    /// A namespace declaration in the output, of a start tag that is still open.
    private struct Rendered {
        var binding: Int32
        var element: UInt32
    }
    private var rendered = ContiguousArray<Rendered>()
    /// The declarations to render in the tag at hand.
    private var pending = ContiguousArray<Int32>()
    /// A binding known to be rendered at this point, to spare the search.
    private var confirmed: Int32 = -1

    init(
        _ document: XMLDocument, _ source: ByteView, inclusivePrefixes: [String], excluded: Int,
        output: CanonicalOutput
    ) {
        self.document = document
        self.source = source
        self.inclusivePrefixes = inclusivePrefixes.map { $0 == "#default" ? [] : Array($0.utf8) }
        self.excluded = excluded
        self.output = output
    }

    mutating func run(_ apex: Int) {
        rendered.reserveCapacity(16)
        var index = Int(document.elements[apex].firstToken)
        let last = Int(document.elements[apex].lastToken)
        while index <= last {
            let token = document.tokens[index]
            index &+= 1
            switch token.kind {
            case .start, .empty:
                if Int(token.element) == excluded {
                    index = Int(document.elements[excluded].lastToken) + 1
                } else {
                    startTag(token, isApex: Int(token.element) == apex)
                }
            case .end: endTag(token)
            case .text: text(token)
            case .cdata: cdata(token)
            case .comment: continue
            }
        }
        output.finish()
    }

    // MARK: Tags

    private mutating func startTag(_ token: Token, isApex: Bool) {
        let record = document.elements[Int(token.element)]
        if record.namespace != confirmed || record.attributeCount > 0 || record.bindingCount > 0 || isApex {
            collectPending(record, isApex: isApex)
        }
        let isEmpty = token.kind == .empty
        let end = isEmpty ? Int(token.end) &- 2 : Int(token.end) &- 1
        if record.isCanonicalTag, pendingAreDeclared(record) {
            output.copy(Int(token.start), end)
        } else {
            output.copy(Int(token.start), Int(token.start) &+ 1 &+ record.nameLength)
            writeDeclarations()
            writeAttributes(record)
        }
        if isEmpty {
            output.write("></")
            output.copy(record.nameStart, record.nameStart + record.nameLength)
            output.write(UInt8(ascii: ">"))
        } else {
            // The ">" of the source, so that the run goes on.
            output.copy(end, end &+ 1)
            for binding in pending { rendered.append(Rendered(binding: binding, element: token.element)) }
            if !pending.isEmpty { confirmed = -1 }
        }
        pending.removeAll(keepingCapacity: true)
    }

    private mutating func endTag(_ token: Token) {
        if token.form.contains(.canonical) {
            output.copy(Int(token.start), Int(token.end))
        } else {
            let record = document.elements[Int(token.element)]
            output.copy(Int(token.start), Int(token.start) + 2 + record.nameLength)
            output.write(UInt8(ascii: ">"))
        }
        while let top = rendered.last, top.element == token.element {
            rendered.removeLast()
            confirmed = -1
        }
    }

    private mutating func writeDeclarations() {
        if pending.count > 1 { sortPending() }
        for index in pending {
            let binding = document.bindings[Int(index)]
            output.write(" xmlns")
            if binding.prefixLength > 0 {
                output.write(UInt8(ascii: ":"))
                output.write(prefix(binding))
            }
            output.write("=\"")
            document.withNamespace(index) { uri in
                for byte in uri { writeAttributeByte(byte) }
            }
            output.write(UInt8(ascii: "\""))
        }
    }

    private mutating func writeAttributes(_ record: ElementRecord) {
        var order = ContiguousArray(record.attributeRange)
        if order.count > 1 {
            order.sort { left, right in
                NamespaceTable.attribute(
                    document.attributes[left], precedes: document.attributes[right], source, document.bindings,
                    document.namespaceBytes)
            }
        }
        for index in order {
            let attribute = document.attributes[index]
            output.write(UInt8(ascii: " "))
            output.copy(Int(attribute.nameStart), Int(attribute.nameStart) + attribute.nameLength)
            output.write("=\"")
            let value = Int(attribute.valueStart)..<Int(attribute.valueEnd)
            if attribute.form.contains(.canonical) {
                output.copy(value.lowerBound, value.upperBound)
            } else {
                TextDecoder.attributeValue(source, value) { writeAttributeByte($0) }
            }
            output.write(UInt8(ascii: "\""))
        }
    }

    // MARK: Namespaces (Exclusive C14N §3)

    /// Fills `pending` with the declarations that the tag of `record` must render.
    private mutating func collectPending(_ record: ElementRecord, isApex: Bool) {
        require(record.namespace)
        if pending.isEmpty { confirmed = record.namespace }
        for index in record.attributeRange where document.attributes[index].prefixLength > 0 {
            require(document.attributes[index].namespace)
        }
        // Listed prefixes follow the rules of inclusive canonicalisation: nothing can change where nothing is declared.
        guard !inclusivePrefixes.isEmpty, isApex || (record.bindingCount > 0 && !isListForApexOnly) else { return }
        for prefix in inclusivePrefixes {
            let binding = prefix.withUnsafeBufferPointer {
                NamespaceTable.lookUp(document.bindings, source, record.scope, $0)
            }
            if let binding { require(binding) }
        }
    }

    /// Adds `binding` to `pending` unless an open tag of the output has rendered it for the same prefix.
    private mutating func require(_ index: Int32) {
        if index == Binding.xml || pending.contains(index) { return }
        let binding = document.bindings[Int(index)]
        var position = rendered.count
        while position > 0 {
            position &-= 1
            let other = rendered[position].binding
            if other == index { return }
            let candidate = document.bindings[Int(other)]
            if candidate.prefixLength == binding.prefixLength, samePrefix(candidate, binding) {
                if !document.sameNamespace(other, index) { pending.append(index) }
                return
            }
        }
        // Nothing rendered yet for this prefix, which means no namespace for the default one.
        if binding.uriLength > 0 { pending.append(index) }
    }

    private func samePrefix(_ left: Binding, _ right: Binding) -> Bool {
        source.equal(Int(left.prefixStart), Int(right.prefixStart), length: Int(left.prefixLength))
    }

    private func prefix(_ binding: Binding) -> UnsafeBufferPointer<UInt8> {
        source.slice(Int(binding.prefixStart), Int(binding.prefixStart) + Int(binding.prefixLength))
    }

    /// Whether `pending` is just what the tag declares in the source.
    @inline(__always)
    private func pendingAreDeclared(_ record: ElementRecord) -> Bool {
        pending.count == Int(record.bindingCount)
            && pending.allSatisfy { Int($0) >= Int(record.firstBinding) }
    }

    private mutating func sortPending() {
        pending = ContiguousArray(
            pending.sorted { precedes(prefix(document.bindings[Int($0)]), prefix(document.bindings[Int($1)])) })
    }

    // MARK: Text (Canonical XML 1.0 §2.3)

    private mutating func text(_ token: Token) {
        let range = Int(token.start)..<Int(token.end)
        if token.form.contains(.canonical) {
            output.copy(range.lowerBound, range.upperBound)
        } else {
            TextDecoder.text(source, range) { writeTextByte($0) }
        }
    }

    private mutating func cdata(_ token: Token) {
        TextDecoder.cdata(source, Int(token.start)..<Int(token.end)) { writeTextByte($0) }
    }

    @inline(__always)
    private mutating func writeTextByte(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "&"): output.write("&amp;")
        case UInt8(ascii: "<"): output.write("&lt;")
        case UInt8(ascii: ">"): output.write("&gt;")
        case 0x0D: output.write("&#xD;")
        default: output.write(byte)
        }
    }

    @inline(__always)
    private mutating func writeAttributeByte(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "&"): output.write("&amp;")
        case UInt8(ascii: "<"): output.write("&lt;")
        case UInt8(ascii: "\""): output.write("&quot;")
        case 0x09: output.write("&#x9;")
        case 0x0A: output.write("&#xA;")
        case 0x0D: output.write("&#xD;")
        default: output.write(byte)
        }
    }
}
