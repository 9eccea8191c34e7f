import XMLCore

/// A `ds:Signature` taken apart, its form checked against our profile and nothing else.
struct ParsedSignature {
    let element: XMLElement
    let signedInfo: XMLElement
    /// InclusiveNamespaces of the CanonicalizationMethod.
    let prefixes: [String]
    let algorithm: SignatureAlgorithm
    let references: [ParsedReference]
    let value: [UInt8]
    let keyHint: KeyHint

    /// XML-Signature 1.1 §4.2 to §4.4
    init(
        _ element: XMLElement, limits: SignatureLimits, algorithms: Set<SignatureAlgorithm>
    ) throws(SignatureError) {
        guard element.isNamed(Names.signature) else { throw SignatureError(.malformed, "not a ds:Signature") }
        // No canonical form has comments, so anyone may have put them there; parsers differ about what they cut.
        guard !element.containsComments else { throw SignatureError(.malformed, "comment in a signature") }
        var children = ChildReader(element)
        let signedInfo = try children.require(Names.signedInfo)
        let value = try children.require(Names.signatureValue)
        let keyInfo = children.take(Names.keyInfo)
        try children.finish()

        var parts = ChildReader(signedInfo)
        let canonicalization = try parts.require(Names.canonicalizationMethod)
        guard canonicalization.hasAlgorithm(SecurityNamespace.exclusiveC14N) else {
            throw SignatureError(.foreignTransform, "CanonicalizationMethod is not exclusive C14N")
        }
        let method = try parts.require(Names.signatureMethod)
        guard let algorithm = SignatureAlgorithm.table.named(by: method), algorithms.contains(algorithm) else {
            throw SignatureError(.unknownAlgorithm, "SignatureMethod")
        }
        // HMACOutputLength, or parameters of an algorithm that has none here.
        try ChildReader(method).finish()

        var references: [ParsedReference] = []
        while let reference = parts.take(Names.reference) {
            guard references.count < limits.maxReferences else {
                throw SignatureError(.tooManyReferences, "more than \(limits.maxReferences) references")
            }
            references.append(try ParsedReference(reference, limits: limits))
        }
        try parts.finish()
        guard !references.isEmpty else { throw SignatureError(.unsigned, "signature without reference") }

        self.element = element
        self.signedInfo = signedInfo
        prefixes = try ParsedReference.inclusivePrefixes(canonicalization, limits: limits)
        self.algorithm = algorithm
        self.references = references
        self.value = try readingXML { () throws(XMLError) in
            try value.base64Bytes(limit: limits.maxSignatureLength)
        }
        keyHint = try keyInfo.map(KeyHint.parse) ?? .none
    }
}

/// A `ds:Reference` of our profile.
struct ParsedReference {
    /// nil for the whole document (`URI=""`).
    let id: String?
    let isEnveloped: Bool
    let prefixes: [String]
    let digest: DigestAlgorithm
    let digestValue: [UInt8]

    /// XML-Signature 1.1 §4.4.3
    init(_ element: XMLElement, limits: SignatureLimits) throws(SignatureError) {
        id = try Self.target(element.attribute("URI"))
        var children = ChildReader(element)
        let transforms = try Self.transforms(children.take(Names.transforms), limits: limits)
        let method = try children.require(Names.digestMethod)
        guard let digest = DigestAlgorithm.table.named(by: method) else {
            throw SignatureError(.unknownAlgorithm, "DigestMethod")
        }
        try ChildReader(method).finish()
        let value = try children.require(Names.digestValue)
        try children.finish()
        isEnveloped = transforms.isEnveloped
        prefixes = transforms.prefixes
        self.digest = digest
        digestValue = try readingXML { () throws(XMLError) in try value.base64Bytes(limit: 64) }
    }

    /// Only `#id` and the empty URI name an element of this document; `#xpointer(…)` is a program.
    private static func target(_ uri: String?) throws(SignatureError) -> String? {
        guard let uri else { throw SignatureError(.externalReference, "reference without URI") }
        if uri.isEmpty { return nil }
        guard uri.utf8.first == UInt8(ascii: "#"), uri.utf8.count > 1,
            !uri.utf8.contains(UInt8(ascii: "(")), !uri.utf8.contains(UInt8(ascii: "%"))
        else { throw SignatureError(.externalReference, "reference to something else than an id") }
        return String(uri.dropFirst())
    }

    /// Exclusive C14N, and before it perhaps enveloped-signature. Without the first a reference would mean inclusive
    /// C14N (§4.4.3.2), which we do not have.
    private static func transforms(
        _ transforms: XMLElement?, limits: SignatureLimits
    ) throws(SignatureError) -> (isEnveloped: Bool, prefixes: [String]) {
        guard let transforms else { throw SignatureError(.foreignTransform, "reference without exclusive C14N") }
        var list = ChildReader(transforms)
        var steps: [XMLElement] = []
        while let step = list.take(Names.transform) {
            guard steps.count < limits.maxTransforms else {
                throw SignatureError(.tooManyReferences, "more than \(limits.maxTransforms) transforms")
            }
            steps.append(step)
        }
        try list.finish()
        guard let last = steps.popLast(), last.hasAlgorithm(SecurityNamespace.exclusiveC14N) else {
            throw SignatureError(.foreignTransform, "the last transform is not exclusive C14N")
        }
        guard steps.count <= 1 else { throw SignatureError(.foreignTransform, "chain of transforms") }
        if let first = steps.first {
            guard first.hasAlgorithm(SecurityNamespace.envelopedSignature) else {
                throw SignatureError(.foreignTransform, "transform other than enveloped-signature")
            }
            try ChildReader(first).finish()
        }
        return (!steps.isEmpty, try inclusivePrefixes(last, limits: limits))
    }

    /// `ec:InclusiveNamespaces PrefixList="a b #default"` of an exclusive C14N method (Exclusive C14N §4).
    static func inclusivePrefixes(_ method: XMLElement, limits: SignatureLimits) throws(SignatureError) -> [String] {
        var children = ChildReader(method)
        let list = children.take(Names.inclusiveNamespaces)
        try children.finish()
        guard let list else { return [] }
        try ChildReader(list).finish()
        let prefixes = (list.attribute("PrefixList") ?? "").split(separator: " ").map(String.init)
        guard prefixes.count <= limits.maxPrefixes else {
            throw SignatureError(.tooManyReferences, "more than \(limits.maxPrefixes) inclusive prefixes")
        }
        return prefixes
    }
}

/// The children of an element in the order that a schema gives them.
struct ChildReader {
    private let parent: XMLElement
    private var children: XMLChildren
    private var next: XMLElement?

    init(_ parent: XMLElement) {
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

    mutating func require(_ name: XMLName) throws(SignatureError) -> XMLElement {
        guard let child = take(name) else {
            throw SignatureError(.malformed, "\(name.localName) missing in \(parent.localName)")
        }
        return child
    }

    func finish() throws(SignatureError) {
        if let next {
            throw SignatureError(.malformed, "\(next.localName) in \(parent.localName)")
        }
    }
}

extension XMLElement {
    func hasAlgorithm(_ name: String) -> Bool { attribute("Algorithm", isOneOf: [name]) != nil }
}
