/// What a document may cost. Every limit is inclusive: a document exactly at it is accepted.
public struct XMLLimits: Sendable, Hashable {
    /// Length of the document in bytes. No document may reach 2 GiB whatever this says.
    public var maxBytes: Int
    /// Elements nested in each other, the root counting as 1.
    public var maxDepth: Int
    /// Elements in the document.
    public var maxElements: Int
    /// Attributes on one element, namespace declarations not counted. At most 65,535.
    public var maxAttributesPerElement: Int
    /// Namespace declarations on one element. At most 65,535.
    public var maxNamespacesPerElement: Int
    /// Namespace declarations in scope at one element: look-ups cost this much at worst. At most 65,534.
    public var maxNamespacesInScope: Int
    /// Bytes of a qualified name, prefix and colon counted. At most 65,535.
    public var maxNameLength: Int
    /// Bytes of one attribute value or namespace name, as written.
    public var maxAttributeLength: Int
    /// Entity and character references in the document.
    public var maxReferences: Int
    /// Runs of text, CDATA sections and comments in the document.
    public var maxTextRuns: Int

    public init(
        maxBytes: Int = 16 << 20, maxDepth: Int = 64, maxElements: Int = 1 << 18,
        maxAttributesPerElement: Int = 64, maxNamespacesPerElement: Int = 32, maxNamespacesInScope: Int = 128,
        maxNameLength: Int = 256, maxAttributeLength: Int = 64 << 10, maxReferences: Int = 1 << 20,
        maxTextRuns: Int = 1 << 20
    ) {
        self.maxBytes = min(maxBytes, Int(Int32.max) - 1)
        self.maxDepth = maxDepth
        self.maxElements = maxElements
        self.maxAttributesPerElement = min(maxAttributesPerElement, Int(UInt16.max))
        self.maxNamespacesPerElement = min(maxNamespacesPerElement, Int(UInt16.max))
        self.maxNamespacesInScope = min(maxNamespacesInScope, Int(UInt16.max) - 1)
        self.maxNameLength = min(maxNameLength, Int(UInt16.max))
        self.maxAttributeLength = maxAttributeLength
        self.maxReferences = maxReferences
        self.maxTextRuns = maxTextRuns
    }

    /// For SOAP envelopes from the network.
    public static let standard = XMLLimits()
}
