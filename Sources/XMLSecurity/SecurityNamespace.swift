import XMLCore

/// The namespaces of XML-Signature and of the WS-Security tokens it refers to.
public enum SecurityNamespace {
    /// XML-Signature 1.1
    public static let ds = "http://www.w3.org/2000/09/xmldsig#"
    /// What XML-Signature 1.1 added.
    public static let dsig11 = "http://www.w3.org/2009/xmldsig11#"
    /// Exclusive C14N 1.0 without comments: the algorithm, and the namespace of InclusiveNamespaces.
    public static let exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
    public static let envelopedSignature = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
    public static let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    public static let wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    public static let wsse11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"

    static let soapMessageSecurity10 =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"
    static let soapMessageSecurity11 = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
    static let x509TokenProfile = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
    static let samlTokenProfile11 = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1"
}

/// The value types and encodings of token references (WSS 1.1, X.509 and SAML token profiles).
public enum TokenType {
    public static let x509v3 = SecurityNamespace.x509TokenProfile + "#X509v3"
    public static let subjectKeyIdentifier = SecurityNamespace.x509TokenProfile + "#X509SubjectKeyIdentifier"
    public static let thumbprintSHA1 = SecurityNamespace.soapMessageSecurity11 + "#ThumbprintSHA1"
    public static let samlID = SecurityNamespace.samlTokenProfile11 + "#SAMLID"
    public static let saml20 = SecurityNamespace.samlTokenProfile11 + "#SAMLV2.0"
    public static let base64Binary = SecurityNamespace.soapMessageSecurity10 + "#Base64Binary"
}

/// Names looked for in signatures.
enum Names {
    static func ds(_ name: String) -> XMLName { XMLName(SecurityNamespace.ds, name) }
    static func wsse(_ name: String) -> XMLName { XMLName(SecurityNamespace.wsse, name) }

    static let signature = ds("Signature")
    static let signedInfo = ds("SignedInfo")
    static let signatureValue = ds("SignatureValue")
    static let keyInfo = ds("KeyInfo")
    static let canonicalizationMethod = ds("CanonicalizationMethod")
    static let signatureMethod = ds("SignatureMethod")
    static let reference = ds("Reference")
    static let transforms = ds("Transforms")
    static let transform = ds("Transform")
    static let digestMethod = ds("DigestMethod")
    static let digestValue = ds("DigestValue")
    static let inclusiveNamespaces = XMLName(SecurityNamespace.exclusiveC14N, "InclusiveNamespaces")

    static let keyName = ds("KeyName")
    static let keyValue = ds("KeyValue")
    static let x509Data = ds("X509Data")
    static let x509Certificate = ds("X509Certificate")
    static let x509IssuerSerial = ds("X509IssuerSerial")
    static let x509IssuerName = ds("X509IssuerName")
    static let x509SerialNumber = ds("X509SerialNumber")
    static let x509SKI = ds("X509SKI")
    static let x509Digest = XMLName(SecurityNamespace.dsig11, "X509Digest")
    static let securityTokenReference = wsse("SecurityTokenReference")
    static let tokenReference = wsse("Reference")
    static let keyIdentifier = wsse("KeyIdentifier")

    static let ids = [
        XMLName(SecurityNamespace.wsu, "Id"), XMLName("", "Id"), XMLName("", "ID"),
    ]
}

/// Tags written in signatures.
enum Tags {
    static func ds(_ name: String) -> XMLTag { XMLTag("ds", SecurityNamespace.ds, name) }
    static func wsse(_ name: String) -> XMLTag { XMLTag("wsse", SecurityNamespace.wsse, name) }

    static let signature = ds("Signature")
    static let signatureValue = ds("SignatureValue")
    static let signedInfo = ds("SignedInfo")
    static let canonicalizationMethod = ds("CanonicalizationMethod")
    static let signatureMethod = ds("SignatureMethod")
    static let reference = ds("Reference")
    static let transforms = ds("Transforms")
    static let transform = ds("Transform")
    static let digestMethod = ds("DigestMethod")
    static let digestValue = ds("DigestValue")
    static let keyInfo = ds("KeyInfo")
    static let x509Data = ds("X509Data")
    static let x509Certificate = ds("X509Certificate")
    static let x509IssuerSerial = ds("X509IssuerSerial")
    static let x509IssuerName = ds("X509IssuerName")
    static let x509SerialNumber = ds("X509SerialNumber")
    static let x509Digest = XMLTag("dsig11", SecurityNamespace.dsig11, "X509Digest")
    static let securityTokenReference = wsse("SecurityTokenReference")
    static let tokenReference = wsse("Reference")
    static let keyIdentifier = wsse("KeyIdentifier")
    static let tokenType = XMLTag("wsse11", SecurityNamespace.wsse11, "TokenType")
}
