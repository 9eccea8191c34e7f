/// One element. Its name starts one byte after its "<".
struct ElementRecord {
    /// The "<" of the start tag, and the byte after the ">" of the end tag.
    var start: UInt32
    var end: UInt32
    /// 0 if the name has no prefix; the colon is not counted.
    var prefixLength: UInt16
    var localLength: UInt16
    /// -1 for the root.
    var parent: Int32
    /// The first element after this one's subtree, in document order.
    var next: UInt32
    /// The tokens of its start and end tag; the same one for an empty-element tag.
    var firstToken: UInt32
    var lastToken: UInt32
    var firstAttribute: UInt32
    var attributeCount: UInt16
    var bindingCount: UInt16
    var firstBinding: UInt32
    /// The binding of its prefix.
    var namespace: Int32
    /// The head of the chain of bindings in scope.
    var scope: Int32
    /// Its start tag is what canonical XML would write, if exactly the namespaces declared in it are to be rendered.
    var isCanonicalTag: Bool

    var nameStart: Int { Int(start) + 1 }
    var nameLength: Int { prefixLength == 0 ? Int(localLength) : Int(prefixLength) + 1 + Int(localLength) }
    var localStart: Int { nameStart + nameLength - Int(localLength) }
    var attributeRange: Range<Int> { Int(firstAttribute)..<Int(firstAttribute) + Int(attributeCount) }
    var bindingRange: Range<Int> { Int(firstBinding)..<Int(firstBinding) + Int(bindingCount) }
}

/// One attribute that is not a namespace declaration.
struct AttributeRecord {
    var nameStart: UInt32
    var prefixLength: UInt16
    var localLength: UInt16
    /// Between the quotes.
    var valueStart: UInt32
    var valueEnd: UInt32
    /// The binding of its prefix; `Binding.none` without one (the default namespace is not for attributes).
    var namespace: Int32
    var form: TextForm

    var nameLength: Int { prefixLength == 0 ? Int(localLength) : Int(prefixLength) + 1 + Int(localLength) }
    var localStart: Int { Int(nameStart) + nameLength - Int(localLength) }
}

/// One namespace declaration.
struct Binding {
    /// In the source; length 0 is the default namespace.
    var prefixStart: UInt32
    var prefixLength: UInt16
    /// How many bindings are in scope with this one.
    var depth: UInt16
    /// In `XMLDocument.namespaceBytes`, normalised.
    var uriStart: UInt32
    var uriLength: UInt32
    /// The binding declared before, in scope of this one; -1 at the end of the chain.
    var previous: Int32

    /// Index of the binding of no prefix to no namespace, in scope everywhere.
    static let none: Int32 = 0
    /// Index of the binding of "xml", in scope everywhere.
    static let xml: Int32 = 1
}

/// How written characters relate to their value and their canonical form.
struct TextForm: OptionSet {
    let rawValue: UInt8
    /// The value is the bytes as written: no reference, nothing to normalise.
    static let plain = TextForm(rawValue: 1)
    /// The canonical form is the bytes as written.
    static let canonical = TextForm(rawValue: 2)
}

/// One piece of the document in order; what canonicalisation and text run over.
struct Token {
    enum Kind: UInt8 { case start, empty, end, text, cdata, comment }
    /// The tag, the run of text, or the content of the CDATA section.
    var start: UInt32
    var end: UInt32
    /// The element of the tag, or the one that holds the text.
    var element: UInt32
    var kind: Kind
    var form: TextForm
}
