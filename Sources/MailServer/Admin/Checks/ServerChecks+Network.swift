import Foundation
import Identity

/// DNS, ports and peers.
extension ServerChecks {
    /// A domain with its pinned roots.
    struct TrustedPeer: Sendable {
        let domain: MailDomain
        let trust: TrustStore
    }

    // MARK: Ourselves

    /// What the world finds of this domain.
    func ownServiceFindings(_ network: any CheckNetwork, _ keys: DomainKeys?, isRunning: Bool) async -> [CheckFinding] {
        let domain = configuration.domain
        let record = "_wsemail._tcp.\(domain). 3600 IN SRV 0 0 \(configuration.listenPort) \(configuration.hostName)."
        let services: [CheckedService]
        do {
            services = try await network.services(of: domain)
        } catch {
            return [.fail("dns", "DNS does not lead to this domain: \(error)", "publish: \(record)")]
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
                "port", "\(place) is not reached from here: \(error)", "open the port in the firewall, and see listen_address")
        }
        guard configuration.tlsCertificateFile.isEmpty, let keys else { return .ok("port", "\(place) answers with TLS") }
        guard chain.first == keys.tlsCertificate.der else {
            return .fail("port", "\(place) shows another certificate than ours", "see who listens there; restart the server")
        }
        return .ok("port", "\(place) answers with our certificate")
    }

    // MARK: Others

    /// The domains with pinned roots, from `trust list`.
    func trustedPeers(_ reply: AdminReply) -> [TrustedPeer] {
        var anchors: [MailDomain: [TrustAnchor]] = [:]
        var federation: [TrustAnchor] = []
        for row in reply.rows {
            guard let scope = reply.value("scope", in: row), let text = reply.value("certificate", in: row),
                let der = Data(base64Encoded: text), let certificate = try? MailCertificate(der: Array(der))
            else { continue }
            if let domain = try? MailDomain(scope), let anchor = try? TrustAnchor(certificate, scope: .domain(domain)) {
                anchors[domain, default: []].append(anchor)
            } else if let anchor = try? TrustAnchor(certificate, scope: .federation) {
                federation.append(anchor)
            }
        }
        return anchors.sorted { $0.key < $1.key }.map { domain, pinned in
            TrustedPeer(domain: domain, trust: TrustStore(pinned + federation))
        }
    }

    /// Whether mail to a trusted domain can go out now. A peer that is down is its own matter: a warning.
    func peerFinding(_ peer: TrustedPeer, _ network: any CheckNetwork) async -> CheckFinding {
        let name = peer.domain.description
        let services: [CheckedService]
        do {
            services = try await network.services(of: peer.domain)
        } catch {
            return .warn("peer", "\(name) is not found: \(error)", "its administrator must publish its SRV record; mail waits")
        }
        let permitted = services.flatMap { service in
            service.addresses.filter(network.permits).map { (service, $0) }
        }
        guard !permitted.isEmpty else {
            return .fail(
                "peer", "\(name) has private addresses only", "set allow_private_targets = yes if that is meant to be")
        }
        var problem = ""
        for (service, address) in permitted {
            let chain: [MailCertificate]
            do {
                chain = try await network.certificates(at: address, port: service.port, name: name)
                    .map { try MailCertificate(der: $0) }
            } catch {
                problem = "\(service.host) (\(address) port \(service.port)): \(error)"
                continue
            }
            return await certificateFinding(peer, service, chain)
        }
        return .warn("peer", "\(name) is not reached: \(problem)", "mail for it waits and goes out when it is back")
    }

    private func certificateFinding(
        _ peer: TrustedPeer, _ service: CheckedService, _ chain: [MailCertificate]
    ) async -> CheckFinding {
        var names = [peer.domain]
        // The target's name counts only where DNSSEC vouches for it (design §4).
        if service.isSecure, let host = try? MailDomain(service.host) { names.append(host) }
        var reason = ""
        for name in names {
            do {
                // The root itself may end the chain as shown; it is no intermediate.
                let path =
                    chain.prefix(1)
                    + chain.dropFirst().filter { shown in
                        !peer.trust.anchors.contains { $0.certificate == shown }
                    }
                _ = try await peer.trust.validateTLS(Array(path), mailDomain: name, at: now)
                return .ok("peer", "\(peer.domain) answers at \(service.host):\(service.port), and is who it should be")
            } catch {
                reason = error.reason
            }
        }
        return .fail(
            "peer", "the server of \(peer.domain) is not believed: \(reason)",
            "ask its administrator for the present fingerprint, then `wsemaild trust add \(peer.domain) --fingerprint …`")
    }
}
