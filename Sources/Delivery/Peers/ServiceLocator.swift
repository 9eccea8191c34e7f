import Foundation
import Identity
import SOAPClient

/// From a mail domain to where and under which roots its service is called: DNS, the address policy and trust in one place.
public struct ServiceLocator: Sendable {
    private let resolver: any ServiceResolver
    private let policy: AddressPolicy
    private let roots: @Sendable (MailDomain) async throws(DeliveryError) -> HTTPDestination.TrustRoots

    /// - Parameter roots: the TLS roots for a domain (its pinned anchor, the federation's roots, or the system's); throws `noAnchor`.
    public init(
        resolver: any ServiceResolver, policy: AddressPolicy = AddressPolicy(),
        roots: @escaping @Sendable (MailDomain) async throws(DeliveryError) -> HTTPDestination.TrustRoots
    ) {
        self.resolver = resolver
        self.policy = policy
        self.roots = roots
    }

    /// Roots from a trust store: the anchors that are allowed for the domain, and nothing else.
    public static func anchors(
        of trust: TrustStore
    ) -> @Sendable (MailDomain) async throws(DeliveryError) -> HTTPDestination.TrustRoots {
        { (domain) throws(DeliveryError) in
            let anchors = trust.anchors(for: domain)
            guard !anchors.isEmpty else { throw DeliveryError.noAnchor(for: domain) }
            return .certificates(anchors.map(\.certificate.der))
        }
    }

    /// Where to call `domain` now. The addresses in it have been judged; the transport connects to these and no others.
    public func destination(of domain: MailDomain, now: Date) async throws(DeliveryError) -> HTTPDestination {
        let roots = try await roots(domain)
        let endpoints = try policy.filter(try await resolver.resolve(domain, now: now))
        return Self.destination(domain, endpoints, roots)
    }

    /// The same for a service whose endpoints were named by a person.
    public static func destination(
        _ domain: MailDomain, _ endpoints: [ServiceEndpoint], _ roots: HTTPDestination.TrustRoots
    ) -> HTTPDestination {
        let addresses = endpoints.flatMap { endpoint in
            endpoint.addresses.map {
                HTTPDestination.Endpoint(
                    address: $0, port: endpoint.port, alternativeName: endpoint.secure ? endpoint.target : nil)
            }
        }
        return HTTPDestination(name: domain.ascii, endpoints: addresses, roots: roots)
    }
}
