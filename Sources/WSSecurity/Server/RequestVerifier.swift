import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// Turns an envelope into an authenticated call or a fault. Takes every decision that does not need a table of the
/// server; those it asks of `CredentialResolver` and `ReplayAdmission`.
///
/// The order is: shape, policy, cryptography, freshness, principal, replay. A call that fails early leaves no trace.
public struct RequestVerifier: Sendable {
    let policy: SecurityPolicy
    let services: Set<String>
    let credentials: any CredentialResolver
    let replay: any ReplayAdmission
    let skew: TimeInterval
    let signatures = SignatureVerifier(opaque: WSSecurityNames.opaque)

    /// - Parameters:
    ///   - services: accepted values of `wsa:To`: `ServiceName.domain` of our domains and our endpoint URLs.
    ///   - skew: seconds that clocks may differ by.
    public init(
        policy: SecurityPolicy = .standard, services: Set<String>, credentials: any CredentialResolver,
        replay: any ReplayAdmission, skew: TimeInterval = 300
    ) {
        self.policy = policy
        self.services = services
        self.credentials = credentials
        self.replay = replay
        self.skew = skew
    }

    /// - Throws: the fault to send, with the binding that protects it.
    public func verify(
        _ envelope: IncomingEnvelope, channel: ChannelFacts, now: Date
    ) async throws(RequestRejection) -> AuthenticatedRequest {
        var binding = ReplyBinding.unverified(envelope, channel: channel)
        do {
            let call = try Call(envelope, channel: channel, now: now, verifier: self)
            let proof = try await prove(call, binding: &binding)
            return try await admit(call, proof, binding)
        } catch let refusal as Refusal {
            throw RequestRejection(fault: refusal.fault, binding: binding, logReason: refusal.log)
        } catch let fault as SOAPFault {
            throw RequestRejection(fault: fault, binding: binding, logReason: fault.reason)
        } catch {
            throw RequestRejection(
                fault: SOAPFault(.internal, "The server could not check this call."), binding: binding,
                logReason: "\(error)")
        }
    }

    /// What authentication established.
    struct Proof {
        let principal: Principal
        let method: AuthenticationMethod
        let protection: ProtectedPayload.Protection
        var session: SecuritySession?
        var certificate: MailCertificate?
        var assertion: VerifiedAssertion?
        var sequence: UInt64?
        /// What makes the call unique where its MessageID is not signed: anybody could change that one.
        var attemptID: String?
    }

    private func prove(_ call: Call, binding: inout ReplyBinding) async throws -> Proof {
        switch call.kind {
        case .session: return try await proveSession(call, binding: &binding)
        case .username: return try await proveUsername(call)
        case .x509: return try await proveCertificate(call, binding: &binding)
        case .federated: return try await proveAssertion(call, binding: &binding)
        case .anonymous: return Proof(principal: .anonymous, method: .none, protection: .unprotected)
        }
    }

    private func admit(_ call: Call, _ proof: Proof, _ binding: ReplyBinding) async throws -> AuthenticatedRequest {
        guard call.rule.principals.contains(proof.principal.kind) else {
            throw SOAPFault(.forbidden, "This operation is not for you.")
        }
        // Anonymous operations change nothing and are not worth remembering.
        if call.kind != .anonymous, let messageID = call.addressing.messageID, let timestamp = call.timestamp {
            if let assertion = proof.assertion, assertion.isBearer {
                try await admitBearer(assertion, now: call.now)
            }
            let attempt = Attempt(
                principal: proof.principal, messageID: proof.attemptID ?? messageID.value, created: timestamp.created,
                session: proof.session, sequence: proof.sequence)
            try await replay.admit(attempt, now: call.now)
        }
        return AuthenticatedRequest(
            operation: call.operation, principal: proof.principal, method: proof.method, session: proof.session,
            certificate: proof.certificate, assertion: proof.assertion,
            payload: ProtectedPayload(element: call.payload, protection: proof.protection),
            messageID: call.addressing.messageID?.value, to: call.addressing.to?.value, binding: binding)
    }
}

/// A fault with more for the log than for the caller.
struct Refusal: Error {
    let fault: SOAPFault
    let log: String

    init(_ subcode: FaultSubcode, _ reason: String, log: String) {
        fault = SOAPFault(subcode, reason)
        self.log = log
    }
}

/// Names this module compares with.
enum WSSecurityNames {
    /// Elements that are documents of their own: their ids are neither indexed nor resolvable from the envelope.
    static let opaque: Set<XMLName> = [
        Names.message, Names.postmark, Names.receipt, Names.domainMetadata, Names.assertion,
    ]
}
