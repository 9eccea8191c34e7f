/// Questions about bindings that the parser asks of its growing tables and the document of its finished ones.
enum NamespaceTable {
    /// The innermost binding of `prefix` on the chain from `scope`; nil if it is not bound. An unbound default prefix
    /// stands for no namespace.
    static func lookUp(
        _ bindings: ContiguousArray<Binding>, _ source: ByteView, _ scope: Int32, _ prefix: UnsafeBufferPointer<UInt8>
    ) -> Int32? {
        var index = scope
        while index > Binding.xml {
            let binding = bindings[Int(index)]
            if Int(binding.prefixLength) == prefix.count {
                let start = Int(binding.prefixStart)
                if sameBytes(source.slice(start, start + prefix.count), prefix) { return index }
            }
            index = binding.previous
        }
        if prefix.isEmpty { return Binding.none }
        return sameBytes(prefix, "xml") ? Binding.xml : nil
    }

    static func equal(
        _ bindings: ContiguousArray<Binding>, _ bytes: ContiguousArray<UInt8>, _ left: Int32, _ right: Int32
    ) -> Bool {
        if left == right { return true }
        let (left, right) = (bindings[Int(left)], bindings[Int(right)])
        guard left.uriLength == right.uriLength else { return false }
        return bytes.withUnsafeBufferPointer { buffer in
            ByteView(buffer).equal(Int(left.uriStart), Int(right.uriStart), length: Int(left.uriLength))
        }
    }

    /// Canonical order of attributes: by namespace name, those without first, then by local name
    /// (Canonical XML 1.0 §2.2).
    static func attribute(
        _ left: AttributeRecord, precedes right: AttributeRecord, _ source: ByteView,
        _ bindings: ContiguousArray<Binding>, _ bytes: ContiguousArray<UInt8>
    ) -> Bool {
        if !equal(bindings, bytes, left.namespace, right.namespace) {
            let (first, second) = (bindings[Int(left.namespace)], bindings[Int(right.namespace)])
            return bytes.withUnsafeBufferPointer { buffer in
                let view = ByteView(buffer)
                return precedes(
                    view.slice(Int(first.uriStart), Int(first.uriStart + first.uriLength)),
                    view.slice(Int(second.uriStart), Int(second.uriStart + second.uriLength)))
            }
        }
        return precedes(
            source.slice(left.localStart, left.localStart + Int(left.localLength)),
            source.slice(right.localStart, right.localStart + Int(right.localLength)))
    }
}
