import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// What a reply says about the certificate of its signer.
public enum ReplySigner: Sendable {
    /// It came along.
    case certificate(MailCertificate)
    /// It is only pointed at.
    case hint(KeyHint)
}

/// A reply whose signer, binding and parts are checked.
public struct VerifiedReply: Sendable {
    /// The operation's response element: the only child of `body`.
    public let payload: XMLElement
    /// The signed Body.
    public let body: VerifiedElement
    public let action: String
    /// Nil if the session's key signed.
    public let certificate: MailCertificate?
}

/// Checks that a reply answers our call, unaltered, and by whom it is signed.
public struct ReplyVerifier: Sendable {
    private let skew: TimeInterval
    private let limits: XMLLimits
    private let signatures = SignatureVerifier(opaque: WSSecurityNames.opaque)

    public init(skew: TimeInterval = 300, limits: XMLLimits = .standard) {
        self.skew = skew
        self.limits = limits
    }

    /// - Parameter signer: the certificate, if it speaks for the domain we called; else nil.
    /// - Throws: `SOAPFault`: the server's fault, verified. `WSSecurityError`: anything that is not a believable
    ///   answer, among them `.untrustedFault`. What `signer` throws.
    public func verify(
        _ bytes: [UInt8], for expectation: ReplyExpectation, now: Date,
        signer: (ReplySigner) async throws -> MailCertificate?
    ) async throws -> VerifiedReply {
        let envelope: IncomingEnvelope
        let security: SecurityHeader?
        do {
            envelope = try IncomingEnvelope(parsing: bytes, limits: limits)
            security = try envelope.header(Names.security).map { element throws(SOAPFault) in
                try SecurityHeader(element)
            }
        } catch {
            throw WSSecurityError(.malformed, error.reason)
        }
        let claimed = envelope.fault
        do {
            let reply = try await check(envelope, security, expectation, isFault: claimed != nil, now, signer)
            if let claimed { throw claimed }
            return reply
        } catch let error as WSSecurityError {
            guard let claimed else { throw error }
            // Someone on the way may have written it: to show, not to act on.
            throw WSSecurityError(.untrustedFault, error.reason, untrusted: claimed)
        }
    }

    private func check(
        _ envelope: IncomingEnvelope, _ security: SecurityHeader?, _ expectation: ReplyExpectation, isFault: Bool,
        _ now: Date, _ signer: (ReplySigner) async throws -> MailCertificate?
    ) async throws -> VerifiedReply {
        guard let payload = envelope.payload else { throw WSSecurityError(.malformed, "the Body is empty") }
        guard let security, let signature = security.signature else {
            throw WSSecurityError(.unsigned, "the reply carries no signature")
        }
        let (key, certificate) = try await key(of: signature, security, expectation, isFault: isFault, signer)
        let verified: VerifiedSignature
        do {
            verified = try signatures.verify(signature, in: envelope.document.root) { _ throws(SignatureError) in key }
        } catch {
            throw WSSecurityError(.badSignature, "\(error)")
        }
        let body = try requireParts(envelope, security, verified)
        try requireBinding(envelope, security, verified, expectation, isFault: isFault)
        // A fault about the time comes from a server whose clock is not ours; the binding already makes it fresh.
        if !isFault, let timestamp = security.timestamp, !timestamp.isFresh(at: now, skew: skew) {
            throw WSSecurityError(.staleReply, "the reply was made at \(DateTime.format(timestamp.created))")
        }
        let action = isFault ? MailOperation.faultAction : expectation.operation.replyAction
        guard envelope.addressing.action?.value == action,
            isFault || payload.isNamed(expectation.operation.replyName)
        else { throw WSSecurityError(.wrongReply, "the reply is of another kind") }
        return VerifiedReply(payload: payload, body: body, action: action, certificate: certificate)
    }

    private func key(
        of signature: XMLElement, _ security: SecurityHeader, _ expectation: ReplyExpectation, isFault: Bool,
        _ signer: (ReplySigner) async throws -> MailCertificate?
    ) async throws -> (VerificationKey, MailCertificate?) {
        if let session = expectation.session, SignatureAlgorithm(signature) == .hmacSHA256 {
            return (.hmac(session.server), nil)
        }
        // In a session only refusals may come under the certificate: those of a server that does not know the session.
        guard expectation.session == nil || isFault else {
            throw WSSecurityError(.untrustedSigner, "a session's reply must be signed with the session's key")
        }
        let hint: KeyHint
        do {
            guard let info = try signature.optional(Names.keyInfo) else {
                throw WSSecurityError(.untrustedSigner, "the signature names no key")
            }
            hint = try KeyHint.parse(info)
        } catch let error as WSSecurityError {
            throw error
        } catch {
            throw WSSecurityError(.malformed, "KeyInfo: \(error)")
        }
        guard let certificate = try await signer(Self.subject(hint, security)) else {
            throw WSSecurityError(.untrustedSigner, "the signer does not speak for the domain that was called")
        }
        return (certificate.publicKey, certificate)
    }

    private static func subject(_ hint: KeyHint, _ security: SecurityHeader) throws -> ReplySigner {
        if let found = CertificateMatch.find(hint, among: security.binaryTokens) { return .certificate(found) }
        if case .certificate(let der) = hint {
            guard let certificate = try? MailCertificate(der: der) else {
                throw WSSecurityError(.malformed, "the KeyInfo holds no readable certificate")
            }
            return .certificate(certificate)
        }
        if case .reference = hint { throw WSSecurityError(.malformed, "KeyInfo points at no token") }
        return .hint(hint)
    }

    private func requireParts(
        _ envelope: IncomingEnvelope, _ security: SecurityHeader, _ verified: VerifiedSignature
    ) throws -> VerifiedElement {
        guard let body = verified.verified(envelope.body) else {
            throw WSSecurityError(.unsigned, "the Body is not signed")
        }
        guard let timestamp = security.timestamp, verified.verified(timestamp.element) != nil else {
            throw WSSecurityError(.unsigned, "the Timestamp is not signed")
        }
        guard let action = envelope.addressing.action, verified.verified(action.element) != nil else {
            throw WSSecurityError(.unsigned, "the Action is not signed")
        }
        return body
    }

    private func requireBinding(
        _ envelope: IncomingEnvelope, _ security: SecurityHeader, _ verified: VerifiedSignature,
        _ expectation: ReplyExpectation, isFault: Bool
    ) throws {
        guard let relatesTo = envelope.addressing.relatesTo, verified.verified(relatesTo.element) != nil else {
            throw WSSecurityError(.unsigned, "RelatesTo is not signed")
        }
        guard relatesTo.value == expectation.messageID else {
            throw WSSecurityError(.wrongReply, "the reply belongs to another call")
        }
        guard let expected = expectation.signatureValue else { return }
        guard let confirmation = security.confirmation else {
            // A server that could not read our signature cannot repeat it.
            guard isFault else { throw WSSecurityError(.unsigned, "the reply does not confirm our signature") }
            return
        }
        guard verified.verified(confirmation) != nil else {
            throw WSSecurityError(.unsigned, "the SignatureConfirmation is not signed")
        }
        guard let text = confirmation.attribute("Value"), Base64.decode(text) == expected else {
            throw WSSecurityError(.wrongReply, "the reply confirms another request")
        }
    }
}
