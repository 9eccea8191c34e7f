import FoundationEssentials
import XMLCore
import XMLSecurity

/// A statement of a domain about one of its users, for the service of one domain: a SAML 2.0 assertion to be signed.
///
/// ```xml
/// <saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_…" IssueInstant="…Z" Version="2.0">
///   <saml:Issuer>scopio.test</saml:Issuer><ds:Signature/>
///   <saml:Subject><saml:NameID Format="…emailAddress">bob@scopio.test</saml:NameID>
///     <saml:SubjectConfirmation Method="…holder-of-key">
///       <saml:SubjectConfirmationData><ds:KeyInfo/></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>
///   <saml:Conditions NotBefore="…Z" NotOnOrAfter="…Z">
///     <saml:AudienceRestriction><saml:Audience>urn:wsemail:domain:capicom.test</saml:Audience></saml:AudienceRestriction>
///   </saml:Conditions>
///   <saml:AuthnStatement AuthnInstant="…Z"><saml:AuthnContext>
///     <saml:AuthnContextClassRef>…</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
/// </saml:Assertion>
/// ```
/// (without the white space shown here). The issuer is always the domain of the subject.
public struct Assertion: Sendable, Hashable {
    /// Who may use the assertion.
    public enum Confirmation: Sendable, Hashable {
        case holderOfKey(ConfirmationKey)
        /// Whoever has it: once, over TLS.
        case bearer
    }

    /// Seconds from the issue to NotOnOrAfter unless told otherwise, and at most.
    public static let defaultLifetime: TimeInterval = 300
    public static let maximumLifetime: TimeInterval = 600
    /// Seconds that NotBefore lies before the issue, for services whose clock is behind ours.
    public static let backdating: TimeInterval = 60

    /// `_` and 32 lower-case hexadecimal digits.
    public let id: String
    public let subject: Address
    /// Whose service it is for.
    public let audience: MailDomain
    public let confirmation: Confirmation
    /// When and how the subject proved to the issuer who they are.
    public let authnInstant: Date
    public let method: AssertionMethod
    public let issueInstant: Date
    public let notBefore: Date
    public let notOnOrAfter: Date

    public var issuer: MailDomain { subject.domain }

    /// - Parameters:
    ///   - now: by the issuer's clock.
    ///   - lifetime: seconds from `now`.
    /// - Throws: ``IdentityError`` `.limitExceeded` for a lifetime outside 1...``maximumLifetime``.
    public init(
        subject: Address, audience: MailDomain, confirmation: Confirmation, method: AssertionMethod, authnInstant: Date,
        now: Date, lifetime: TimeInterval = Assertion.defaultLifetime
    ) throws(IdentityError) {
        guard lifetime >= 1, lifetime <= Self.maximumLifetime else {
            throw IdentityError(.limitExceeded, "an assertion for \(lifetime) seconds")
        }
        id = "_" + RandomID.hex(16)
        self.subject = subject
        self.audience = audience
        self.confirmation = confirmation
        self.authnInstant = authnInstant
        self.method = method
        issueInstant = now
        notBefore = now.addingTimeInterval(-Self.backdating)
        notOnOrAfter = now.addingTimeInterval(lifetime)
    }

    /// The signed octets: canonical, with all namespaces declared, so that they verify wherever they are embedded.
    /// - Parameters:
    ///   - key: of the issuer's server certificate.
    ///   - certificate: named by its SHA-256 thumbprint.
    /// - Throws: ``IdentityError`` `.keyMismatch`, `.cryptography`.
    public func signed(by key: SigningKey, certificate: MailCertificate) throws(IdentityError) -> [UInt8] {
        guard key.matches(certificate) else {
            throw IdentityError(.keyMismatch, "the key does not belong to the certificate that would sign the assertion")
        }
        let signer = SignatureSigner(key: key, keyInfo: .thumbprintSHA256(certificate.thumbprintSHA256))
        return try Self.seal(unsignedOctets(), id: id, with: signer)
    }

    /// Signs, and moves the signature to where the schema wants it, right behind the Issuer (saml-core-2.0-os §2.3.3): the
    /// enveloped-signature transform leaves it out wherever it stands.
    static func seal(_ octets: [UInt8], id: String, with signer: SignatureSigner) throws(IdentityError) -> [UInt8] {
        let issuerEnd = Array("</saml:Issuer>".utf8)
        guard let place = octets.firstRange(of: issuerEnd)?.upperBound else {
            throw IdentityError(.malformedAssertion, "an assertion without an Issuer")
        }
        let signed = try IdentityError.wrap(.cryptography, "the assertion cannot be signed") {
            try signer.signEnveloped(octets, id: id)
        }
        let start = octets.count - "</saml:Assertion>".utf8.count
        let signature = signed[start..<(start + signed.count - octets.count)]
        return Array(octets[..<place] + signature + octets[place...])
    }

    func unsignedOctets() -> [UInt8] {
        var writer = XMLWriter(reserving: 4096)
        writer.start(SAML.tag("Assertion"), selfContained: true)
        writer.attribute("ID", id)
        writer.attribute("IssueInstant", UTCSeconds.format(issueInstant))
        writer.attribute("Version", "2.0")
        writer.element(SAML.tag("Issuer"), issuer.ascii)
        writeSubject(into: &writer)
        writer.start(SAML.tag("Conditions"))
        writer.attribute("NotBefore", UTCSeconds.format(notBefore))
        writer.attribute("NotOnOrAfter", UTCSeconds.format(notOnOrAfter))
        writer.start(SAML.tag("AudienceRestriction"))
        writer.element(SAML.tag("Audience"), AssertionAudience.name(of: audience))
        writer.end()
        writer.end()
        writer.start(SAML.tag("AuthnStatement"))
        writer.attribute("AuthnInstant", UTCSeconds.format(authnInstant))
        writer.start(SAML.tag("AuthnContext"))
        writer.element(SAML.tag("AuthnContextClassRef"), method.rawValue)
        writer.end()
        writer.end()
        writer.end()
        return writer.bytes
    }

    private func writeSubject(into writer: inout XMLWriter) {
        writer.start(SAML.tag("Subject"))
        writer.start(SAML.tag("NameID"))
        writer.attribute("Format", SAML.emailAddress)
        writer.text(subject.description)
        writer.end()
        writer.start(SAML.tag("SubjectConfirmation"))
        switch confirmation {
        case .bearer: writer.attribute("Method", SAML.bearer)
        case .holderOfKey(let key):
            writer.attribute("Method", SAML.holderOfKey)
            writer.start(SAML.tag("SubjectConfirmationData"))
            key.write(into: &writer)
            writer.end()
        }
        writer.end()
        writer.end()
    }
}
