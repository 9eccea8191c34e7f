import FoundationEssentials
import X509

/// What a certificate is asked to stand for.
public enum CertificateClaim: Sendable, Hashable {
    /// Signs mail, receipts, metadata or calls for this domain.
    case server(MailDomain)
    /// Signs as this person.
    case user(Address)
    /// Answers TLS for this mail domain.
    case tls(MailDomain)

    public var domain: MailDomain {
        switch self {
        case .server(let domain), .tls(let domain): domain
        case .user(let address): address.domain
        }
    }

    private var role: MailCertificate.Role {
        switch self {
        case .server: .server
        case .user: .user
        case .tls: .tls
        }
    }

    /// The rules that need the leaf alone: role, names, period, key usage.
    func check(_ leaf: MailCertificate, at date: Date) throws(IdentityError) {
        guard leaf.role == role else {
            throw IdentityError(.wrongRole, "a \(leaf.role.rawValue) certificate used as a \(role.rawValue) one")
        }
        try checkNames(leaf)
        guard leaf.isValid(at: date) else {
            let state = date < leaf.notBefore ? "is not valid yet" : "has expired"
            throw IdentityError(.notValidNow, "the certificate for \(leaf.commonName ?? leaf.serial) \(state)")
        }
        guard let usage = try? leaf.x509.extensions.keyUsage else {
            if case .tls = self, leaf.x509.extensions[oid: .X509ExtensionID.keyUsage] == nil { return }
            throw IdentityError(.wrongRole, "the certificate has no key usage")
        }
        guard usage.digitalSignature else { throw IdentityError(.wrongRole, "the key is not for digital signatures") }
    }

    private func checkNames(_ leaf: MailCertificate) throws(IdentityError) {
        switch self {
        case .server(let domain), .tls(let domain):
            guard leaf.mailDomains.contains(domain) else {
                throw IdentityError(.nameMismatch, "the certificate is not for \(domain)")
            }
        case .user(let address):
            guard leaf.addresses == [address] else {
                throw IdentityError(.nameMismatch, "the certificate is not for \(address) alone")
            }
            guard let name = leaf.commonName, let common = try? Address(name), common == address else {
                throw IdentityError(.nameMismatch, "the certificate's common name is not \(address)")
            }
        }
    }
}
