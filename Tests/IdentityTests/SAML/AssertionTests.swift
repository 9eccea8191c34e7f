import Crypto
import Foundation
import Testing
import XMLCore
import XMLSecurity

@testable import Identity

/// scopio.test issues assertions about its users for capicom.test.
struct Federation: Sendable {
    static let now = World.now
    private static let result = Result { try Federation() }
    static func shared() throws -> Federation { try result.get() }

    let scopio: MailDomain
    let capicom: MailDomain
    let bob: Address
    let key = SigningKey.generateP256()
    let certificate: MailCertificate
    let holder = SigningKey.generateP256()
    let bobCertificate: MailCertificate
    /// A domain that nobody should believe about scopio's users.
    let evilKey = SigningKey.generateP256()
    let evilCertificate: MailCertificate

    private init() throws {
        scopio = try MailDomain("scopio.test")
        capicom = try MailDomain("capicom.test")
        bob = try Address("bob@scopio.test")
        let authority = try World.authority("scopio.test")
        certificate = try World.server(authority, key: key)
        bobCertificate = try World.user(authority, "bob@scopio.test", key: holder)
        evilCertificate = try World.server(try World.authority("evil.test"), key: evilKey)
    }

    func assertion(
        _ confirmation: Assertion.Confirmation? = nil, lifetime: TimeInterval = Assertion.defaultLifetime
    ) throws -> Assertion {
        try Assertion(
            subject: bob, audience: capicom, confirmation: confirmation ?? .holderOfKey(ConfirmationKey(holder.publicKey)),
            method: .password, authnInstant: Self.now - 10, now: Self.now, lifetime: lifetime)
    }

    func octets(_ confirmation: Assertion.Confirmation? = nil) throws -> [UInt8] {
        try assertion(confirmation).signed(by: key, certificate: certificate)
    }

    var signer: SignatureSigner {
        SignatureSigner(key: key, keyInfo: .thumbprintSHA256(certificate.thumbprintSHA256))
    }

    /// What an issuer would sign that writes something else.
    func forged(
        _ confirmation: Assertion.Confirmation? = nil, by signer: SignatureSigner? = nil, _ edit: (String) -> String
    ) throws -> [UInt8] {
        let assertion = try assertion(confirmation)
        let text = edit(String(decoding: assertion.unsignedOctets(), as: UTF8.self))
        return try Assertion.seal(Array(text.utf8), id: assertion.id, with: signer ?? self.signer)
    }

    func forged(by signer: SignatureSigner? = nil, _ old: String, _ new: String) throws -> [UInt8] {
        try forged(by: signer) { text in
            #expect(text.contains(old), "\(old)")
            return text.replacingOccurrences(of: old, with: new)
        }
    }

    /// Knows the certificates of both domains, and which of them may sign for whom.
    @discardableResult
    func verify(
        _ octets: [UInt8], at date: Date = Federation.now, audience: MailDomain? = nil
    ) async throws -> VerifiedAssertion {
        try await UnverifiedAssertion(parsing: octets).verified(audience: audience ?? capicom, at: date) { thumbprint, issuer in
            [certificate, evilCertificate].first { $0.thumbprintSHA256 == thumbprint && $0.mailDomains == [issuer] }?.publicKey
        }
    }
}

extension Array where Element == UInt8 {
    fileprivate var string: String { String(decoding: self, as: UTF8.self) }

    /// Changed after it was signed.
    fileprivate func changed(_ old: String, _ new: String) -> [UInt8] {
        #expect(string.contains(old), "\(old)")
        return Array(string.replacingOccurrences(of: old, with: new).utf8)
    }
}

@Suite struct AssertionTests {
    let world: Federation

    init() throws { world = try Federation.shared() }

    // MARK: Good ones

    @Test func whatTheIssuerSaysIsWhatTheAudienceReads() async throws {
        let made = try world.assertion()
        let read = try await world.verify(try made.signed(by: world.key, certificate: world.certificate))
        #expect(read.id == made.id && read.subject == world.bob && read.issuer == world.scopio)
        #expect(read.audience == world.capicom && read.method == .password && read.authnInstant == made.authnInstant)
        #expect(read.notOnOrAfter == made.notOnOrAfter && read.issueInstant == made.issueInstant && !read.isBearer)
        guard case .holderOfKey(.p256(let key)) = read.confirmation, case .p256(let holder) = world.holder.publicKey else {
            Issue.record("no P-256 key")
            return
        }
        #expect(key.rawRepresentation == holder.rawRepresentation)
    }

    @Test func theHolderMayBeNamedByCertificateOrNotAtAll() async throws {
        let named = try await world.verify(world.octets(.holderOfKey(.certificate(world.bobCertificate))))
        guard case .holderOfKey(.p256(let key)) = named.confirmation, case .p256(let holder) = world.holder.publicKey else {
            Issue.record("no P-256 key")
            return
        }
        #expect(key.rawRepresentation == holder.rawRepresentation)
        #expect(try await world.verify(world.octets(.bearer)).isBearer)
    }

    @Test func theOctetsAreCanonicalAndTheSignatureStandsBehindTheIssuer() throws {
        let octets = try world.octets()
        let root = try XMLDocument.parse(octets).root
        #expect(root.canonicalBytes() == octets)
        #expect(
            root.children.map(\.localName) == ["Issuer", "Signature", "Subject", "Conditions", "AuthnStatement"])
        #expect(try UnverifiedAssertion(root).octets == octets)
    }

    @Test func namesBeyondASCIIAndWithReservedCharactersSurvive() async throws {
        for name in ["jörg@scopio.test", "a&b@scopio.test"] {
            let assertion = try Assertion(
                subject: try Address(name), audience: world.capicom, confirmation: .bearer, method: .x509,
                authnInstant: Federation.now, now: Federation.now)
            let read = try await world.verify(assertion.signed(by: world.key, certificate: world.certificate))
            #expect(read.subject.description == name && read.method == .x509)
        }
    }

    @Test func itVerifiesInsideAnotherDocumentWhateverItsNamespaces() async throws {
        let inner = try world.octets().string
        let outer = "<x xmlns=\"urn:x\" xmlns:ds=\"urn:y\" xmlns:saml=\"urn:z\" ID=\"a\"><y ID=\"a\"/>\(inner)</x>"
        let element = try #require(try XMLDocument.parse(Array(outer.utf8)).root.first(SAML.assertion))
        let read = try UnverifiedAssertion(element).verified(
            audience: world.capicom, at: Federation.now, with: world.key.publicKey)
        #expect(read.octets == Array(inner.utf8))
    }

    @Test func fractionsOfASecondAreAccepted() async throws {
        let octets = try world.forged { $0.replacing(/(\d\d)Z"/) { "\($0.output.1).500Z\"" } }
        #expect(try await world.verify(octets).issueInstant == Federation.now)
    }

    @Test func aKeyThatIsNotTheCertificatesSignsNothing() throws {
        let assertion = try world.assertion()
        expectCode(.keyMismatch) { try assertion.signed(by: world.evilKey, certificate: world.certificate) }
        expectCode(.unsupportedKey) { try ConfirmationKey(SigningKey.generateRSA().publicKey) }
    }

    // MARK: Form

    @Test(arguments: [
        ("Version=\"2.0\"", "Version=\"1.1\""), ("IssueInstant=", "Instant="), ("Z\" Version", "+00:00\" Version"),
        ("Z\" Version", ".Z\" Version"), ("Z\" Version", ".5aZ\" Version"),
        ("<saml:Subject>", "<saml:Advice></saml:Advice><saml:Subject>"), ("<saml:Subject>", "evil<saml:Subject>"),
        ("</saml:Assertion>", "<saml:AttributeStatement></saml:AttributeStatement></saml:Assertion>"),
        ("Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\"", "Format=\"urn:x\""),
        (" Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\"", ""), ("<saml:NameID ", "<saml:NameID Extra=\"1\" "),
        ("bob@scopio.test", "bob@<saml:x></saml:x>scopio.test"), (">bob@", ">Bob@"),
        (">scopio.test<", ">SCOPIO.test<"), (">scopio.test<", "><"),
        ("holder-of-key", "sender-vouches"), (" Method=", " Extra=\"1\" Method="),
        ("</saml:SubjectConfirmation>", "</saml:SubjectConfirmation><saml:SubjectConfirmation></saml:SubjectConfirmation>"),
        ("<saml:SubjectConfirmationData>", "<saml:SubjectConfirmationData Recipient=\"x\">"),
        ("<saml:AudienceRestriction>", "<saml:OneTimeUse></saml:OneTimeUse><saml:AudienceRestriction>"),
        ("</saml:AudienceRestriction>", "</saml:AudienceRestriction><saml:Unknown></saml:Unknown>"),
        ("</saml:Audience>", "</saml:Audience><saml:Audience>urn:wsemail:domain:other.test</saml:Audience>"),
        ("<saml:Conditions ", "<saml:Conditions Extra=\"1\" "), (" NotOnOrAfter=", " NotAfter="),
        ("classes:Password<", "classes:unspecified<"), (" AuthnInstant=", " AuthnInstants="),
        ("</saml:AuthnStatement>", "</saml:AuthnStatement><saml:AuthnStatement></saml:AuthnStatement>"),
        ("saml:Assertion", "saml:EncryptedAssertion"),
    ])
    func oneFormOnly(old: String, new: String) async throws {
        let sealed = old == "saml:Assertion" ? try world.octets().changed(old, new) : try world.forged(old, new)
        await expect(.malformedAssertion) { try await world.verify(sealed) }
    }

    @Test func namesHaveOneSpellingAlsoBeyondASCII() async throws {
        let (composed, decomposed) = ("j\u{F6}rg@scopio.test", "jo\u{308}rg@scopio.test")
        #expect(try await world.verify(world.forged("bob@scopio.test", composed)).subject.description == composed)
        await expect(.malformedAssertion) { try await world.verify(world.forged("bob@scopio.test", decomposed)) }
    }

    @Test func namesAreNotTrimmed() async throws {
        await expect(.invalidAddress) { try await world.verify(world.forged(">bob@", "> bob@")) }
        await expect(.invalidDomain) { try await world.verify(world.forged(">scopio.test<", ">scopio.test <")) }
    }

    @Test(arguments: [
        ("<saml:Conditions", "<saml:Conditionz", "</saml:Conditions>", "</saml:Conditionz>"),
        ("<saml:AuthnStatement", "<saml:AuthnStatemend", "</saml:AuthnStatement>", "</saml:AuthnStatemend>"),
        ("<saml:Subject>", "<saml:Subjekt>", "</saml:Subject>", "</saml:Subjekt>"),
    ])
    func nothingMayBeMissing(start: String, other: String, end: String, otherEnd: String) async throws {
        let sealed = try world.forged { $0.replacingOccurrences(of: start, with: other).replacingOccurrences(of: end, with: otherEnd) }
        await expect(.malformedAssertion) { try await world.verify(sealed) }
    }

    /// None of these is in the canonical form that is signed: the signature would hold.
    @Test(arguments: [
        ("bob@scopio.test<", "bob@scopio.test<!---->.evil.test<"), ("bob@scopio", "bob@<!---->scopio"),
        ("bob@scopio", "bob&#x40;scopio"), ("bob@scopio", "<![CDATA[bob@]]>scopio"), (">scopio.test<", ">scopio&#46;test<"),
        ("domain:capicom", "domain&#58;capicom"), ("<saml:Subject>", "<!-- x --><saml:Subject>"),
    ])
    func commentsAndReferencesInValuesAreRefused(old: String, new: String) async throws {
        let octets = try world.octets().changed(old, new)
        await expect(.malformedAssertion) { try await world.verify(octets) }
    }

    @Test func aBearerAssertionHasNoConfirmationData() async throws {
        let data = "<saml:SubjectConfirmationData></saml:SubjectConfirmationData></saml:SubjectConfirmation>"
        let octets = try world.forged(.bearer) { text in
            text.replacingOccurrences(of: "</saml:SubjectConfirmation>", with: data)
        }
        await expect(.malformedAssertion) { try await world.verify(octets) }
    }

    @Test(arguments: [
        ("urn:oid:1.2.840.10045.3.1.7", "urn:oid:1.3.132.0.34"), ("ECKeyValue", "RSAKeyValue"),
        ("<dsig11:PublicKey>B", "<dsig11:PublicKey>A"),
    ])
    func onlyP256KeyValues(old: String, new: String) async throws {
        let octets = try world.forged(old, new)
        await expect(.unsupportedKey) { try await world.verify(octets) }
    }

    @Test func twoKeysAreNone() async throws {
        let octets = try world.forged("</ds:KeyInfo>", "<ds:KeyName>x</ds:KeyName></ds:KeyInfo>")
        await expect(.malformedAssertion) { try await world.verify(octets) }
    }

    @Test(arguments: ["", "1x", "a b", "a:b", "ä", String(repeating: "x", count: 129)])
    func idsAreShortASCIINames(id: String) async throws {
        let made = try world.assertion()
        let octets = try made.signed(by: world.key, certificate: world.certificate).changed(made.id, id)
        await expect(.malformedAssertion) { try await world.verify(octets) }
    }

    @Test func sixteenKibibytesAreEnough() async throws {
        let size = try world.octets().count
        for (extra, fits) in [(0, true), (1, false)] {
            let padding = String(repeating: " ", count: UnverifiedAssertion.maximumSize - size + extra)
            let octets = try world.forged("<saml:Subject>", padding + "<saml:Subject>")
            #expect(octets.count == UnverifiedAssertion.maximumSize + extra)
            if fits { try await world.verify(octets) } else { await expect(.limitExceeded) { try await world.verify(octets) } }
        }
    }
}
