import Delivery
import Foundation
import Identity
import NIOCore
import NIOPosix

/// The real network, with the resolver and the rules that delivery uses.
struct DeliveryCheckNetwork: CheckNetwork {
    let resolver: any ServiceResolver
    let policy: AddressPolicy
    let group: any EventLoopGroup
    let clock: @Sendable () -> Date

    func services(of domain: MailDomain) async throws -> [CheckedService] {
        try await resolver.resolve(domain, now: clock()).map {
            CheckedService(host: $0.target, port: $0.port, addresses: $0.addresses, isSecure: $0.secure)
        }
    }

    func certificates(at address: String, port: Int, name: String) async throws -> [[UInt8]] {
        try await TLSProbe.certificates(address: address, port: port, name: name, group: group)
    }

    func ownAddresses() -> Set<String> {
        let devices = (try? System.enumerateDevices()) ?? []
        return Set(devices.compactMap { $0.address?.ipAddress })
    }

    func permits(_ address: String) -> Bool { policy.permits(address) }
}

extension ServerChecks {
    /// Checks over the real network, with DNS as the configuration says.
    public static func network(
        for configuration: ServerConfiguration, clock: @escaping @Sendable () -> Date
    ) throws(AdminError) -> any CheckNetwork {
        do {
            return DeliveryCheckNetwork(
                resolver: try MailServer.makeResolver(configuration),
                policy: AddressPolicy(allowPrivateTargets: configuration.allowPrivateTargets),
                group: MultiThreadedEventLoopGroup.singleton, clock: clock)
        } catch {
            throw AdminError(.internal, "DNS cannot be asked: \(PlainReason.of(error))", hint: "look at the dns_ settings")
        }
    }
}
