/// The ids of a subtree, each naming one element. What a signature's `#id` is looked up in.
public struct XMLIdentifierIndex {
    private let document: XMLDocument
    private struct Entry {
        var start: Int
        var length: Int
        var element: Int
    }
    private let entries: [Entry]

    /// Collects the ids below and at `scope`.
    ///
    /// - Parameters:
    ///   - attributes: the attributes that are ids.
    ///   - opaque: elements below `scope` whose content is an id scope of its own: neither their ids nor those of
    ///     anything in them are seen.
    /// - Throws: `duplicateIdentifier` if two attributes have the same value; `invalidValue` if one is written with
    ///   references or line ends.
    public init(scope: XMLElement, attributes: [XMLName], opaque: Set<XMLName> = []) throws(XMLError) {
        let document = scope.document
        var entries: [Entry] = []
        let opaque = Array(opaque)
        var element = scope.index
        let end = Int(scope.record.next)
        while element < end {
            let record = document.elements[element]
            if element != scope.index, opaque.contains(where: { document.element(element, isNamed: $0) }) {
                element = Int(record.next)
                continue
            }
            for index in record.attributeRange {
                let attribute = document.attributes[index]
                guard attributes.contains(where: { Self.isNamed(attribute, $0, document) }) else { continue }
                guard attribute.form.contains(.plain) else {
                    throw XMLError(.invalidValue, at: Int(attribute.valueStart), "id with references")
                }
                let start = Int(attribute.valueStart)
                entries.append(Entry(start: start, length: Int(attribute.valueEnd) - start, element: element))
            }
            element += 1
        }
        self.document = document
        self.entries = entries
        if let duplicate { throw XMLError(.duplicateIdentifier, at: duplicate, "id given twice") }
    }

    /// The element of that id.
    public subscript(_ id: String) -> XMLElement? {
        document.withSource { source in
            entries.first { sameBytes(source.slice($0.start, $0.start + $0.length), id) }
        }.map { XMLElement(document: document, index: $0.element) }
    }

    private static func isNamed(_ attribute: AttributeRecord, _ name: XMLName, _ document: XMLDocument) -> Bool {
        document.localName(attribute.localStart, length: Int(attribute.localLength), is: name.localName)
            && document.namespace(attribute.namespace, is: name.namespace)
    }

    /// Where an id stands that stood before.
    private var duplicate: Int? {
        document.withSource { source in
            if entries.count <= 32 {
                for (position, entry) in entries.enumerated() {
                    for earlier in entries[..<position] where earlier.length == entry.length {
                        if source.equal(earlier.start, entry.start, length: entry.length) { return entry.start }
                    }
                }
                return nil
            }
            var seen = Set<[UInt8]>(minimumCapacity: entries.count)
            return entries.first {
                !seen.insert(Array(source.slice($0.start, $0.start + $0.length))).inserted
            }?.start
        }
    }
}
