import FoundationEssentials
import Identity
import SOAP
import XMLCore

/// `wst:RequestSecurityToken` for sessions (WS-Trust 1.3 §3, WS-SecureConversation 1.3 §3, §5, §6).
///
/// What WS-Trust has no word for is ours: `w:Challenge` (X.509 logins) and `w:Metadata` (a peer's stapled,
/// signed DomainMetadata).
public struct TokenRequest: Sendable {
    public enum Kind: String, Sendable {
        case issue, renew, cancel

        init?(_ operation: MailOperation) {
            switch operation {
            case .issueToken: self = .issue
            case .renewToken: self = .renew
            case .cancelToken: self = .cancel
            default: return nil
            }
        }

        var requestType: String {
            switch self {
            case .issue: URIs.trustIssue
            case .renew: URIs.trustRenew
            case .cancel: URIs.trustCancel
            }
        }
    }

    public let kind: Kind
    /// Echoed in the response.
    public let context: String?
    /// Seconds the caller would like the session to live.
    public let lifetime: TimeInterval?
    /// Id of the session to renew or cancel; it must be the one that signs the call.
    public let target: String?
    /// From operation Challenge; required for X.509 logins.
    public let challenge: [UInt8]?
    /// Octets of a DomainMetadata document, as stapled by a peer.
    public let metadata: [UInt8]?

    /// Octets of stapled metadata at most.
    public static let maximumMetadata = 1 << 20

    public init(
        _ kind: Kind, context: String? = nil, lifetime: TimeInterval? = nil, target: String? = nil,
        challenge: [UInt8]? = nil, metadata: [UInt8]? = nil
    ) {
        self.kind = kind
        self.context = context
        self.lifetime = lifetime
        self.target = target
        self.challenge = challenge
        self.metadata = metadata
    }

    /// Reads the request out of an authenticated call and checks what belongs to it: an X.509 login carries a
    /// challenge (the caller redeems it: `ChallengeStore`), renewal and cancellation name the session that signed.
    public static func parse(_ request: AuthenticatedRequest, now: Date) throws(SOAPFault) -> TokenRequest {
        guard let kind = Kind(request.operation) else {
            throw SOAPFault(.actionMismatch, "The call asks for no security token.")
        }
        let parsed = try parse(request.payload.element, kind: kind, now: now)
        if kind == .issue, request.method == .x509, parsed.challenge == nil {
            throw SOAPFault(.failedAuthentication, "A login by certificate must sign a challenge.")
        }
        if kind != .issue {
            guard let session = request.session, parsed.target == nil || parsed.target == session.id else {
                throw SOAPFault(.forbidden, "A session renews or cancels only itself.")
            }
        }
        return parsed
    }

    static func parse(_ element: XMLElement, kind: Kind, now: Date) throws(SOAPFault) -> TokenRequest {
        do {
            guard try element.only(TrustNames.requestType).simpleText() == kind.requestType else {
                throw SOAPFault(.actionMismatch, "wsa:Action and RequestType differ.")
            }
            if let type = try element.optional(TrustNames.tokenType)?.simpleText(), type != URIs.securityContextToken {
                throw SOAPFault(.forbidden, "Only SecurityContextTokens are issued here.")
            }
            let target = try element.optional(TrustNames.renewTarget) ?? element.optional(TrustNames.cancelTarget)
            let challenge = try element.optional(TrustNames.challenge)?.base64Bytes(limit: 256)
            return TokenRequest(
                kind, context: try context(element), lifetime: try lifetime(element, now: now),
                target: try target.map { try TrustNames.contextIdentifier(in: $0) }, challenge: challenge,
                metadata: stapledMetadata(in: element))
        } catch let fault as SOAPFault {
            throw fault
        } catch {
            throw SOAPFault(.malformedEnvelope, "The RequestSecurityToken is malformed.")
        }
    }

    static func context(_ element: XMLElement) throws -> String? {
        guard let context = element.attribute("Context") else { return nil }
        guard context.utf8.count <= 1024 else { throw SOAPFault(.tooLarge, "The Context is too long.") }
        return context
    }

    static func lifetime(_ element: XMLElement, now: Date) throws -> TimeInterval? {
        guard let expires = try element.optional(TrustNames.lifetime)?.optional(Names.expires) else { return nil }
        guard let date = DateTime.parse(try expires.simpleText()) else {
            throw SOAPFault(.malformedEnvelope, "The Lifetime is no dateTime.")
        }
        return date.timeIntervalSince(now)
    }

    /// The canonical octets of the DomainMetadata in a token request or response; nil if there is none.
    static func stapledMetadata(in element: XMLElement) -> [UInt8]? {
        element.first(TrustNames.metadata).flatMap(stapledMetadata(inside:))
    }

    /// The same of a `w:Metadata` itself.
    static func stapledMetadata(inside element: XMLElement) -> [UInt8]? {
        guard let document = element.first(Names.domainMetadata), document.sourceRange.count <= maximumMetadata else {
            return nil
        }
        return document.canonicalBytes()
    }

    /// Writes the payload.
    /// - Parameter now: for the requested Lifetime.
    public func write(into writer: inout XMLWriter, now: Date) throws {
        writer.start(TrustTags.request)
        if let context { writer.attribute("Context", context) }
        writer.element(TrustTags.tokenType, URIs.securityContextToken)
        writer.element(TrustTags.requestType, kind.requestType)
        if let lifetime { TrustTags.writeLifetime(into: &writer, from: now, to: now.addingTimeInterval(lifetime)) }
        if let target, kind != .issue {
            writer.start(kind == .renew ? TrustTags.renewTarget : TrustTags.cancelTarget)
            TrustTags.writeContextToken(into: &writer, identifier: target)
            _ = writer.end()
        }
        if let challenge {
            writer.start(TrustTags.challenge)
            writer.base64(challenge)
            _ = writer.end()
        }
        try TrustTags.writeMetadata(metadata, into: &writer)
        _ = writer.end()
    }
}

enum TrustNames {
    static let tokenType = Names.wst("TokenType")
    static let requestType = Names.wst("RequestType")
    static let lifetime = Names.wst("Lifetime")
    static let renewTarget = Names.wst("RenewTarget")
    static let cancelTarget = Names.wst("CancelTarget")
    static let requestedToken = Names.wst("RequestedSecurityToken")
    static let proofToken = Names.wst("RequestedProofToken")
    static let binarySecret = Names.wst("BinarySecret")
    static let cancelled = Names.wst("RequestedTokenCancelled")
    static let challenge = Names.wsemail("Challenge")
    static let metadata = Names.wsemail("Metadata")

    static func contextIdentifier(in parent: XMLElement) throws -> String {
        let identifier = try parent.only(Names.securityContextToken).only(Names.contextIdentifier).simpleText()
        guard !identifier.isEmpty, identifier.utf8.count <= 256 else {
            throw SOAPFault(.malformedEnvelope, "A context identifier is empty or too long.")
        }
        return identifier
    }
}

enum TrustTags {
    static let request = Tags.wst("RequestSecurityToken")
    static let response = Tags.wst("RequestSecurityTokenResponse")
    static let tokenType = Tags.wst("TokenType")
    static let requestType = Tags.wst("RequestType")
    static let lifetime = Tags.wst("Lifetime")
    static let renewTarget = Tags.wst("RenewTarget")
    static let cancelTarget = Tags.wst("CancelTarget")
    static let requestedToken = Tags.wst("RequestedSecurityToken")
    static let proofToken = Tags.wst("RequestedProofToken")
    static let binarySecret = Tags.wst("BinarySecret")
    static let cancelled = Tags.wst("RequestedTokenCancelled")
    static let challenge = Tags.w("Challenge")
    static let metadata = Tags.w("Metadata")

    static func writeLifetime(into writer: inout XMLWriter, from created: Date, to expires: Date) {
        writer.start(lifetime)
        writer.element(Tags.created, DateTime.format(created))
        writer.element(Tags.expires, DateTime.format(expires))
        _ = writer.end()
    }

    static func writeContextToken(into writer: inout XMLWriter, identifier: String) {
        writer.start(Tags.securityContextToken)
        writer.element(Tags.contextIdentifier, identifier)
        _ = writer.end()
    }

    static func writeMetadata(_ octets: [UInt8]?, into writer: inout XMLWriter) throws {
        guard let octets else { return }
        writer.start(metadata)
        try writer.embed(canonical: octets)
        _ = writer.end()
    }
}
