import FoundationEssentials
import SOAP
import XMLCore

/// `wst:RequestSecurityTokenResponse`: a new session, or the word that one has ended.
///
/// It carries the secret in clear: it goes over TLS only, and is never compressed.
public struct TokenResponse: Sendable {
    public struct Session: Sendable, Equatable {
        public let id: String
        public let secret: SessionSecret
        public let created: Date
        public let expires: Date

        public init(id: String, secret: SessionSecret, created: Date, expires: Date) {
            self.id = id
            self.secret = secret
            self.created = created
            self.expires = expires
        }
    }

    /// Nil: cancelled.
    public let session: Session?
    public let context: String?
    /// Octets of the answering domain's DomainMetadata, not verified here.
    public let metadata: [UInt8]?

    private init(session: Session?, context: String?, metadata: [UInt8]?) {
        self.session = session
        self.context = context
        self.metadata = metadata
    }

    public static func issued(
        _ record: SecuritySession, context: String? = nil, metadata: [UInt8]? = nil
    ) -> TokenResponse {
        let session = Session(id: record.id, secret: record.secret, created: record.created, expires: record.expires)
        return TokenResponse(session: session, context: context, metadata: metadata)
    }

    public static func cancelled(context: String? = nil) -> TokenResponse {
        TokenResponse(session: nil, context: context, metadata: nil)
    }

    /// - Throws: `WSSecurityError` `.invalidToken`.
    public static func parse(_ element: XMLElement) throws(WSSecurityError) -> TokenResponse {
        do {
            let context = element.attribute("Context")
            if try element.optional(TrustNames.cancelled) != nil {
                return TokenResponse(session: nil, context: context, metadata: nil)
            }
            let id = try TrustNames.contextIdentifier(in: try element.only(TrustNames.requestedToken))
            let proof = try element.only(TrustNames.proofToken).only(TrustNames.binarySecret)
            let life = try element.only(TrustNames.lifetime)
            guard let secret = SessionSecret(try proof.base64Bytes(limit: 64)),
                let created = DateTime.parse(try life.only(Names.created).simpleText()),
                let expires = DateTime.parse(try life.only(Names.expires).simpleText()), expires > created
            else { throw WSSecurityError(.invalidToken, "the secret or the lifetime is not usable") }
            return TokenResponse(
                session: Session(id: id, secret: secret, created: created, expires: expires), context: context,
                metadata: TokenRequest.stapledMetadata(in: element))
        } catch let error as WSSecurityError {
            throw error
        } catch {
            throw WSSecurityError(.invalidToken, "the token response is malformed: \(error)")
        }
    }

    /// Writes the payload.
    public func write(into writer: inout XMLWriter) throws {
        writer.start(TrustTags.response)
        if let context { writer.attribute("Context", context) }
        if let session {
            writer.element(TrustTags.tokenType, URIs.securityContextToken)
            writer.start(TrustTags.requestedToken)
            TrustTags.writeContextToken(into: &writer, identifier: session.id)
            _ = writer.end()
            writer.start(TrustTags.proofToken)
            writer.start(TrustTags.binarySecret)
            writer.base64(session.secret.bytes)
            _ = writer.end()
            _ = writer.end()
            TrustTags.writeLifetime(into: &writer, from: session.created, to: session.expires)
            try TrustTags.writeMetadata(metadata, into: &writer)
        } else {
            writer.start(TrustTags.cancelled)
            _ = writer.end()
        }
        _ = writer.end()
    }
}
