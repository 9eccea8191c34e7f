import Crypto
import CryptoExtras
import Testing
import XMLCore
import XMLSecurity

@Suite struct SignatureTests {
    @Test(arguments: SignatureAlgorithm.allCases, DigestAlgorithm.allCases)
    func verifiesWhatItSigns(_ algorithm: SignatureAlgorithm, _ digest: DigestAlgorithm) throws {
        let key = try Fixture.key(for: algorithm)
        let bytes = try Fixture.signed(key: key, algorithm: algorithm, digest: digest)
        let (root, signature) = try Fixture.verify(bytes, key: key.publicKey)
        #expect(signature.algorithm == algorithm)
        #expect(signature.keyHint == .thumbprintSHA256([UInt8](repeating: 1, count: 32)))
        #expect(signature.elements.map(\.element.localName) == ["Body", "Timestamp"])
        #expect(signature.elements.map(\.digest.count).allSatisfy { $0 == digest.hash([]).count })
        let body = try root.only(Fixture.body.name)
        #expect(signature.verified(body)?.element == body)
        #expect(signature.verified(root) == nil)
        #expect(signature.verified(try XMLDocument.parse(bytes).root.only(Fixture.body.name)) == nil)
    }

    @Test func rawECDSAValues() throws {
        for (key, length) in [(Fixture.p256, 64), (Fixture.p384, 96)] {
            let value = try key.sign([1, 2, 3])
            #expect(value.count == length)
            try key.publicKey.verify(value, over: [1, 2, 3], algorithm: key.algorithm)
        }
    }

    @Test func signaturesAreCanonicalAndSelfContained() throws {
        let bytes = try Fixture.signed()
        let root = try XMLDocument.parse(bytes).root
        let security = try root.only(Fixture.header.name).only(Fixture.security.name)
        let signature = try security.only(XMLName(Fixture.ds, "Signature"))
        #expect(signature.canonicalBytes() == Array(bytes[signature.sourceRange]))
    }

    @Test func tellsWhichKeyIsMeantAndRefusesWhenThereIsNone() throws {
        let root = try XMLDocument.parse(try Fixture.signed()).root
        let security = try root.only(Fixture.header.name).only(Fixture.security.name)
        let signature = try security.only(XMLName(Fixture.ds, "Signature"))
        let unknown = code {
            _ = try SignatureVerifier().verify(signature, in: root) { hint throws(SignatureError) in
                throw SignatureError(.unknownKey, "\(hint)")
            }
        }
        #expect(unknown == .unknownKey)
        #expect(SignatureError(.unknownKey, "").isTransient)
        #expect(!SignatureError(.badSignature, "").isTransient)
    }

    @Test func anotherKeyDoesNotVerify() throws {
        let bytes = try Fixture.signed()
        let other = P256.Signing.PrivateKey().publicKey
        #expect(code { _ = try Fixture.verify(bytes, key: .p256(other)) } == .badSignature)
    }

    @Test func honoursInclusiveNamespaces() throws {
        // Signed by hand with lists of each kind: empty, of prefixes, with #default, and on the CanonicalizationMethod.
        let text = """
            <e xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"><b Id="b"><p:c/></b>%</e>
            """
        for list in [[], ["q"], ["#default", "q", "none"]] as [[String]] {
            let root = try XMLDocument.parse(Array(text.utf8)).root
            let target = try root.only(XMLName("urn:d", "b"))
            let inclusive =
                "<ec:InclusiveNamespaces xmlns:ec=\"\(SecurityNamespace.exclusiveC14N)\" "
                + "PrefixList=\"\(list.joined(separator: " "))\"/>"
            let digest = DigestAlgorithm.sha256.hash(target.canonicalBytes(inclusivePrefixes: list))
            let info = """
                <s:SignedInfo><s:CanonicalizationMethod Algorithm="\(SecurityNamespace.exclusiveC14N)">\(inclusive)\
                </s:CanonicalizationMethod><s:SignatureMethod Algorithm="\(SignatureAlgorithm.hmacSHA256.rawValue)"/>
                <s:Reference URI="#b"><s:Transforms><s:Transform Algorithm="\(SecurityNamespace.exclusiveC14N)">\
                \(inclusive)</s:Transform></s:Transforms><s:DigestMethod Algorithm="\(DigestAlgorithm.sha256.rawValue)"/>
                <s:DigestValue>\(Base64.encodeToString(digest))</s:DigestValue></s:Reference></s:SignedInfo>
                """
            func document(_ value: String) throws -> XMLElement {
                let signature =
                    "<s:Signature xmlns:s=\"\(Fixture.ds)\">\(info)<s:SignatureValue>\(value)"
                    + "</s:SignatureValue></s:Signature>"
                return try XMLDocument.parse(Array(text.with("%", signature).utf8)).root
            }
            let draft = try document("").only(XMLName(Fixture.ds, "Signature"))
            let octets = try draft.only(XMLName(Fixture.ds, "SignedInfo")).canonicalBytes(inclusivePrefixes: list)
            let signed = try document(Base64.encodeToString(try Fixture.hmac.sign(octets)))
            let verified = try SignatureVerifier().verify(
                try signed.only(XMLName(Fixture.ds, "Signature")), in: signed
            ) { _ throws(SignatureError) in Fixture.hmac.publicKey }
            #expect(verified.elements.map(\.element) == [try signed.only(XMLName("urn:d", "b"))])
            #expect(verified.keyHint == .none)
        }
    }

    @Test func signsParsedElementsByTheirIds() throws {
        let text = "<a><b Id='x'  c='1' >\r\n</b><d xmlns:u='\(Fixture.wsu)' u:Id='y'/></a>"
        let root = try XMLDocument.parse(Array(text.utf8)).root
        let signer = SignatureSigner(key: Fixture.p256, keyInfo: .none)
        let signature = String(decoding: try signer.signParsed(elements: Array(root.children)), as: UTF8.self)
        let signed = try XMLDocument.parse(Array(try text.with("</a>", "\(signature)</a>").utf8)).root
        let verified = try SignatureVerifier().verify(
            try signed.only(XMLName(Fixture.ds, "Signature")), in: signed
        ) { _ throws(SignatureError) in Fixture.p256.publicKey }
        #expect(verified.elements.map(\.element.localName) == ["b", "d"])
        #expect(code { _ = try signer.signParsed(elements: [root]) } == .missingReference)
        #expect(code { _ = try signer.signParsed(elements: []) } == .unsigned)
        #expect(code { _ = try signer.sign(parts: [("x", 0..<9)], of: [1, 2]) } == .missingReference)
    }

    @Test func writesKeyInfoOfTheCallersOwn() throws {
        let signer = SignatureSigner(key: Fixture.p256, keyInfo: .none)
        let bytes = Array("<a Id=\"1\"></a>".utf8)
        let signature = try signer.sign(parts: [("1", 0..<bytes.count)], of: bytes) { writer in
            KeyHint.reference(id: "token", valueType: TokenType.x509v3).write(into: &writer)
        }
        let element = try XMLDocument.parse(signature).root
        #expect(element.canonicalBytes() == signature)
        #expect(
            try KeyHint.parse(try element.only(XMLName(Fixture.ds, "KeyInfo")))
                == .reference(id: "token", valueType: TokenType.x509v3))
    }
}

@Suite struct EnvelopedTests {
    static let plain = Array("<Message xmlns=\"urn:wsemail:2\" Id=\"m1\"><Text>1 &gt; 0</Text></Message>".utf8)
    let signer = SignatureSigner(key: Fixture.p256, keyInfo: .none)

    func verify(_ bytes: [UInt8]) throws -> VerifiedSignature {
        try SignatureVerifier().verifyEnveloped(try XMLDocument.parse(bytes)) { _ throws(SignatureError) in
            Fixture.p256.publicKey
        }
    }

    @Test func signsAndVerifies() throws {
        let signed = try signer.signEnveloped(Self.plain, id: "m1")
        let root = try XMLDocument.parse(signed).root
        #expect(root.canonicalBytes() == signed)
        let verified = try verify(signed)
        #expect(verified.elements.count == 1)
        #expect(verified.elements.first?.element.localName == "Message")
        #expect(verified.elements.first?.digest == DigestAlgorithm.sha256.hash(Self.plain))
    }

    @Test(arguments: [
        "<Message Id=\"m2\"></Message>", "<Message></Message>", "text", "", "<a Id=\"m1\"/>", "<a Id=\"m1\">",
        "<a xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"m1\" ds:x=\"\"></a>", "<a><b Id=\"m1\"></b></a>",
    ])
    func refusesToSignWhatHasNotThatId(_ text: String) {
        #expect(code { _ = try signer.signEnveloped(Array(text.utf8), id: "m1") } == .malformed)
    }

    @Test func acceptsTheEmptyURI() throws {
        let info = "<ds:SignedInfo xmlns:ds=\"\(Fixture.ds)\">"
        let signed = String(decoding: try signer.signEnveloped(Self.plain, id: "m1"), as: UTF8.self)
        let text = try signed.with("URI=\"#m1\"", "URI=\"\"")
        let canonical = try text.passage(from: "<ds:SignedInfo>", to: "</ds:SignedInfo>").with("<ds:SignedInfo>", info)
        let value = Base64.encodeToString(try Fixture.p256.sign(Array(canonical.utf8)))
        let old = try text.passage(from: "<ds:SignatureValue>", to: "</ds:SignatureValue>")
        let resigned = try text.with(old, "<ds:SignatureValue>\(value)</ds:SignatureValue>")
        #expect(try verify(Array(resigned.utf8)).elements.count == 1)
    }

    @Test func refusesOtherForms() throws {
        let text = String(decoding: try signer.signEnveloped(Self.plain, id: "m1"), as: UTF8.self)
        let signature = try text.passage(from: "<ds:Signature ", to: "</ds:Signature>")
        func refusal(_ text: String) -> SignatureError.Code? { code { _ = try verify(Array(text.utf8)) } }
        #expect(refusal(try text.with("1 &gt; 0", "2 &gt; 0")) == .digestMismatch)
        #expect(refusal(String(decoding: Self.plain, as: UTF8.self)) == .unsigned)
        #expect(refusal(try text.with(signature, signature + signature)) == .malformed)
        // The signed message as a child of another.
        #expect(refusal("<Message xmlns=\"urn:wsemail:2\" Id=\"x\">\(text)</Message>") == .unsigned)
        // The signature moved up, the message beside it.
        let bare = try text.with(signature, "")
        #expect(refusal("<Message xmlns=\"urn:wsemail:2\" Id=\"x\">\(bare)\(signature)</Message>") == .unsigned)
        #expect(refusal("<Message xmlns=\"urn:wsemail:2\" Id=\"m1\">\(bare)\(signature)</Message>") == .duplicateId)
        #expect(refusal(try text.with("#m1", "#m2")) == .missingReference)
        let reference = try text.passage(from: "<ds:Reference", to: "</ds:Reference>")
        #expect(refusal(try text.with(reference, reference + reference)) == .malformed)
        let enveloped = "<ds:Transform Algorithm=\"\(SecurityNamespace.envelopedSignature)\"></ds:Transform>"
        #expect(refusal(try text.with(enveloped, "")) == .selfReference)
    }
}

@Suite struct KeyTests {
    @Test func roundTripsPEM() throws {
        for key in [Fixture.p256, Fixture.p384, try Fixture.key(for: .rsaSHA256), Fixture.ed25519] {
            let pem = try #require(key.pemRepresentation)
            let again = try SigningKey(pem: pem)
            #expect(again.algorithm == key.algorithm)
            try key.publicKey.verify(try again.sign([1]), over: [1], algorithm: key.algorithm)
        }
        #expect(Fixture.hmac.pemRepresentation == nil)
    }

    @Test(arguments: ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "x"])
    func refusesOtherPEM(_ pem: String) {
        #expect(code { _ = try SigningKey(pem: pem) } == .wrongKeyType)
    }

    @Test(arguments: SignatureAlgorithm.allCases, SignatureAlgorithm.allCases)
    func aKeyServesItsOwnAlgorithmsOnly(_ algorithm: SignatureAlgorithm, _ other: SignatureAlgorithm) throws {
        let key = try Fixture.key(for: algorithm)
        let signer = try Fixture.key(for: other)
        if signer.algorithm == key.algorithm { return }
        let value = try signer.sign([1], algorithm: other)
        #expect(code { try key.publicKey.verify(value, over: [1], algorithm: other) } == .wrongKeyType)
        #expect(code { _ = try key.sign([1], algorithm: other) } == .wrongKeyType)
    }

    @Test func refusesWeakKeys() throws {
        let weak = try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024))
        #expect(code { _ = try SigningKey.rsa(weak).sign([1]) } == .wrongKeyType)
        let value = try weak.signature(for: SHA256.hash(data: [1 as UInt8]), padding: .insecurePKCS1v1_5)
        let key = VerificationKey.rsa(weak.publicKey)
        #expect(
            code { try key.verify(Array(value.rawRepresentation), over: [1], algorithm: .rsaSHA256) } == .wrongKeyType)
        let short = SigningKey.hmac(SymmetricKey(data: [UInt8](repeating: 1, count: 15)))
        #expect(code { _ = try short.sign([1]) } == .wrongKeyType)
        #expect(code { try short.publicKey.verify([], over: [1], algorithm: .hmacSHA256) } == .wrongKeyType)
    }

    @Test(arguments: SignatureAlgorithm.allCases)
    func refusesDamagedValues(_ algorithm: SignatureAlgorithm) throws {
        let key = try Fixture.key(for: algorithm)
        let value = try key.sign([1, 2], algorithm: algorithm)
        try key.publicKey.verify(value, over: [1, 2], algorithm: algorithm)
        var damaged = [Array(value.dropLast()), value + [0], [], [UInt8](repeating: 0, count: value.count)]
        damaged.append([value[0] ^ 1] + value.dropFirst())
        for value in damaged {
            #expect(code { try key.publicKey.verify(value, over: [1, 2], algorithm: algorithm) } == .badSignature)
        }
        #expect(code { try key.publicKey.verify(value, over: [1, 3], algorithm: algorithm) } == .badSignature)
    }

    /// FIPS 180-4 examples.
    @Test func digests() {
        #expect(
            DigestAlgorithm.sha256.hash(Array("abc".utf8)).prefix(4) == [0xBA, 0x78, 0x16, 0xBF])
        #expect(DigestAlgorithm.sha384.hash(Array("abc".utf8)).prefix(4) == [0xCB, 0x00, 0x75, 0x3F])
        #expect(DigestAlgorithm.sha512.hash(Array("abc".utf8)).prefix(4) == [0xDD, 0xAF, 0x35, 0xA1])
    }
}

@Suite struct KeyHintTests {
    func parsed(_ content: String) throws -> KeyHint {
        let text =
            "<ds:KeyInfo xmlns:ds='\(Fixture.ds)' xmlns:wsse='\(SecurityNamespace.wsse)' "
            + "xmlns:dsig11='\(SecurityNamespace.dsig11)'>\(content)</ds:KeyInfo>"
        return try KeyHint.parse(try XMLDocument.parse(Array(text.utf8)).root)
    }

    @Test(
        arguments: [
            .thumbprintSHA256([UInt8](repeating: 2, count: 32)), .thumbprintSHA1([UInt8](repeating: 3, count: 20)),
            .certificate([0x30, 0x03]), .reference(id: "X509-1", valueType: TokenType.x509v3),
            .reference(id: "sct", valueType: nil), .reference(id: "saml", valueType: TokenType.saml20),
            .issuerSerial(issuer: "CN=a\\, b,O=c", serial: "123456789012345678901234567890"),
            .subjectKeyIdentifier([1, 2, 3]), .samlID("_abc"),
        ] as [KeyHint])
    func readsWhatItWrites(_ hint: KeyHint) throws {
        var writer = XMLWriter()
        hint.write(into: &writer)
        let root = try XMLDocument.parse(writer.bytes).root
        #expect(root.canonicalBytes() == writer.bytes)
        #expect(try KeyHint.parse(root) == hint)
    }

    @Test func writesNothingForNoHint() {
        var writer = XMLWriter()
        KeyHint.none.write(into: &writer)
        #expect(writer.bytes.isEmpty)
    }

    @Test(
        arguments: [
            ("", .unsupportedKeyInfo), ("<ds:KeyValue/>", .unsupportedKeyInfo), ("<ds:KeyName>x</ds:KeyName>", .unsupportedKeyInfo),
            ("<ds:RetrievalMethod URI='http://x'/>", .unsupportedKeyInfo), ("<ds:X509Data/>", .unsupportedKeyInfo),
            ("<ds:X509Data><ds:X509CRL/></ds:X509Data>", .unsupportedKeyInfo),
            ("<ds:X509Data><ds:X509Certificate>!</ds:X509Certificate></ds:X509Data>", .malformed),
            ("<ds:X509Data><dsig11:X509Digest Algorithm='urn:x'>AA==</dsig11:X509Digest></ds:X509Data>", .unsupportedKeyInfo),
            (
                "<ds:X509Data><dsig11:X509Digest Algorithm='http://www.w3.org/2001/04/xmlenc#sha256'>AA==</dsig11:X509Digest>"
                    + "</ds:X509Data>", .malformed
            ),
            ("<ds:X509Data><ds:X509IssuerSerial/></ds:X509Data>", .malformed),
            ("<wsse:SecurityTokenReference/>", .unsupportedKeyInfo),
            ("<wsse:SecurityTokenReference><wsse:Embedded/></wsse:SecurityTokenReference>", .unsupportedKeyInfo),
            (
                "<wsse:SecurityTokenReference><wsse:Reference URI='http://x/y'/></wsse:SecurityTokenReference>",
                .externalReference
            ),
            ("<wsse:SecurityTokenReference><wsse:Reference URI='#'/></wsse:SecurityTokenReference>", .externalReference),
            (
                "<wsse:SecurityTokenReference><wsse:Reference URI='#a'/><wsse:Reference URI='#b'/>"
                    + "</wsse:SecurityTokenReference>", .unsupportedKeyInfo
            ),
            (
                "<wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType='urn:x'>AA==</wsse:KeyIdentifier>"
                    + "</wsse:SecurityTokenReference>", .unsupportedKeyInfo
            ),
            (
                "<ds:X509Data><ds:X509SKI>AA==</ds:X509SKI></ds:X509Data><ds:X509Data><ds:X509SKI>AA==</ds:X509SKI></ds:X509Data>",
                .unsupportedKeyInfo
            ),
        ] as [(String, SignatureError.Code)])
    func refusesOtherKeyInfo(_ content: String, _ expected: SignatureError.Code) {
        #expect(code { _ = try parsed(content) } == expected)
    }

    @Test func readsWhatOtherStacksSend() throws {
        #expect(
            try parsed("<ds:KeyValue/><ds:X509Data><ds:X509Certificate>MA\n==</ds:X509Certificate></ds:X509Data>")
                == .certificate([0x30]))
        #expect(
            try parsed(
                "<wsse:SecurityTokenReference><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=a</ds:X509IssuerName>"
                    + "<ds:X509SerialNumber> 7\n</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>"
                    + "</wsse:SecurityTokenReference>") == .issuerSerial(issuer: "CN=a", serial: "7"))
        #expect(
            try parsed(
                "<wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType='\(TokenType.x509v3)'>MA==</wsse:KeyIdentifier>"
                    + "</wsse:SecurityTokenReference>") == .certificate([0x30]))
    }
}
