/// An element of a request, read from canonical XML (what extensions get: UTF-8, no declaration, no DTD, no CDATA, no
/// empty-element tags, attributes in double quotes).
struct XMLElement {
    let namespace: Bytes
    let name: Bytes
    fileprivate(set) var attributes: [(name: Bytes, value: Bytes)] = []
    fileprivate(set) var children: [XMLElement] = []
    /// The text directly inside, joined.
    fileprivate(set) var text: Bytes = []

    fileprivate init(namespace: Bytes, name: Bytes) {
        self.namespace = namespace
        self.name = name
    }

    /// An attribute without namespace.
    func attribute(_ name: Bytes) -> Bytes? {
        for attribute in attributes where attribute.name == name { return attribute.value }
        return nil
    }

    /// The first child of this name in the same namespace as this element.
    func child(_ name: Bytes) -> XMLElement? {
        for child in children where child.name == name && child.namespace == namespace { return child }
        return nil
    }

    /// Its text, trimmed; nil if it is missing or empty.
    func text(of name: Bytes) -> Bytes? {
        guard let text = child(name)?.text.trimmed, !text.isEmpty else { return nil }
        return text
    }

    /// Reads one element. Nil when it is no canonical XML, is deeper than 16 levels or has more than 2,000 elements.
    static func read(_ octets: Bytes) -> XMLElement? {
        var reader = XMLReader(octets)
        guard let root = reader.element(depth: 0, scope: []), reader.isAtEnd else { return nil }
        return root
    }
}

enum XML {
    /// Text as it may stand between tags or in a double-quoted attribute. Control characters that XML forbids become spaces.
    static func escape(_ text: Bytes) -> Bytes {
        var escaped: Bytes = []
        escaped.reserveCapacity(text.count + 16)
        for octet in text {
            switch octet {
            case 0x26: escaped += "&amp;"
            case 0x3C: escaped += "&lt;"
            case 0x3E: escaped += "&gt;"
            case 0x22: escaped += "&quot;"
            case 0x0D: escaped += "&#xD;"
            case 0x00..<0x09, 0x0B, 0x0C, 0x0E..<0x20: escaped.append(0x20)
            default: escaped.append(octet)
            }
        }
        return escaped
    }

    /// `<name>text</name>`
    static func element(_ name: Bytes, _ text: Bytes) -> Bytes {
        join("<", name, ">", escape(text), "</", name, ">")
    }
}

private struct XMLReader {
    typealias Scope = [(prefix: Bytes, namespace: Bytes)]

    private let octets: Bytes
    private var index = 0
    private var elements = 0

    init(_ octets: Bytes) { self.octets = octets }

    var isAtEnd: Bool { index == octets.count }

    mutating func element(depth: Int, scope outer: Scope) -> XMLElement? {
        elements += 1
        guard depth < 16, elements <= 2_000, take("<"), let tag = name() else { return nil }
        var scope = outer
        guard let attributes = attributes(&scope), take(">"), let (prefix, local) = Self.split(tag),
            let namespace = Self.namespace(of: prefix, in: scope)
        else { return nil }
        var element = XMLElement(namespace: namespace, name: local)
        element.attributes = attributes
        while index < octets.count {
            if octets.matches("</", at: index) {
                index += 2
                guard name() == tag, take(">") else { return nil }
                return element
            }
            if octets[index] == 0x3C {
                guard let child = self.element(depth: depth + 1, scope: scope) else { return nil }
                element.children.append(child)
            } else {
                guard let text = text(until: 0x3C) else { return nil }
                element.text += text
            }
        }
        return nil
    }

    private mutating func attributes(_ scope: inout Scope) -> [(name: Bytes, value: Bytes)]? {
        var attributes: [(name: Bytes, value: Bytes)] = []
        while take(" ") {
            guard let name = name(), take("=\""), let value = text(until: 0x22), take("\"") else { return nil }
            if name == "xmlns" {
                scope.append(([], value))
            } else if name.hasPrefix("xmlns:") {
                scope.append((Bytes(name[6...]), value))
            } else {
                attributes.append((name, value))
            }
        }
        return attributes
    }

    private mutating func take(_ part: Bytes) -> Bool {
        guard octets.matches(part, at: index) else { return false }
        index += part.count
        return true
    }

    private mutating func name() -> Bytes? {
        let start = index
        while index < octets.count, Self.isName(octets[index]) { index += 1 }
        return index > start ? Bytes(octets[start..<index]) : nil
    }

    private static func isName(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x2D, 0x2E, 0x3A, 0x5F, 0x80...: true
        default: false
        }
    }

    /// Text up to an octet, its references replaced.
    private mutating func text(until end: UInt8) -> Bytes? {
        var text: Bytes = []
        while index < octets.count, octets[index] != end {
            if octets[index] == 0x26 {
                guard let character = reference() else { return nil }
                text.append(character)
            } else {
                guard octets[index] != 0x3C else { return nil }
                text.append(octets[index])
                index += 1
            }
        }
        return index < octets.count ? text : nil
    }

    /// Canonical XML 1.0 §1.1 writes only these.
    private mutating func reference() -> UInt8? {
        if take("&amp;") { return 0x26 }
        if take("&lt;") { return 0x3C }
        if take("&gt;") { return 0x3E }
        if take("&quot;") { return 0x22 }
        if take("&#x9;") { return 0x09 }
        if take("&#xA;") { return 0x0A }
        if take("&#xD;") { return 0x0D }
        return nil
    }

    private static func split(_ tag: Bytes) -> (prefix: Bytes, local: Bytes)? {
        guard let colon = tag.firstIndex(of: 0x3A) else { return ([], tag) }
        let local = Bytes(tag[(colon + 1)...])
        return colon == 0 || local.isEmpty ? nil : (Bytes(tag[..<colon]), local)
    }

    private static func namespace(of prefix: Bytes, in scope: Scope) -> Bytes? {
        for entry in scope.reversed() where entry.prefix == prefix { return entry.namespace }
        return prefix.isEmpty ? [] : nil
    }
}
