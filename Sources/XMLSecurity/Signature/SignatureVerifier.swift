import XMLCore

/// Checks XML-Signatures of our profile: references by id to elements of the same document, exclusive C14N (and
/// enveloped-signature), and the algorithms of ``SignatureAlgorithm``.
public struct SignatureVerifier: Sendable {
    public let limits: SignatureLimits
    public let algorithms: Set<SignatureAlgorithm>
    /// Elements whose content is an id scope of its own, such as an embedded signed message: ids in it are neither
    /// seen nor resolvable.
    public let opaque: Set<XMLName>

    /// Finds the key that a signature names.
    public typealias KeyLookup = (KeyHint) throws(SignatureError) -> VerificationKey

    public init(
        limits: SignatureLimits = .standard, algorithms: Set<SignatureAlgorithm> = .standard,
        opaque: Set<XMLName> = []
    ) {
        self.limits = limits
        self.algorithms = algorithms
        self.opaque = opaque
    }

    /// Checks a signature over parts of `scope`.
    ///
    /// - Parameters:
    ///   - signature: a `ds:Signature` in `scope`, and not in an opaque part of it.
    ///   - scope: the element whose subtree is searched for ids (wsu:Id, and Id or ID without namespace). An id
    ///     given twice anywhere in it is refused, referenced or not.
    ///   - key: asked once, after the form is found good.
    public func verify(
        _ signature: XMLElement, in scope: XMLElement, key: KeyLookup
    ) throws(SignatureError) -> VerifiedSignature {
        let parsed = try ParsedSignature(signature, limits: limits, algorithms: algorithms)
        try requireInScope(signature, scope)
        let index = try index(scope)
        var targets: [XMLElement] = []
        for reference in parsed.references {
            guard let id = reference.id else {
                throw SignatureError(.externalReference, "reference to the whole document")
            }
            guard let target = index[id] else { throw SignatureError(.missingReference, "no element has id \(id)") }
            targets.append(target)
        }
        return try verify(parsed, targets, key)
    }

    /// Checks the enveloped signature of a document that stands alone: exactly one `ds:Signature` child of the root,
    /// with exactly one reference, to the root (by its id, or the empty URI).
    ///
    /// - Returns: a signature with one verified element, the root. What it says it says without the signature.
    public func verifyEnveloped(
        _ document: XMLDocument, key: KeyLookup
    ) throws(SignatureError) -> VerifiedSignature {
        let root = document.root
        let signatures = root.all(Names.signature)
        guard let signature = signatures.first else { throw SignatureError(.unsigned, "document without signature") }
        guard signatures.count == 1 else { throw SignatureError(.malformed, "document with several signatures") }
        let parsed = try ParsedSignature(signature, limits: limits, algorithms: algorithms)
        guard parsed.references.count == 1, let reference = parsed.references.first else {
            throw SignatureError(.malformed, "enveloped signature with several references")
        }
        let index = try index(root)
        if let id = reference.id {
            guard let target = index[id] else { throw SignatureError(.missingReference, "no element has id \(id)") }
            guard target == root else { throw SignatureError(.unsigned, "the signature does not cover the root") }
        }
        return try verify(parsed, [root], key)
    }

    // MARK: Core validation (XML-Signature 1.1 §3.2)

    /// The signature value comes first: until it is good, nobody may make us hash what they please.
    private func verify(
        _ parsed: ParsedSignature, _ targets: [XMLElement], _ key: KeyLookup
    ) throws(SignatureError) -> VerifiedSignature {
        for (reference, target) in zip(parsed.references, targets) {
            try requireOutside(parsed.element, reference, target)
        }
        let signedInfo = parsed.signedInfo.canonicalBytes(inclusivePrefixes: parsed.prefixes)
        try key(parsed.keyHint).verify(parsed.value, over: signedInfo, algorithm: parsed.algorithm)
        var elements: [VerifiedElement] = []
        for (reference, target) in zip(parsed.references, targets) {
            let digest = reference.digest.hash { update in
                target.canonicalize(
                    inclusivePrefixes: reference.prefixes, excluding: reference.isEnveloped ? parsed.element : nil,
                    into: update)
            }
            guard digest == reference.digestValue else {
                throw SignatureError(.digestMismatch, "digest of \(target.localName) differs")
            }
            elements.append(VerifiedElement(element: target, digest: digest))
        }
        return VerifiedSignature(
            elements: elements, algorithm: parsed.algorithm, keyHint: parsed.keyHint, signatureValue: parsed.value)
    }

    /// A reference may enclose its signature only with the enveloped-signature transform, which is for nothing else;
    /// and it may not lie within the signature.
    private func requireOutside(
        _ signature: XMLElement, _ reference: ParsedReference, _ target: XMLElement
    ) throws(SignatureError) {
        if signature.contains(target) {
            throw SignatureError(.selfReference, "reference into the signature")
        }
        let encloses = target.contains(signature)
        if encloses, !reference.isEnveloped {
            throw SignatureError(.selfReference, "reference to what holds the signature")
        }
        if !encloses, reference.isEnveloped {
            throw SignatureError(.foreignTransform, "enveloped-signature of an element without the signature")
        }
    }

    private func requireInScope(_ signature: XMLElement, _ scope: XMLElement) throws(SignatureError) {
        guard scope.contains(signature) else { throw SignatureError(.malformed, "signature out of scope") }
        var ancestor = signature.parent
        while let element = ancestor, element != scope, scope.contains(element) {
            if opaque.contains(where: element.isNamed) {
                throw SignatureError(.malformed, "signature in an opaque element")
            }
            ancestor = element.parent
        }
    }

    private func index(_ scope: XMLElement) throws(SignatureError) -> XMLIdentifierIndex {
        do {
            return try XMLIdentifierIndex(scope: scope, attributes: Names.ids, opaque: opaque)
        } catch {
            throw SignatureError(error.code == .duplicateIdentifier ? .duplicateId : .malformed, error.description)
        }
    }
}
