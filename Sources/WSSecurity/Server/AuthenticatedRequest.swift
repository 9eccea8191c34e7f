import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// A call that passed every check of its policy.
public struct AuthenticatedRequest: Sendable {
    public let operation: MailOperation
    public let principal: Principal
    /// How this call was proven; for `.session` see `session.method` for how the session was opened.
    public let method: AuthenticationMethod
    public let session: SecuritySession?
    /// With `.x509`: the certificate of the key that signed.
    public let certificate: MailCertificate?
    /// With `.federated`: what the caller's domain says.
    public let assertion: VerifiedAssertion?
    public let payload: ProtectedPayload
    /// The attempt's id; nil only for anonymous calls.
    public let messageID: String?
    public let to: String?
    /// Hand it to `ReplyProtector`.
    public let binding: ReplyBinding
}

/// The payload and what vouches for it. It cannot be made outside the verifier.
public struct ProtectedPayload: Sendable {
    public enum Protection: Sendable {
        /// The Body was signed; the payload is its only child.
        case signed(body: VerifiedElement)
        /// Nothing is signed: TLS carried it together with the caller's password or bearer assertion.
        case transport
        /// An operation anybody may call.
        case unprotected
    }

    /// The operation's element, exactly the one that was protected.
    public let element: XMLElement
    public let protection: Protection

    init(element: XMLElement, protection: Protection) {
        self.element = element
        self.protection = protection
    }

    /// Digest of the signed Body; nil if nothing was signed.
    public var digest: [UInt8]? {
        guard case .signed(let body) = protection else { return nil }
        return body.digest
    }
}

/// A refused call: the fault to answer with and how to protect that answer.
public struct RequestRejection: Error, Sendable {
    public let fault: SOAPFault
    public let binding: ReplyBinding
    /// More than the caller may know. Never holds secrets.
    public let logReason: String
}

/// What ties a reply to its request, and with which key it is signed.
public struct ReplyBinding: Sendable {
    enum Protection: Sendable {
        case session(SessionKeys)
        case certificate(rsa: Bool)
    }

    let relatesTo: String?
    /// Echoed in `wsse11:SignatureConfirmation` (WSS 1.1.1 §9).
    let signatureValue: [UInt8]?
    let protection: Protection

    private static let maximumSignature = 1024
    private static let signatureValueName = XMLName(Namespaces.ds, "SignatureValue")

    /// For bytes that were no envelope at all.
    public static func unknown(channel: ChannelFacts) -> ReplyBinding {
        ReplyBinding(relatesTo: nil, signatureValue: nil, protection: .certificate(rsa: channel.prefersRSA))
    }

    /// For a request that was not (or not yet) verified: what it claims only goes back to who sent it.
    public static func unverified(_ envelope: IncomingEnvelope, channel: ChannelFacts) -> ReplyBinding {
        var value: [UInt8]?
        if let security = try? envelope.header(Names.security), let signature = security.first(Names.signature) {
            value = try? signature.first(signatureValueName)?.base64Bytes(limit: maximumSignature)
        }
        return ReplyBinding(
            relatesTo: envelope.addressing.messageID?.value, signatureValue: value,
            protection: .certificate(rsa: channel.prefersRSA))
    }

    func protected(by protection: Protection) -> ReplyBinding {
        ReplyBinding(relatesTo: relatesTo, signatureValue: signatureValue, protection: protection)
    }
}
