import FoundationEssentials
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// `wst:RequestSecurityToken` for an assertion (WS-Trust 1.3 §3, §4), as stock stacks write it: children in any order,
/// both namespaces of AppliesTo, both spellings of the token and key types.
public struct AssertionRequest: Sendable {
    /// Whose service the assertion is for.
    public let audience: MailDomain
    /// What the assertion shall name: the key given in the request, or that of the certificate that signed the call.
    public let confirmation: Assertion.Confirmation
    /// Seconds the caller would like the assertion to live.
    public let lifetime: TimeInterval?
    /// As asked for; the response names it alike.
    public let tokenType: String
    /// Echoed in the response.
    public let context: String?

    private static let maximumKeyInfo = MailCertificate.maximumSize * 2
    private static let tokenTypes: Set<String> = [URIs.saml20TokenType, URIs.saml20Assertion]

    /// What may be left aside without giving the caller more or less than they think: wishes about algorithms, and
    /// claims, of which an assertion here has none.
    private static let ignorable: Set<XMLName> = Set(
        [
            "Claims", "KeySize", "SignWith", "EncryptWith", "SignatureAlgorithm", "EncryptionAlgorithm",
            "CanonicalizationAlgorithm", "ComputedKeyAlgorithm", "Entropy", "Renewing", "AuthenticationType",
            "SecondaryParameters",
        ].map(Names.wst))
    private static let read: Set<XMLName> = [
        TrustNames.requestType, TrustNames.tokenType, TrustNames.keyType, TrustNames.useKey, TrustNames.lifetime,
        TrustNames.appliesTo, TrustNames.appliesTo15,
    ]

    public init(
        audience: MailDomain, confirmation: Assertion.Confirmation, lifetime: TimeInterval? = nil,
        tokenType: String = URIs.saml20TokenType, context: String? = nil
    ) {
        self.audience = audience
        self.confirmation = confirmation
        self.lifetime = lifetime
        self.tokenType = tokenType
        self.context = context
    }

    /// Reads the request out of an authenticated call.
    /// - Throws: `MalformedEnvelope`, `Forbidden` for what is not issued here (other tokens, tokens on behalf of others),
    ///   `UnsupportedAlgorithm` for a key we cannot name, `ActionMismatch`, `TooLarge`.
    public static func parse(_ request: AuthenticatedRequest, now: Date) throws(SOAPFault) -> AssertionRequest {
        guard request.operation == .issueAssertion else {
            throw SOAPFault(.actionMismatch, "The call asks for no assertion.")
        }
        return try parse(request.payload.element, certificate: request.certificate, now: now)
    }

    /// - Parameter certificate: of the key that signed the call, if one did.
    static func parse(
        _ element: XMLElement, certificate: MailCertificate?, now: Date
    ) throws(SOAPFault) -> AssertionRequest {
        do {
            try checkChildren(element)
            guard try value(element, TrustNames.requestType) == URIs.trustIssue else {
                throw SOAPFault(.actionMismatch, "wsa:Action and RequestType differ.")
            }
            let type = try value(element, TrustNames.tokenType) ?? URIs.saml20TokenType
            guard tokenTypes.contains(type) else {
                throw SOAPFault(.forbidden, "Only SAML 2.0 assertions are issued by this action.")
            }
            return AssertionRequest(
                audience: try audience(element), confirmation: try confirmation(element, certificate),
                lifetime: try TokenRequest.lifetime(element, now: now), tokenType: type,
                context: try TokenRequest.context(element))
        } catch let fault as SOAPFault {
            throw fault
        } catch let error as IdentityError where error.code == .unsupportedKey {
            throw SOAPFault(.unsupportedAlgorithm, "The key must be of P-256, as a KeyValue or in a certificate.")
        } catch {
            throw SOAPFault(.malformedEnvelope, "The RequestSecurityToken is malformed.")
        }
    }

    /// Anything else could mean that the caller wants the token for somebody else, or used otherwise.
    private static func checkChildren(_ element: XMLElement) throws(SOAPFault) {
        for child in element.children where !read.contains(child.name) && !ignorable.contains(child.name) {
            throw SOAPFault(.forbidden, "The RequestSecurityToken asks for something that is not offered here.")
        }
    }

    private static func value(_ element: XMLElement, _ name: XMLName) throws -> String? {
        guard let child = try element.optional(name) else { return nil }
        return TrustNames.trimmed(try child.simpleText())
    }

    // WS-Trust 1.3 §4.2; WS-PolicyAttachment §3.
    private static func audience(_ element: XMLElement) throws -> MailDomain {
        let scopes = [try element.optional(TrustNames.appliesTo), try element.optional(TrustNames.appliesTo15)].compactMap { $0 }
        guard scopes.count == 1, let scope = scopes.first else {
            throw SOAPFault(.malformedEnvelope, "The request must say by one AppliesTo for whose service the token is.")
        }
        let address = try scope.only(TrustNames.endpointReference).only(Names.wsaAddress).simpleText()
        guard let domain = AssertionAudience.domain(TrustNames.trimmed(address)) else {
            throw SOAPFault(.malformedEnvelope, "AppliesTo must be urn:wsemail:domain: and a mail domain.")
        }
        return domain
    }

    // WS-Trust 1.3 §4.2: KeyType, UseKey.
    private static func confirmation(
        _ element: XMLElement, _ certificate: MailCertificate?
    ) throws -> Assertion.Confirmation {
        let useKey = try element.optional(TrustNames.useKey)
        switch try value(element, TrustNames.keyType) {
        case URIs.bearerKeyType, URIs.bearerKeyTypeVariant:
            guard useKey == nil else { throw SOAPFault(.malformedEnvelope, "A bearer token uses no key.") }
            return .bearer
        case URIs.publicKeyType: break
        case nil: if useKey == nil && certificate == nil { return .bearer }
        default: throw SOAPFault(.forbidden, "Only the key types PublicKey and Bearer are offered here.")
        }
        guard let useKey else {
            guard let certificate else {
                throw SOAPFault(.malformedEnvelope, "A token for a key needs UseKey, or a call signed by a certificate.")
            }
            return .holderOfKey(.certificate(certificate))
        }
        let keyInfo = try useKey.only(Names.keyInfo)
        guard keyInfo.sourceRange.count <= maximumKeyInfo else { throw SOAPFault(.tooLarge, "The UseKey is too long.") }
        return .holderOfKey(try ConfirmationKey(keyInfo: keyInfo))
    }

    /// Writes the payload.
    /// - Parameter now: for the requested Lifetime.
    public func write(into writer: inout XMLWriter, now: Date) {
        writer.start(TrustTags.request)
        if let context { writer.attribute("Context", context) }
        writer.element(TrustTags.tokenType, tokenType)
        writer.element(TrustTags.requestType, URIs.trustIssue)
        TrustTags.writeAppliesTo(audience, into: &writer)
        if let lifetime { TrustTags.writeLifetime(into: &writer, from: now, to: now.addingTimeInterval(lifetime)) }
        switch confirmation {
        case .bearer: writer.element(TrustTags.keyType, URIs.bearerKeyType)
        case .holderOfKey(let key):
            writer.element(TrustTags.keyType, URIs.publicKeyType)
            writer.start(TrustTags.useKey)
            key.write(into: &writer)
            writer.end()
        }
        writer.end()
    }
}

extension TrustNames {
    static let keyType = Names.wst("KeyType")
    static let useKey = Names.wst("UseKey")
    static let appliesTo = XMLName(Namespaces.wsp, "AppliesTo")
    static let appliesTo15 = XMLName(Namespaces.wsp15, "AppliesTo")
    static let endpointReference = XMLName(Namespaces.wsa, "EndpointReference")

    /// Without XML white space around it: these are `xs:anyURI`, which collapse.
    static func trimmed(_ text: String) -> String {
        let isSpace: (Unicode.Scalar) -> Bool = { [" ", "\t", "\n", "\r"].contains($0) }
        let head = text.unicodeScalars.drop(while: isSpace)
        guard let end = head.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(head[...end])
    }
}

extension TrustTags {
    static let keyType = Tags.wst("KeyType")
    static let useKey = Tags.wst("UseKey")
    static let appliesTo = XMLTag("wsp", Namespaces.wsp, "AppliesTo")
    static let endpointReference = XMLTag("a", Namespaces.wsa, "EndpointReference")
    static let address = XMLTag("a", Namespaces.wsa, "Address")

    static func writeAppliesTo(_ audience: MailDomain, into writer: inout XMLWriter) {
        writer.start(appliesTo)
        writer.start(endpointReference)
        writer.element(address, AssertionAudience.name(of: audience))
        writer.end()
        writer.end()
    }
}
