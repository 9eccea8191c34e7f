import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

extension RequestVerifier {
    // MARK: Federated profile: SAML assertion (WSS SAML Token Profile 1.1.1 §3.5).

    /// A call of somebody whom their own domain vouches for. Freshness is looked at first: it costs nothing, while the
    /// assertion may cost the resolver a chain of certificates.
    func proveAssertion(_ call: Call, binding: inout ReplyBinding) async throws -> Proof {
        guard let security = call.security, let element = security.assertion, let timestamp = call.timestamp else {
            throw SOAPFault(.malformedEnvelope, "The call with an assertion is incomplete.")
        }
        guard timestamp.isFresh(at: call.now, skew: skew) else { throw MessageTimestamp.stale(call.now) }
        let shown = try Self.read(element)
        guard shown.isBearer == (security.signature == nil) else {
            throw Refusal(.invalidToken, Self.refusal, log: "a signature where none belongs, or none where one does")
        }
        let stapled = try call.envelope.header(Names.metadata).flatMap(TokenRequest.stapledMetadata(inside:))
        let assertion = try await credentials.federated(shown, stapled: stapled, at: call.now)
        guard assertion.octets == shown.octets else {
            throw Refusal(.internal, "The server could not check this call.", log: "another assertion was verified")
        }
        var protection = ProtectedPayload.Protection.transport
        if let signature = security.signature {
            let body = try proveHolder(of: assertion, by: signature, call, timestamp, binding: &binding)  // model: holder
            protection = .signed(body: body)
        }
        return Proof(
            principal: .federated(assertion.subject), method: .federated, protection: protection, assertion: assertion)
    }

    /// What the caller learns about an assertion that is refused.
    static let refusal = "The assertion is not accepted."

    private static func read(_ element: XMLElement) throws(Refusal) -> UnverifiedAssertion {
        do {
            return try UnverifiedAssertion(element)
        } catch {
            throw Refusal(.invalidToken, refusal, log: "\(error)")
        }
    }

    /// The caller holds the key that the assertion names: it signed this very call.
    private func proveHolder(
        of assertion: VerifiedAssertion, by signature: XMLElement, _ call: Call, _ timestamp: MessageTimestamp,
        binding: inout ReplyBinding
    ) throws -> VerifiedElement {
        guard case .holderOfKey(let key) = assertion.confirmation else {
            throw Refusal(.invalidToken, Self.refusal, log: "a bearer assertion proves no key")
        }
        // The service that is meant is part of what the holder signs.
        guard call.addressing.to?.value == ServiceName.domain(assertion.audience) else {
            throw SOAPFault(.wrongDestination, "wsa:To must name the assertion's audience.")
        }
        if case .rsa = key { binding = binding.protected(by: .certificate(rsa: true)) }
        let verified = try verifySignature(signature, of: call) { hint, algorithm throws(SignatureError) in
            guard hint == .samlID(assertion.id), algorithm != .hmacSHA256 else {
                throw SignatureError(.wrongKeyType, "the call is signed with another key than the assertion's")
            }
            return key
        }
        return try requireSigned(call, timestamp, verified, addressing: true)
    }

    /// A bearer assertion is used up by its first use. What the process does not remember it does not take.
    func admitBearer(_ assertion: VerifiedAssertion, now: Date) async throws {
        let attempt = Attempt(
            principal: .federated(assertion.subject), messageID: "assertion:" + assertion.id,
            // By the issuer's clock, which may be ahead of ours.
            created: assertion.issueInstant.addingTimeInterval(-VerifiedAssertion.skew), session: nil, sequence: nil,
            until: assertion.forgettable)
        do throws(SOAPFault) {
            try await replay.admit(attempt, now: now)
        } catch {
            switch error.subcode {
            case .replay: throw SOAPFault(.replay, "This assertion was used before: it counts for one call.")
            // A new Timestamp would not help.
            case .staleTimestamp:
                throw Refusal(
                    .busy, "This server has just started: get a new assertion in two minutes.",
                    log: "issued before this server started to remember")
            default: throw error
            }
        }
    }
}
