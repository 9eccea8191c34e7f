import Crypto
import FoundationEssentials
import Identity
import SOAP
import Testing
import X509
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct CertificateCallTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    /// A call whose KeyInfo and tokens are chosen by the test; signs Body and Timestamp only unless told.
    private func call(
        _ operation: MailOperation = .list, key: SigningKey, hint: KeyHint, tokens: [(String, MailCertificate)] = [],
        signAddressing: Bool = false, signTimestamp: Bool = true, signatureFirst: Bool = false
    ) throws -> [UInt8] {
        var envelope = OutgoingEnvelope()
        envelope.header(Tags.wsaTo, Fixture.service, id: signAddressing ? "o" : nil)
        envelope.header(Tags.wsaAction, operation.action, id: signAddressing ? "a" : nil)
        envelope.header(Tags.wsaMessageID, RandomID.urn(), id: signAddressing ? "m" : nil)
        envelope.security { writer, parts in
            for (id, certificate) in tokens { SecurityWriter.binaryToken(certificate.der, id: id, into: &writer) }
            let range = MessageTimestamp.write(into: &writer, id: "t", created: fixture.now, lifetime: 300)
            if signTimestamp { parts.append(.init(id: "t", range: range)) }
        }
        try envelope.body(id: "b", Payload.writer(operation))
        let signature = try SecurityWriter.sign(envelope, with: SignatureSigner(key: key, keyInfo: hint))
        guard signatureFirst else { return envelope.finish(signature: signature) }
        return try envelope.finish(signature: nil)
            .replacing("<o:BinarySecurityToken", with: signature.string + "<o:BinarySecurityToken")
    }

    private func hints(_ certificate: MailCertificate) throws -> [KeyHint] {
        let identifier = try certificate.x509.extensions.subjectKeyIdentifier
        return [
            .thumbprintSHA256(certificate.thumbprintSHA256),
            .thumbprintSHA1(Array(Insecure.SHA1.hash(data: certificate.der))),
            .issuerSerial(issuer: certificate.x509.issuer.description, serial: Self.decimal(certificate)),
            .subjectKeyIdentifier(Array(try #require(identifier).keyIdentifier)),
        ]
    }

    private static func decimal(_ certificate: MailCertificate) -> String {
        var digits = [0]
        for byte in certificate.x509.serialNumber.bytes {
            var carry = Int(byte)
            for index in digits.indices {
                let value = digits[index] * 256 + carry
                digits[index] = value % 10
                carry = value / 10
            }
            while carry > 0 {
                digits.append(carry % 10)
                carry /= 10
            }
        }
        return digits.reversed().map(String.init).joined()
    }

    @Test(arguments: [true, false])
    func ourOwnClients(embed: Bool) async throws {
        fixture.tables.state.withLock { $0.known = [fixture.keys.alice.certificate] }
        let call = try fixture.protect(.list, .certificate(fixture.keys.alice, embed: embed))
        let request = try await fixture.verify(call.bytes)
        #expect(request.principal == .user(fixture.alice) && request.method == .x509)
        #expect(request.certificate == fixture.keys.alice.certificate)
        let reply = try await fixture.check(try fixture.reply(to: request), for: call)
        #expect(reply.certificate == fixture.keys.server.certificate)
        #expect(try await fixture.refusal(call.bytes) == .replay)
    }

    @Test func everyWayToNameACertificateInTheMessage() async throws {
        let alice = fixture.keys.alice
        let tokens = [("y", fixture.keys.bob.certificate), ("x", alice.certificate)]
        for hint in try hints(alice.certificate) + [.reference(id: "x", valueType: URIs.x509v3)] {
            let bytes = try call(key: alice.key, hint: hint, tokens: tokens, signAddressing: true)
            #expect(try await fixture.verify(bytes).principal == .user(fixture.alice), "\(hint)")
        }
        let embedded = try call(key: alice.key, hint: .certificate(alice.certificate.der), signAddressing: true)
        #expect(try await fixture.verify(embedded).principal == .user(fixture.alice))
    }

    @Test func everyWayToNameACertificateWeKnow() async throws {
        let alice = fixture.keys.alice
        for hint in try hints(alice.certificate) {
            fixture.tables.state.withLock { $0.known = [] }
            let bytes = try call(key: alice.key, hint: hint, signAddressing: true)
            #expect(try await fixture.refusal(bytes) == .unknownCertificate)
            fixture.tables.state.withLock { $0.known = [alice.certificate] }
            #expect(try await fixture.verify(bytes).principal == .user(fixture.alice), "\(hint)")
        }
    }

    @Test func theSignatureMayComeBeforeItsToken() async throws {
        let alice = fixture.keys.alice
        let bytes = try call(
            key: alice.key, hint: .reference(id: "x", valueType: URIs.x509v3), tokens: [("x", alice.certificate)],
            signatureFirst: true)
        #expect(try await fixture.refusal(bytes) == nil)
    }

    @Test func aTokenOfOneSignedByAnother() async throws {
        let (alice, bob) = (fixture.keys.alice, fixture.keys.bob)
        let tokens = [("x", alice.certificate), ("y", bob.certificate)]
        for hint in try hints(alice.certificate) + [.reference(id: "x", valueType: URIs.x509v3)] {
            #expect(try await fixture.refusal(try call(key: bob.key, hint: hint, tokens: tokens)) == .failedCheck)
        }
        let none = try call(key: alice.key, hint: .reference(id: "z", valueType: URIs.x509v3), tokens: tokens)
        #expect(try await fixture.refusal(none) == .failedCheck)
        let twins = try call(
            key: alice.key, hint: .thumbprintSHA256(alice.certificate.thumbprintSHA256),
            tokens: [("x", alice.certificate), ("y", alice.certificate)])
        #expect(try await fixture.refusal(twins) == .unknownCertificate)
    }

    @Test func strangersAreUntrusted() async throws {
        let call = try fixture.protect(.list, .certificate(fixture.keys.otherServer, embed: true))
        fixture.tables.state.withLock { $0.principals[fixture.keys.otherServer.certificate] = nil }
        #expect(try await fixture.refusal(call.bytes) == .untrustedCertificate)
    }

    @Test func addressingIsSignedWhereThePolicySaysSo() async throws {
        let peer = fixture.keys.peer
        let hint = KeyHint.certificate(peer.certificate.der)
        #expect(try await fixture.refusal(try call(.deliver, key: peer.key, hint: hint)) == .unsignedPart)
        let signed = try call(.deliver, key: peer.key, hint: hint, signAddressing: true)
        #expect(try await fixture.verify(signed).principal == .peer(try MailDomain("scopio.test")))
    }

    /// Extension is for both: stock stacks of users sign less than servers must.
    @Test func whoseAddressingMustBeSignedDependsOnWhoCalls() async throws {
        let (alice, peer) = (fixture.keys.alice, fixture.keys.peer)
        let hint = { (identity: SigningIdentity) in KeyHint.certificate(identity.certificate.der) }
        #expect(try await fixture.verify(call(.extension, key: alice.key, hint: hint(alice))).principal == .user(fixture.alice))
        #expect(try await fixture.refusal(call(.extension, key: peer.key, hint: hint(peer))) == .unsignedPart)
        let signed = try call(.extension, key: peer.key, hint: hint(peer), signAddressing: true)
        #expect(try await fixture.verify(signed).principal == .peer(try MailDomain("scopio.test")))
    }

    @Test func anExtensionIsCalledWithAnyCredentialButNotWithout() async throws {
        let password = try fixture.protect(.extension, .password(fixture.alice, "correct horse"))
        #expect(try await fixture.verify(password.bytes).principal == .user(fixture.alice))
        for principal in [Principal.user(fixture.alice), .peer(try MailDomain("scopio.test"))] {
            var session = fixture.open(principal).client
            let call = try fixture.protect(.extension, .session(session.call()))
            #expect(try await fixture.verify(call.bytes).principal == principal)
        }
        #expect(try await fixture.refusal(fixture.protect(.extension, .none).bytes) == .failedAuthentication)
        let plain = try fixture.protect(.extension, .certificate(fixture.keys.alice, embed: true))
        #expect(try await fixture.refusal(plain.bytes, tls: false) == .forbidden)
    }

    @Test func theTimestampIsAlwaysSigned() async throws {
        let alice = fixture.keys.alice
        let bytes = try call(key: alice.key, hint: .certificate(alice.certificate.der), signTimestamp: false)
        #expect(try await fixture.refusal(bytes) == .unsignedPart)
    }

    @Test func rsaCallersGetRSAReplies() async throws {
        let call = try fixture.protect(.list, .certificate(fixture.keys.rsaAlice, embed: true))
        let request = try await fixture.verify(call.bytes)
        let reply = try await fixture.check(try fixture.reply(to: request), for: call)
        #expect(reply.certificate == fixture.keys.rsaServer.certificate)
        let asked = try fixture.protect(.list, .password(fixture.alice, "correct horse"))
        let envelope = try IncomingEnvelope(parsing: asked.bytes)
        let answered = try await fixture.verifier.verify(
            envelope, channel: ChannelFacts(tls: true, prefersRSA: true), now: fixture.now)
        #expect(
            try await fixture.check(try fixture.reply(to: answered), for: asked).certificate
                == fixture.keys.rsaServer.certificate)
    }

    @Test func tooManyTokens() async throws {
        let alice = fixture.keys.alice
        let hint = KeyHint.reference(id: "x0", valueType: URIs.x509v3)
        let four = (0..<4).map { ("x\($0)", alice.certificate) }
        #expect(try await fixture.refusal(try call(key: alice.key, hint: hint, tokens: four)) == nil)
        let five = (0..<5).map { ("x\($0)", alice.certificate) }
        #expect(try await fixture.refusal(try call(key: alice.key, hint: hint, tokens: five)) == .malformedEnvelope)
    }

    @Test func tokensOfOtherTypes() async throws {
        let call = try fixture.protect(.list, .certificate(fixture.keys.alice, embed: true))
        let pkcs = try call.bytes.replacing("#X509v3\"", with: "#X509PKIPathv1\"")
        #expect(try await fixture.refusal(pkcs) == .malformedEnvelope)
        let hex = try call.bytes.replacing("#Base64Binary", with: "#HexBinary")
        #expect(try await fixture.refusal(hex) == .malformedEnvelope)
    }

    @Test func peersStapleTheirMetadata() async throws {
        let octets = Array("<DomainMetadata xmlns=\"urn:wsemail:2\" Id=\"b\"></DomainMetadata>".utf8)
        let call = try fixture.client.protect(
            .issueToken, to: Fixture.service, credential: .certificate(fixture.keys.peer, embed: true), now: fixture.now
        ) { try TokenRequest(.issue, challenge: [9], metadata: octets).write(into: &$0, now: fixture.now) }
        let request = try await fixture.verify(call.bytes)
        #expect(fixture.tables.state.withLock { $0.stapled } == octets)
        #expect(try TokenRequest.parse(request, now: fixture.now).metadata == octets)
    }
}
