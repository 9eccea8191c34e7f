import XMLCore
import XMLSecurity

/// Names and values of SAML 2.0 (saml-core-2.0-os) as far as our assertions use them.
enum SAML {
    static let namespace = "urn:oasis:names:tc:SAML:2.0:assertion"
    static let emailAddress = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    static let holderOfKey = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
    static let bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    /// XML-Signature 1.1 §4.5.2.3: the named curve of P-256.
    static let p256 = "urn:oid:1.2.840.10045.3.1.7"

    static func tag(_ name: String) -> XMLTag { XMLTag("saml", namespace, name) }
    static func name(_ name: String) -> XMLName { XMLName(namespace, name) }

    static let assertion = name("Assertion")
    static let issuer = name("Issuer")
    static let subject = name("Subject")
    static let nameID = name("NameID")
    static let subjectConfirmation = name("SubjectConfirmation")
    static let subjectConfirmationData = name("SubjectConfirmationData")
    static let conditions = name("Conditions")
    static let audienceRestriction = name("AudienceRestriction")
    static let audience = name("Audience")
    static let authnStatement = name("AuthnStatement")
    static let authnContext = name("AuthnContext")
    static let authnContextClassRef = name("AuthnContextClassRef")

    static func ds(_ name: String) -> XMLName { XMLName(SecurityNamespace.ds, name) }
    static func dsTag(_ name: String) -> XMLTag { XMLTag("ds", SecurityNamespace.ds, name) }
    static func dsig11(_ name: String) -> XMLName { XMLName(SecurityNamespace.dsig11, name) }
    static func dsig11Tag(_ name: String) -> XMLTag { XMLTag("dsig11", SecurityNamespace.dsig11, name) }

    static let signature = ds("Signature")
    static let keyInfo = ds("KeyInfo")
}

/// How the subject proved to the issuer who they are (`saml:AuthnContextClassRef`, saml-authn-context-2.0-os).
public enum AssertionMethod: String, Sendable, Hashable, CaseIterable {
    case password = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
    case x509 = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
}

/// `saml:Audience`: the service that an assertion is for, named as in `wsa:To`. One spelling only.
public enum AssertionAudience {
    private static let prefix = "urn:wsemail:domain:"

    public static func name(of domain: MailDomain) -> String { prefix + domain.ascii }

    /// Nil for anything but the one spelling.
    public static func domain(_ name: String) -> MailDomain? {
        guard name.hasPrefix(prefix), let domain = try? MailDomain(String(name.dropFirst(prefix.count))),
            AssertionAudience.name(of: domain).utf8.elementsEqual(name.utf8)
        else { return nil }
        return domain
    }
}
