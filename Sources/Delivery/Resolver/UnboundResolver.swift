import Foundation
import Identity

/// The resolver that servers and clients use: SRV resolution over libunbound.
public final class UnboundResolver: ServiceResolver, HostResolver {
    private let client: UnboundClient
    private let resolver: DNSServiceResolver

    /// - Throws: `internal` when the configuration cannot be used.
    public init(_ configuration: ResolverConfiguration = ResolverConfiguration()) throws(DeliveryError) {
        client = try UnboundClient(configuration)
        resolver = DNSServiceResolver(lookup: client, configuration: configuration)
    }

    public func resolve(_ domain: MailDomain, now: Date) async throws(DeliveryError) -> [ServiceEndpoint] {
        try await resolver.resolve(domain, now: now)
    }

    public func addresses(of host: String, now: Date) async throws(DeliveryError) -> [String] {
        try await resolver.addresses(of: host, now: now)
    }

    /// Ends the resolver's thread.
    public func close() {
        client.close()
    }
}
