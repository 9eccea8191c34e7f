import FoundationEssentials
import SwiftASN1
import X509

/// What a certificate says about its subject, before an ``Issuer`` signs it.
struct CertificateProfile {
    var subject: DistinguishedName
    var publicKey: Certificate.PublicKey
    var constraints: BasicConstraints
    var keyUsage: KeyUsage
    var usage: ExtendedKeyUsage.Usage?
    /// Never set by our authorities: a certificate has one use. Tests forge with it.
    var moreUsages: [ExtendedKeyUsage.Usage] = []
    var alternativeNames: [GeneralName] = []
    var nameConstraints: NameConstraints?

    /// CN only. `address` may be longer than X.520's 64 characters: the mail address decides, not the directory.
    static func name(_ commonName: String) throws -> DistinguishedName {
        try DistinguishedName { CommonName(commonName) }
    }

    static func authority(_ commonName: String, _ key: Certificate.PublicKey, pathLength: Int) throws -> Self {
        CertificateProfile(
            subject: try name(commonName), publicKey: key,
            constraints: .isCertificateAuthority(maxPathLength: pathLength),
            keyUsage: KeyUsage(keyCertSign: true, cRLSign: true))
    }

    /// A server: signing (`usage` our own) or TLS (serverAuth).
    static func server(
        _ domain: MailDomain, hosts: [MailDomain], _ key: Certificate.PublicKey, _ usage: ExtendedKeyUsage.Usage
    ) throws -> Self {
        var names: [MailDomain] = [domain]
        for host in hosts where !names.contains(host) { names.append(host) }
        return CertificateProfile(
            subject: try name(domain.ascii), publicKey: key, constraints: .notCertificateAuthority,
            keyUsage: KeyUsage(digitalSignature: true), usage: usage,
            alternativeNames: names.map { .dnsName($0.ascii) })
    }

    static func user(_ address: Address, _ key: Certificate.PublicKey) throws -> Self {
        CertificateProfile(
            subject: try name(address.description), publicKey: key, constraints: .notCertificateAuthority,
            keyUsage: KeyUsage(digitalSignature: true), usage: .init(oid: MailOID.mailUser),
            alternativeNames: [try mailbox(address)])
    }

    /// Only the domain as dNSName. An rfc822Name constraint would be right as well, but swift-certificates 1.21
    /// refuses every chain that holds one ("unsupported constraint"); our own ``ChainPolicy`` does that part.
    static func constraint(to domain: MailDomain) -> NameConstraints {
        NameConstraints(permittedDNSDomains: [domain.ascii])
    }

    private static func mailbox(_ address: Address) throws -> GeneralName {
        if address.isASCII { return .rfc822Name(address.description) }
        let value = try ASN1Any(erasing: ASN1UTF8String(address.description))
        return .otherName(.init(typeID: MailOID.smtpUTF8Mailbox, value: value))
    }

    func extensions(authorityKey: SubjectKeyIdentifier?) throws -> Certificate.Extensions {
        try Certificate.Extensions {
            Critical(constraints)
            Critical(keyUsage)
            if let usage { Critical(try ExtendedKeyUsage([usage] + moreUsages)) }
            if !alternativeNames.isEmpty { SubjectAlternativeNames(alternativeNames) }
            if let nameConstraints { Critical(nameConstraints) }
            SubjectKeyIdentifier(hash: publicKey)
            if let authorityKey { AuthorityKeyIdentifier(keyIdentifier: authorityKey.keyIdentifier) }
        }
    }
}
