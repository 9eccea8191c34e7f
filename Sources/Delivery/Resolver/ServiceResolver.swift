import Foundation
import Identity

/// Finds the servers of a mail domain.
public protocol ServiceResolver: Sendable {
    /// The endpoints of `domain` in the order in which to try them (RFC 2782), each with at least one address.
    ///
    /// Weighted choices are drawn anew for each call; what DNS said is cached for its time to live.
    /// - Throws: `dnsFailure`, `bogus`, `noService`, `serviceDenied`, `noAddress`.
    func resolve(_ domain: MailDomain, now: Date) async throws(DeliveryError) -> [ServiceEndpoint]
}

/// Finds the addresses of a host that a person has named (`account add --server`, `check`).
public protocol HostResolver: Sendable {
    /// - Throws: `dnsFailure`, `bogus`, `noAddress`.
    func addresses(of host: String, now: Date) async throws(DeliveryError) -> [String]
}

/// One server of a mail domain.
public struct ServiceEndpoint: Sendable, Hashable {
    /// The SRV target: lower case, without the final dot.
    public let target: String
    public let port: Int
    public let priority: Int
    public let weight: Int
    /// IP literals, IPv6 first.
    public let addresses: [String]
    /// The SRV answer was validated by DNSSEC: then the target's name may stand in the TLS certificate.
    public let secure: Bool
    /// The target is an alias, which RFC 2782 forbids its publisher. We follow it all the same, as every other
    /// resolver does; the certificate has to match the mail domain or `target`, never the alias's own target.
    public let isAlias: Bool

    public init(
        target: String, port: Int, priority: Int = 0, weight: Int = 0, addresses: [String], secure: Bool = false,
        isAlias: Bool = false
    ) {
        self.target = target
        self.port = port
        self.priority = priority
        self.weight = weight
        self.addresses = addresses
        self.secure = secure
        self.isAlias = isAlias
    }
}
