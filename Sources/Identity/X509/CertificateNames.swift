import SwiftASN1
import X509

/// What the names and usages of a certificate say about mail.
struct CertificateNames {
    private(set) var role: MailCertificate.Role
    private(set) var commonName: String?
    private(set) var addresses: [Address] = []
    private(set) var domains: [MailDomain] = []

    /// More names than this are not looked at: the certificate is refused.
    static let maximumNames = 64

    init(_ certificate: Certificate) throws {
        role = try Self.role(of: certificate)
        commonName = Self.commonName(of: certificate.subject)
        switch role {
        case .domainCA: domains = try Self.constrainedDomain(certificate).map { [$0] } ?? []
        case .user, .server, .tls: try readAlternativeNames(certificate)
        case .other: break
        }
    }

    private mutating func readAlternativeNames(_ certificate: Certificate) throws {
        guard let names = try certificate.extensions.subjectAlternativeNames else { return }
        guard names.count <= Self.maximumNames else { throw IdentityError(.limitExceeded, "too many names") }
        for name in names {
            switch (name, role) {
            case (.dnsName(let text), .server): domains.append(try MailDomain(text))
            // A foreign web certificate may hold wildcards and single labels; they name no mail domain.
            case (.dnsName(let text), .tls): if let domain = try? MailDomain(text) { domains.append(domain) }
            case (.rfc822Name(let text), .user): addresses.append(try Address(text))
            case (.otherName(let other), .user) where other.typeID == MailOID.smtpUTF8Mailbox:
                guard let value = other.value else { break }
                addresses.append(try Address(String(ASN1UTF8String(asn1Any: value))))
            default: break
            }
        }
    }

    private static func role(of certificate: Certificate) throws -> MailCertificate.Role {
        if case .isCertificateAuthority? = try certificate.extensions.basicConstraints { return .domainCA }
        guard let usage = try certificate.extensions.extendedKeyUsage else { return .other }
        let isServer = usage.contains(.init(oid: MailOID.mailServer))
        let isUser = usage.contains(.init(oid: MailOID.mailUser))
        guard !(isServer && isUser), !((isServer || isUser) && usage.contains(.serverAuth)) else {
            throw IdentityError(.wrongRole, "a certificate for two roles at once")
        }
        if isServer { return .server }
        if isUser { return .user }
        return usage.contains(.serverAuth) ? .tls : .other
    }

    /// The name constraint *is* the statement of which domain a CA speaks for.
    private static func constrainedDomain(_ certificate: Certificate) throws -> MailDomain? {
        guard let constraints = try certificate.extensions.nameConstraints else { return nil }
        let permitted = Array(constraints.permittedDNSDomains)
        guard permitted.count == 1 else { return nil }
        return try? MailDomain(permitted[0])
    }

    private static func commonName(of subject: DistinguishedName) -> String? {
        let values = subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
        guard values.count == 1 else { return nil }
        return String(values[0].value)
    }
}
