import Crypto
import FoundationEssentials
import Identity
import SOAP
import Synchronization
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

/// Keys and certificates made once for all tests.
struct Keys: Sendable {
    static let now = Date(timeIntervalSince1970: 1_795_461_938)
    private static let result = Result { try Keys() }
    static func shared() throws -> Keys { try result.get() }

    let server: SigningIdentity
    let rsaServer: SigningIdentity
    let otherServer: SigningIdentity
    let alice: SigningIdentity
    let rsaAlice: SigningIdentity
    let bob: SigningIdentity
    let peer: SigningIdentity

    private init() throws {
        let capicom = try DomainAuthority.create(domain: MailDomain("capicom.test"), now: Self.now)
        let scopio = try DomainAuthority.create(domain: MailDomain("scopio.test"), now: Self.now)
        server = try Self.server(.generateP256(), capicom)
        rsaServer = try Self.server(.generateRSA(), capicom)
        otherServer = try Self.server(.generateP256(), scopio)
        peer = try Self.server(.generateP256(), scopio)
        alice = try Self.user("alice@capicom.test", .generateP256(), capicom)
        rsaAlice = try Self.user("alice@capicom.test", .generateRSA(), capicom)
        bob = try Self.user("bob@capicom.test", .generateP256(), capicom)
    }

    private static func server(_ key: SigningKey, _ authority: DomainAuthority) throws -> SigningIdentity {
        SigningIdentity(
            key: key, certificate: try authority.issueServerCertificate(publicKey: key.publicKey, now: now))
    }

    private static func user(_ name: String, _ key: SigningKey, _ authority: DomainAuthority) throws -> SigningIdentity {
        let address = try Address(name)
        let request = try CertificateRequest.make(address: address, key: key)
        return SigningIdentity(
            key: key, certificate: try authority.issueUserCertificate(request: request, address: address, now: now))
    }
}

/// The server's tables, in memory.
final class Tables: CredentialResolver, SequenceStore {
    struct State {
        var sessions: [String: SecuritySession] = [:]
        var passwords: [Address: String] = [:]
        var known: [MailCertificate] = []
        var principals: [MailCertificate: Principal] = [:]
        var ceilings: [String: UInt64] = [:]
        var stapled: [UInt8]?
        var raises = 0
        /// Certificates whose domains are recognised as issuers.
        var issuers: [MailCertificate] = []
        /// How often an assertion was to be verified.
        var assertions = 0
    }

    let state = Mutex(State())

    func session(id: String) async throws(SOAPFault) -> SecuritySession? { state.withLock { $0.sessions[id] } }

    func authenticate(_ address: Address, password: String) async throws(SOAPFault) -> Bool {
        state.withLock { $0.passwords[address] == password }
    }

    func certificate(matching hint: KeyHint) async throws(SOAPFault) -> MailCertificate? {
        state.withLock { $0.known.first { CertificateMatch.matches($0, hint) } }
    }

    func principal(
        of certificate: MailCertificate, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> Principal {
        let found = state.withLock { state -> Principal? in
            state.stapled = stapled
            return state.principals[certificate]
        }
        guard let found else { throw SOAPFault(.untrustedCertificate, "The certificate is not trusted.") }
        return found
    }

    func federated(
        _ assertion: UnverifiedAssertion, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> VerifiedAssertion {
        let issuers = state.withLock { state in
            state.stapled = stapled
            state.assertions += 1
            return state.issuers
        }
        do throws(IdentityError) {
            return try await assertion.verified(audience: MailDomain("capicom.test"), at: now) { thumbprint, issuer in
                issuers.first { $0.thumbprintSHA256 == thumbprint && $0.mailDomains.contains(issuer) }?.publicKey
            }
        } catch {
            throw SOAPFault(error.code == .untrusted ? .untrustedIssuer : .invalidToken, error.code.rawValue)
        }
    }

    func sequenceCeiling(session: String) async throws(SOAPFault) -> UInt64 {
        state.withLock { $0.ceilings[session, default: 0] }
    }

    func raiseSequenceCeiling(session: String, to ceiling: UInt64) async throws(SOAPFault) {
        state.withLock { state in
            state.ceilings[session] = max(ceiling, state.ceilings[session, default: 0])
            state.raises += 1
        }
    }
}

/// One server with its tables, and what clients need to talk to it.
struct Fixture: Sendable {
    static let service = "urn:wsemail:domain:capicom.test"
    static let endpoint = "https://mail.capicom.test/wsemail"

    let keys: Keys
    let tables = Tables()
    let now = Keys.now
    let alice: Address
    let bob: Address
    let verifier: RequestVerifier
    let protector: ReplyProtector
    let client = RequestProtector()

    init(
        policy: SecurityPolicy = .standard, limits: ReplayGuard.Limits = .standard, startedAt: Date? = nil
    ) throws {
        let keys = try Keys.shared()
        self.keys = keys
        let alice = try Address("alice@capicom.test")
        let bob = try Address("bob@capicom.test")
        self.alice = alice
        self.bob = bob
        let scopio = try MailDomain("scopio.test")
        tables.state.withLock { state in
            state.passwords[alice] = "correct horse"
            state.principals = [
                keys.alice.certificate: .user(alice), keys.rsaAlice.certificate: .user(alice),
                keys.bob.certificate: .user(bob), keys.peer.certificate: .peer(scopio),
            ]
            state.issuers = [keys.peer.certificate]
        }
        verifier = RequestVerifier(
            policy: policy, services: [Self.service, Self.endpoint], credentials: tables,
            replay: ReplayKeeper(limits: limits, sequences: tables, startedAt: startedAt))
        protector = ReplyProtector(identity: keys.server, rsa: keys.rsaServer)
    }

    /// Opens a session on the server's side and gives the client's side of it.
    func open(_ principal: Principal) -> (record: SecuritySession, client: ClientSession) {
        let record = SessionIssuer().issue(principal: principal, method: .password, now: now)
        tables.state.withLock { $0.sessions[record.id] = record }
        let client = ClientSession(
            id: record.id, secret: record.secret, created: record.created, expires: record.expires)
        return (record, client)
    }

    func protect(
        _ operation: MailOperation = .list, _ credential: ClientCredential, to service: String = Fixture.service,
        at time: Date? = nil, messageID: String = RequestProtector.newMessageID()
    ) throws -> ProtectedRequest {
        try client.protect(
            operation, to: service, messageID: messageID, credential: credential, now: time ?? now,
            payload: Payload.writer(operation))
    }

    func verify(_ bytes: [UInt8], tls: Bool = true, at time: Date? = nil) async throws -> AuthenticatedRequest {
        let envelope = try IncomingEnvelope(parsing: bytes)
        return try await verifier.verify(envelope, channel: ChannelFacts(tls: tls), now: time ?? now)
    }

    /// The subcode of the refusal; nil if the call was accepted.
    func refusal(_ bytes: [UInt8], tls: Bool = true, at time: Date? = nil) async throws -> FaultSubcode? {
        do {
            _ = try await verify(bytes, tls: tls, at: time)
            return nil
        } catch let rejection as RequestRejection {
            return rejection.fault.subcode
        } catch let fault as SOAPFault {
            return fault.subcode
        }
    }

    func rejection(_ bytes: [UInt8], tls: Bool = true, at time: Date? = nil) async throws -> RequestRejection {
        do {
            _ = try await verify(bytes, tls: tls, at: time)
        } catch let rejection as RequestRejection {
            return rejection
        }
        throw TestFailure.accepted
    }

    /// The client's judgement of a reply; it believes the certificates of capicom.test's servers only.
    func check(_ reply: [UInt8], for request: ProtectedRequest, at time: Date? = nil) async throws -> VerifiedReply {
        try await ReplyVerifier().verify(reply, for: request.expectation, now: time ?? now) { signer in
            guard case .certificate(let certificate) = signer, certificate.role == .server,
                certificate.mailDomains.contains(try MailDomain("capicom.test"))
            else { return nil }
            return certificate
        }
    }

    func reply(to request: AuthenticatedRequest) throws -> [UInt8] {
        try protector.reply(to: request, now: now) { writer in
            writer.element(Tags.w(request.operation.replyName.localName), "done")
        }
    }
}

enum TestFailure: Error { case accepted, noSuchText }

enum Payload {
    static func writer(_ operation: MailOperation) -> (inout XMLWriter) throws -> Void {
        { writer in
            if operation == .issueAssertion {
                let audience = try MailDomain("scopio.test")
                AssertionRequest(audience: audience, confirmation: .bearer).write(into: &writer, now: Keys.now)
            } else if operation.isTrust {
                let kind = TokenRequest.Kind(operation) ?? .issue
                try TokenRequest(kind, challenge: [1, 2, 3]).write(into: &writer, now: Keys.now)
            } else {
                writer.start(Tags.w(operation.rawValue))
                writer.element(Tags.w("Folder"), "Inbox")
                _ = writer.end()
            }
        }
    }
}

/// Text surgery on envelopes.
extension Array where Element == UInt8 {
    var string: String { String(decoding: self, as: UTF8.self) }

    func replacing(_ old: String, with new: String) throws -> [UInt8] {
        guard let range = string.firstRange(of: old) else { throw TestFailure.noSuchText }
        return Array(string.replacingCharacters(in: range, with: new).utf8)
    }

    /// The text of the first element with that tag, `a:To`.
    func element(_ tag: String) throws -> String {
        let text = string
        guard let start = text.firstRange(of: "<\(tag)") else { throw TestFailure.noSuchText }
        let end = text[start.lowerBound...].firstRange(of: "</\(tag)>")?.upperBound
        guard let end else { throw TestFailure.noSuchText }
        return String(text[start.lowerBound..<end])
    }

    func removing(_ tag: String) throws -> [UInt8] { try replacing(element(tag), with: "") }

    /// Puts text in at the end of the Header.
    func addingHeader(_ header: String) throws -> [UInt8] { try replacing("</s:Header>", with: header + "</s:Header>") }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<Index>, with new: String) -> String {
        String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }

    /// Without the `wsu:Id` attribute.
    func withoutId() -> String {
        guard let range = firstRange(of: " u:Id=\""), let end = self[range.upperBound...].firstIndex(of: "\"") else {
            return self
        }
        return String(self[..<range.lowerBound]) + String(self[index(after: end)...])
    }
}
