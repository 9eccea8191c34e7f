/// Exclusive XML Canonicalization 1.0 without comments, `http://www.w3.org/2001/10/xml-exc-c14n#`.
extension XMLElement {
    /// The canonical form of this element as the apex.
    ///
    /// - Parameters:
    ///   - inclusivePrefixes: the PrefixList of `ec:InclusiveNamespaces`; "#default" is the default namespace.
    ///   - excluding: a descendant that is left out with all it holds (enveloped-signature transform).
    public func canonicalBytes(inclusivePrefixes: [String] = [], excluding: XMLElement? = nil) -> [UInt8] {
        canonicalize(inclusivePrefixes, excluding, nil)
    }

    /// The canonical form handed to `sink` in pieces, for hashing without building it.
    public func canonicalize(
        inclusivePrefixes: [String] = [], excluding: XMLElement? = nil,
        into sink: (UnsafeRawBufferPointer) -> Void
    ) {
        withoutActuallyEscaping(sink) { sink in
            _ = canonicalize(inclusivePrefixes, excluding, sink)
        }
    }

    /// The canonical form of what is in this element where it, a mere wrapper, has rendered `prefixes`.
    func canonicalBytes(renderingAtApex prefixes: [String]) -> [UInt8] {
        canonicalize(prefixes, nil, nil, isListForApexOnly: true)
    }

    private func canonicalize(
        _ prefixes: [String], _ excluding: XMLElement?, _ sink: CanonicalOutput.Sink?, isListForApexOnly: Bool = false
    ) -> [UInt8] {
        let excluded = excluding.map { $0.document === document ? $0.index : -1 } ?? -1
        let length = sourceRange.count
        return document.withSource { source in
            let output = CanonicalOutput(source, reserving: length + 128, sink: sink)
            var canonicalizer = Canonicalizer(
                document, source, inclusivePrefixes: prefixes, excluded: excluded, output: output)
            canonicalizer.isListForApexOnly = isListForApexOnly
            canonicalizer.run(index)
            return canonicalizer.output.buffer
        }
    }
}
