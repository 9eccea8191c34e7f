import Crypto
import FoundationEssentials
import SwiftASN1
import X509
import XMLSecurity

/// The certificate authority of one mail domain: its root, and what the root issues.
///
/// The root is constrained to the domain (RFC 5280 §4.2.1.10), so that it cannot speak for another one even where a
/// relying party knows nothing of our own rules. Hosts outside the domain therefore cannot be certified here; they
/// bring a web certificate for TLS.
public struct DomainAuthority: Sendable {
    public let domain: MailDomain
    public let lifetimes: CertificateLifetimes
    let issuer: Issuer

    /// The root certificate: what `trust add` pins.
    public var certificate: MailCertificate { issuer.certificate }

    /// Makes a new P-256 root for `domain`.
    /// - Throws: ``IdentityError`` `.cryptography`.
    public static func create(
        domain: MailDomain, now: Date, lifetimes: CertificateLifetimes = .standard
    ) throws(IdentityError) -> DomainAuthority {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        var profile = try IdentityError.wrap(.cryptography, "root") {
            try CertificateProfile.authority("WSEmail domain root \(domain.ascii)", key.publicKey, pathLength: 1)
        }
        profile.nameConstraints = CertificateProfile.constraint(to: domain)
        let issuer = try Issuer.selfSigned(profile, key: key, lifetimes: lifetimes, now: now)
        return DomainAuthority(domain: domain, issuer: issuer, lifetimes: lifetimes)
    }

    /// Loads a root made by ``create(domain:now:lifetimes:)``.
    /// - Throws: ``IdentityError`` `.malformedCertificate`, `.wrongRole`, `.keyMismatch`, `.unsupportedKey`.
    public init(
        certificatePEM: String, keyPEM: String, lifetimes: CertificateLifetimes = .standard
    ) throws(IdentityError) {
        let certificate = try MailCertificate(pem: certificatePEM)
        let key = try IdentityError.wrap(.unsupportedKey, "authority key") {
            try Certificate.PrivateKey(pemEncoded: keyPEM)
        }
        guard certificate.role == .domainCA, certificate.mailDomains.count == 1 else {
            throw IdentityError(.wrongRole, "the certificate is not the root of one mail domain")
        }
        let issuer = try Issuer(certificate: certificate, key: key)
        self.init(domain: certificate.mailDomains[0], issuer: issuer, lifetimes: lifetimes)
    }

    private init(domain: MailDomain, issuer: Issuer, lifetimes: CertificateLifetimes) {
        self.domain = domain
        self.issuer = issuer
        self.lifetimes = lifetimes
    }

    public var certificatePEM: String { certificate.pem }

    /// The root's private key (PKCS #8 PEM): for ``PrivateFile`` only.
    public func keyPEM() throws(IdentityError) -> String {
        try IdentityError.wrap(.cryptography, "authority key") { try issuer.key.serializeAsPEM().pemString + "\n" }
    }

    /// A mail signing certificate: dNSName = the domain and `hosts`, EKU ``MailOID/mailServer`` only.
    /// - Parameter publicKey: P-256 by default; RSA ≥ 2048 for the second certificate that stacks without ECDSA need.
    /// - Throws: ``IdentityError`` `.nameMismatch` for a host outside the domain, `.unsupportedKey`, `.notValidNow`.
    public func issueServerCertificate(
        publicKey: VerificationKey, hosts: [MailDomain] = [], now: Date
    ) throws(IdentityError) -> MailCertificate {
        try issueServer(publicKey, hosts, .init(oid: MailOID.mailServer), now)
    }

    /// A TLS certificate: dNSName = the domain and `hosts`, EKU serverAuth only. It never signs mail.
    /// - Throws: as ``issueServerCertificate(publicKey:hosts:now:)``.
    public func issueTLSCertificate(
        publicKey: VerificationKey, hosts: [MailDomain] = [], now: Date
    ) throws(IdentityError) -> MailCertificate {
        try issueServer(publicKey, hosts, .serverAuth, now)
    }

    /// A user certificate: CN and alternative name = `address`, EKU ``MailOID/mailUser`` only. Nothing but the key is
    /// taken from `request`.
    /// - Throws: ``IdentityError`` `.nameMismatch` for an address of another domain, `.notValidNow`.
    public func issueUserCertificate(
        request: CertificateRequest, address: Address, now: Date
    ) throws(IdentityError) -> MailCertificate {
        guard address.domain == domain else {
            throw IdentityError(.nameMismatch, "\(address) is not an address of \(domain)")
        }
        let key = try request.publicKey.acceptableCertificateKey()
        let profile = try IdentityError.wrap(.cryptography, "user certificate") {
            try CertificateProfile.user(address, key)
        }
        return try issuer.issue(profile, lifetime: lifetimes.user, backdate: lifetimes.backdate, now: now)
    }

    private func issueServer(
        _ publicKey: VerificationKey, _ hosts: [MailDomain], _ usage: ExtendedKeyUsage.Usage, _ now: Date
    ) throws(IdentityError) -> MailCertificate {
        for host in hosts where !host.isWithin(domain) {
            throw IdentityError(.nameMismatch, "\(host) is not within \(domain), so its authority cannot certify it")
        }
        let key = try publicKey.acceptableCertificateKey()
        let profile = try IdentityError.wrap(.cryptography, "server certificate") {
            try CertificateProfile.server(domain, hosts: hosts, key, usage)
        }
        return try issuer.issue(profile, lifetime: lifetimes.server, backdate: lifetimes.backdate, now: now)
    }
}

extension VerificationKey {
    /// The certificate form, with the size policy applied to keys that never passed through a certificate.
    func acceptableCertificateKey() throws(IdentityError) -> Certificate.PublicKey {
        let key = try certificateKey()
        _ = try VerificationKey(certificateKey: key)
        return key
    }
}
