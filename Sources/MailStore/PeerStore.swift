import Foundation
import Identity

/// The signed metadata document of another domain, as received.
public struct PeerMetadata: Sendable, Hashable {
    public let domain: MailDomain
    public let octets: [UInt8]
    /// Grows with every issue.
    public let version: Int64
    public let nextUpdate: Date
    public let fetched: Date

    public init(domain: MailDomain, octets: [UInt8], version: Int64, nextUpdate: Date, fetched: Date) {
        self.domain = domain
        self.octets = octets
        self.version = version
        self.nextUpdate = nextUpdate
        self.fetched = fetched
    }
}

/// For which domains an anchor may speak.
public enum AnchorScope: Sendable, Hashable {
    /// Pinned for one domain.
    case domain(MailDomain)
    /// Any domain under it.
    case federation
}

/// A root that an administrator trusts.
public struct TrustAnchorRecord: Sendable, Hashable {
    /// SHA-256 of `der`.
    public let thumbprint: [UInt8]
    public let der: [UInt8]
    public let scope: AnchorScope
    public let label: String
    public let added: Date
    /// Who added it.
    public let addedBy: String

    public init(thumbprint: [UInt8], der: [UInt8], scope: AnchorScope, label: String, added: Date, addedBy: String) {
        self.thumbprint = thumbprint
        self.der = der
        self.scope = scope
        self.label = label
        self.added = added
        self.addedBy = addedBy
    }
}

/// All anchors and the generation that names this set: caches of validated chains are keyed by it.
public struct TrustAnchorSet: Sendable, Hashable {
    public let generation: Int64
    public let anchors: [TrustAnchorRecord]

    public init(generation: Int64, anchors: [TrustAnchorRecord]) {
        self.generation = generation
        self.anchors = anchors
    }
}

/// What is known of other domains, and who is trusted.
public protocol PeerStore: Sendable {
    /// Stores a domain's metadata. False, and nothing changed, if a higher version is stored. The same version again
    /// updates `fetched`, `nextUpdate` and the octets.
    @discardableResult
    func savePeerMetadata(_ metadata: PeerMetadata) async throws(StoreError) -> Bool
    func peerMetadata(of domain: MailDomain) async throws(StoreError) -> PeerMetadata?
    /// By domain name, those after `cursor`.
    func peerMetadata(after cursor: MailDomain?, limit: Int) async throws(StoreError) -> [PeerMetadata]
    /// Forgets a domain's metadata, versions included (its root was replaced). Idempotent.
    func removePeerMetadata(of domain: MailDomain) async throws(StoreError)

    /// Adds an anchor; the generation grows. The same thumbprint and scope again changes nothing. Returns the
    /// generation.
    @discardableResult
    func addTrustAnchor(_ anchor: TrustAnchorRecord) async throws(StoreError) -> Int64
    /// Removes an anchor of that scope; the generation grows. Throws `unknownCertificate`. Returns the generation.
    @discardableResult
    func removeTrustAnchor(thumbprint: [UInt8], scope: AnchorScope) async throws(StoreError) -> Int64
    func trustAnchors() async throws(StoreError) -> TrustAnchorSet

    /// Remembers certificates seen on the wire by their SHA-256 thumbprint, so that they travel once. Not a statement
    /// of trust.
    func rememberCertificates(_ certificates: [(thumbprint: [UInt8], der: [UInt8])], now: Date) async throws(StoreError)
    /// A remembered certificate's DER, or nil.
    func rememberedCertificate(thumbprint: [UInt8]) async throws(StoreError) -> [UInt8]?
}
