import Foundation
import Identity
import SOAPClient

/// Keeps the home domain's metadata in its file, verified again at each reading: so that a fault which the server signs with
/// its certificate is understood without fetching anything first.
actor HomeMetadataBook: MetadataBook {
    private let cache: DomainCache
    private let root: MailCertificate
    private let clock: @Sendable () -> Date
    private var current: VerifiedMetadata?

    init(cache: DomainCache, root: MailCertificate, clock: @escaping @Sendable () -> Date) {
        self.cache = cache
        self.root = root
        self.clock = clock
    }

    func metadata(of domain: MailDomain) async throws -> VerifiedMetadata? {
        if let current, current.metadata.domain == domain { return current }
        guard let entry = try cache.entry(domain) else { return nil }
        // What no longer verifies is as good as absent: it is fetched anew.
        current = try? await DomainKnowledge(
            domain: domain, anchors: [try TrustAnchor(root, scope: .domain(domain))], octets: Array(entry.metadata),
            at: clock(), allowStale: true
        ).metadata
        return current
    }

    func keep(_ metadata: VerifiedMetadata) async throws {
        current = metadata
        try cache.store(
            DomainCache.Entry(fetched: clock(), metadata: Data(metadata.octets), anchors: [Data(root.der)]),
            for: metadata.metadata.domain)
    }
}
