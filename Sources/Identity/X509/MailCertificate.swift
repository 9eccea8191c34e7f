import Crypto
import FoundationEssentials
import SwiftASN1
import X509
import XMLSecurity

/// A certificate with what mail asks of it already read: names, role, key, thumbprint.
///
/// Parsing establishes nothing about trust: see ``TrustStore``.
public final class MailCertificate: Sendable {
    /// What a certificate may be used for; a certificate has exactly one role.
    public enum Role: String, Sendable, Hashable {
        /// Issues certificates (basicConstraints cA). Never signs mail itself.
        case domainCA
        /// Signs mail, receipts, metadata and calls for its mail domains (EKU ``MailOID/mailServer``).
        case server
        /// Signs as one person (EKU ``MailOID/mailUser``).
        case user
        /// A TLS server certificate (EKU serverAuth and none of ours). Never signs mail.
        case tls
        /// Anything else.
        case other
    }

    /// The most octets of DER that are looked at.
    public static let maximumSize = 16_384

    /// The octets as received or issued; never re-serialised.
    public let der: [UInt8]
    /// SHA-256 of ``der``, 32 octets.
    public let thumbprintSHA256: [UInt8]
    public let x509: Certificate
    public let role: Role
    /// The subject's common name, if there is exactly one.
    public let commonName: String?
    /// Addresses in the subject alternative name (rfc822Name, SmtpUTF8Mailbox); only for ``Role/user``.
    public let addresses: [Address]
    /// dNSNames of servers; for a CA the one domain its name constraints permit (empty if it has none or several).
    public let mailDomains: [MailDomain]
    /// The serial number, lower-case hexadecimal without leading zero octets.
    public let serial: String
    public let notBefore: Date
    public let notAfter: Date
    public let publicKey: VerificationKey

    /// - Throws: ``IdentityError`` `.malformedCertificate`, `.unsupportedKey`, `.limitExceeded`, or `.wrongRole` for a
    ///   certificate that claims two of our roles at once.
    public init(der: [UInt8]) throws(IdentityError) {
        guard der.count <= Self.maximumSize else {
            throw IdentityError(.limitExceeded, "a certificate of \(der.count) octets")
        }
        let x509 = try IdentityError.wrap(.malformedCertificate, "certificate") { try Certificate(derEncoded: der) }
        let names = try IdentityError.wrap(.malformedCertificate, "certificate") { try CertificateNames(x509) }
        self.der = der
        self.x509 = x509
        thumbprintSHA256 = Array(SHA256.hash(data: der))
        role = names.role
        commonName = names.commonName
        addresses = names.addresses
        mailDomains = names.domains
        serial = Self.hexadecimal(x509.serialNumber)
        notBefore = x509.notValidBefore
        notAfter = x509.notValidAfter
        publicKey = try VerificationKey(certificateKey: x509.publicKey)
    }

    /// Reads the one certificate of a PEM text.
    public convenience init(pem: String) throws(IdentityError) {
        let all = try Self.chain(pem: pem)
        guard all.count == 1 else {
            throw IdentityError(.malformedCertificate, "expected one certificate, found \(all.count)")
        }
        try self.init(der: all[0].der)
    }

    /// Reads all certificates of a PEM text in order (at most 16); other blocks are skipped.
    public static func chain(pem: String) throws(IdentityError) -> [MailCertificate] {
        guard pem.utf8.count <= maximumSize * 32 else { throw IdentityError(.limitExceeded, "the PEM is too long") }
        let blocks = try IdentityError.wrap(.malformedCertificate, "PEM") {
            try PEMDocument.parseMultiple(pemString: pem)
        }
        let certificates = blocks.filter { $0.discriminator == Certificate.defaultPEMDiscriminator }
        guard certificates.count <= 16 else { throw IdentityError(.limitExceeded, "too many certificates") }
        var result: [MailCertificate] = []
        for block in certificates { result.append(try MailCertificate(der: block.derBytes)) }
        return result
    }

    convenience init(_ certificate: Certificate) throws(IdentityError) {
        let der = try IdentityError.wrap(.malformedCertificate, "certificate") { () throws -> [UInt8] in
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            return serializer.serializedBytes
        }
        try self.init(der: der)
    }

    public var pem: String { PEMDocument(type: Certificate.defaultPEMDiscriminator, derBytes: der).pemString + "\n" }

    /// An integer has one spelling here, whatever zero octets its encoding needs.
    static func hexadecimal(_ serial: Certificate.SerialNumber) -> String {
        let bytes = serial.bytes.drop { $0 == 0 }
        return bytes.isEmpty ? "00" : Hex.encode(bytes)
    }

    public var fingerprint: Fingerprint { Fingerprint(of: der) }

    /// Whether `date` lies in the period of validity (both ends included, RFC 5280 §4.1.2.5).
    public func isValid(at date: Date) -> Bool { notBefore <= date && date <= notAfter }
}

extension MailCertificate: Hashable {
    public static func == (one: MailCertificate, other: MailCertificate) -> Bool { one.der == other.der }

    public func hash(into hasher: inout Hasher) { hasher.combine(thumbprintSHA256) }
}

extension MailCertificate: CustomStringConvertible {
    public var description: String {
        "\(role.rawValue) certificate \(commonName ?? "without a name"), serial \(serial)"
    }
}
