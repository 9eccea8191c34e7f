/// A parsed document: its bytes, and tables of fixed-size records that point into them. Immutable.
///
/// Handles (``XMLElement``) keep their document alive; nothing is copied out of `bytes` until it is asked for.
public final class XMLDocument: Sendable {
    /// The document as it was given.
    public let bytes: [UInt8]
    let elements: ContiguousArray<ElementRecord>
    let attributes: ContiguousArray<AttributeRecord>
    let bindings: ContiguousArray<Binding>
    let namespaceBytes: ContiguousArray<UInt8>
    let tokens: ContiguousArray<Token>

    init(bytes: [UInt8], parser: consuming XMLParser) {
        self.bytes = bytes
        elements = parser.elements
        attributes = parser.attributes
        bindings = parser.bindings
        namespaceBytes = parser.namespaceBytes
        tokens = parser.tokens
    }

    /// Parses UTF-8 XML 1.0 with namespaces, without DTD and processing instructions.
    ///
    /// A byte order mark and an XML declaration of version 1.0 and encoding UTF-8 are accepted.
    public static func parse(_ bytes: [UInt8], limits: XMLLimits = .standard) throws(XMLError) -> XMLDocument {
        let result = bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(XMLError) in
                guard buffer.count <= limits.maxBytes else {
                    throw XMLError(.limitExceeded, at: limits.maxBytes, "document too long")
                }
                let source = ByteView(buffer)
                try CharacterScan.validate(source)
                var parser = XMLParser(source, limits: limits)
                try parser.parseDocument()
                return XMLDocument(bytes: bytes, parser: parser)
            }
        }
        return try result.get()
    }

    /// The document element.
    public var root: XMLElement { XMLElement(document: self, index: 0) }

    func withSource<Value>(_ body: (ByteView) -> Value) -> Value {
        bytes.withUnsafeBufferPointer { body(ByteView($0)) }
    }

    /// The namespace name of a binding.
    @inline(__always)
    func withNamespace<Value>(_ index: Int32, _ body: (UnsafeBufferPointer<UInt8>) -> Value) -> Value {
        let binding = bindings[Int(index)]
        return namespaceBytes.withUnsafeBufferPointer {
            body(ByteView($0).slice(Int(binding.uriStart), Int(binding.uriStart + binding.uriLength)))
        }
    }

    func string(_ start: Int, length: Int) -> String {
        withSource { String(decoding: $0.slice(start, start + length), as: UTF8.self) }
    }

    func namespaceString(_ index: Int32) -> String {
        withNamespace(index) { String(decoding: $0, as: UTF8.self) }
    }

    func localName(_ start: Int, length: Int, is name: String) -> Bool {
        guard name.utf8.count == length else { return false }
        return withSource { sameBytes($0.slice(start, start + length), name) }
    }

    func namespace(_ index: Int32, is name: String) -> Bool {
        guard name.utf8.count == Int(bindings[Int(index)].uriLength) else { return false }
        return withNamespace(index) { sameBytes($0, name) }
    }

    /// Whether two bindings name the same namespace.
    @inline(__always)
    func sameNamespace(_ left: Int32, _ right: Int32) -> Bool {
        left == right || NamespaceTable.equal(bindings, namespaceBytes, left, right)
    }
}
