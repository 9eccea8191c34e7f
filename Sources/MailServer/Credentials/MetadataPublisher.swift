import Foundation
import Identity
import MailStore

/// Keeps the domain's own signed metadata document: issued anew when what it says changed, or in time before it expires.
actor MetadataPublisher {
    static let endpoint = "/wsemail"
    private static let lifetime: TimeInterval = 7 * 86_400
    private static let refreshBefore: TimeInterval = 6 * 86_400
    private static let namespace = "metadata"

    private let configuration: ServerConfiguration
    private let keys: DomainKeys
    private let store: any MailStore
    private let clock: @Sendable () -> Date
    private var current: (octets: [UInt8], nextUpdate: Date)?

    init(
        configuration: ServerConfiguration, keys: DomainKeys, store: any MailStore, clock: @escaping @Sendable () -> Date
    ) {
        self.configuration = configuration
        self.keys = keys
        self.store = store
        self.clock = clock
    }

    /// The signed document to hand out now.
    func octets() async throws -> [UInt8] {
        let now = clock()
        if let current, current.nextUpdate.timeIntervalSince(now) > MetadataPublisher.refreshBefore {
            return current.octets
        }
        return try await publish()
    }

    /// Issues a new version: after a revocation or a change of keys or limits, at start, and daily.
    @discardableResult
    func publish() async throws -> [UInt8] {
        let now = clock()
        let version = try await store.nextCounter(MetadataPublisher.namespace)
        var metadata = DomainMetadata(
            domain: configuration.domain, version: UInt64(version), issued: now,
            nextUpdate: now.addingTimeInterval(MetadataPublisher.lifetime), endpoint: MetadataPublisher.endpoint,
            roots: [keys.authority.certificate], servers: [keys.server, keys.rsaServer],
            limits: .init(
                maximumMessageSize: configuration.maxMessageBytes, maximumRecipients: configuration.maxRecipients,
                maximumBatch: configuration.deliveryBatch))
        metadata.capabilities = ["gzip"]
        for revoked in try await store.revokedSerials(now: now) {
            metadata.revoked.insert(Hex.encode(revoked.serial), at: revoked.revoked)
        }
        let octets = try metadata.signed(by: keys.signing.key, certificate: keys.server)
        current = (octets, metadata.nextUpdate)
        return octets
    }
}
