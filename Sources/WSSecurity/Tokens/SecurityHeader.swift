import Identity
import SOAP
import XMLCore
import XMLSecurity

/// The one `wsse:Security` header meant for us, its children sorted by kind, in whatever order they came
/// (zeep puts the Signature before its token).
struct SecurityHeader: Sendable {
    struct UsernameToken: Sendable {
        let username: String
        let password: String
    }

    struct BinaryToken: Sendable {
        /// `wsu:Id`, empty if absent.
        let id: String
        let certificate: MailCertificate
    }

    struct ContextToken: Sendable {
        let id: String
        /// `wsc:Identifier`.
        let identifier: String
    }

    static let maximumBinaryTokens = 4
    private static let maximumCertificate = MailCertificate.maximumSize
    private static let maximumCredential = 1024

    let element: XMLElement
    private(set) var timestamp: MessageTimestamp?
    private(set) var usernameToken: UsernameToken?
    private(set) var contextToken: ContextToken?
    private(set) var binaryTokens: [BinaryToken] = []
    private(set) var signature: XMLElement?
    /// Nothing here reads it: see `UnverifiedAssertion`.
    private(set) var assertion: XMLElement?
    private(set) var confirmation: XMLElement?

    /// - Throws: `MalformedEnvelope` for two of a kind, an unknown token, a wrong token type.
    init(_ element: XMLElement) throws(SOAPFault) {
        self.element = element
        for child in element.children { try add(child) }
    }

    private mutating func add(_ child: XMLElement) throws(SOAPFault) {
        if child.isNamed(Names.timestamp) {
            try Self.requireFirst(timestamp == nil, "Timestamp")
            timestamp = try MessageTimestamp(child)
        } else if child.isNamed(Names.signature) {
            try Self.requireFirst(signature == nil, "Signature")
            signature = child
        } else if child.isNamed(Names.securityContextToken) {
            try Self.requireFirst(contextToken == nil, "SecurityContextToken")
            contextToken = try Self.contextToken(child)
        } else if child.isNamed(Names.signatureConfirmation) {
            try Self.requireFirst(confirmation == nil, "SignatureConfirmation")
            confirmation = child
        } else if child.isNamed(Names.usernameToken) {
            try Self.requireFirst(usernameToken == nil, "UsernameToken")
            usernameToken = try Self.usernameToken(child)
        } else if child.isNamed(Names.binarySecurityToken) {
            guard binaryTokens.count < Self.maximumBinaryTokens else {
                throw SOAPFault(.malformedEnvelope, "Too many BinarySecurityTokens.")
            }
            binaryTokens.append(try Self.binaryToken(child))
        } else if child.isNamed(Names.assertion) {
            try Self.requireFirst(assertion == nil, "Assertion")
            assertion = child
        } else {
            throw SOAPFault(.malformedEnvelope, "The Security header holds a token that is not supported.")
        }
    }

    private static func requireFirst(_ isFirst: Bool, _ name: String) throws(SOAPFault) {
        guard isFirst else { throw SOAPFault(.malformedEnvelope, "The Security header holds more than one \(name).") }
    }

    // UsernameToken Profile 1.1.1 §3.1. An absent Type means text (MSAL, .NET).
    private static func usernameToken(_ element: XMLElement) throws(SOAPFault) -> UsernameToken {
        guard let username = try? element.only(Names.username).simpleText(),
            let passwordElement = try? element.only(Names.password), let password = try? passwordElement.simpleText()
        else { throw SOAPFault(.malformedEnvelope, "A UsernameToken needs one Username and one Password.") }
        if let type = passwordElement.attribute("Type"), type != URIs.passwordText {
            throw SOAPFault(.failedAuthentication, "Only PasswordText is supported.")
        }
        guard !username.isEmpty, username.utf8.count <= maximumCredential, !password.isEmpty,
            password.utf8.count <= maximumCredential
        else { throw SOAPFault(.failedAuthentication, "Username or Password is empty or too long.") }
        return UsernameToken(username: username, password: password)
    }

    // X.509 Token Profile 1.1.1 §3.1.
    private static func binaryToken(_ element: XMLElement) throws(SOAPFault) -> BinaryToken {
        guard element.attribute("ValueType") == URIs.x509v3 else {
            throw SOAPFault(.malformedEnvelope, "Only X509v3 BinarySecurityTokens are supported.")
        }
        if let encoding = element.attribute("EncodingType"), encoding != URIs.base64Binary {
            throw SOAPFault(.malformedEnvelope, "BinarySecurityTokens must be Base64Binary.")
        }
        guard let der = try? element.base64Bytes(limit: maximumCertificate),
            let certificate = try? MailCertificate(der: der)
        else { throw SOAPFault(.malformedEnvelope, "A BinarySecurityToken is no certificate.") }
        return BinaryToken(id: element.attribute("Id", namespace: Namespaces.wsu) ?? "", certificate: certificate)
    }

    // WS-SecureConversation 1.3 §2. Key instances (wsc:Instance) are not used: renewal makes a new context.
    private static func contextToken(_ element: XMLElement) throws(SOAPFault) -> ContextToken {
        guard let identifier = try? element.only(Names.contextIdentifier).simpleText(), !identifier.isEmpty,
            identifier.utf8.count <= 256, element.first(Names.contextInstance) == nil
        else { throw SOAPFault(.malformedEnvelope, "A SecurityContextToken needs one Identifier and no Instance.") }
        return ContextToken(id: element.attribute("Id", namespace: Namespaces.wsu) ?? "", identifier: identifier)
    }
}
