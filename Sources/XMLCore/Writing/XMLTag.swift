/// The name of an element or attribute as it will be written, its bytes made once: keep tags in `static let`.
public struct XMLTag: Hashable, Sendable {
    /// Empty for the default namespace (elements) or no namespace (attributes).
    public let prefix: String
    public let namespace: String
    public let localName: String
    /// `p:name`
    let qualifiedName: [UInt8]
    /// `<p:name` and `</p:name>`
    let open: [UInt8]
    let close: [UInt8]

    /// - Precondition: prefix and local name are NCNames; a prefix has a namespace.
    public init(_ prefix: String, _ namespace: String, _ localName: String) {
        precondition(prefix.isEmpty || (XMLTag.isNCName(prefix) && !namespace.isEmpty && prefix != "xmlns"))
        precondition(XMLTag.isNCName(localName))
        self.prefix = prefix
        self.namespace = namespace
        self.localName = localName
        let qualifiedName = Array((prefix.isEmpty ? localName : "\(prefix):\(localName)").utf8)
        self.qualifiedName = qualifiedName
        open = [UInt8(ascii: "<")] + qualifiedName
        close = [UInt8(ascii: "<"), UInt8(ascii: "/")] + qualifiedName + [UInt8(ascii: ">")]
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
        guard let first = name.unicodeScalars.first else { return false }
        func isStart(_ scalar: Unicode.Scalar) -> Bool {
            scalar.isASCII
                ? CharacterClass.isNameStart(UInt8(ascii: scalar)) : CharacterClass.isNameStart(scalar.value)
        }
        func isName(_ scalar: Unicode.Scalar) -> Bool {
            scalar.isASCII ? CharacterClass.isName(UInt8(ascii: scalar)) : CharacterClass.isName(scalar.value)
        }
        return isStart(first) && name.unicodeScalars.dropFirst().allSatisfy(isName)
    }
}
