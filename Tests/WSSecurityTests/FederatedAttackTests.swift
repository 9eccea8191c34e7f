import Crypto
import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct FederatedAttackTests {
    private let fixture: Fixture
    private let visitor: Visitor

    init() throws {
        fixture = try Fixture()
        visitor = try Visitor(fixture)
    }

    private func outcome(_ assertion: [UInt8]) async throws -> FaultSubcode? {
        try await fixture.refusal(try fixture.protect(.extension, visitor.credential(assertion)).bytes)
    }

    // MARK: The thief has the assertion, not the key

    /// model: holder
    @Test func anotherKeyProvesNothing() async throws {
        let assertion = try visitor.assertion()
        let hint = KeyHint.samlID(try visitor.id(assertion))
        let good = try visitor.call(assertion.string, hint: hint)
        #expect(try await fixture.refusal(good) == nil)
        let stolen = try visitor.call(assertion.string, key: .generateP256(), hint: hint)
        #expect(try await fixture.refusal(stolen) == .failedCheck)
    }

    @Test func withoutASignatureItIsNothing() async throws {
        let text = try fixture.protect(.extension, visitor.credential(visitor.assertion())).bytes.string
        let start = try #require(text.ranges(of: "<ds:Signature ").last).lowerBound
        let end = try #require(text.ranges(of: "</ds:Signature>").last).upperBound
        let bare = String(text[..<start]) + String(text[end...])
        #expect(try await fixture.refusal(Array(bare.utf8)) == .invalidToken)
    }

    @Test func theSignatureMustNameThisAssertion() async throws {
        let assertion = try visitor.assertion()
        for hint in [
            KeyHint.samlID("_other"), .none, .thumbprintSHA256(fixture.keys.alice.certificate.thumbprintSHA256),
            .reference(id: try visitor.id(assertion), valueType: nil),
        ] {
            let call = try visitor.call(assertion.string, hint: hint)
            #expect(try await fixture.refusal(call) == .failedCheck, "\(hint)")
        }
    }

    @Test func aSharedSecretIsNoKeyOfAHolder() async throws {
        let assertion = try visitor.assertion()
        guard case .p256(let key) = visitor.key.publicKey else { return }
        let secret = SigningKey.hmac(SymmetricKey(data: key.x963Representation))
        let call = try visitor.call(assertion.string, key: secret, hint: .samlID(try visitor.id(assertion)))
        #expect(try await fixture.refusal(call) == .failedCheck)
    }

    @Test(arguments: ["Body", "Timestamp", "To", "Action", "MessageID"])
    func theHolderSignsTheWholeCall(part: String) async throws {
        let assertion = try visitor.assertion()
        let call = try visitor.call(assertion.string, hint: .samlID(try visitor.id(assertion)), unsigned: [part])
        #expect(try await fixture.refusal(call) == .unsignedPart)
    }

    @Test func aSignedCallCannotBeChangedOrRedirected() async throws {
        let call = try fixture.protect(.extension, visitor.credential(visitor.assertion())).bytes
        #expect(try await fixture.refusal(try call.replacing("Inbox", with: "Other")) == .failedCheck)
        let elsewhere = try call.replacing(">\(Fixture.service)<", with: ">\(Fixture.endpoint)<")
        #expect(try await fixture.refusal(elsewhere) == .wrongDestination)
    }

    @Test func theHolderMustMeanThisService() async throws {
        let held = try fixture.protect(.extension, visitor.credential(visitor.assertion()), to: Fixture.endpoint)
        #expect(try await fixture.refusal(held.bytes) == .wrongDestination)
        let bearer = try fixture.protect(.extension, visitor.credential(visitor.assertion(bearer: true)), to: Fixture.endpoint)
        #expect(try await fixture.refusal(bearer.bytes) == nil)
        let missing = try fixture.protect(.extension, visitor.credential(visitor.assertion(bearer: true))).bytes.removing("a:To")
        #expect(try await fixture.refusal(missing) == .missingHeader)
    }

    @Test func noAssertionGoesInClear() async throws {
        for bearer in [true, false] {
            let call = try fixture.protect(.extension, visitor.credential(visitor.assertion(bearer: bearer)))
            #expect(try await fixture.refusal(call.bytes, tls: false) == .forbidden)
        }
    }

    @Test func aBearerAssertionComesWithoutSignature() async throws {
        let assertion = try visitor.assertion(bearer: true)
        let call = try visitor.call(assertion.string, hint: .samlID(try visitor.id(assertion)))
        #expect(try await fixture.refusal(call) == .invalidToken)
    }

    // MARK: The issuer is not to be believed

    @Test func otherDomainsSpeakForNobodyHere() async throws {
        // capicom.test's own certificate about scopio.test's user: the issuer is the subject's domain, the signer is not.
        #expect(try await outcome(try visitor.assertion(by: fixture.keys.server)) == .untrustedIssuer)
        // An issuer that is not recognised.
        let assertion = try visitor.assertion()
        fixture.tables.state.withLock { $0.issuers = [] }
        #expect(try await outcome(assertion) == .untrustedIssuer)
    }

    @Test func aUserCertificateIssuesNothing() async throws {
        let alice = try visitor.assertion(of: fixture.alice, by: fixture.keys.alice)
        #expect(try await outcome(alice) == .untrustedIssuer)
    }

    @Test func wrongAudienceAndTimeAreRefused() async throws {
        #expect(try await outcome(try visitor.assertion(audience: "other.test")) == .invalidToken)
        let assertion = try visitor.assertion()
        for (seconds, refusal) in [(359.0, nil), (360, FaultSubcode.invalidToken), (-61, .invalidToken)] {
            let time = fixture.now + seconds
            let call = try fixture.protect(.extension, visitor.credential(assertion), at: time)
            #expect(try await fixture.refusal(call.bytes, at: time) == refusal)
        }
    }

    @Test(arguments: [
        ("dave@scopio.test<", "root@scopio.test<"), ("dave@scopio.test<", "dave@scopio.test<!-- -->.evil.test<"),
        ("dave@scopio", "dave&#64;scopio"), ("Version=\"2.0\"", "Version=\"1.1\""),
        ("<saml:Conditions", "<saml:Advice></saml:Advice><saml:Conditions"),
    ])
    func aChangedAssertionIsRefused(old: String, new: String) async throws {
        let assertion = try visitor.assertion()
        let changed = try assertion.replacing(old, with: new).string
        let call = try visitor.call(changed, hint: .samlID(try visitor.id(assertion)))
        #expect(try await fixture.refusal(call) == .invalidToken)
    }

    @Test func anUnsignedAssertionIsRefused() async throws {
        let assertion = try visitor.assertion()
        let call = try visitor.call(try assertion.removing("ds:Signature").string, hint: .samlID(try visitor.id(assertion)))
        #expect(try await fixture.refusal(call) == .invalidToken)
    }

    // MARK: More than one

    @Test func oneAssertionOnly() async throws {
        let (mine, other) = (try visitor.assertion(), try visitor.assertion(of: Address("eve@scopio.test")))
        let hint = KeyHint.samlID(try visitor.id(mine))
        #expect(try await fixture.refusal(try visitor.call(mine.string + other.string, hint: hint)) == .malformedEnvelope)
        #expect(try await fixture.refusal(try visitor.call(mine.string + mine.string, hint: hint)) == .malformedEnvelope)
        // One that is not where assertions belong is not looked at.
        let wrapped = try visitor.call(mine.string, hint: hint).addingHeader("<x xmlns=\"\">\(other.string)</x>")
        #expect(try await fixture.verify(wrapped).principal == .federated(visitor.dave))
        let hidden = try visitor.call("<o:SecurityTokenReference>\(mine.string)</o:SecurityTokenReference>", hint: hint)
        #expect(try await fixture.refusal(hidden) == .malformedEnvelope)
    }

    @Test func theSignedPartsOfAnotherAssertionDoNotCount() async throws {
        // Eve's own good assertion with Dave's name, and her signature over her own call.
        let dave = try visitor.assertion()
        let eve = try visitor.assertion(of: Address("eve@scopio.test"))
        let mixed = try dave.replacing(dave.element("ds:SignatureValue"), with: eve.element("ds:SignatureValue"))
        let call = try visitor.call(mixed.string, hint: .samlID(try visitor.id(dave)))
        #expect(try await fixture.refusal(call) == .invalidToken)
    }

    @Test func oneCredentialOnly() async throws {
        let assertion = try visitor.assertion()
        let hint = KeyHint.samlID(try visitor.id(assertion))
        var username = XMLWriter()
        SecurityWriter.usernameToken("alice@capicom.test", "correct horse", into: &username)
        var token = XMLWriter()
        SecurityWriter.binaryToken(fixture.keys.alice.certificate.der, id: "x", into: &token)
        var context = XMLWriter()
        SecurityWriter.contextToken(fixture.open(.user(fixture.alice)).record.id, id: "y", into: &context)
        for beside in [username, token, context] {
            let call = try visitor.call(assertion.string, hint: hint, beside: beside.bytes.string)
            #expect(try await fixture.refusal(call) == .failedAuthentication)
        }
        // Nor does an assertion ride along with a login.
        let bearer = try visitor.assertion(bearer: true).string
        let login = try fixture.protect(.send, .password(fixture.alice, "correct horse")).bytes
        let both = try login.replacing("</o:Security>", with: bearer + "</o:Security>")
        #expect(try await fixture.refusal(both) == .failedAuthentication)
    }

    @Test func aCallIsNotRepeated() async throws {
        let call = try fixture.protect(.extension, visitor.credential(visitor.assertion()))
        #expect(try await fixture.refusal(call.bytes) == nil)
        #expect(try await fixture.refusal(call.bytes) == .replay)
        // Nor is the bearer's with another MessageID.
        let bearer = try fixture.protect(.extension, visitor.credential(visitor.assertion(bearer: true)))
        #expect(try await fixture.refusal(bearer.bytes) == nil)
        let changed = try bearer.bytes.replacing(bearer.messageID, with: RandomID.urn())
        #expect(try await fixture.refusal(changed) == .replay)
    }
}
