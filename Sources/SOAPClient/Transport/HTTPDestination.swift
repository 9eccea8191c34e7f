/// Where a call goes and who must be there: addresses to connect to, the name to prove, the roots to prove it under.
///
/// Addresses are IP literals, resolved and judged by the caller. The transport connects to exactly these and never
/// resolves a name, so nothing can change between the check of an address and its use.
public struct HTTPDestination: Sendable, Hashable {
    /// One address to try.
    public struct Endpoint: Sendable, Hashable {
        /// IPv4 or IPv6 literal.
        public let address: String
        public let port: Int
        /// A second name that the certificate may carry instead of the mail domain: the SRV target, given only when
        /// the SRV answer was DNSSEC-secure (RFC 7673 §3.1).
        public let alternativeName: String?

        public init(address: String, port: Int, alternativeName: String? = nil) {
            self.address = address
            self.port = port
            self.alternativeName = alternativeName
        }
    }

    /// The roots a TLS chain must end in.
    public enum TrustRoots: Sendable, Hashable {
        /// The operating system's roots.
        case system
        /// DER certificates: a domain's pinned anchor or the federation's roots, and no others.
        case certificates([[UInt8]])
        /// Any chain: the server proves nothing. Only for asking what root a domain offers, to show its fingerprint to a person
        /// who compares it; nothing secret may be sent and nothing received may be believed.
        case unproven
    }

    /// The mail domain: TLS server name, Host field, and the dNSName the certificate must carry.
    public let name: String
    /// Tried in this order until one connects.
    public let endpoints: [Endpoint]
    public let roots: TrustRoots

    public init(name: String, endpoints: [Endpoint], roots: TrustRoots) {
        self.name = name
        self.endpoints = endpoints
        self.roots = roots
    }

    /// What connections are shared by: the same name proved under the same roots.
    struct PoolKey: Hashable, Sendable {
        let name: String
        let roots: TrustRoots
    }

    var poolKey: PoolKey { PoolKey(name: name, roots: roots) }
}
