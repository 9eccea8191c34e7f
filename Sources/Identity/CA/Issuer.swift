import FoundationEssentials
import X509

/// A CA certificate with its key: turns profiles into certificates.
struct Issuer: Sendable {
    let certificate: MailCertificate
    let key: Certificate.PrivateKey

    /// - Throws: ``IdentityError`` `.wrongRole`, `.keyMismatch`.
    init(certificate: MailCertificate, key: Certificate.PrivateKey) throws(IdentityError) {
        guard certificate.role == .domainCA else {
            throw IdentityError(.wrongRole, "the certificate of an authority must be a CA certificate")
        }
        guard certificate.x509.publicKey == key.publicKey else {
            throw IdentityError(.keyMismatch, "the authority's key does not belong to its certificate")
        }
        self.certificate = certificate
        self.key = key
    }

    /// Signs a profile; validity is cut to the issuer's own.
    func issue(
        _ profile: CertificateProfile, lifetime: TimeInterval, backdate: TimeInterval, now: Date
    ) throws(IdentityError) -> MailCertificate {
        guard certificate.isValid(at: now) else {
            throw IdentityError(.notValidNow, "the authority's own certificate is not valid now")
        }
        let certificate = self.certificate
        let key = self.key
        return try IdentityError.wrap(.cryptography, "issuing a certificate") {
            let issued = try Certificate(
                version: .v3, serialNumber: Self.serial(), publicKey: profile.publicKey,
                notValidBefore: max(certificate.notBefore, Self.wholeSeconds(now.addingTimeInterval(-backdate))),
                notValidAfter: min(certificate.notAfter, Self.wholeSeconds(now.addingTimeInterval(lifetime))),
                issuer: certificate.x509.subject, subject: profile.subject,
                extensions: profile.extensions(authorityKey: certificate.x509.extensions.subjectKeyIdentifier),
                issuerPrivateKey: key)
            return try MailCertificate(issued)
        }
    }

    static func selfSigned(
        _ profile: CertificateProfile, key: Certificate.PrivateKey, lifetimes: CertificateLifetimes, now: Date
    ) throws(IdentityError) -> Issuer {
        let certificate = try IdentityError.wrap(.cryptography, "making a root certificate") {
            let root = try Certificate(
                version: .v3, serialNumber: serial(), publicKey: profile.publicKey,
                notValidBefore: wholeSeconds(now.addingTimeInterval(-lifetimes.backdate)),
                notValidAfter: wholeSeconds(now.addingTimeInterval(lifetimes.root)),
                issuer: profile.subject, subject: profile.subject, extensions: profile.extensions(authorityKey: nil),
                issuerPrivateKey: key)
            return try MailCertificate(root)
        }
        return try Issuer(certificate: certificate, key: key)
    }

    /// 126 random bits: positive, and never zero in its first octet, so that its hexadecimal form has a fixed length.
    private static func serial() -> Certificate.SerialNumber {
        var bytes = RandomID.bytes(16)
        bytes[0] = bytes[0] & 0x7F | 0x40
        return Certificate.SerialNumber(bytes: bytes)
    }

    /// X.509 times have no fractions.
    private static func wholeSeconds(_ date: Date) -> Date {
        Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down))
    }
}
