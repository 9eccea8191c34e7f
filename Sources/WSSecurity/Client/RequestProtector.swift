import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// What proves who calls.
public enum ClientCredential: Sendable {
    /// For operations anybody may call.
    case none
    case session(SessionCall)
    /// Over TLS only: the password is in clear inside.
    case password(Address, String)
    /// - embed: send the certificate along; else only its SHA-256 thumbprint (for servers that know it).
    case certificate(SigningIdentity, embed: Bool)
    /// An assertion that the caller's own domain issued, over TLS only.
    /// - key: the one the assertion names; nil for a bearer assertion.
    /// - metadata: octets of the issuer's signed DomainMetadata, for a server that may not know it: header `w:Metadata`.
    case assertion(octets: [UInt8], key: SigningKey?, metadata: [UInt8]?)
}

/// A call ready to be sent, and what its reply must be.
public struct ProtectedRequest: Sendable {
    /// The envelope.
    public let bytes: [UInt8]
    /// For the content type.
    public let action: String
    public let messageID: String
    public let expectation: ReplyExpectation
}

/// What a reply must prove to count as the answer to one call.
public struct ReplyExpectation: Sendable {
    let operation: MailOperation
    let messageID: String
    /// Nil if the request was not signed.
    let signatureValue: [UInt8]?
    let session: SessionKeys?
}

/// Writes and signs calls.
public struct RequestProtector: Sendable {
    private let lifetime: TimeInterval

    /// - Parameter lifetime: seconds from Created to Expires.
    public init(lifetime: TimeInterval = 300) {
        self.lifetime = lifetime
    }

    /// A fresh id for one attempt.
    public static func newMessageID() -> String { RandomID.urn() }

    /// - Parameters:
    ///   - service: `wsa:To`, see `ServiceName`.
    ///   - messageID: of this attempt; a retry takes a new one.
    ///   - now: by the clock the server is believed to have.
    ///   - payload: writes the operation's element.
    /// - Throws: `WSSecurityError` `.cannotSign`, and what `payload` throws.
    public func protect(
        _ operation: MailOperation, to service: String, messageID: String = RequestProtector.newMessageID(),
        credential: ClientCredential, now: Date, payload: (inout XMLWriter) throws -> Void
    ) throws -> ProtectedRequest {
        let ids = EnvelopeIds()
        let signer = try Self.signer(for: credential, ids)
        let isSigned = signer != nil
        var envelope = OutgoingEnvelope()
        envelope.header(Tags.wsaTo, service, id: isSigned ? ids.to : nil)
        envelope.header(Tags.wsaAction, operation.action, id: isSigned ? ids.action : nil)
        envelope.header(Tags.wsaMessageID, messageID, id: isSigned ? ids.messageID : nil)
        if case .session(let call) = credential {
            envelope.header(Tags.sequence, String(call.sequence), id: ids.sequence)
        }
        if case .assertion(_, _, let metadata?) = credential { try Self.writeMetadata(metadata, into: &envelope) }
        envelope.security { writer, parts in
            if case .certificate(let identity, true) = credential {
                SecurityWriter.binaryToken(identity.certificate.der, id: ids.binaryToken, into: &writer)
            }
            let range = MessageTimestamp.write(into: &writer, id: ids.timestamp, created: now, lifetime: lifetime)
            parts.append(.init(id: ids.timestamp, range: range))
            switch credential {
            case .session(let call): SecurityWriter.contextToken(call.session, id: ids.contextToken, into: &writer)
            case .password(let address, let password):
                SecurityWriter.usernameToken(address.description, password, into: &writer)
            // Canonical, all namespaces declared: checked when the signer was made.
            case .assertion(let octets, _, _): writer.append(canonicalContent: octets)
            case .none, .certificate: break
            }
        }
        try envelope.body(id: isSigned ? ids.body : nil, payload)
        let signature = try signer.map { try SecurityWriter.sign(envelope, with: $0) }
        let expectation = ReplyExpectation(
            operation: operation, messageID: messageID, signatureValue: try signature.map(Self.signatureValue),
            session: Self.sessionKeys(credential))
        return ProtectedRequest(
            bytes: envelope.finish(signature: signature), action: operation.action, messageID: messageID,
            expectation: expectation)
    }

    private static func signer(for credential: ClientCredential, _ ids: EnvelopeIds) throws -> SignatureSigner? {
        switch credential {
        case .none, .password: return nil
        case .session(let call):
            let hint = KeyHint.reference(id: ids.contextToken, valueType: URIs.securityContextToken)
            return SignatureSigner(key: .hmac(call.keys.client), keyInfo: hint)
        case .certificate(let identity, let embed):
            let hint: KeyHint =
                embed
                ? .reference(id: ids.binaryToken, valueType: URIs.x509v3)
                : .thumbprintSHA256(identity.certificate.thumbprintSHA256)
            return SignatureSigner(key: identity.key, keyInfo: hint)
        case .assertion(let octets, let key, _):
            let assertion: UnverifiedAssertion
            do {
                assertion = try UnverifiedAssertion(parsing: octets)
            } catch {
                throw WSSecurityError(.invalidToken, "\(error)")
            }
            guard assertion.octets == octets, assertion.isBearer == (key == nil) else {
                throw WSSecurityError(.invalidToken, "the assertion is not canonical, or needs a key, or none")
            }
            return key.map { SignatureSigner(key: $0, keyInfo: .samlID(assertion.id)) }
        }
    }

    private static func writeMetadata(_ octets: [UInt8], into envelope: inout OutgoingEnvelope) throws {
        guard let root = try? XMLDocument.parse(octets).root, root.isNamed(Names.domainMetadata) else {
            throw WSSecurityError(.invalidToken, "the metadata to be stapled is no DomainMetadata")
        }
        let canonical = root.canonicalBytes()
        envelope.header { writer in
            writer.start(TrustTags.metadata)
            writer.append(canonicalContent: canonical)
            writer.end()
        }
    }

    private static func sessionKeys(_ credential: ClientCredential) -> SessionKeys? {
        guard case .session(let call) = credential else { return nil }
        return call.keys
    }

    /// The SignatureValue of a signature we just wrote, to compare the reply's confirmation with.
    private static func signatureValue(_ signature: [UInt8]) throws -> [UInt8] {
        do {
            let document = try XMLDocument.parse(signature)
            return try document.root.only(XMLName(Namespaces.ds, "SignatureValue")).base64Bytes(limit: 4096)
        } catch {
            throw WSSecurityError(.cannotSign, "our own signature does not parse: \(error)")
        }
    }
}
