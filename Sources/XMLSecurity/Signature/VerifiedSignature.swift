import XMLCore

/// An element whose canonical octets a signature covers. Only verification makes one: whoever holds it has the very
/// element that was hashed, and need not, and must not, look it up again.
public struct VerifiedElement: Sendable, Hashable {
    public let element: XMLElement
    /// The digest that was compared.
    public let digest: [UInt8]
}

/// What a signature that verified says.
public struct VerifiedSignature: Sendable {
    /// In the order of the references.
    public let elements: [VerifiedElement]
    public let algorithm: SignatureAlgorithm
    public let keyHint: KeyHint
    public let signatureValue: [UInt8]

    /// The proof that this very element was signed, by identity; nil if it was not.
    public func verified(_ element: XMLElement) -> VerifiedElement? {
        elements.first { $0.element == element }
    }
}

/// What checking one signature may cost. Every limit is inclusive.
public struct SignatureLimits: Sendable, Hashable {
    public var maxReferences: Int
    /// Per reference.
    public var maxTransforms: Int
    /// Prefixes in one InclusiveNamespaces list.
    public var maxPrefixes: Int
    /// Octets of a signature value.
    public var maxSignatureLength: Int

    public init(
        maxReferences: Int = 16, maxTransforms: Int = 2, maxPrefixes: Int = 16, maxSignatureLength: Int = 1024
    ) {
        self.maxReferences = maxReferences
        self.maxTransforms = maxTransforms
        self.maxPrefixes = maxPrefixes
        self.maxSignatureLength = maxSignatureLength
    }

    public static let standard = SignatureLimits()
}
