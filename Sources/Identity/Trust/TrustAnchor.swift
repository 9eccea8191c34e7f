/// A root certificate and for whom it may speak.
public struct TrustAnchor: Sendable, Hashable {
    public enum Scope: Sendable, Hashable {
        /// Pinned: for this mail domain and no other, whatever a certificate under it says.
        case domain(MailDomain)
        /// For any domain that a certificate under it names, by the rules of ``TrustStore``.
        case federation
    }

    public let certificate: MailCertificate
    public let scope: Scope

    /// - Throws: ``IdentityError`` `.wrongRole` if the certificate is no CA, `.nameMismatch` if it is constrained to
    ///   another domain than the one it is pinned for.
    public init(_ certificate: MailCertificate, scope: Scope) throws(IdentityError) {
        guard certificate.role == .domainCA else {
            let role = certificate.role.rawValue
            throw IdentityError(.wrongRole, "a trust anchor must be a CA certificate; this is a \(role) one")
        }
        if case .domain(let domain) = scope, let own = certificate.mailDomains.first, own != domain {
            throw IdentityError(.nameMismatch, "this root speaks for \(own), not for \(domain)")
        }
        self.certificate = certificate
        self.scope = scope
    }

    public var fingerprint: Fingerprint { certificate.fingerprint }
}
