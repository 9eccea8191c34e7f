/// A handle to an element of a document. Two handles are equal if they are the same element of the same document.
public struct XMLElement: Sendable, Hashable {
    public let document: XMLDocument
    /// In document order; the root is 0.
    let index: Int

    init(document: XMLDocument, index: Int) {
        self.document = document
        self.index = index
    }

    var record: ElementRecord { document.elements[index] }

    public static func == (left: XMLElement, right: XMLElement) -> Bool {
        left.index == right.index && left.document === right.document
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(document))
        hasher.combine(index)
    }

    // MARK: Name

    public var name: XMLName { XMLName(namespace, localName) }

    public var localName: String {
        let record = record
        return document.string(record.localStart, length: Int(record.localLength))
    }

    /// Empty for no namespace.
    public var namespace: String { document.namespaceString(record.namespace) }

    /// Compares without making strings.
    public func isNamed(_ name: XMLName) -> Bool { document.element(index, isNamed: name) }

    // MARK: Tree

    /// nil for the root.
    public var parent: XMLElement? {
        let parent = record.parent
        return parent < 0 ? nil : XMLElement(document: document, index: Int(parent))
    }

    /// The element children in document order.
    public var children: XMLChildren { XMLChildren(self) }

    /// The first child of that name.
    public func first(_ name: XMLName) -> XMLElement? {
        children.first { $0.isNamed(name) }
    }

    /// All children of that name.
    public func all(_ name: XMLName) -> [XMLElement] {
        children.filter { $0.isNamed(name) }
    }

    /// The one child of that name; none or more than one is an error.
    public func only(_ name: XMLName) throws(XMLError) -> XMLElement {
        guard let found = try optional(name) else {
            throw XMLError(.missingElement, at: sourceRange.lowerBound, "\(name) missing")
        }
        return found
    }

    /// The child of that name if there is one; more than one is an error.
    public func optional(_ name: XMLName) throws(XMLError) -> XMLElement? {
        var found: XMLElement?
        for child in children where child.isNamed(name) {
            guard found == nil else {
                throw XMLError(.unexpectedElement, at: child.sourceRange.lowerBound, "\(name) given again")
            }
            found = child
        }
        return found
    }

    /// Whether `other` is this element or below it.
    public func contains(_ other: XMLElement) -> Bool {
        other.document === document && (index..<Int(record.next)).contains(other.index)
    }

    /// Where the element stands in ``XMLDocument/bytes``, from "<" to the last ">".
    public var sourceRange: Range<Int> { Int(record.start)..<Int(record.end) }

    /// The namespace that `prefix` is bound to here, for QNames in content. The empty prefix gives the default
    /// namespace, "" if there is none.
    public func namespaceURI(forPrefix prefix: String) -> String? {
        let found = document.withSource { source in
            Array(prefix.utf8).withUnsafeBufferPointer {
                NamespaceTable.lookUp(document.bindings, source, record.scope, $0)
            }
        }
        return found.map(document.namespaceString)
    }

    /// Whether this element or one below it holds a comment. Comments are in no canonical form that is signed.
    public var containsComments: Bool {
        let record = record
        return document.tokens[Int(record.firstToken)...Int(record.lastToken)].contains { $0.kind == .comment }
    }

    // MARK: Attributes

    /// The normalised value of the attribute of that name; nil if there is none.
    public func attribute(_ localName: String, namespace: String = "") -> String? {
        attributeRecord(localName, namespace).map(document.attributeValue)
    }

    /// Whether the attribute of that name is there and has one of `values`; which one, without making a string.
    public func attribute(_ localName: String, isOneOf values: [String]) -> Int? {
        guard let attribute = attributeRecord(localName, "") else { return nil }
        guard attribute.form.contains(.plain) else { return values.firstIndex(of: document.attributeValue(attribute)) }
        return document.withSource { source in
            let value = source.slice(Int(attribute.valueStart), Int(attribute.valueEnd))
            return values.firstIndex { $0.utf8.count == value.count && sameBytes(value, $0) }
        }
    }

    private func attributeRecord(_ localName: String, _ namespace: String) -> AttributeRecord? {
        for index in record.attributeRange {
            let attribute = document.attributes[index]
            if document.localName(attribute.localStart, length: Int(attribute.localLength), is: localName),
                document.namespace(attribute.namespace, is: namespace)
            {
                return attribute
            }
        }
        return nil
    }

    /// In the order they are written; namespace declarations are not among them.
    public var attributes: [(name: XMLName, value: String)] {
        record.attributeRange.map { index in
            let attribute = document.attributes[index]
            let name = XMLName(
                document.namespaceString(attribute.namespace),
                document.string(attribute.localStart, length: Int(attribute.localLength)))
            return (name, document.attributeValue(attribute))
        }
    }
}

/// The element children of an element, in document order.
public struct XMLChildren: Sequence, IteratorProtocol, Sendable {
    private let document: XMLDocument
    private var position: Int
    private let end: Int

    init(_ parent: XMLElement) {
        document = parent.document
        position = parent.index + 1
        end = Int(parent.record.next)
    }

    public mutating func next() -> XMLElement? {
        guard position < end else { return nil }
        defer { position = Int(document.elements[position].next) }
        return XMLElement(document: document, index: position)
    }
}

extension XMLDocument {
    func element(_ index: Int, isNamed name: XMLName) -> Bool {
        let record = elements[index]
        return localName(record.localStart, length: Int(record.localLength), is: name.localName)
            && namespace(record.namespace, is: name.namespace)
    }

    func attributeValue(_ attribute: AttributeRecord) -> String {
        let range = Int(attribute.valueStart)..<Int(attribute.valueEnd)
        if attribute.form.contains(.plain) { return string(range.lowerBound, length: range.count) }
        return String(decoding: attributeBytes(attribute), as: UTF8.self)
    }

    func attributeBytes(_ attribute: AttributeRecord) -> [UInt8] {
        var value: [UInt8] = []
        withSource { source in
            TextDecoder.attributeValue(source, Int(attribute.valueStart)..<Int(attribute.valueEnd)) {
                value.append($0)
            }
        }
        return value
    }
}
