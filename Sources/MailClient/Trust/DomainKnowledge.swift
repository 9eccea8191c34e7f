import Foundation
import Identity
import MailModel
import XMLSecurity

/// What we know and believe of one domain: its anchors and its verified metadata.
public struct DomainKnowledge: Sendable {
    public let domain: MailDomain
    public let anchors: [TrustAnchor]
    public let metadata: VerifiedMetadata
    let trust: TrustStore

    /// - Parameter anchors: those that count for this domain; they are asked about no other.
    /// - Throws: what the verification of the metadata throws.
    init(
        domain: MailDomain, anchors: [TrustAnchor], octets: [UInt8], at date: Date, known: VerifiedMetadata? = nil,
        allowStale: Bool = false
    ) async throws(IdentityError) {
        let trust = TrustStore(anchors)
        metadata = try await VerifiedMetadata.verify(
            octets, of: domain, trust: trust, at: date, known: known, allowStale: allowStale)
        self.domain = domain
        self.anchors = anchors
        self.trust = trust
    }

    /// The scope that an anchor's own constraints give it: an authority constrained to one domain is that domain's;
    /// any other is held to the stricter rules of a federation's root.
    static func anchor(_ certificate: MailCertificate) throws(IdentityError) -> TrustAnchor {
        guard let domain = certificate.mailDomains.first else { return try TrustAnchor(certificate, scope: .federation) }
        return try TrustAnchor(certificate, scope: .domain(domain))
    }

    func lists(_ thumbprint: [UInt8]) -> Bool { metadata.metadata.server(thumbprintSHA256: thumbprint) != nil }

    /// The mail signing certificate with that thumbprint, if the domain publishes it and it may sign at `date`.
    func server(_ thumbprint: [UInt8], at date: Date) async throws(IdentityError) -> ValidatedCertificate {
        guard let certificate = metadata.metadata.server(thumbprintSHA256: thumbprint) else {
            throw IdentityError(.untrusted, "\(domain) does not publish the certificate that signed this")
        }
        try requireCover(of: date)
        return try await trust.validateServer(
            metadata.metadata.chain(of: certificate), speaksFor: domain, at: date, revoked: metadata.metadata.revoked)
    }

    /// What a document says of revocations holds up to its next update: nothing later is judged by it.
    private func requireCover(of date: Date) throws(IdentityError) {
        guard date <= metadata.metadata.nextUpdate else {
            throw IdentityError(.staleMetadata, "the metadata of \(domain) at hand is older than what is to be verified")
        }
    }

    /// The certificate of a user of the domain, if it may sign for `address` at `date`.
    func user(_ certificate: MailCertificate, address: Address, at date: Date) async throws(IdentityError) {
        try requireCover(of: date)
        _ = try await trust.validateUser(
            [certificate] + metadata.metadata.intermediates, address: address, at: date, revoked: metadata.metadata.revoked)
    }
}

/// Answers for a fixed set of domains, offline.
struct KnownDomains: DomainKeyResolver {
    let domains: [MailDomain: DomainKnowledge]

    func key(_ hint: KeyHint, of domain: MailDomain, at date: Date) async throws -> VerificationKey {
        guard case .thumbprintSHA256(let thumbprint) = hint else {
            throw IdentityError(.untrusted, "a domain's document names its certificate by SHA-256 thumbprint")
        }
        guard let known = domains[domain] else {
            throw IdentityError(.untrusted, "nothing is known of \(domain)")
        }
        return try await known.server(thumbprint, at: date).certificate.publicKey
    }
}
