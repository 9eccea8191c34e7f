import Crypto
import FoundationEssentials
import SwiftASN1
import X509
import XMLSecurity

/// The certificate authority of somebody who publishes plug-ins: a root that administrators take up as a publisher
/// anchor, and code-signing certificates under it.
///
/// It has nothing to do with mail. Its root is for code signing only (critical extended key usage), a mail domain's root
/// is never accepted in its place, and ``TrustStore`` finds no mail role in what it issues. An organisation that has an
/// authority of its own does not need this one: see ``PublisherTrust`` for what its certificates must be.
public struct PublisherAuthority: Sendable {
    /// How long what it makes is valid, in seconds.
    public struct Lifetimes: Sendable, Hashable {
        /// 10 years.
        public var root: TimeInterval = 10 * 365.25 * 86_400
        /// 1 year, for code signing.
        public var leaf: TimeInterval = 365 * 86_400
        /// How far before `now` validity begins, for servers whose clock is behind.
        public var backdate: TimeInterval = 300

        public static let standard = Lifetimes()

        public init() {}
    }

    /// The most characters of a publisher's name (X.520's upper bound for a common name).
    public static let maximumNameLength = 64

    public let lifetimes: Lifetimes
    let issuer: Issuer

    /// The root certificate: what administrators take up.
    public var certificate: MailCertificate { issuer.certificate }

    /// Makes a new P-256 root.
    /// - Parameter name: shown to people, as `<name> publisher root`.
    /// - Throws: ``IdentityError`` `.nameMismatch` for a name that cannot be shown, `.cryptography`.
    public static func create(
        name: String, now: Date, lifetimes: Lifetimes = .standard
    ) throws(IdentityError) -> PublisherAuthority {
        try requireName(name)
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        var profile = try IdentityError.wrap(.cryptography, "root") {
            // It certifies publishers directly: no authority below it.
            try CertificateProfile.authority("\(name) publisher root", key.publicKey, pathLength: 0)
        }
        profile.usage = .codeSigning
        var periods = CertificateLifetimes()
        periods.root = lifetimes.root
        periods.backdate = lifetimes.backdate
        let issuer = try Issuer.selfSigned(profile, key: key, lifetimes: periods, now: now)
        return PublisherAuthority(issuer: issuer, lifetimes: lifetimes)
    }

    /// Loads a root made by ``create(name:now:lifetimes:)``, or any other authority that ``PublisherTrust`` would accept.
    /// - Throws: ``IdentityError`` `.malformedCertificate`, `.wrongRole`, `.keyMismatch`, `.unsupportedKey`.
    public init(
        certificatePEM: String, keyPEM: String, lifetimes: Lifetimes = .standard
    ) throws(IdentityError) {
        let certificate = try MailCertificate(pem: certificatePEM)
        try PublisherTrust.requireAnchor(certificate)
        let key = try IdentityError.wrap(.unsupportedKey, "authority key") {
            try Certificate.PrivateKey(pemEncoded: keyPEM)
        }
        self.init(issuer: try Issuer(certificate: certificate, key: key), lifetimes: lifetimes)
    }

    private init(issuer: Issuer, lifetimes: Lifetimes) {
        self.issuer = issuer
        self.lifetimes = lifetimes
    }

    public var certificatePEM: String { certificate.pem }

    /// The root's private key (PKCS #8 PEM): for ``PrivateFile`` only.
    public func keyPEM() throws(IdentityError) -> String {
        try IdentityError.wrap(.cryptography, "authority key") { try issuer.key.serializeAsPEM().pemString + "\n" }
    }

    /// A certificate that signs packages as `publisher`: CN = the name, EKU codeSigning (critical) and nothing else.
    /// - Throws: ``IdentityError`` `.nameMismatch` for a name that cannot be shown, `.unsupportedKey`, `.notValidNow`.
    public func issueCodeSigningCertificate(
        publicKey: VerificationKey, publisher: String, now: Date
    ) throws(IdentityError) -> MailCertificate {
        try Self.requireName(publisher)
        let key = try publicKey.acceptableCertificateKey()
        let profile = try IdentityError.wrap(.cryptography, "code-signing certificate") {
            CertificateProfile(
                subject: try CertificateProfile.name(publisher), publicKey: key, constraints: .notCertificateAuthority,
                keyUsage: KeyUsage(digitalSignature: true), usage: .codeSigning)
        }
        return try issuer.issue(profile, lifetime: lifetimes.leaf, backdate: lifetimes.backdate, now: now)
    }

    /// - Throws: ``IdentityError`` `.nameMismatch`.
    static func requireName(_ name: String) throws(IdentityError) {
        if let fault = PlainLine.fault(in: name, limit: maximumNameLength) {
            throw IdentityError(.nameMismatch, "the publisher's name \(fault)")
        }
    }
}
