import Crypto
import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

/// dave@scopio.test calls capicom.test with an assertion of scopio.test.
struct Visitor: Sendable {
    let fixture: Fixture
    let dave: Address
    let key = SigningKey.generateP256()

    init(_ fixture: Fixture) throws {
        self.fixture = fixture
        dave = try Address("dave@scopio.test")
    }

    func assertion(
        bearer: Bool = false, audience: String = "capicom.test", of subject: Address? = nil, by issuer: SigningIdentity? = nil,
        lifetime: TimeInterval = 300
    ) throws -> [UInt8] {
        let issuer = issuer ?? fixture.keys.peer
        return try Assertion(
            subject: subject ?? dave, audience: MailDomain(audience),
            confirmation: bearer ? .bearer : .holderOfKey(ConfirmationKey(key.publicKey)), method: .password,
            authnInstant: fixture.now - 5, now: fixture.now, lifetime: lifetime
        ).signed(by: issuer.key, certificate: issuer.certificate)
    }

    func credential(_ assertion: [UInt8], metadata: [UInt8]? = nil) throws -> ClientCredential {
        let isBearer = try UnverifiedAssertion(parsing: assertion).isBearer
        return .assertion(octets: assertion, key: isBearer ? nil : key, metadata: metadata)
    }

    /// A call written by hand: any key, any hint, any parts signed, anything beside the assertion.
    func call(
        _ assertion: String, key: SigningKey? = nil, hint: KeyHint, unsigned: Set<String> = [], beside: String = "",
        to service: String = Fixture.service
    ) throws -> [UInt8] {
        var envelope = OutgoingEnvelope()
        func id(_ name: String) -> String? { unsigned.contains(name) ? nil : name }
        envelope.header(Tags.wsaTo, service, id: id("To"))
        envelope.header(Tags.wsaAction, MailOperation.extension.action, id: id("Action"))
        envelope.header(Tags.wsaMessageID, RandomID.urn(), id: id("MessageID"))
        envelope.security { writer, parts in
            let range = MessageTimestamp.write(into: &writer, id: "Timestamp", created: fixture.now, lifetime: 300)
            if !unsigned.contains("Timestamp") { parts.append(.init(id: "Timestamp", range: range)) }
            writer.append(canonicalContent: Array((assertion + beside).utf8))
        }
        try envelope.body(id: id("Body"), Payload.writer(.extension))
        let signer = SignatureSigner(key: key ?? self.key, keyInfo: hint)
        return envelope.finish(signature: try SecurityWriter.sign(envelope, with: signer))
    }

    func id(_ assertion: [UInt8]) throws -> String { try UnverifiedAssertion(parsing: assertion).id }
}

@Suite struct FederatedCallTests {
    private let fixture: Fixture
    private let visitor: Visitor

    init() throws {
        fixture = try Fixture()
        visitor = try Visitor(fixture)
    }

    // MARK: Good calls

    @Test(arguments: [MailOperation.send, .extension])
    func theHolderOfAKeyCalls(operation: MailOperation) async throws {
        let assertion = try visitor.assertion()
        let call = try fixture.protect(operation, visitor.credential(assertion))
        let request = try await fixture.verify(call.bytes)
        #expect(request.principal == .federated(visitor.dave) && request.method == .federated)
        #expect(request.assertion?.octets == assertion && request.assertion?.subject == visitor.dave)
        #expect(request.certificate == nil && request.session == nil && request.payload.digest != nil)
        let reply = try await fixture.check(try fixture.reply(to: request), for: call)
        #expect(reply.certificate == fixture.keys.server.certificate)
        // The key proves each call anew: the assertion can be used again, the call cannot.
        #expect(try await fixture.refusal(call.bytes) == .replay)
        let next = try fixture.protect(operation, visitor.credential(assertion))
        #expect(try await fixture.refusal(next.bytes) == nil)
    }

    @Test func theHolderMayBeNamedByCertificate() async throws {
        let authority = try DomainAuthority.create(domain: MailDomain("scopio.test"), now: fixture.now)
        for key in [visitor.key, try SigningKey.generateRSA()] {
            let request = try CertificateRequest.make(address: visitor.dave, key: key)
            let certificate = try authority.issueUserCertificate(request: request, address: visitor.dave, now: fixture.now)
            let assertion = try Assertion(
                subject: visitor.dave, audience: MailDomain("capicom.test"), confirmation: .holderOfKey(.certificate(certificate)),
                method: .x509, authnInstant: fixture.now, now: fixture.now
            ).signed(by: fixture.keys.peer.key, certificate: fixture.keys.peer.certificate)
            let call = try fixture.protect(.send, .assertion(octets: assertion, key: key, metadata: nil))
            let verified = try await fixture.verify(call.bytes)
            #expect(verified.principal == .federated(visitor.dave) && verified.assertion?.method == .x509)
            let reply = try await fixture.check(try fixture.reply(to: verified), for: call)
            // Who signs with RSA is answered with RSA.
            if case .rsa = key { #expect(reply.certificate == fixture.keys.rsaServer.certificate) }
        }
    }

    @Test func aBearerCallsOnce() async throws {
        let assertion = try visitor.assertion(bearer: true)
        let call = try fixture.protect(.extension, visitor.credential(assertion))
        let request = try await fixture.verify(call.bytes)
        #expect(request.principal == .federated(visitor.dave) && request.assertion?.isBearer == true)
        #expect(request.payload.digest == nil)
        let reply = try await fixture.check(try fixture.reply(to: request), for: call)
        #expect(reply.certificate == fixture.keys.server.certificate)
        let again = try fixture.protect(.extension, visitor.credential(assertion))
        #expect(try await fixture.refusal(again.bytes) == .replay)
        // Another one of the same issuer and subject is another right to call.
        let other = try fixture.protect(.extension, visitor.credential(visitor.assertion(bearer: true)))
        #expect(try await fixture.refusal(other.bytes) == nil)
    }

    @Test func aUsedBearerAssertionIsRememberedAsLongAsItLives() async throws {
        let assertion = try visitor.assertion(bearer: true, lifetime: 600)
        let first = fixture.now - 50
        let call = try fixture.protect(.extension, visitor.credential(assertion), at: first)
        #expect(try await fixture.refusal(call.bytes, at: first) == nil)
        // Later than MessageIDs are kept, and to the last second of the assertion.
        for seconds in [570.0, 659] {
            let time = fixture.now + seconds
            let again = try fixture.protect(.extension, visitor.credential(assertion), at: time)
            #expect(try await fixture.refusal(again.bytes, at: time) == .replay)
        }
        let late = try fixture.protect(.extension, visitor.credential(assertion), at: fixture.now + 660)
        #expect(try await fixture.refusal(late.bytes, at: fixture.now + 660) == .invalidToken)
    }

    @Test func aBearerAssertionFromBeforeTheStartIsNotTaken() async throws {
        // It may have been used with the process before; a new Timestamp does not change that.
        for (start, refusal) in [(-61.0, nil), (-59, FaultSubcode.busy)] {
            let fixture = try Fixture(startedAt: Keys.now + start)
            let visitor = try Visitor(fixture)
            let call = try fixture.protect(.extension, visitor.credential(visitor.assertion(bearer: true)))
            #expect(try await fixture.refusal(call.bytes) == refusal)
            let held = try fixture.protect(.extension, visitor.credential(visitor.assertion()))
            #expect(try await fixture.refusal(held.bytes) == nil)
        }
    }

    /// A domain makes up users at no cost.
    @Test func theCallsOfADomainsUsersCountTogether() throws {
        var replay = ReplayGuard(limits: .init(maxEntries: 10, maxPerPrincipal: 3))
        for (index, user) in ["a", "b", "c", "d"].enumerated() {
            let principal = Principal.federated(try Address(user + "@scopio.test"))
            #expect(replay.admit("x", principal: principal, now: fixture.now) == (index < 3 ? .accepted : .full))
        }
        // Not with those of their server, nor of other domains, nor of our own users.
        for principal in [
            Principal.peer(try MailDomain("scopio.test")), .federated(try Address("a@other.test")), .user(try Address("a@scopio.test")),
        ] {
            #expect(replay.admit("x", principal: principal, now: fixture.now) == .accepted)
        }
        let later = fixture.now + 600
        #expect(replay.admit("y", principal: .federated(try Address("e@scopio.test")), now: later) == .accepted)
        #expect(replay.count == 1)
    }

    @Test func anIdIsKeptAsLongAsItsUseIsPossible() throws {
        var replay = ReplayGuard()
        let dave = Principal.federated(visitor.dave)
        #expect(replay.admit("x", principal: dave, now: fixture.now, until: fixture.now + 700) == .accepted)
        #expect(replay.admit("y", principal: dave, now: fixture.now, until: fixture.now + 10) == .accepted)
        #expect(replay.admit("x", principal: dave, now: fixture.now + 699) == .replayed)
        // Never shorter than the rest.
        #expect(replay.admit("y", principal: dave, now: fixture.now + 599) == .replayed)
        #expect(replay.admit("x", principal: dave, now: fixture.now + 700) == .accepted)
    }

    @Test func aStaleTimestampUsesNothingUp() async throws {
        let assertion = try visitor.assertion(bearer: true)
        let call = try fixture.protect(.extension, visitor.credential(assertion), at: fixture.now - 301)
        let rejection = try await fixture.rejection(call.bytes)
        #expect(rejection.fault.subcode == .staleTimestamp && rejection.fault.detail.serverTime == fixture.now)
        #expect(fixture.tables.state.withLock { $0.assertions } == 0)
        let again = try fixture.protect(.extension, visitor.credential(assertion))
        #expect(try await fixture.refusal(again.bytes) == nil)
    }

    @Test func theIssuersMetadataReachesTheServer() async throws {
        let metadata = Array("<DomainMetadata xmlns=\"urn:wsemail:2\" Id=\"metadata\"><Domain>scopio.test</Domain></DomainMetadata>".utf8)
        let call = try fixture.protect(.extension, visitor.credential(visitor.assertion(), metadata: metadata))
        _ = try await fixture.verify(call.bytes)
        #expect(fixture.tables.state.withLock { $0.stapled } == metadata)
        let block = "<w:Metadata xmlns:w=\"urn:wsemail:2\"></w:Metadata>"
        let twice = try call.bytes.addingHeader(block)
        #expect(try await fixture.refusal(twice) == .malformedEnvelope)
        #expect(throws: WSSecurityError.self) {
            try fixture.protect(.extension, visitor.credential(visitor.assertion(), metadata: Array("<x/>".utf8)))
        }
    }

    @Test func faultsAreSignedByTheServer() async throws {
        let call = try fixture.protect(.list, visitor.credential(visitor.assertion()))
        let rejection = try await fixture.rejection(call.bytes)
        let fault = try fixture.protector.fault(rejection.fault, binding: rejection.binding, now: fixture.now)
        await #expect(throws: SOAPFault.self) { try await fixture.check(fault, for: call) }
    }

    // MARK: What it opens

    @Test(arguments: MailOperation.allCases, [true, false])
    func itOpensMailAndExtensionsAndNothingElse(operation: MailOperation, bearer: Bool) async throws {
        let call = try fixture.protect(operation, visitor.credential(visitor.assertion(bearer: bearer)))
        let isOpen = operation == .send || operation == .extension
        #expect(try await fixture.refusal(call.bytes) == (isOpen ? nil : .forbidden))
    }

    /// Tokens buy no tokens.
    @Test func noOperationOfTokensAndSessionsIsForFederatedCallers() throws {
        for operation in MailOperation.allCases where operation.isTrust {
            let rule = try #require(SecurityPolicy.standard[operation])
            #expect(!rule.credentials.contains(.federated) && !rule.principals.contains(.federated))
        }
        // Nor is one reached by way of a session.
        #expect(SecurityPolicy.standard[.issueAssertion]?.principals == [.user])
    }

    @Test func aFederatedUserIsNotTheUser() throws {
        #expect(Principal.federated(fixture.alice) != .user(fixture.alice))
        #expect(Principal.federated(fixture.alice).description != Principal.user(fixture.alice).description)
        #expect(Principal.federated(fixture.alice).kind == .federated)
    }

    @Test func aServerWithoutFederationRecognisesNobody() async throws {
        struct Plain: CredentialResolver {
            let tables: Tables
            func session(id: String) async throws(SOAPFault) -> SecuritySession? { nil }
            func authenticate(_ address: Address, password: String) async throws(SOAPFault) -> Bool { false }
            func certificate(matching hint: KeyHint) async throws(SOAPFault) -> MailCertificate? { nil }
            func principal(
                of certificate: MailCertificate, stapled: [UInt8]?, at now: Date
            ) async throws(SOAPFault) -> Principal { .anonymous }
        }
        let verifier = RequestVerifier(
            services: [Fixture.service], credentials: Plain(tables: fixture.tables), replay: ReplayKeeper(sequences: fixture.tables))
        let call = try fixture.protect(.extension, visitor.credential(visitor.assertion()))
        let envelope = try IncomingEnvelope(parsing: call.bytes)
        do {
            _ = try await verifier.verify(envelope, channel: ChannelFacts(tls: true), now: fixture.now)
            Issue.record("accepted")
        } catch {
            #expect(error.fault.subcode == .untrustedIssuer)
        }
    }

    @Test func theClientShowsNoAssertionItCannotProve() throws {
        let (held, bearer) = (try visitor.assertion(), try visitor.assertion(bearer: true))
        for credential in [
            ClientCredential.assertion(octets: held, key: nil, metadata: nil), .assertion(octets: bearer, key: visitor.key, metadata: nil),
            .assertion(octets: Array("<x/>".utf8), key: visitor.key, metadata: nil),
            .assertion(octets: held + [0x20], key: visitor.key, metadata: nil),
        ] {
            #expect(throws: WSSecurityError.self) { try fixture.protect(.extension, credential) }
        }
    }
}
