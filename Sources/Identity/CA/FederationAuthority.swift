import Crypto
import FoundationEssentials
import SwiftASN1
import X509
import XMLSecurity

/// A root that many domains trust, as browsers do: it certifies domains' own authorities, or their servers directly.
///
/// It can never make a user certificate that ``TrustStore`` believes: users are their own domain's business.
public struct FederationAuthority: Sendable {
    public let lifetimes: CertificateLifetimes
    let issuer: Issuer

    public var certificate: MailCertificate { issuer.certificate }

    /// Makes a new P-256 federation root.
    /// - Parameter name: shown to people, as `WSEmail federation root <name>`.
    public static func create(
        name: String, now: Date, lifetimes: CertificateLifetimes = .standard
    ) throws(IdentityError) -> FederationAuthority {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let profile = try IdentityError.wrap(.cryptography, "root") {
            try CertificateProfile.authority("WSEmail federation root \(name)", key.publicKey, pathLength: 2)
        }
        let issuer = try Issuer.selfSigned(profile, key: key, lifetimes: lifetimes, now: now)
        return FederationAuthority(issuer: issuer, lifetimes: lifetimes)
    }

    /// - Throws: ``IdentityError`` `.malformedCertificate`, `.wrongRole`, `.keyMismatch`, `.unsupportedKey`.
    public init(
        certificatePEM: String, keyPEM: String, lifetimes: CertificateLifetimes = .standard
    ) throws(IdentityError) {
        let certificate = try MailCertificate(pem: certificatePEM)
        let key = try IdentityError.wrap(.unsupportedKey, "authority key") {
            try Certificate.PrivateKey(pemEncoded: keyPEM)
        }
        self.init(issuer: try Issuer(certificate: certificate, key: key), lifetimes: lifetimes)
    }

    private init(issuer: Issuer, lifetimes: CertificateLifetimes) {
        self.issuer = issuer
        self.lifetimes = lifetimes
    }

    /// The root's private key (PKCS #8 PEM): for ``PrivateFile`` only.
    public func keyPEM() throws(IdentityError) -> String {
        try IdentityError.wrap(.cryptography, "authority key") { try issuer.key.serializeAsPEM().pemString + "\n" }
    }

    /// Certifies a domain's own authority: same subject and key as `root`, constrained to exactly that domain.
    /// The result travels in the domain's chains between its certificates and this root.
    /// - Throws: ``IdentityError`` `.wrongRole` if `root` is not the root of one domain.
    public func certify(_ root: MailCertificate, now: Date) throws(IdentityError) -> MailCertificate {
        guard root.role == .domainCA, root.mailDomains.count == 1 else {
            throw IdentityError(.wrongRole, "the certificate is not the root of one mail domain")
        }
        let profile = CertificateProfile(
            subject: root.x509.subject, publicKey: root.x509.publicKey,
            constraints: .isCertificateAuthority(maxPathLength: 1),
            keyUsage: KeyUsage(keyCertSign: true, cRLSign: true),
            nameConstraints: CertificateProfile.constraint(to: root.mailDomains[0]))
        return try issuer.issue(profile, lifetime: lifetimes.root, backdate: lifetimes.backdate, now: now)
    }

    /// A mail signing certificate for a domain without an authority of its own.
    public func issueServerCertificate(
        publicKey: VerificationKey, domain: MailDomain, hosts: [MailDomain] = [], now: Date
    ) throws(IdentityError) -> MailCertificate {
        let key = try publicKey.acceptableCertificateKey()
        let profile = try IdentityError.wrap(.cryptography, "server certificate") {
            try CertificateProfile.server(domain, hosts: hosts, key, .init(oid: MailOID.mailServer))
        }
        return try issuer.issue(profile, lifetime: lifetimes.server, backdate: lifetimes.backdate, now: now)
    }
}
