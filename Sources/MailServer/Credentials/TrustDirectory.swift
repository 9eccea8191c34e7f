import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import SOAPClient
import Synchronization
import XMLSecurity

/// Which keys may speak for which domain: the administrator's anchors, our own certificates and what peers published
/// in their signed metadata. The only place that takes these decisions for a server.
final class TrustDirectory: DomainKeyResolver, MetadataBook, Sendable {
    let domain: MailDomain
    let trust: TrustStore
    private let store: any MailStore
    private let keys: DomainKeys
    private let clock: @Sendable () -> Date
    private let peers = Mutex<[MailDomain: VerifiedMetadata]>([:])

    init(domain: MailDomain, keys: DomainKeys, store: any MailStore, clock: @escaping @Sendable () -> Date) async throws {
        self.domain = domain
        self.keys = keys
        self.store = store
        self.clock = clock
        trust = TrustStore()
        try await reload()
    }

    /// Takes the anchors from the store, after an administrator changed them.
    func reload() async throws {
        let records = try await store.trustAnchors()
        var anchors = [try TrustAnchor(keys.authority.certificate, scope: .domain(domain))]
        for record in records.anchors {
            let certificate = try MailCertificate(der: record.der)
            switch record.scope {
            case .domain(let peer): anchors.append(try TrustAnchor(certificate, scope: .domain(peer)))
            case .federation: anchors.append(try TrustAnchor(certificate, scope: .federation))
            }
        }
        trust.replace(with: anchors)
        peers.withLock { $0.removeAll() }
    }

    // MARK: Keys

    func key(_ hint: KeyHint, of domain: MailDomain, at date: Date) async throws -> VerificationKey {
        guard case .thumbprintSHA256(let thumbprint) = hint else {
            throw IdentityError(.untrusted, "a domain's document names its certificate by SHA-256 thumbprint")
        }
        return try await serverCertificate(thumbprint, of: domain, at: date).publicKey
    }

    /// The certificate with that thumbprint, if it may sign for `domain` at `date`.
    func serverCertificate(_ thumbprint: [UInt8], of domain: MailDomain, at date: Date) async throws -> MailCertificate {
        if domain == self.domain {
            for own in [keys.server, keys.rsaServer] where own.thumbprintSHA256 == thumbprint { return own }
        }
        guard let known = try await metadata(of: domain) else {
            throw IdentityError(.untrusted, "nothing is known of \(domain)")
        }
        guard !known.isStale(at: clock()) else {
            throw IdentityError(.staleMetadata, "the metadata of \(domain) is stale: it must send a new one")
        }
        guard let certificate = known.metadata.server(thumbprintSHA256: thumbprint) else {
            throw IdentityError(.untrusted, "\(domain) does not publish this certificate")
        }
        return try await trust.validateServer(
            known.metadata.chain(of: certificate), speaksFor: domain, at: date, revoked: known.metadata.revoked
        ).certificate
    }

    // MARK: Metadata

    /// The newest verified metadata of a peer, from memory or the store.
    func metadata(of domain: MailDomain) async throws -> VerifiedMetadata? {
        if let known = peers.withLock({ $0[domain] }) { return known }
        guard let record = try await store.peerMetadata(of: domain) else { return nil }
        guard
            let verified = try? await VerifiedMetadata.verify(
                record.octets, of: domain, trust: trust, at: clock(), allowStale: true)
        else { return nil }
        remember(verified)
        return verified
    }

    /// Verifies metadata that a peer sent and keeps it, unless it is older than what is known.
    /// - Parameter domain: whom we expect; nil takes the domain that the document names.
    func learn(_ octets: [UInt8], of domain: MailDomain?) async throws -> VerifiedMetadata {
        let now = clock()
        let claimed = try await VerifiedMetadata.verify(octets, of: domain, trust: trust, at: now)
        let peer = claimed.metadata.domain
        guard peer != self.domain else { throw IdentityError(.untrusted, "a peer claims to be this domain") }
        guard let known = try await metadata(of: peer) else { return try await keep(claimed, now: now) }
        if known.octets == octets { return known }
        return try await keep(
            try await VerifiedMetadata.verify(octets, of: peer, trust: trust, at: now, known: known), now: now)
    }

    func keep(_ metadata: VerifiedMetadata) async throws {
        _ = try await keep(metadata, now: clock())
    }

    private func keep(_ verified: VerifiedMetadata, now: Date) async throws -> VerifiedMetadata {
        let metadata = verified.metadata
        let isNewest = try await store.savePeerMetadata(
            PeerMetadata(
                domain: metadata.domain, octets: verified.octets, version: Int64(clamping: metadata.version),
                nextUpdate: metadata.nextUpdate, fetched: now))
        guard isNewest else {
            // Another call brought a newer one while this was verified.
            throw IdentityError(.metadataRollback, "a newer version than \(metadata.version) of \(metadata.domain) is known")
        }
        remember(verified)
        return verified
    }

    private func remember(_ verified: VerifiedMetadata) {
        peers.withLock { cache in
            // The store has them all: a full cache is simply begun anew.
            if cache.count >= 10_000 { cache.removeAll() }
            cache[verified.metadata.domain] = verified
        }
    }
}
