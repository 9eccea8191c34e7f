import XMLCore

/// Every namespace URI of the wire, in one place.
public enum Namespaces {
    public static let soap12 = "http://www.w3.org/2003/05/soap-envelope"
    public static let soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
    public static let wsa = "http://www.w3.org/2005/08/addressing"
    public static let wsam = "http://www.w3.org/2007/05/addressing/metadata"
    public static let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    public static let wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    public static let wsse11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
    public static let ds = "http://www.w3.org/2000/09/xmldsig#"
    public static let dsig11 = "http://www.w3.org/2009/xmldsig11#"
    public static let wsc = "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512"
    public static let wst = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
    public static let saml2 = "urn:oasis:names:tc:SAML:2.0:assertion"
    /// WS-Policy 1.2 (submission) and 1.5: both occur around `AppliesTo`.
    public static let wsp = "http://schemas.xmlsoap.org/ws/2004/09/policy"
    public static let wsp15 = "http://www.w3.org/ns/ws-policy"
    public static let wsemail = "urn:wsemail:2"
    public static let wsdl = "http://schemas.xmlsoap.org/wsdl/"
    public static let wsdlSOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
    public static let xsd = "http://www.w3.org/2001/XMLSchema"
    public static let xml = "http://www.w3.org/XML/1998/namespace"
}

/// URIs that are values, not namespaces: token and encoding types, WS-Addressing's well-known addresses.
public enum URIs {
    public static let x509v3 =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
    public static let base64Binary =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
    public static let passwordText =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
    /// Token type of a session (WS-SecureConversation 1.3 §2).
    public static let securityContextToken = Namespaces.wsc + "/sct"
    public static let anonymousAddress = Namespaces.wsa + "/anonymous"
    public static let noneAddress = Namespaces.wsa + "/none"
    public static let trustIssue = Namespaces.wst + "/Issue"
    public static let trustRenew = Namespaces.wst + "/Renew"
    public static let trustCancel = Namespaces.wst + "/Cancel"
    /// Token types that mean a SAML 2.0 assertion.
    public static let saml20TokenType = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"
    public static let saml20Assertion = Namespaces.saml2
    /// WS-Trust 1.3 §3.1 (KeyType).
    public static let publicKeyType = Namespaces.wst + "/PublicKey"
    public static let bearerKeyType = Namespaces.wst + "/Bearer"
    /// As WS-Trust 1.4's text and some stacks spell it.
    public static let bearerKeyTypeVariant = "http://docs.oasis-open.org/wssx/wstrust/200512/Bearer"
    public static let roleNext = Namespaces.soap12 + "/role/next"
    public static let roleUltimateReceiver = Namespaces.soap12 + "/role/ultimateReceiver"
}

/// Expanded names as the parser's side compares them.
public enum Names {
    public static let envelope = XMLName(Namespaces.soap12, "Envelope")
    public static let header = XMLName(Namespaces.soap12, "Header")
    public static let body = XMLName(Namespaces.soap12, "Body")
    public static let fault = XMLName(Namespaces.soap12, "Fault")
    public static let faultCode = XMLName(Namespaces.soap12, "Code")
    public static let faultSubcode = XMLName(Namespaces.soap12, "Subcode")
    public static let faultValue = XMLName(Namespaces.soap12, "Value")
    public static let faultReason = XMLName(Namespaces.soap12, "Reason")
    public static let faultText = XMLName(Namespaces.soap12, "Text")
    public static let faultDetail = XMLName(Namespaces.soap12, "Detail")

    public static let wsaTo = XMLName(Namespaces.wsa, "To")
    public static let wsaAction = XMLName(Namespaces.wsa, "Action")
    public static let wsaMessageID = XMLName(Namespaces.wsa, "MessageID")
    public static let wsaRelatesTo = XMLName(Namespaces.wsa, "RelatesTo")
    public static let wsaReplyTo = XMLName(Namespaces.wsa, "ReplyTo")
    public static let wsaFaultTo = XMLName(Namespaces.wsa, "FaultTo")
    public static let wsaFrom = XMLName(Namespaces.wsa, "From")
    public static let wsaAddress = XMLName(Namespaces.wsa, "Address")

    public static let security = XMLName(Namespaces.wsse, "Security")
    public static let usernameToken = XMLName(Namespaces.wsse, "UsernameToken")
    public static let username = XMLName(Namespaces.wsse, "Username")
    public static let password = XMLName(Namespaces.wsse, "Password")
    public static let binarySecurityToken = XMLName(Namespaces.wsse, "BinarySecurityToken")
    public static let securityTokenReference = XMLName(Namespaces.wsse, "SecurityTokenReference")
    public static let reference = XMLName(Namespaces.wsse, "Reference")
    public static let signatureConfirmation = XMLName(Namespaces.wsse11, "SignatureConfirmation")
    public static let timestamp = XMLName(Namespaces.wsu, "Timestamp")
    public static let created = XMLName(Namespaces.wsu, "Created")
    public static let expires = XMLName(Namespaces.wsu, "Expires")
    public static let signature = XMLName(Namespaces.ds, "Signature")
    public static let keyInfo = XMLName(Namespaces.ds, "KeyInfo")
    public static let securityContextToken = XMLName(Namespaces.wsc, "SecurityContextToken")
    public static let contextIdentifier = XMLName(Namespaces.wsc, "Identifier")
    public static let contextInstance = XMLName(Namespaces.wsc, "Instance")
    public static let assertion = XMLName(Namespaces.saml2, "Assertion")

    public static let requestSecurityToken = XMLName(Namespaces.wst, "RequestSecurityToken")
    public static let requestSecurityTokenResponse = XMLName(Namespaces.wst, "RequestSecurityTokenResponse")

    public static let requestSecurityTokenResponseCollection = XMLName(
        Namespaces.wst, "RequestSecurityTokenResponseCollection")

    public static let sequence = wsemail("Sequence")
    /// As a header: the signed DomainMetadata of the domain that issued the caller's assertion.
    public static let metadata = wsemail("Metadata")
    public static let message = wsemail("Message")
    public static let postmark = wsemail("Postmark")
    public static let receipt = wsemail("Receipt")
    public static let domainMetadata = wsemail("DomainMetadata")

    /// A name of our own namespace. Compare with a stored one where it matters: this allocates.
    public static func wsemail(_ localName: String) -> XMLName { XMLName(Namespaces.wsemail, localName) }
    public static func wst(_ localName: String) -> XMLName { XMLName(Namespaces.wst, localName) }
}

/// Names with their prefix as the writer's side emits them.
public enum Tags {
    public static let envelope = XMLTag("s", Namespaces.soap12, "Envelope")
    public static let header = XMLTag("s", Namespaces.soap12, "Header")
    public static let body = XMLTag("s", Namespaces.soap12, "Body")
    public static let mustUnderstand = XMLTag("s", Namespaces.soap12, "mustUnderstand")
    public static let fault = XMLTag("s", Namespaces.soap12, "Fault")
    public static let faultCode = XMLTag("s", Namespaces.soap12, "Code")
    public static let faultSubcode = XMLTag("s", Namespaces.soap12, "Subcode")
    public static let faultValue = XMLTag("s", Namespaces.soap12, "Value")
    public static let faultReason = XMLTag("s", Namespaces.soap12, "Reason")
    public static let faultText = XMLTag("s", Namespaces.soap12, "Text")
    public static let faultDetail = XMLTag("s", Namespaces.soap12, "Detail")
    public static let xmlLang = XMLTag("xml", Namespaces.xml, "lang")

    public static let wsaTo = XMLTag("a", Namespaces.wsa, "To")
    public static let wsaAction = XMLTag("a", Namespaces.wsa, "Action")
    public static let wsaMessageID = XMLTag("a", Namespaces.wsa, "MessageID")
    public static let wsaRelatesTo = XMLTag("a", Namespaces.wsa, "RelatesTo")

    public static let security = XMLTag("o", Namespaces.wsse, "Security")
    public static let usernameToken = XMLTag("o", Namespaces.wsse, "UsernameToken")
    public static let username = XMLTag("o", Namespaces.wsse, "Username")
    public static let password = XMLTag("o", Namespaces.wsse, "Password")
    public static let binarySecurityToken = XMLTag("o", Namespaces.wsse, "BinarySecurityToken")
    public static let securityTokenReference = XMLTag("o", Namespaces.wsse, "SecurityTokenReference")
    public static let reference = XMLTag("o", Namespaces.wsse, "Reference")
    public static let signatureConfirmation = XMLTag("k", Namespaces.wsse11, "SignatureConfirmation")
    public static let wsuId = XMLTag("u", Namespaces.wsu, "Id")
    public static let timestamp = XMLTag("u", Namespaces.wsu, "Timestamp")
    public static let created = XMLTag("u", Namespaces.wsu, "Created")
    public static let expires = XMLTag("u", Namespaces.wsu, "Expires")
    public static let keyInfo = XMLTag("ds", Namespaces.ds, "KeyInfo")
    public static let securityContextToken = XMLTag("c", Namespaces.wsc, "SecurityContextToken")
    public static let contextIdentifier = XMLTag("c", Namespaces.wsc, "Identifier")

    public static let sequence = w("Sequence")
    public static let serverTime = w("ServerTime")
    public static let next = w("Next")
    public static let faultReference = w("Reference")
    /// Attribute of a fault's Body: it makes the prefix of the subcode's QName part of what is signed.
    public static let faultAttribute = w("Fault")

    /// Prefix `w`, for our calls and their wrappers. Keep the result in a `static let`.
    public static func w(_ localName: String) -> XMLTag { XMLTag("w", Namespaces.wsemail, localName) }
    /// Default prefix, for Message, Postmark, Receipt and their content.
    public static func message(_ localName: String) -> XMLTag { XMLTag("", Namespaces.wsemail, localName) }
    public static func wst(_ localName: String) -> XMLTag { XMLTag("t", Namespaces.wst, localName) }
}
