import Foundation
import Identity
import NIOConcurrencyHelpers
import SOAP
import SOAPClient
import WSSecurity
import XMLCore
import XMLSecurity

/// A SOAP service of one domain in this process, behind ``HTTPTransport``: real WS-Security on both sides, no network, a clock
/// of its own. Every operation but the token ones answers with an empty response element.
public final class TestService: HTTPTransport, CredentialResolver, SequenceStore {
    struct State {
        var sessions: [String: SecuritySession] = [:]
        var passwords: [Address: String] = [:]
        var knownCertificates: [MailCertificate] = []
        var principals: [MailCertificate: Principal] = [:]
        var ceilings: [String: UInt64] = [:]
        var challenges = ChallengeStore()
        var operations: [MailOperation] = []
        var logins = 0
        var offset: TimeInterval = 0
        var lifetime: TimeInterval = 8 * 3600
        var stapled: [UInt8]?
        var issuers: [MailCertificate] = []
        /// Looks at each call before it is served; may answer or fail in its place.
        var before: (@Sendable (MailOperation?, Int) async throws(SOAPClientError) -> HTTPReply?)?
        /// Changes each reply.
        var after: @Sendable (MailOperation, [UInt8]) -> [UInt8] = { $1 }
        var resent = false
        var calls = 0
    }

    public let identity: TestIdentity
    private let signer: SigningIdentity
    let state = NIOLockedValueBox(State())
    private let clock: @Sendable () -> Date
    private let keeper = NIOLockedValueBox<ReplayKeeper?>(nil)

    /// - Parameter signer: who signs the replies; the domain's own signing key if nil.
    public init(_ identity: TestIdentity, signer: SigningIdentity? = nil, clock: @escaping @Sendable () -> Date) {
        self.identity = identity
        self.signer = signer ?? identity.signing
        self.clock = clock
        keeper.withLockedValue { $0 = ReplayKeeper(sequences: self) }
    }

    // MARK: For tests

    public func addUser(_ address: Address, password: String) { state.withLockedValue { $0.passwords[address] = password } }
    public func trust(_ certificate: MailCertificate, as principal: Principal) {
        state.withLockedValue { $0.principals[certificate] = principal }
    }
    public func know(_ certificate: MailCertificate) { state.withLockedValue { $0.knownCertificates.append(certificate) } }
    /// Assertions that this server certificate signed for its domain count here.
    public func recognise(_ issuer: MailCertificate) { state.withLockedValue { $0.issuers.append(issuer) } }
    public func forgetCertificates() { state.withLockedValue { $0.knownCertificates = [] } }
    public func forgetSessions() { state.withLockedValue { $0.sessions = [:] } }
    public func setOffset(_ seconds: TimeInterval) { state.withLockedValue { $0.offset = seconds } }
    public func setLifetime(_ seconds: TimeInterval) { state.withLockedValue { $0.lifetime = seconds } }
    public func before(_ hook: (@Sendable (MailOperation?, Int) async throws(SOAPClientError) -> HTTPReply?)?) {
        state.withLockedValue { $0.before = hook }
    }
    public func after(_ hook: @escaping @Sendable (MailOperation, [UInt8]) -> [UInt8]) { state.withLockedValue { $0.after = hook } }
    /// Marks all replies as answers to bytes that went out twice.
    public func markResent(_ isResent: Bool) { state.withLockedValue { $0.resent = isResent } }
    /// Operations accepted, in order.
    public var operations: [MailOperation] { state.withLockedValue { $0.operations } }
    public var logins: Int { state.withLockedValue { $0.logins } }
    public var sessionCount: Int { state.withLockedValue { $0.sessions.count } }
    public var stapled: [UInt8]? { state.withLockedValue { $0.stapled } }
    public static let destination = HTTPDestination(name: "nowhere", endpoints: [], roots: .system)

    // MARK: HTTPTransport

    public var traffic: ByteTraffic { ByteTraffic() }

    public func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        guard call.method == .post, let envelope = try? IncomingEnvelope(parsing: call.body) else {
            return HTTPReply(status: 404, body: [])
        }
        let operation = envelope.addressing.action.flatMap { MailOperation(action: $0.value) }
        let (hook, number, isResent) = state.withLockedValue { state in
            state.calls += 1
            return (state.before, state.calls, state.resent)
        }
        if let reply = try await hook?(operation, number) { return reply }
        let now = clock().addingTimeInterval(state.withLockedValue { $0.offset })
        let protector = ReplyProtector(identity: signer)
        let body = await serve(envelope, protector, now)
        let changed = state.withLockedValue { $0.after }(operation ?? .list, body)
        return HTTPReply(
            status: 200, headers: [HTTPField("Content-Type", MediaType.soap(action: nil))], body: changed, wasResent: isResent)
    }

    private func serve(_ envelope: IncomingEnvelope, _ protector: ReplyProtector, _ now: Date) async -> [UInt8] {
        guard let keeper = keeper.withLockedValue({ $0 }) else { return [] }
        let verifier = RequestVerifier(
            services: [ServiceName.domain(identity.domain)], credentials: self, replay: keeper)
        do throws(RequestRejection) {
            let request = try await verifier.verify(envelope, channel: ChannelFacts(tls: true), now: now)
            state.withLockedValue { $0.operations.append(request.operation) }
            do {
                return try answer(request, protector, keeper, now)
            } catch {
                let fault = error as? SOAPFault ?? SOAPFault(.internal, "\(error)")
                return (try? protector.fault(fault, binding: request.binding, now: now)) ?? []
            }
        } catch {
            return (try? protector.fault(error.fault, binding: error.binding, now: now)) ?? []
        }
    }

    private func answer(
        _ request: AuthenticatedRequest, _ protector: ReplyProtector, _ keeper: ReplayKeeper, _ now: Date
    ) throws -> [UInt8] {
        switch request.operation {
        case .challenge:
            let challenge = state.withLockedValue { $0.challenges.issue(now: now).challenge }
            return try protector.reply(to: request, now: now) { writer in
                writer.start(Tags.w("ChallengeResponse"))
                writer.element(Tags.w("Challenge"), Base64.encodeToString(challenge))
                _ = writer.end()
            }
        case .issueToken, .renewToken, .cancelToken:
            let response = try token(request, keeper, now)
            return try protector.reply(to: request, now: now) { try response.write(into: &$0) }
        default:
            return try protector.reply(to: request, now: now) { writer in
                writer.start(Tags.w(request.operation.replyName.localName))
                _ = writer.end()
            }
        }
    }

    private func token(_ request: AuthenticatedRequest, _ keeper: ReplayKeeper, _ now: Date) throws -> TokenResponse {
        let token = try TokenRequest.parse(request, now: now)
        return try state.withLockedValue { state in
            if token.kind == .cancel {
                state.sessions[token.target ?? ""] = nil
                return .cancelled(context: token.context)
            }
            if token.kind == .issue {
                state.logins += 1
                state.stapled = token.metadata
                if let challenge = token.challenge, !state.challenges.redeem(challenge, now: now) {
                    throw SOAPFault(.failedAuthentication, "The challenge is not known.")
                }
            }
            let issuer = SessionIssuer(lifetime: state.lifetime)
            let session = issuer.issue(principal: request.principal, method: request.method, now: now)
            if token.kind == .renew { state.sessions[token.target ?? ""] = nil }
            state.sessions[session.id] = session
            if let certificate = request.certificate { state.knownCertificates.append(certificate) }
            keeper.begin(session: session.id)
            return .issued(session, context: token.context, metadata: nil)
        }
    }

    // MARK: CredentialResolver, SequenceStore

    public func session(id: String) async throws(SOAPFault) -> SecuritySession? { state.withLockedValue { $0.sessions[id] } }

    public func authenticate(_ address: Address, password: String) async throws(SOAPFault) -> Bool {
        state.withLockedValue { $0.passwords[address] == password }
    }

    public func certificate(matching hint: KeyHint) async throws(SOAPFault) -> MailCertificate? {
        guard case .thumbprintSHA256(let thumbprint) = hint else { return nil }
        return state.withLockedValue { $0.knownCertificates.first { $0.thumbprintSHA256 == thumbprint } }
    }

    public func principal(of certificate: MailCertificate, stapled: [UInt8]?, at now: Date) async throws(SOAPFault) -> Principal {
        guard let principal = state.withLockedValue({ $0.principals[certificate] }) else {
            throw SOAPFault(.untrustedCertificate, "The certificate is not trusted.")
        }
        return principal
    }

    public func federated(
        _ assertion: UnverifiedAssertion, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> VerifiedAssertion {
        let issuers = state.withLockedValue { state in
            state.stapled = stapled
            return state.issuers
        }
        do throws(IdentityError) {
            return try await assertion.verified(audience: identity.domain, at: now) { thumbprint, issuer in
                issuers.first { $0.thumbprintSHA256 == thumbprint && $0.mailDomains.contains(issuer) }?.publicKey
            }
        } catch {
            throw SOAPFault(error.code == .untrusted ? .untrustedIssuer : .invalidToken, error.reason)
        }
    }

    public func sequenceCeiling(session: String) async throws(SOAPFault) -> UInt64 {
        state.withLockedValue { $0.ceilings[session, default: 0] }
    }

    public func raiseSequenceCeiling(session: String, to ceiling: UInt64) async throws(SOAPFault) {
        state.withLockedValue { $0.ceilings[session] = max(ceiling, $0.ceilings[session, default: 0]) }
    }
}
