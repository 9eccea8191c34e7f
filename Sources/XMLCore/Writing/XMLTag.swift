/// The name of an element or attribute as it will be written, its bytes made once: keep tags in `static let`.
public struct XMLTag: Hashable, Sendable {
    /// One reference to copy for all that a tag holds.
    private final class Storage: Sendable {
        let prefix: String
        let namespace: String
        let localName: String
        /// `p:name`
        let qualifiedName: [UInt8]
        /// `<p:name` and `</p:name>`
        let open: [UInt8]
        let close: [UInt8]

        init(_ prefix: String, _ namespace: String, _ localName: String) {
            self.prefix = prefix
            self.namespace = namespace
            self.localName = localName
            let qualifiedName = Array((prefix.isEmpty ? localName : "\(prefix):\(localName)").utf8)
            self.qualifiedName = qualifiedName
            open = [UInt8(ascii: "<")] + qualifiedName
            close = [UInt8(ascii: "<"), UInt8(ascii: "/")] + qualifiedName + [UInt8(ascii: ">")]
        }
    }
    private let storage: Storage

    /// Empty for the default namespace (elements) or no namespace (attributes).
    public var prefix: String { storage.prefix }
    public var namespace: String { storage.namespace }
    public var localName: String { storage.localName }
    var qualifiedName: [UInt8] { storage.qualifiedName }
    var open: [UInt8] { storage.open }
    var close: [UInt8] { storage.close }

    /// - Precondition: prefix and local name are NCNames; a prefix has a namespace.
    public init(_ prefix: String, _ namespace: String, _ localName: String) {
        precondition(prefix.isEmpty || (XMLTag.isNCName(prefix) && !namespace.isEmpty && prefix != "xmlns"))
        precondition(XMLTag.isNCName(localName))
        storage = Storage(prefix, namespace, localName)
    }

    /// The expanded name, for finding what was written.
    public var name: XMLName { XMLName(namespace, localName) }

    public static func == (left: XMLTag, right: XMLTag) -> Bool {
        left.qualifiedName == right.qualifiedName && left.namespace == right.namespace
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(qualifiedName)
        hasher.combine(namespace)
    }

    static func isNCName(_ name: String) -> Bool {
        var bytes = name.utf8.makeIterator()
        guard let first = bytes.next() else { return false }
        if CharacterClass.isNameStart(first) {
            var isASCII = true
            while let byte = bytes.next(), isASCII { isASCII = CharacterClass.isName(byte) }
            if isASCII { return true }
        }
        return isNCName(name.unicodeScalars)
    }

    private static func isNCName(_ name: String.UnicodeScalarView) -> Bool {
        func matches(_ scalar: Unicode.Scalar, _ ascii: (UInt8) -> Bool, _ other: (UInt32) -> Bool) -> Bool {
            scalar.isASCII ? ascii(UInt8(ascii: scalar)) : other(scalar.value)
        }
        guard let first = name.first else { return false }
        return matches(first, CharacterClass.isNameStart, CharacterClass.isNameStart)
            && name.dropFirst().allSatisfy { matches($0, CharacterClass.isName, CharacterClass.isName) }
    }
}
