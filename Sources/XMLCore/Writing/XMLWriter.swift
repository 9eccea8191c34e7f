/// Writes XML that is exclusive canonical form already: attributes sorted, namespaces declared where they are first
/// used and nowhere else, escapes exact. What is signed is hashed as written, never read back.
///
/// An element started with `selfContained` declares all it uses, as canonical form does at its apex, so that its range
/// of ``bytes`` *is* its canonical form. The element around it then is not canonical any more if the two share a
/// prefix: sign the one or the other.
public struct XMLWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    struct Declaration: Sendable {
        var prefix: String
        var namespace: String
    }
    private struct Frame: Sendable {
        var tag: XMLTag
        var start: Int
        /// How many of `rendered` belong to the elements around this one.
        var rendered: Int
        /// Declarations below this count are not relied on.
        var barrier: Int
    }
    private struct Attribute: Sendable {
        var namespace: String
        var localName: String
        /// In `attributeBytes`, from the space to the closing quote.
        var range: Range<Int>
    }

    /// The declarations of the open elements, outermost first.
    private(set) var rendered: [Declaration] = []
    private var frames: [Frame] = []
    private var isTagOpen = false
    private var attributes: [Attribute] = []
    private var attributeBytes: [UInt8] = []

    public init(reserving capacity: Int = 1024) {
        bytes.reserveCapacity(capacity)
        frames.reserveCapacity(12)
        rendered.reserveCapacity(12)
    }

    // MARK: Elements

    /// Starts an element. Attributes may follow, then content, then ``end()``.
    ///
    /// An element of no namespace inside a default namespace must undeclare it, and then cannot be self-contained.
    public mutating func start(_ tag: XMLTag, selfContained: Bool = false) {
        closeTag()
        let barrier = selfContained ? rendered.count : (frames.last?.barrier ?? 0)
        frames.append(Frame(tag: tag, start: bytes.count, rendered: rendered.count, barrier: barrier))
        bytes.append(contentsOf: tag.open)
        isTagOpen = true
        use(tag.prefix, tag.namespace)
    }

    /// Ends the innermost open element.
    ///
    /// - Returns: its range in ``bytes``.
    @discardableResult
    public mutating func end() -> Range<Int> {
        precondition(!frames.isEmpty, "no element is open")
        closeTag()
        let frame = frames.removeLast()
        bytes.append(contentsOf: frame.tag.close)
        rendered.removeLast(rendered.count - frame.rendered)
        return frame.start..<bytes.count
    }

    /// An element that holds text only.
    public mutating func element(_ tag: XMLTag, _ text: String) {
        start(tag)
        self.text(text)
        end()
    }

    // MARK: Attributes

    /// An attribute of no namespace for the element just started; in any order, each name once.
    ///
    /// - Precondition: `localName` is an NCName: never let input name an attribute.
    public mutating func attribute(_ localName: String, _ value: String) {
        precondition(XMLTag.isNCName(localName) && localName != "xmlns")
        attribute(namespace: "", localName: localName, Array(localName.utf8), value)
    }

    /// An attribute with a prefix, or of no namespace if the tag has no prefix.
    public mutating func attribute(_ tag: XMLTag, _ value: String) {
        if !tag.prefix.isEmpty { use(tag.prefix, tag.namespace) }
        let namespace = tag.prefix.isEmpty ? "" : tag.namespace
        attribute(namespace: namespace, localName: tag.localName, tag.qualifiedName, value)
    }

    private mutating func attribute(namespace: String, localName: String, _ name: [UInt8], _ value: String) {
        precondition(isTagOpen, "attributes belong before the content")
        precondition(!attributes.contains { $0.localName == localName && $0.namespace == namespace })
        let start = attributeBytes.count
        attributeBytes.append(UInt8(ascii: " "))
        attributeBytes.append(contentsOf: name)
        attributeBytes.append(UInt8(ascii: "="))
        attributeBytes.append(UInt8(ascii: "\""))
        Escaping.append(value, to: &attributeBytes, .attribute)
        attributeBytes.append(UInt8(ascii: "\""))
        attributes.append(Attribute(namespace: namespace, localName: localName, range: start..<attributeBytes.count))
    }

    /// Declares a prefix that only content uses (QNames in text). Canonical form would leave such a declaration out:
    /// the element is not its own canonical form any more, unless its name or an attribute uses the prefix too.
    public mutating func declare(prefix: String, namespace: String) {
        precondition(isTagOpen, "declarations belong before the content")
        use(prefix, namespace)
    }

    /// Sees to it that `prefix` means `namespace` in the tag that is open.
    private mutating func use(_ prefix: String, _ namespace: String) {
        guard prefix != "xml", let frame = frames.last else { return }
        // A default namespace must be undone wherever it was declared; all else is looked for down to the barrier.
        let floor = namespace.isEmpty ? 0 : frame.barrier
        let inScope = rendered[floor...].last { $0.prefix == prefix }
        if let inScope, inScope.namespace == namespace { return }
        if inScope == nil, namespace.isEmpty { return }
        precondition(
            !rendered[frame.rendered...].contains { $0.prefix == prefix }, "one prefix for two namespaces in a tag")
        rendered.append(Declaration(prefix: prefix, namespace: namespace))
    }

    // MARK: Content

    /// Character data, escaped. Characters that XML forbids become U+FFFD.
    public mutating func text(_ string: String) {
        closeTag()
        Escaping.append(string, to: &bytes, .text)
    }

    /// As ``text(_:)``; bytes that are not UTF-8 become U+FFFD too.
    public mutating func text(utf8: some Sequence<UInt8>) {
        closeTag()
        Escaping.append(utf8: utf8, to: &bytes, .text)
    }

    public mutating func base64(_ octets: some Collection<UInt8>) {
        closeTag()
        Base64.append(octets, to: &bytes)
    }

    /// Puts finished XML at an offset of ``bytes``, such as a header before a body that had to be signed first.
    /// Ranges behind `offset` move by the length of `fragment`. The namespaces are the caller's care.
    public mutating func insert(_ fragment: [UInt8], at offset: Int) {
        bytes.insert(contentsOf: fragment, at: offset)
        for index in frames.indices where frames[index].start >= offset { frames[index].start += fragment.count }
    }

    /// Octets that are known to be in canonical form here, unlooked at.
    public mutating func append(canonicalContent octets: some Collection<UInt8>) {
        closeTag()
        bytes.append(contentsOf: octets)
    }

    /// The declarations that canonical form sees as rendered around the place at hand.
    mutating func declarationsInContext() -> [Declaration] {
        closeTag()
        var result: [Declaration] = []
        for declaration in rendered[(frames.last?.barrier ?? 0)...] {
            result.removeAll { $0.prefix == declaration.prefix }
            result.append(declaration)
        }
        return result
    }

    /// The default namespace in scope, self-contained elements or not; nil if there is none.
    var defaultNamespace: Declaration? {
        rendered.last { $0.prefix.isEmpty }.flatMap { $0.namespace.isEmpty ? nil : $0 }
    }

    // MARK: Tags

    private mutating func closeTag() {
        guard isTagOpen, let frame = frames.last else { return }
        isTagOpen = false
        if rendered.count > frame.rendered { writeDeclarations(frame.rendered) }
        if !attributes.isEmpty { writeAttributes() }
        bytes.append(UInt8(ascii: ">"))
    }

    private mutating func writeDeclarations(_ first: Int) {
        if rendered.count == first + 1 { return rendered[first].append(to: &bytes) }
        let own = rendered[first...].sorted { $0.prefix.utf8.lexicographicallyPrecedes($1.prefix.utf8) }
        for declaration in own { declaration.append(to: &bytes) }
    }

    private mutating func writeAttributes() {
        if attributes.count > 1 {
            attributes.sort { left, right in
                left.namespace == right.namespace
                    ? left.localName.utf8.lexicographicallyPrecedes(right.localName.utf8)
                    : left.namespace.utf8.lexicographicallyPrecedes(right.namespace.utf8)
            }
        }
        for attribute in attributes { bytes.append(contentsOf: attributeBytes[attribute.range]) }
        attributes.removeAll(keepingCapacity: true)
        attributeBytes.removeAll(keepingCapacity: true)
    }
}

extension XMLWriter.Declaration {
    /// ` xmlns:p="uri"`
    func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: " xmlns".utf8)
        if !prefix.isEmpty {
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: prefix.utf8)
        }
        bytes.append(contentsOf: "=\"".utf8)
        Escaping.append(namespace, to: &bytes, .attribute)
        bytes.append(UInt8(ascii: "\""))
    }
}
