import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// `wst:RequestSecurityTokenResponseCollection` with the one assertion that was issued (WS-Trust 1.3 §4.4).
///
/// The assertion is embedded octet for octet and declares all its namespaces: clients cut it out as text (MSAL does so by regular
/// expression).
public struct AssertionResponse: Sendable {
    /// The assertion; its octets are canonical.
    public let assertion: UnverifiedAssertion
    public let tokenType: String
    public let context: String?
    /// Octets of the issuer's own signed DomainMetadata, for services that do not know the issuer yet.
    public let metadata: [UInt8]?

    /// - Parameters:
    ///   - assertion: what ``Assertion/signed(by:certificate:)`` gave.
    /// - Throws: `WSSecurityError` `.invalidToken` if the octets are no assertion of our form.
    public init(issued assertion: [UInt8], for request: AssertionRequest, metadata: [UInt8]?) throws(WSSecurityError) {
        self.assertion = try Self.read { () throws(IdentityError) in try UnverifiedAssertion(parsing: assertion) }
        tokenType = request.tokenType
        context = request.context
        self.metadata = metadata
    }

    private init(assertion: UnverifiedAssertion, tokenType: String, context: String?, metadata: [UInt8]?) {
        self.assertion = assertion
        self.tokenType = tokenType
        self.context = context
        self.metadata = metadata
    }

    /// Reads the answer to `request`. The reply's signature was verified before; the assertion's is for its audience to check.
    /// - Throws: `WSSecurityError` `.invalidToken` if it is malformed, or not what was asked for.
    public static func parse(
        _ element: XMLElement, for request: AssertionRequest
    ) throws(WSSecurityError) -> AssertionResponse {
        do {
            let response = try element.only(Names.requestSecurityTokenResponse)
            guard Array(element.children.prefix(2)).count == 1 else {
                throw WSSecurityError(.invalidToken, "the token response holds more than one token")
            }
            let token = try response.only(TrustNames.requestedToken).only(Names.assertion)
            let type = TrustNames.trimmed(try response.only(TrustNames.tokenType).simpleText())
            let result = AssertionResponse(
                assertion: try UnverifiedAssertion(token), tokenType: type, context: response.attribute("Context"),
                metadata: TokenRequest.stapledMetadata(in: response))
            try result.check(request)
            return result
        } catch let error as WSSecurityError {
            throw error
        } catch {
            throw WSSecurityError(.invalidToken, "the token response is malformed: \(error)")
        }
    }

    private func check(_ request: AssertionRequest) throws(WSSecurityError) {
        guard assertion.audience == AssertionAudience.name(of: request.audience) else {
            throw WSSecurityError(.invalidToken, "the assertion is for another service")
        }
        guard try Self.point(assertion.confirmation) == Self.point(request.confirmation) else {
            throw WSSecurityError(.invalidToken, "the assertion names another key")
        }
        guard context == request.context else { throw WSSecurityError(.invalidToken, "the Context is another one") }
    }

    /// What identifies the key, however it is written; nil for bearer.
    private static func point(_ confirmation: Assertion.Confirmation) throws(WSSecurityError) -> ConfirmationKey? {
        guard case .holderOfKey(let key) = confirmation else { return nil }
        return try read { () throws(IdentityError) in
            // A certificate of a key and the key itself are the same proof; keys that have no KeyValue compare as they are.
            guard case .p256 = try key.verificationKey() else { return key }
            return try ConfirmationKey(key.verificationKey())
        }
    }

    private static func read<T>(_ body: () throws(IdentityError) -> T) throws(WSSecurityError) -> T {
        do {
            return try body()
        } catch {
            throw WSSecurityError(.invalidToken, "\(error)")
        }
    }

    /// Writes the payload.
    /// - Throws: `XMLError` if the metadata is no XML.
    public func write(into writer: inout XMLWriter) throws {
        writer.start(TrustTags.collection)
        writer.start(TrustTags.response)
        if let context { writer.attribute("Context", context) }
        writer.element(TrustTags.tokenType, tokenType)
        writer.start(TrustTags.requestedToken)
        try writer.embed(canonical: assertion.octets)
        writer.end()
        TrustTags.writeLifetime(into: &writer, from: assertion.issueInstant, to: assertion.notOnOrAfter)
        for tag in [TrustTags.attachedReference, TrustTags.unattachedReference] {
            writer.start(tag)
            KeyHint.samlID(assertion.id).writeTokenReference(into: &writer)
            writer.end()
        }
        if let audience = AssertionAudience.domain(assertion.audience) {
            TrustTags.writeAppliesTo(audience, into: &writer)
        }
        writer.element(TrustTags.keyType, assertion.isBearer ? URIs.bearerKeyType : URIs.publicKeyType)
        try TrustTags.writeMetadata(metadata, into: &writer)
        writer.end()
        writer.end()
    }
}

extension TrustTags {
    static let collection = Tags.wst("RequestSecurityTokenResponseCollection")
    static let attachedReference = Tags.wst("RequestedAttachedReference")
    static let unattachedReference = Tags.wst("RequestedUnattachedReference")
}
