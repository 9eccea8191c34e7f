import Delivery
import Foundation
import Identity
import SOAPClient

/// Where the home server is: the server that the person named, or what DNS says.
///
/// DNSSEC is not asked for: the pinned root proves the mail domain over TLS, whatever DNS says, and many networks'
/// resolvers would break it. So a server's certificate has to name the mail domain.
struct HomeLocator: Sendable {
    let domain: MailDomain
    private let connection: ConnectionSettings
    private let resolver: any ServiceResolver & HostResolver

    init(domain: MailDomain, connection: ConnectionSettings, resolver: any ServiceResolver & HostResolver) {
        self.domain = domain
        self.connection = connection
        self.resolver = resolver
    }

    /// The system's resolvers, or the one that the account names.
    static func resolver(for connection: ConnectionSettings) throws(MailClientError) -> UnboundResolver {
        var configuration = ResolverConfiguration()
        configuration.trustAnchorFile = nil
        if let dns = connection.dns {
            configuration.forwarders = [dns]
        } else {
            configuration.usesSystemForwarders = true
        }
        do { return try UnboundResolver(configuration) } catch { throw MailClientError(error) }
    }

    /// - Throws: `unreachable`, `invalidInput`.
    func destination(_ roots: HTTPDestination.TrustRoots, now: Date) async throws(MailClientError) -> HTTPDestination {
        do {
            if let (host, port) = try connection.fixedServer() {
                // A person named it: no address is refused.
                let addresses = try await resolver.addresses(of: host, now: now)
                let endpoint = ServiceEndpoint(target: host, port: port, addresses: addresses)
                return ServiceLocator.destination(domain, [endpoint], roots)
            }
        } catch {
            throw MailClientError(error)
        }
        return try await service(of: domain, roots, now: now)
    }

    /// Where DNS says that the service of any domain is.
    func service(
        of domain: MailDomain, _ roots: HTTPDestination.TrustRoots, now: Date
    ) async throws(MailClientError) -> HTTPDestination {
        let policy = AddressPolicy(allowPrivateTargets: connection.allowsPrivateAddresses)
        let locator = ServiceLocator(resolver: resolver, policy: policy) { (_) throws(DeliveryError) in roots }
        do { return try await locator.destination(of: domain, now: now) } catch { throw MailClientError(error) }
    }
}
