/// Putting a finished canonical document into another.
extension XMLWriter {
    /// Embeds an element that is in its own canonical form, such as a signed message.
    ///
    /// Its octets are copied as they stand if that is canonical here. It is not if it declares, for the same prefix, a
    /// namespace that an open element has declared: then it is written in the canonical form that it has here.
    ///
    /// - Parameter octets: the exclusive canonical form of one element.
    /// - Returns: whether the octets were copied as they stand.
    /// - Throws: if `octets` had to be rewritten and are not XML.
    @discardableResult
    public mutating func embed(canonical octets: [UInt8]) throws(XMLError) -> Bool {
        let context = declarationsInContext()
        let isLiteral = octets.withUnsafeBufferPointer { buffer in
            Self.staysCanonical(ByteView(buffer), context, hasDefaultNamespace: defaultNamespace != nil)
        }
        if isLiteral {
            append(canonicalContent: octets)
            return true
        }
        // A default namespace beyond the barrier counts: what is in no namespace must undo it.
        let hidden = context.contains { $0.prefix.isEmpty } ? nil : defaultNamespace
        append(canonicalContent: try Self.rewritten(octets, context + (hidden.map { [$0] } ?? [])))
        return false
    }

    /// Embeds an element of another document in the canonical form it has here.
    public mutating func embed(_ element: XMLElement) throws(XMLError) {
        try embed(canonical: element.canonicalBytes())
    }

    /// May say no where it could say yes, never the other way round: what looks like a declaration may be text.
    private static func staysCanonical(
        _ octets: ByteView, _ context: [Declaration], hasDefaultNamespace: Bool
    ) -> Bool {
        if hasDefaultNamespace, !declaresDefaultAtRoot(octets) { return false }
        let own = context.map { declaration in
            var bytes: [UInt8] = []
            declaration.append(to: &bytes)
            return bytes
        }
        var index = 0
        while index < octets.count {
            guard octets[index] == UInt8(ascii: " "), octets.has(" xmlns", at: index) else {
                index &+= 1
                continue
            }
            for declaration in own {
                if octets.slice(index, index + declaration.count).elementsEqual(declaration) { return false }
            }
            index &+= 6
        }
        return true
    }

    /// Canonical form puts the default namespace first of all declarations.
    private static func declaresDefaultAtRoot(_ octets: ByteView) -> Bool {
        octets.has(" xmlns=\"", at: rootNameEnd(octets))
    }

    private static func rootNameEnd(_ octets: ByteView) -> Int {
        var index = 0
        while index < octets.count, octets[index] != UInt8(ascii: " "), octets[index] != UInt8(ascii: ">") {
            index += 1
        }
        return index
    }

    /// The canonical form of `octets` inside an element that has rendered `context`.
    private static func rewritten(_ octets: [UInt8], _ context: [Declaration]) throws(XMLError) -> [UInt8] {
        // A wrapper renders the context by way of an inclusive prefix list, and is cut off again.
        var wrapper = Array("<wrapper".utf8)
        let sorted = context.sorted { $0.prefix.utf8.lexicographicallyPrecedes($1.prefix.utf8) }
        for declaration in sorted where !declaration.namespace.isEmpty { declaration.append(to: &wrapper) }
        wrapper.append(UInt8(ascii: ">"))
        let tail = Array("</wrapper>".utf8)
        // What is in no namespace must not fall into the wrapper's.
        var inner = octets
        let (nameEnd, isComplete) = octets.withUnsafeBufferPointer { buffer in
            (rootNameEnd(ByteView(buffer)), declaresDefaultAtRoot(ByteView(buffer)))
        }
        if !isComplete { inner.insert(contentsOf: " xmlns=\"\"".utf8, at: nameEnd) }
        var limits = XMLLimits.standard
        limits.maxBytes = Int(Int32.max)
        limits.maxDepth += 1
        limits.maxNamespacesPerElement = max(limits.maxNamespacesPerElement, context.count) + 1
        let document = try XMLDocument.parse(wrapper + inner + tail, limits: limits)
        let prefixes = context.map { $0.prefix.isEmpty ? "#default" : $0.prefix }
        let canonical = document.root.canonicalBytes(renderingAtApex: prefixes)
        return Array(canonical[wrapper.count..<(canonical.count - tail.count)])
    }
}
