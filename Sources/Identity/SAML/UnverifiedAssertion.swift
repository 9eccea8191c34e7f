import FoundationEssentials
import XMLCore
import XMLSecurity

/// A SAML 2.0 assertion as somebody showed it: its form is checked, nothing it says is proven. See ``Assertion`` for the
/// form; anything beyond it (Advice, attributes, encrypted names, conditions we do not know) is refused, since an
/// assertion whose every part is understood leaves no part that could mean something else.
public struct UnverifiedAssertion: Sendable {
    /// Octets of an assertion.
    public static let maximumSize = 16 << 10
    private static let maximumID = 128

    /// Exclusive canonical form of the element.
    public let octets: [UInt8]
    let document: XMLDocument
    private let content: Content

    public var id: String { content.id }
    /// Who claims to have signed it.
    public var issuer: MailDomain { content.issuer }
    public var subject: Address { content.subject }
    public var audience: String { content.audience }
    public var confirmation: Assertion.Confirmation { content.confirmation }
    public var issueInstant: Date { content.issueInstant }
    public var notBefore: Date { content.notBefore }
    public var notOnOrAfter: Date { content.notOnOrAfter }
    public var authnInstant: Date { content.authnInstant }
    public var method: AssertionMethod { content.method }
    /// SHA-256 of the certificate that its KeyInfo names.
    public var signerThumbprint: [UInt8] { content.signerThumbprint }
    public var isBearer: Bool { confirmation == .bearer }

    /// Reads an assertion that stands alone.
    /// - Throws: as ``init(_:)``.
    public init(parsing octets: [UInt8]) throws(IdentityError) {
        guard octets.count <= Self.maximumSize else { throw Self.tooLarge }
        guard let document = try? XMLDocument.parse(octets) else { throw StrictReader.malformed("no XML") }
        try self.init(document.root)
    }

    /// Reads an assertion within another document.
    /// - Throws: ``IdentityError`` `.limitExceeded`, `.malformedAssertion`, `.invalidAddress`, `.invalidDomain`,
    ///   `.unsupportedKey`, `.malformedCertificate`.
    public init(_ element: XMLElement) throws(IdentityError) {
        guard element.sourceRange.count <= Self.maximumSize else { throw Self.tooLarge }
        // Comments are not signed: whoever adds one must not be able to change what a value looks like.
        guard !element.containsComments else { throw StrictReader.malformed("it holds a comment") }
        // Once more as a document of its own: that is what was signed. Ids and namespaces around it mean nothing here.
        let octets = element.canonicalBytes()
        guard octets.count <= Self.maximumSize else { throw Self.tooLarge }
        guard let document = try? XMLDocument.parse(octets) else { throw StrictReader.malformed("it does not stand alone") }
        // The form as it was written; the values as they were signed.
        _ = try Content(element)
        content = try Content(document.root)
        self.octets = octets
        self.document = document
    }

    private static let tooLarge = IdentityError(.limitExceeded, "an assertion of more than \(maximumSize) octets")
}

extension UnverifiedAssertion {
    /// saml-core-2.0-os §2.3.3: exactly one of each, in this order.
    private struct Content {
        let id: String
        let issuer: MailDomain
        let subject: Address
        let audience: String
        let confirmation: Assertion.Confirmation
        let issueInstant, notBefore, notOnOrAfter, authnInstant: Date
        let method: AssertionMethod
        let signerThumbprint: [UInt8]

        init(_ element: XMLElement) throws(IdentityError) {
            guard element.isNamed(SAML.assertion) else { throw StrictReader.malformed("no saml:Assertion") }
            var reader = try StrictReader(element, attributes: ["ID", "IssueInstant", "Version"])
            (id, issueInstant) = try UnverifiedAssertion.attributes(of: element)
            let name = try StrictReader.text(try reader.require(SAML.issuer))
            issuer = try MailDomain(name)
            guard issuer.ascii.utf8.elementsEqual(name.utf8) else {
                throw StrictReader.malformed("the Issuer is not in its canonical form")
            }
            signerThumbprint = try UnverifiedAssertion.thumbprint(try reader.require(SAML.signature))
            (subject, confirmation) = try UnverifiedAssertion.subject(try reader.require(SAML.subject))
            (notBefore, notOnOrAfter, audience) = try UnverifiedAssertion.conditions(try reader.require(SAML.conditions))
            (authnInstant, method) = try UnverifiedAssertion.authentication(try reader.require(SAML.authnStatement))
            try reader.finish()
        }
    }

    private static func attributes(of element: XMLElement) throws(IdentityError) -> (String, Date) {
        guard element.attribute("Version") == "2.0" else { throw StrictReader.malformed("not of version 2.0") }
        guard let id = element.attribute("ID"), isIdentifier(id) else { throw StrictReader.malformed("no usable ID") }
        return (id, try time("IssueInstant", of: element))
    }

    /// An ASCII NCName.
    private static func isIdentifier(_ id: String) -> Bool {
        guard (1...maximumID).contains(id.utf8.count), let first = id.utf8.first, isLetter(first) else { return false }
        return id.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
    }

    // saml-core-2.0-os §2.4
    private static func subject(_ element: XMLElement) throws(IdentityError) -> (Address, Assertion.Confirmation) {
        var reader = try StrictReader(element)
        let nameID = try reader.require(SAML.nameID)
        let confirmation = try reader.require(SAML.subjectConfirmation)
        try reader.finish()
        let name = try StrictReader.text(nameID, attributes: ["Format"])
        guard nameID.attribute("Format") == SAML.emailAddress else {
            throw StrictReader.malformed("the NameID is no mail address")
        }
        let address = try Address(name)
        // By octets: Swift takes equivalent spellings for equal.
        guard address.description.utf8.elementsEqual(name.utf8) else {
            throw StrictReader.malformed("the NameID is not in its canonical form")
        }
        return (address, try self.confirmation(confirmation))
    }

    private static func confirmation(_ element: XMLElement) throws(IdentityError) -> Assertion.Confirmation {
        var reader = try StrictReader(element, attributes: ["Method"])
        switch element.attribute("Method") {
        case SAML.bearer:
            try reader.finish()
            return .bearer
        case SAML.holderOfKey:
            let data = try reader.require(SAML.subjectConfirmationData)
            try reader.finish()
            var inner = try StrictReader(data)
            let keyInfo = try inner.require(SAML.keyInfo)
            try inner.finish()
            return .holderOfKey(try ConfirmationKey(keyInfo: keyInfo))
        default: throw StrictReader.malformed("a SubjectConfirmation that is neither holder-of-key nor bearer")
        }
    }

    // saml-core-2.0-os §2.5: a condition that is not understood makes the assertion invalid.
    private static func conditions(_ element: XMLElement) throws(IdentityError) -> (Date, Date, String) {
        var reader = try StrictReader(element, attributes: ["NotBefore", "NotOnOrAfter"])
        let restriction = try reader.require(SAML.audienceRestriction)
        try reader.finish()
        var inner = try StrictReader(restriction)
        let audience = try inner.require(SAML.audience)
        try inner.finish()
        return (
            try time("NotBefore", of: element), try time("NotOnOrAfter", of: element), try StrictReader.text(audience)
        )
    }

    // saml-core-2.0-os §2.7.2
    private static func authentication(_ element: XMLElement) throws(IdentityError) -> (Date, AssertionMethod) {
        var reader = try StrictReader(element, attributes: ["AuthnInstant"])
        let context = try reader.require(SAML.authnContext)
        try reader.finish()
        var inner = try StrictReader(context)
        let reference = try StrictReader.text(try inner.require(SAML.authnContextClassRef))
        try inner.finish()
        guard let method = AssertionMethod(rawValue: reference) else {
            throw StrictReader.malformed("an AuthnContextClassRef we do not know")
        }
        return (try time("AuthnInstant", of: element), method)
    }

    private static func thumbprint(_ signature: XMLElement) throws(IdentityError) -> [UInt8] {
        guard let keyInfo = signature.first(SAML.keyInfo), case .thumbprintSHA256(let thumbprint)? = try? KeyHint.parse(keyInfo)
        else { throw StrictReader.malformed("its signature names no certificate by SHA-256") }
        return thumbprint
    }

    /// `xs:dateTime` in UTC; fractions of a second are dropped.
    private static func time(_ name: String, of element: XMLElement) throws(IdentityError) -> Date {
        guard var text = element.attribute(name) else { throw StrictReader.malformed("no \(name)") }
        if let dot = text.firstIndex(of: "."), text.hasSuffix("Z"), text.utf8.count <= 40 {
            let fraction = text[text.index(after: dot)...].dropLast()
            guard !fraction.isEmpty, fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw StrictReader.malformed("\(name) is no UTC dateTime")
            }
            text = text[..<dot] + "Z"
        }
        guard let date = UTCSeconds.parse(text) else { throw StrictReader.malformed("\(name) is no UTC dateTime") }
        return date
    }
}
