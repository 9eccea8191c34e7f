import Crypto
import Testing
import XMLCore
import XMLSecurity

/// An attack: what is done to a well-signed envelope, and how it must be refused.
struct Attack: Sendable, CustomTestStringConvertible {
    var name: String
    var expected: SignatureError.Code
    var change: @Sendable (String) throws -> String
    var testDescription: String { name }

    init(_ name: String, _ expected: SignatureError.Code, _ change: @escaping @Sendable (String) throws -> String) {
        self.name = name
        self.expected = expected
        self.change = change
    }
}

extension Attack {
    private static let body = "<s:Body xmlns:s=\"\(Fixture.soap)\" xmlns:wsu=\"\(Fixture.wsu)\" wsu:Id=\"body\">"
    private static let forged = "<s:Body><w:Send xmlns:w=\"urn:wsemail:2\">pay 10000</w:Send></s:Body>"
    private static let c14n = "<ds:Transform Algorithm=\"\(SecurityNamespace.exclusiveC14N)\"></ds:Transform>"
    private static func bodyOf(_ text: String) throws -> String { try text.passage(from: "<s:Body", to: "</s:Body>") }
    private static func method(_ name: String, _ algorithm: String) -> String {
        "<ds:\(name) Algorithm=\"\(algorithm)\"></ds:\(name)>"
    }
    private static func reference(_ text: String) throws -> String {
        try text.passage(from: "<ds:Reference", to: "</ds:Reference>")
    }
    private static func digestValue(_ text: String) throws -> String {
        try text.passage(from: "<ds:DigestValue>", to: "</ds:DigestValue>")
    }

    /// The signed bytes themselves.
    static let tampering = [
        Attack("body content", .digestMismatch) { try $0.with("pay 10 ", "pay 99 ") },
        Attack("white space in the body", .digestMismatch) { try $0.with("</s:Body>", "\n</s:Body>") },
        Attack("attribute on the body", .digestMismatch) { try $0.with(body, body.with(">", " x=\"\">")) },
        Attack("namespace of the payload", .digestMismatch) { try $0.with("urn:wsemail:2", "urn:wsemail:3") },
        Attack("element renamed", .digestMismatch) {
            try $0.with("<w:Send", "<w:Sent").with("</w:Send>", "</w:Sent>")
        },
        Attack("timestamp moved on", .digestMismatch) { try $0.with("19:12:00Z", "20:12:00Z") },
        Attack("digest value", .badSignature) { text in
            let value = try digestValue(text)
            let zeros = Base64.encodeToString([UInt8](repeating: 0, count: 32))
            return try text.with(value, "<ds:DigestValue>\(zeros)</ds:DigestValue>")
        },
        Attack("reference taken away", .badSignature) { text in try text.with(try reference(text), "") },
        Attack("white space in SignedInfo", .badSignature) { try $0.with("<ds:SignedInfo>", "<ds:SignedInfo> ") },
        Attack("id of the body in signature", .missingReference) { try $0.with("#body", "#else") },
        Attack("references swapped", .badSignature) {
            try $0.with("#body", "#tmp").with("#ts", "#body").with("#tmp", "#ts")
        },
        Attack("signature value of zeros", .badSignature) { text in
            let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            let zeros = Base64.encodeToString([UInt8](repeating: 0, count: 64))
            return try text.with(value, "<ds:SignatureValue>\(zeros)</ds:SignatureValue>")
        },
        Attack("signature value in DER", .badSignature) { text in
            let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            return try text.with(value, "<ds:SignatureValue>MAYCAQECAQE=</ds:SignatureValue>")
        },
        Attack("empty signature value", .badSignature) { text in
            let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            return try text.with(value, "<ds:SignatureValue/>")
        },
    ]

    /// Ids and references.
    static let references = [
        Attack("forged body with the same id", .duplicateId) { text in
            try text.with(body, forged.with("<s:Body>", "<s:Body xmlns:u=\"\(Fixture.wsu)\" u:Id=\"body\">") + body)
        },
        Attack("duplicate by Id of no namespace", .duplicateId) {
            try $0.with("<s:Header>", "<s:Header Id=\"body\">")
        },
        Attack("duplicate by ID", .duplicateId) { try $0.with("<s:Header>", "<s:Header ID=\"ts\">") },
        Attack("duplicate of an id that nothing refers to", .duplicateId) {
            try $0.with("<s:Header>", "<s:Header Id=\"x\"><y Id=\"x\"/>")
        },
        Attack("duplicate within the signature", .duplicateId) {
            try $0.with("<ds:SignedInfo>", "<ds:SignedInfo Id=\"body\">")
        },
        Attack("id with a reference in it", .malformed) { try $0.with("<s:Header>", "<s:Header Id=\"b&#111;dy\">") },
        Attack("id as xml:id", .missingReference) {
            try $0.with(body, body.with("wsu:Id=", "xml:id="))
        },
        Attack("id on a foreign attribute", .missingReference) {
            try $0.with(body, body.with("xmlns:wsu=\"\(Fixture.wsu)\"", "xmlns:wsu=\"urn:other\""))
        },
        Attack("id in lower case", .missingReference) { try $0.with(body, body.with("wsu:Id=", "id=")) },
        Attack("external reference", .externalReference) { try $0.with("#body", "http://evil.test/body.xml") },
        Attack("file reference", .externalReference) { try $0.with("#body", "file:///etc/passwd") },
        Attack("reference to another document's part", .externalReference) { try $0.with("#body", "x.xml#body") },
        Attack("xpointer", .externalReference) { try $0.with("#body", "#xpointer(id('body'))") },
        Attack("xpointer to all", .externalReference) { try $0.with("#body", "#xpointer(/)") },
        Attack("percent-encoded id", .externalReference) { try $0.with("#body", "#b%6Fdy") },
        Attack("empty URI", .externalReference) { try $0.with("#body", "") },
        Attack("bare hash", .externalReference) { try $0.with("#body", "#") },
        Attack("no URI", .externalReference) { try $0.with(" URI=\"#body\"", "") },
        Attack("white space in the URI", .externalReference) { try $0.with("#body", " #body") },
        Attack("trailing space in the URI", .missingReference) { try $0.with("#body", "#body ") },
        Attack("cid reference", .externalReference) { try $0.with("#body", "cid:body") },
        Attack("reference to the envelope", .selfReference) {
            try $0.with("<s:Envelope ", "<s:Envelope Id=\"all\" ").with("#body", "#all")
        },
        Attack("reference into the signature", .selfReference) {
            try $0.with("<ds:KeyInfo>", "<ds:KeyInfo Id=\"ki\">").with("#body", "#ki")
        },
        Attack("reference to the signature", .selfReference) {
            try $0.with("<ds:Signature ", "<ds:Signature Id=\"sig\" ").with("#body", "#sig")
        },
        Attack("no reference", .unsigned) { text in
            let first = try text.with(try reference(text), "")
            return try first.with(try reference(first), "")
        },
        Attack("17 references", .tooManyReferences) { text in
            let one = try reference(text)
            return try text.with(one, String(repeating: one, count: 16))
        },
    ]

    /// Algorithms, transforms and the form of the signature.
    static let forms = [
        Attack("HMAC with the public key", .wrongKeyType) {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.hmacSHA256.rawValue)
        },
        Attack("RSA named for an EC key", .wrongKeyType) {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.rsaSHA256.rawValue)
        },
        Attack("another hash for the key", .wrongKeyType) {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, SignatureAlgorithm.ecdsaSHA384.rawValue)
        },
        Attack("ECDSA with SHA-1", .unknownAlgorithm) {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1")
        },
        Attack("RSA with SHA-1", .unknownAlgorithm) {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
        },
        Attack("digest SHA-1", .unknownAlgorithm) {
            try $0.with(DigestAlgorithm.sha256.rawValue, "http://www.w3.org/2000/09/xmldsig#sha1")
        },
        Attack("algorithm none", .unknownAlgorithm) { try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, "none") },
        Attack("no algorithm", .unknownAlgorithm) {
            try $0.with(method("SignatureMethod", SignatureAlgorithm.ecdsaSHA256.rawValue), "<ds:SignatureMethod/>")
        },
        Attack("algorithm with white space", .unknownAlgorithm) {
            try $0.with(SignatureAlgorithm.ecdsaSHA256.rawValue, " \(SignatureAlgorithm.ecdsaSHA256.rawValue)")
        },
        Attack("HMACOutputLength", .malformed) {
            let method = method("SignatureMethod", SignatureAlgorithm.ecdsaSHA256.rawValue)
            return try $0.with(method, method.with("></", "><ds:HMACOutputLength>8</ds:HMACOutputLength></"))
        },
        Attack("inclusive canonicalisation", .foreignTransform) {
            try $0.with(
                method("CanonicalizationMethod", SecurityNamespace.exclusiveC14N),
                method("CanonicalizationMethod", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"))
        },
        Attack("exclusive canonicalisation with comments", .foreignTransform) {
            try $0.with(
                method("CanonicalizationMethod", SecurityNamespace.exclusiveC14N),
                method("CanonicalizationMethod", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"))
        },
        Attack("XPath transform", .foreignTransform) {
            try $0.with(c14n, method("Transform", "http://www.w3.org/TR/1999/REC-xpath-19991116") + c14n)
        },
        Attack("XSLT transform", .foreignTransform) {
            try $0.with(c14n, method("Transform", "http://www.w3.org/TR/1999/REC-xslt-19991116"))
        },
        Attack("base64 transform", .foreignTransform) {
            try $0.with(c14n, method("Transform", "http://www.w3.org/2000/09/xmldsig#base64"))
        },
        Attack("STR transform", .foreignTransform) {
            try $0.with(c14n, method("Transform", SecurityNamespace.wsse + "#STR-Transform"))
        },
        Attack("no transforms", .foreignTransform) { text in
            try text.with(try text.passage(from: "<ds:Transforms>", to: "</ds:Transforms>"), "")
        },
        Attack("empty transforms", .foreignTransform) { try $0.with(c14n, "") },
        Attack("enveloped-signature alone", .foreignTransform) {
            try $0.with(c14n, method("Transform", SecurityNamespace.envelopedSignature))
        },
        Attack("enveloped-signature after canonicalisation", .foreignTransform) {
            try $0.with(c14n, c14n + method("Transform", SecurityNamespace.envelopedSignature))
        },
        Attack("enveloped-signature where nothing is enveloped", .foreignTransform) {
            try $0.with(c14n, method("Transform", SecurityNamespace.envelopedSignature) + c14n)
        },
        Attack("canonicalised twice", .foreignTransform) { try $0.with(c14n, c14n + c14n) },
        Attack("3 transforms", .tooManyReferences) { try $0.with(c14n, c14n + c14n + c14n) },
        Attack("17 inclusive prefixes", .tooManyReferences) {
            let list = (0..<17).map { "p\($0)" }.joined(separator: " ")
            let inclusive = "<e:InclusiveNamespaces xmlns:e=\"\(SecurityNamespace.exclusiveC14N)\" PrefixList=\"\(list)\"/>"
            return try $0.with(c14n, c14n.with("></", ">\(inclusive)</"))
        },
        Attack("two SignedInfo", .malformed) { text in
            let info = try text.passage(from: "<ds:SignedInfo>", to: "</ds:SignedInfo>")
            return try text.with(info, info + info)
        },
        Attack("two signature values", .malformed) { text in
            let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            return try text.with(value, value + value)
        },
        Attack("two digest values", .malformed) { text in
            let value = try digestValue(text)
            return try text.with(value, value + value)
        },
        Attack("two signature methods", .malformed) {
            let method = method("SignatureMethod", SignatureAlgorithm.ecdsaSHA256.rawValue)
            return try $0.with(method, method + method)
        },
        Attack("two KeyInfo", .malformed) { text in
            let info = try text.passage(from: "<ds:KeyInfo>", to: "</ds:KeyInfo>")
            return try text.with(info, info + info)
        },
        Attack("object in the signature", .malformed) {
            try $0.with("</ds:Signature>", "<ds:Object Id=\"o\"/></ds:Signature>")
        },
        Attack("manifest as reference list", .malformed) {
            try $0.with("<ds:Reference", "<ds:Manifest/><ds:Reference")
        },
        Attack("no signature value", .malformed) { text in
            try text.with(try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>"), "")
        },
        Attack("SignedInfo of another namespace", .malformed) {
            try $0.with("<ds:SignedInfo>", "<x:SignedInfo xmlns:x=\"urn:x\">").with("</ds:SignedInfo>", "</x:SignedInfo>")
        },
        Attack("comment in a digest value", .malformed) {
            try $0.with("<ds:DigestValue>", "<ds:DigestValue><!-- x -->")
        },
        Attack("comment that hides half of a digest", .malformed) { text in
            let value = try digestValue(text)
            let half = value.index(value.startIndex, offsetBy: 30)
            return try text.with(value, value[..<half] + "<!-- -->" + value[half...])
        },
        Attack("comment in SignedInfo", .malformed) { try $0.with("<ds:SignedInfo>", "<ds:SignedInfo><!---->") },
        Attack("comment in KeyInfo", .malformed) { try $0.with("<ds:KeyInfo>", "<ds:KeyInfo><!-- x -->") },
        Attack("digest value that is no base64", .malformed) {
            try $0.with("<ds:DigestValue>", "<ds:DigestValue>*")
        },
        Attack("element in a digest value", .malformed) {
            try $0.with("<ds:DigestValue>", "<ds:DigestValue><x/>")
        },
        Attack("digest value of 65 octets", .tooManyReferences) { text in
            let long = Base64.encodeToString([UInt8](repeating: 0, count: 65))
            return try text.with(try digestValue(text), "<ds:DigestValue>\(long)</ds:DigestValue>")
        },
        Attack("signature value of 1025 octets", .tooManyReferences) { text in
            let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
            let long = Base64.encodeToString([UInt8](repeating: 0, count: 1025))
            return try text.with(value, "<ds:SignatureValue>\(long)</ds:SignatureValue>")
        },
        Attack("bare key value", .unsupportedKeyInfo) { text in
            let info = try text.passage(from: "<ds:KeyInfo>", to: "</ds:KeyInfo>")
            return try text.with(info, "<ds:KeyInfo><ds:KeyValue><ds:ECKeyValue/></ds:KeyValue></ds:KeyInfo>")
        },
    ]
}

@Suite struct HostileTests {
    @Test func theEnvelopeItselfVerifies() throws {
        let (_, signature) = try Fixture.verify(try Fixture.signed())
        #expect(signature.elements.count == 2)
    }

    @Test(arguments: Attack.tampering + Attack.references + Attack.forms)
    func refuses(_ attack: Attack) throws {
        let hostile = try attack.change(try Fixture.signedText())
        #expect(code { _ = try Fixture.verify(Array(hostile.utf8)) } == attack.expected)
    }

    /// Wrapping: the signed element moves where it still verifies, and a forged one takes its place. The signature is
    /// good; what must not happen is that the forged element passes for the signed one.
    @Test(arguments: [
        "<x>%</x>", "<wsse:Security xmlns:wsse=\"\(SecurityNamespace.wsse)1\">%</wsse:Security>", "<s:Header>%</s:Header>",
    ])
    func movedElementsDoNotVouchForForgedOnes(_ wrapper: String) throws {
        let text = try Fixture.signedText()
        let body = try text.passage(from: "<s:Body", to: "</s:Body>")
        let forged =
            "<s:Body wsu:Id=\"forged\" xmlns:wsu=\"\(Fixture.wsu)\"><w:Send xmlns:w=\"urn:wsemail:2\">pay 10000"
            + "</w:Send></s:Body>"
        let hostile = try text.with(body, forged).with("<s:Header>", "<s:Header>" + (try wrapper.with("%", body)))
        let (root, signature) = try Fixture.verify(Array(hostile.utf8))
        let taken = try root.only(Fixture.body.name)
        #expect(signature.verified(taken) == nil)
        #expect(signature.elements.contains { $0.element.localName == "Body" })
    }

    @Test func aMovedTimestampDoesNotVouchForAForgedOne() throws {
        let text = try Fixture.signedText()
        let timestamp = try text.passage(from: "<wsu:Timestamp", to: "</wsu:Timestamp>")
        let hostile = try text.with(timestamp, "<wsu:Timestamp xmlns:wsu=\"\(Fixture.wsu)\"/>")
            .with("</s:Envelope>", "<x>\(timestamp)</x></s:Envelope>")
        let (root, signature) = try Fixture.verify(Array(hostile.utf8))
        let taken = try root.only(Fixture.header.name).only(Fixture.security.name).only(Fixture.timestamp.name)
        #expect(signature.verified(taken) == nil)
    }

    @Test func idsInOpaqueElementsAreNotSeen() throws {
        let opaque = SignatureVerifier(opaque: [Fixture.payload.name])
        let text = try Fixture.signedText()
        // Moved into an opaque element, the signed body cannot be found any more.
        let body = try text.passage(from: "<s:Body", to: "</s:Body>")
        let moved = try text.with(
            body, "<s:Body><w:Send xmlns:w=\"urn:wsemail:2\">\(body)</w:Send></s:Body>")
        #expect(code { _ = try Fixture.verify(Array(moved.utf8), verifier: opaque) } == .missingReference)
        // An id in an opaque element is nobody's duplicate: an embedded message may use any.
        let embedded = try text.with("pay 10", "<x Id=\"ts\"/>pay 10")
        #expect(code { _ = try Fixture.verify(Array(embedded.utf8)) } == .duplicateId)
        #expect(code { _ = try Fixture.verify(Array(embedded.utf8), verifier: opaque) } == .digestMismatch)
    }

    @Test func refusesASignatureOutsideItsScopeOrInAnOpaqueElement() throws {
        let root = try XMLDocument.parse(try Fixture.signed()).root
        let header = try root.only(Fixture.header.name)
        let signature = try header.only(Fixture.security.name).only(XMLName(Fixture.ds, "Signature"))
        let key = { (_: KeyHint) throws(SignatureError) in Fixture.p256.publicKey }
        let body = try root.only(Fixture.body.name)
        #expect(code { _ = try SignatureVerifier().verify(signature, in: body, key: key) } == .malformed)
        let other = try XMLDocument.parse(try Fixture.signed()).root
        #expect(code { _ = try SignatureVerifier().verify(signature, in: other, key: key) } == .malformed)
        #expect(code { _ = try SignatureVerifier().verify(body, in: root, key: key) } == .malformed)
        let opaque = SignatureVerifier(opaque: [Fixture.security.name])
        #expect(code { _ = try opaque.verify(signature, in: root, key: key) } == .malformed)
        // The body is out of the header's scope.
        #expect(code { _ = try SignatureVerifier().verify(signature, in: header, key: key) } == .missingReference)
    }

    @Test func acceptsJustTheLimits() throws {
        let bytes = try Fixture.signed()
        let exact = SignatureVerifier(
            limits: SignatureLimits(maxReferences: 2, maxTransforms: 1, maxPrefixes: 0, maxSignatureLength: 64))
        _ = try Fixture.verify(bytes, verifier: exact)
        for limits in [
            SignatureLimits(maxReferences: 1), SignatureLimits(maxTransforms: 0), SignatureLimits(maxSignatureLength: 63),
        ] {
            let verifier = SignatureVerifier(limits: limits)
            #expect(code { _ = try Fixture.verify(bytes, verifier: verifier) } == .tooManyReferences)
        }
    }

    @Test func algorithmsThatAreNotAllowedHereAreUnknown() throws {
        let bytes = try Fixture.signed(key: Fixture.hmac)
        let verifier = SignatureVerifier(algorithms: .publicKey)
        #expect(
            code { _ = try Fixture.verify(bytes, key: Fixture.hmac.publicKey, verifier: verifier) } == .unknownAlgorithm)
    }

    /// The classic confusion: the attacker signs with HMAC, and takes the public key for the secret.
    @Test func aPublicKeyIsNoSecret() throws {
        guard case .p256(let publicKey) = Fixture.p256.publicKey else { return }
        for secret in [Array(publicKey.derRepresentation), Array(publicKey.pemRepresentation.utf8)] {
            let bytes = try Fixture.signed(key: .hmac(SymmetricKey(data: secret)))
            #expect(code { _ = try Fixture.verify(bytes) } == .wrongKeyType)
        }
    }

    @Test func whiteSpaceInBase64IsFine() throws {
        let text = try Fixture.signedText()
        let value = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
        let spaced = try value.with("<ds:SignatureValue>", "<ds:SignatureValue>\r\n  ").with("==", "= \t=\n")
        _ = try Fixture.verify(Array(try text.with(value, spaced).utf8))
    }

    @Test func aFlippedBitAnywhereInWhatIsSignedIsNoticed() throws {
        let bytes = try Fixture.signed()
        let body = try XMLDocument.parse(bytes).root.only(Fixture.body.name)
        var harmless = 0
        for place in body.sourceRange {
            var damaged = bytes
            damaged[place] ^= 1
            guard let verified = try? Fixture.verify(damaged) else { continue }
            // A declaration that turned superfluous, as one further out says the same, is in no canonical form.
            harmless += 1
            #expect(verified.signature.elements.first?.element.canonicalBytes() == body.canonicalBytes())
        }
        #expect(harmless <= 1)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func cutEnvelopesAreRefused(_ step: UInt64) throws {
        let bytes = try Fixture.signed()
        let cut = bytes.count * Int(step) / 200
        #expect(throws: XMLError.self) { try Fixture.verify(Array(bytes[..<cut])) }
    }
}
