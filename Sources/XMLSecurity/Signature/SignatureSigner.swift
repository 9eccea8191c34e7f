import XMLCore

/// Makes XML-Signatures of our profile.
public struct SignatureSigner: Sendable {
    public let key: SigningKey
    public let algorithm: SignatureAlgorithm
    public let keyInfo: KeyHint
    public let digest: DigestAlgorithm
    private let fragments: Fragments

    /// - Parameters:
    ///   - keyInfo: what `ds:KeyInfo` says, unless a call writes its own.
    ///   - algorithm: the key's own by default.
    public init(
        key: SigningKey, keyInfo: KeyHint, digest: DigestAlgorithm = .sha256, algorithm: SignatureAlgorithm? = nil
    ) {
        self.key = key
        self.keyInfo = keyInfo
        self.digest = digest
        self.algorithm = algorithm ?? key.algorithm
        fragments = Fragments(self.algorithm, digest)
    }

    /// Signs elements that were written `selfContained`, hashed as they stand.
    ///
    /// - Parameters:
    ///   - parts: the id of each element, and its range in `bytes`.
    ///   - writeKeyInfo: writes a `ds:KeyInfo` instead of `keyInfo`.
    /// - Returns: a canonical, self-contained `ds:Signature`.
    public func sign(
        parts: [(id: String, range: Range<Int>)], of bytes: [UInt8], writeKeyInfo: ((inout XMLWriter) -> Void)? = nil
    ) throws(SignatureError) -> [UInt8] {
        var references: [Reference] = []
        references.reserveCapacity(parts.count)
        for part in parts {
            guard bytes.indices.contains(part.range.lowerBound), part.range.upperBound <= bytes.count else {
                throw SignatureError(.missingReference, "part \(part.id) out of range")
            }
            references.append(Reference(id: part.id, digest: digest.hash(bytes[part.range]), isEnveloped: false))
        }
        return try signature(references, writeKeyInfo)
    }

    /// Signs elements of a parsed document, by the id each has (wsu:Id, Id or ID).
    ///
    /// - Throws: `missingReference` if an element has no id.
    public func signParsed(
        elements: [XMLElement], writeKeyInfo: ((inout XMLWriter) -> Void)? = nil
    ) throws(SignatureError) -> [UInt8] {
        var references: [Reference] = []
        for element in elements {
            let ids = Names.ids.lazy.compactMap { element.attribute($0.localName, namespace: $0.namespace) }
            guard let id = ids.first else {
                throw SignatureError(.missingReference, "\(element.localName) has no id")
            }
            let value = digest.hash { element.canonicalize(into: $0) }
            references.append(Reference(id: id, digest: value, isEnveloped: false))
        }
        return try signature(references, writeKeyInfo)
    }

    /// Signs a document that stands alone, and puts the signature at the end of its root.
    ///
    /// - Parameters:
    ///   - octets: the canonical form of the document; its root has the attribute `Id` or `ID` of value `id`.
    ///   - id: an NCName.
    /// - Returns: the signed document, canonical again.
    public func signEnveloped(
        _ octets: [UInt8], id: String, writeKeyInfo: ((inout XMLWriter) -> Void)? = nil
    ) throws(SignatureError) -> [UInt8] {
        let root = RootTag(octets)
        guard let root, root.hasId(id), !root.declaresSignaturePrefix else {
            throw SignatureError(.malformed, "not a canonical document whose root has id \(id)")
        }
        let reference = Reference(id: id, digest: digest.hash(octets), isEnveloped: true)
        let signature = try signature([reference], writeKeyInfo)
        var signed: [UInt8] = []
        signed.reserveCapacity(octets.count + signature.count)
        signed.append(contentsOf: octets[..<root.endTagStart])
        signed.append(contentsOf: signature)
        signed.append(contentsOf: octets[root.endTagStart...])
        return signed
    }

    // MARK: ds:Signature

    private struct Reference {
        var id: String
        var digest: [UInt8]
        var isEnveloped: Bool
    }

    private func signature(
        _ references: [Reference], _ writeKeyInfo: ((inout XMLWriter) -> Void)?
    ) throws(SignatureError) -> [UInt8] {
        guard !references.isEmpty else { throw SignatureError(.unsigned, "nothing to sign") }
        var info = XMLWriter(reserving: 512 + references.count * 384)
        writeSignedInfo(references, into: &info)
        let value = try key.sign(info.bytes, algorithm: algorithm)

        var writer = XMLWriter(reserving: info.bytes.count + 1024)
        writer.start(Tags.signature, selfContained: true)
        // The declaration that SignedInfo has as an apex stands at the Signature.
        writer.append(canonicalContent: Self.signedInfoStart)
        writer.append(canonicalContent: info.bytes[Self.signedInfoApex.count...])
        writer.start(Tags.signatureValue)
        writer.base64(value)
        writer.end()
        if let writeKeyInfo {
            writeKeyInfo(&writer)
        } else {
            keyInfo.write(into: &writer)
        }
        writer.end()
        return writer.bytes
    }

    private static let signedInfoStart = Array("<ds:SignedInfo>".utf8)
    private static let signedInfoApex = Array("<ds:SignedInfo xmlns:ds=\"\(SecurityNamespace.ds)\">".utf8)

    private func writeSignedInfo(_ references: [Reference], into writer: inout XMLWriter) {
        writer.start(Tags.signedInfo)
        writer.append(canonicalContent: fragments.methods)
        for reference in references {
            writer.start(Tags.reference)
            writer.attribute("URI", "#\(reference.id)")
            writer.append(canonicalContent: reference.isEnveloped ? fragments.enveloped : fragments.plain)
            writer.start(Tags.digestValue)
            writer.base64(reference.digest)
            writer.end()
            writer.end()
        }
        writer.end()
    }

    /// What every SignedInfo of a signer has in it, written once.
    private struct Fragments: Sendable {
        /// CanonicalizationMethod and SignatureMethod
        let methods: [UInt8]
        /// Transforms and DigestMethod of a reference.
        let plain: [UInt8]
        let enveloped: [UInt8]

        init(_ algorithm: SignatureAlgorithm, _ digest: DigestAlgorithm) {
            methods = Self.content { writer in
                Self.writeMethod(Tags.canonicalizationMethod, SecurityNamespace.exclusiveC14N, into: &writer)
                Self.writeMethod(Tags.signatureMethod, algorithm.rawValue, into: &writer)
            }
            func reference(_ transforms: [String]) -> [UInt8] {
                Self.content { writer in
                    writer.start(Tags.transforms)
                    for name in transforms { Self.writeMethod(Tags.transform, name, into: &writer) }
                    writer.end()
                    Self.writeMethod(Tags.digestMethod, digest.rawValue, into: &writer)
                }
            }
            plain = reference([SecurityNamespace.exclusiveC14N])
            enveloped = reference([SecurityNamespace.envelopedSignature, SecurityNamespace.exclusiveC14N])
        }

        /// What is written inside an element that has declared the namespace.
        private static func content(_ body: (inout XMLWriter) -> Void) -> [UInt8] {
            var writer = XMLWriter()
            writer.start(Tags.signedInfo)
            writer.append(canonicalContent: [])
            let start = writer.bytes.count
            body(&writer)
            return Array(writer.bytes[start...])
        }

        private static func writeMethod(_ tag: XMLTag, _ algorithm: String, into writer: inout XMLWriter) {
            writer.start(tag)
            writer.attribute("Algorithm", algorithm)
            writer.end()
        }
    }
}
