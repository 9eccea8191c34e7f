import Delivery
import Foundation
import Identity

/// DNS and ports.
extension ServerChecks {
    /// What the world finds of this domain.
    func ownServiceFindings(_ network: any CheckNetwork, _ keys: DomainKeys?, isRunning: Bool) async -> [CheckFinding] {
        let domain = configuration.domain
        let record = "_wsemail._tcp.\(domain). 3600 IN SRV 0 0 \(configuration.listenPort) \(configuration.hostName)."
        let services: [CheckedService]
        do {
            services = try await network.services(of: domain)
        } catch {
            return [.fail("dns", "DNS does not lead to this domain: \(PlainReason.of(error))", dnsAdvice(error) ?? "publish: \(record)")]
        }
        let host = configuration.hostName.lowercased()
        guard let ours = services.first(where: { $0.host == host && $0.port == configuration.listenPort }) else {
            let found = services.map { "\($0.host):\($0.port)" }.joined(separator: ", ")
            return [
                .fail(
                    "dns", "DNS leads to \(found), not to \(host):\(configuration.listenPort)",
                    "publish: \(record) (or set host_name and listen_port to what is published)")
            ]
        }
        var found: [CheckFinding] = [
            .ok("dns", "DNS leads to \(host):\(ours.port)\(ours.isSecure ? ", secured by DNSSEC" : "")")
        ]
        let here = network.ownAddresses()
        if ours.addresses.allSatisfy({ !here.contains($0) }) {
            found.append(
                .warn(
                    "dns", "\(host) is \(ours.addresses.joined(separator: ", ")), no address of this machine",
                    "right behind a router that forwards port \(ours.port); else correct the address record"))
        }
        for address in ours.addresses {
            found.append(await portFinding(network, address, ours, keys, isRunning: isRunning))
        }
        return found
    }

    private func portFinding(
        _ network: any CheckNetwork, _ address: String, _ service: CheckedService, _ keys: DomainKeys?, isRunning: Bool
    ) async -> CheckFinding {
        let place = "\(address) port \(service.port)"
        let chain: [[UInt8]]
        do {
            chain = try await network.certificates(at: address, port: service.port, name: configuration.domain.description)
        } catch {
            guard isRunning else { return .warn("port", "nobody answers at \(place): the server does not run", "start it") }
            return .fail(
                "port", "\(place) is not reached from here: \(PlainReason.of(error))",
                "open the port in the firewall, and see listen_address")
        }
        guard configuration.tlsCertificateFile.isEmpty, let keys else { return .ok("port", "\(place) answers with TLS") }
        guard chain.first == keys.tlsCertificate.der else {
            return .fail("port", "\(place) shows another certificate than ours", "see who listens there; restart the server")
        }
        return .ok("port", "\(place) answers with our certificate")
    }

    /// What to do when DNS fails; nil when it answers and the record is not there.
    func dnsAdvice(_ error: any Error) -> String? {
        guard let error = error as? DeliveryError else { return nil }
        switch error.code {
        case .bogus where !error.reason.contains("prime trust anchor"):
            return "for a private zone set dns_insecure_zones; else its DNSSEC signatures are wrong: tell who runs the zone"
        // What cannot even be asked of the root looks bogus, too.
        case .dnsFailure, .bogus:
            return configuration.dnsServers.isEmpty
                ? "look at this machine's network: the root servers are asked on port 53; where that is closed, set dns_servers"
                : "look whether the dns_servers answer (\(configuration.dnsServers.joined(separator: ", "))) and pass DNSSEC on"
        case .noAddress: return "publish the A or AAAA record of the host that the SRV record names"
        default: return nil
        }
    }
}
