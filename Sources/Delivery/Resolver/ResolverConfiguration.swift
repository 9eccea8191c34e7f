/// How DNS is asked. Read once at start.
public struct ResolverConfiguration: Sendable, Hashable {
    /// Resolvers to ask instead of the root servers down: "192.0.2.1", "127.0.0.1@5353", "::1@53".
    public var forwarders: [String] = []
    /// Ask the resolvers that /etc/resolv.conf names, too.
    public var usesSystemForwarders = false
    /// Trust anchors for DNSSEC; nil does not validate.
    public var trustAnchorFile: String? = "/usr/share/dns/root.key"
    /// Domains below which DNSSEC is not expected: private zones.
    public var insecureDomains: [String] = []
    /// For one question with all that it needs.
    public var timeout: Duration = .seconds(10)
    /// Questions under way at once; further ones fail as transient.
    public var maxPending = 1024
    /// How long answers may be kept: what their TTL says, but within these seconds.
    public var ttlRange: ClosedRange<Int> = 5...3600
    /// The same for "there is none".
    public var negativeTTLRange: ClosedRange<Int> = 5...300
    /// Domains remembered.
    public var maxCachedDomains = 10_000
    /// SRV records looked at per domain, in the order of the draw.
    public var maxTargets = 10

    public init() {}

    /// True when an insecure domain is `zone` or lies below it.
    func names(_ zone: String) -> Bool {
        insecureDomains.contains { domain in
            let name = (domain.hasSuffix(".") ? String(domain.dropLast()) : domain).lowercased()
            return name == zone || name.hasSuffix("." + zone)
        }
    }
}
