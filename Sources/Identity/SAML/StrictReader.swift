import XMLCore

/// Reads the children of an element in the order the schema gives them, and refuses whatever else is there: other
/// children, text between them, attributes that were not named.
struct StrictReader {
    private let parent: XMLElement
    private var children: XMLChildren
    private var next: XMLElement?

    /// - Parameter attributes: names without namespace that may occur.
    init(_ parent: XMLElement, attributes: Set<String> = []) throws(IdentityError) {
        try Self.checkAttributes(parent, attributes)
        guard parent.text.utf8.allSatisfy({ [0x20, 0x09, 0x0A, 0x0D].contains($0) }) else {
            throw Self.malformed("text in \(parent.localName)")
        }
        self.parent = parent
        children = parent.children
        next = children.next()
    }

    /// The next child if it has that name.
    mutating func take(_ name: XMLName) -> XMLElement? {
        guard let child = next, child.isNamed(name) else { return nil }
        next = children.next()
        return child
    }

    mutating func require(_ name: XMLName) throws(IdentityError) -> XMLElement {
        guard let child = take(name) else {
            throw Self.malformed("no \(name.localName) where it belongs in \(parent.localName)")
        }
        return child
    }

    func finish() throws(IdentityError) {
        if let next { throw Self.malformed("\(next.localName) does not belong in \(parent.localName)") }
    }

    /// The text of an element that holds nothing but this text, written in the one way canonical XML writes it: no
    /// comment, CDATA or character reference may make two readers see two values.
    static func text(_ element: XMLElement, attributes: Set<String> = []) throws(IdentityError) -> String {
        try checkAttributes(element, attributes)
        guard let text = try? element.simpleText(), !element.containsComments else {
            throw malformed("\(element.localName) holds more than text")
        }
        guard !text.isEmpty, text.utf8.count <= 1024 else { throw malformed("\(element.localName) is empty or too long") }
        let source = element.document.bytes[element.sourceRange]
        guard let end = source.lastIndex(of: UInt8(ascii: "<")), source[..<end].ends(with: [UInt8(ascii: ">")] + escaped(text)) else {
            throw malformed("\(element.localName) is written with references")
        }
        return text
    }

    static func octets(_ element: XMLElement, limit: Int) throws(IdentityError) -> [UInt8] {
        try checkAttributes(element, [])
        guard !element.containsComments, let octets = try? element.base64Bytes(limit: limit) else {
            throw malformed("\(element.localName) is not base64 of at most \(limit) octets")
        }
        return octets
    }

    static func malformed(_ reason: String) -> IdentityError { IdentityError(.malformedAssertion, "assertion: \(reason)") }

    private static func checkAttributes(_ element: XMLElement, _ allowed: Set<String>) throws(IdentityError) {
        for (name, _) in element.attributes where !(name.namespace.isEmpty && allowed.contains(name.localName)) {
            throw malformed("attribute \(name.localName) does not belong in \(element.localName)")
        }
    }

    /// Canonical XML 1.0 §2.3, text nodes.
    private static func escaped(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): result += Array("&amp;".utf8)
            case UInt8(ascii: "<"): result += Array("&lt;".utf8)
            case UInt8(ascii: ">"): result += Array("&gt;".utf8)
            default: result.append(byte)
            }
        }
        return result
    }
}

extension Collection where Element == UInt8, Self: BidirectionalCollection {
    fileprivate func ends(with suffix: [UInt8]) -> Bool {
        count >= suffix.count && self[index(endIndex, offsetBy: -suffix.count)...].elementsEqual(suffix)
    }
}
