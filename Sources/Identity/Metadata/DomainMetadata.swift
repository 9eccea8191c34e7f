import FoundationEssentials
import XMLSecurity

/// What a domain says about itself, in one document that its server signs: certificates, revocations, limits.
///
/// Peers staple it when they open a session and serve it at `/.well-known/wsemail`. Its version only grows; past
/// ``nextUpdate`` it is stale. The bare value proves nothing: see ``VerifiedMetadata``.
public struct DomainMetadata: Sendable, Hashable {
    /// What the domain's server accepts in one call.
    public struct Limits: Sendable, Hashable {
        /// Octets of one message.
        public var maximumMessageSize: Int
        /// Recipients of one message.
        public var maximumRecipients: Int
        /// Messages in one Deliver call.
        public var maximumBatch: Int

        public init(maximumMessageSize: Int, maximumRecipients: Int, maximumBatch: Int) {
            self.maximumMessageSize = maximumMessageSize
            self.maximumRecipients = maximumRecipients
            self.maximumBatch = maximumBatch
        }
    }

    /// The most octets of a document.
    public static let maximumSize = 1 << 20
    /// The longest time from `issued` to `nextUpdate`, in seconds: 31 days. A revocation takes no longer to be known.
    public static let maximumLifetime: TimeInterval = 31 * 86_400
    static let maximumCertificates = 16
    static let maximumRevoked = 8192
    static let maximumCapabilities = 64

    public var domain: MailDomain
    /// Monotonic: one more for each change.
    public var version: UInt64
    /// Whole seconds.
    public var issued: Date
    /// Whole seconds; after it the document is stale.
    public var nextUpdate: Date
    /// The path of the service on the hosts that SRV names, such as `/wsemail`.
    public var endpoint: String
    /// The domain's roots, for people and tools to compare; believed only by way of ``TrustStore``.
    public var roots: [MailCertificate]
    /// Authorities between the servers' certificates and an anchor, if any.
    public var intermediates: [MailCertificate]
    /// Mail signing certificates; several during rotation or for several algorithms.
    public var servers: [MailCertificate]
    public var revoked: RevokedSerials
    public var limits: Limits
    /// Names of what the server can do beyond the base protocol.
    public var capabilities: Set<String>

    public init(
        domain: MailDomain, version: UInt64, issued: Date, nextUpdate: Date, endpoint: String,
        roots: [MailCertificate], servers: [MailCertificate], limits: Limits
    ) {
        self.domain = domain
        self.version = version
        self.issued = issued
        self.nextUpdate = nextUpdate
        self.endpoint = endpoint
        self.roots = roots
        self.servers = servers
        self.limits = limits
        intermediates = []
        revoked = .none
        capabilities = []
    }

    /// The listed server certificate with this SHA-256 thumbprint.
    public func server(thumbprintSHA256 thumbprint: [UInt8]) -> MailCertificate? {
        servers.first { $0.thumbprintSHA256 == thumbprint }
    }

    /// The chain to hand to ``TrustStore`` for one of the listed servers.
    public func chain(of server: MailCertificate) -> [MailCertificate] { [server] + intermediates }

    /// What a document must fulfil whoever signed it.
    /// - Throws: ``IdentityError`` `.malformedMetadata`.
    func checkConsistency() throws(IdentityError) {
        let span = nextUpdate.timeIntervalSince(issued)
        guard span > 0, span <= Self.maximumLifetime else { throw Self.malformed("the time to the next update") }
        guard version > 0 else { throw Self.malformed("version 0") }
        guard Self.isPath(endpoint) else { throw Self.malformed("the endpoint") }
        guard (1...Self.maximumCertificates).contains(servers.count), roots.count <= Self.maximumCertificates,
            intermediates.count <= TrustStore.maximumIntermediates
        else { throw Self.malformed("the number of certificates") }
        guard servers.allSatisfy({ $0.role == .server && $0.mailDomains.contains(domain) }) else {
            throw Self.malformed("a server certificate that is not a mail signing certificate of \(domain)")
        }
        guard (roots + intermediates).allSatisfy({ $0.role == .domainCA }) else {
            throw Self.malformed("an authority's certificate that is none")
        }
        guard revoked.count <= Self.maximumRevoked, capabilities.count <= Self.maximumCapabilities else {
            throw Self.malformed("too many entries")
        }
        guard capabilities.allSatisfy(Self.isCapability) else { throw Self.malformed("a capability's name") }
        guard limits.maximumMessageSize > 0, limits.maximumRecipients > 0, limits.maximumBatch > 0 else {
            throw Self.malformed("a limit that lets nothing pass")
        }
    }

    static func malformed(_ what: String) -> IdentityError {
        IdentityError(.malformedMetadata, "the domain metadata is malformed: \(what)")
    }

    /// An absolute path of unreserved characters: never a URL, never a query (design §5.4).
    private static func isPath(_ string: String) -> Bool {
        guard string.hasPrefix("/"), string.utf8.count <= 256, !string.contains("//") else { return false }
        let segments = string.split(separator: "/")
        guard !segments.contains("."), !segments.contains("..") else { return false }
        return string.utf8.allSatisfy { isToken($0) || $0 == UInt8(ascii: "/") }
    }

    private static func isCapability(_ string: String) -> Bool {
        (1...128).contains(string.utf8.count) && string.utf8.allSatisfy { isToken($0) || ":/".utf8.contains($0) }
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."): true
        case UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }
}
