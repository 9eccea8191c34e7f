import FoundationEssentials
import SOAP
import XMLCore
import XMLSecurity

/// Writes and signs replies and faults: with the session's server key where the caller proved to hold the session,
/// else with the server's certificate, which travels along.
///
/// Signed are Body, Timestamp, Action, RelatesTo and the confirmation of the request's signature, so that a reply
/// belongs to one call (WSS 1.1.1 §9).
public struct ReplyProtector: Sendable {
    private let identity: SigningIdentity
    private let rsa: SigningIdentity?
    private let lifetime: TimeInterval

    /// - Parameters:
    ///   - rsa: for stacks without ECDSA: used when the caller signed with RSA or posted to `/wsemail/rsa`.
    ///   - lifetime: seconds from Created to Expires.
    public init(identity: SigningIdentity, rsa: SigningIdentity? = nil, lifetime: TimeInterval = 300) {
        self.identity = identity
        self.rsa = rsa
        self.lifetime = lifetime
    }

    /// The envelope of a good reply.
    /// - Parameter payload: writes the operation's response element.
    public func reply(
        to request: AuthenticatedRequest, now: Date, payload: (inout XMLWriter) throws -> Void
    ) throws -> [UInt8] {
        try envelope(
            action: request.operation.replyAction, binding: request.binding, isFault: false, now: now, payload: payload)
    }

    /// The envelope of a fault.
    public func fault(_ fault: SOAPFault, binding: ReplyBinding, now: Date) throws(WSSecurityError) -> [UInt8] {
        do {
            return try envelope(action: MailOperation.faultAction, binding: binding, isFault: true, now: now) { writer in
                fault.write(into: &writer)
            }
        } catch let error as WSSecurityError {
            throw error
        } catch {
            throw WSSecurityError(.cannotSign, "\(error)")
        }
    }

    private func envelope(
        action: String, binding: ReplyBinding, isFault: Bool, now: Date, payload: (inout XMLWriter) throws -> Void
    ) throws -> [UInt8] {
        let ids = EnvelopeIds()
        var identity: SigningIdentity?
        if case .certificate(let wantsRSA) = binding.protection {
            identity = wantsRSA ? rsa ?? self.identity : self.identity
        }
        var envelope = OutgoingEnvelope()
        envelope.header(Tags.wsaAction, action, id: ids.action)
        if let relatesTo = binding.relatesTo { envelope.header(Tags.wsaRelatesTo, relatesTo, id: ids.relatesTo) }
        envelope.security { writer, parts in
            if let identity {
                SecurityWriter.binaryToken(identity.certificate.der, id: ids.binaryToken, into: &writer)
            }
            let range = MessageTimestamp.write(into: &writer, id: ids.timestamp, created: now, lifetime: lifetime)
            parts.append(.init(id: ids.timestamp, range: range))
            if let value = binding.signatureValue {
                let range = SecurityWriter.confirmation(value, id: ids.confirmation, into: &writer)
                parts.append(.init(id: ids.confirmation, range: range))
            }
        }
        try envelope.body(id: ids.body, isFault: isFault, payload)
        let signer: SignatureSigner
        switch binding.protection {
        case .session(let keys):
            // No KeyInfo: only one key can be meant, and the client holds it.
            signer = SignatureSigner(key: .hmac(keys.server), keyInfo: .none)
        case .certificate:
            let hint = KeyHint.reference(id: ids.binaryToken, valueType: URIs.x509v3)
            signer = SignatureSigner(key: (identity ?? self.identity).key, keyInfo: hint)
        }
        return envelope.finish(signature: try SecurityWriter.sign(envelope, with: signer))
    }
}
