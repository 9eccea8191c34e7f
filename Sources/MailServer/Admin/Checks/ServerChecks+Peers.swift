import Foundation
import Identity

/// Other domains, and the mail that waits for them.
extension ServerChecks {
    /// A domain with its pinned roots.
    struct TrustedPeer: Sendable {
        let domain: MailDomain
        let trust: TrustStore
    }

    /// Mail that waited longer than this deserves a look.
    private static let longWait: TimeInterval = 3_600

    // MARK: The queue

    /// What waits for long, or for an administrator; one finding for each domain.
    func queueFindings(_ ask: @Sendable (AdminRequest) async -> AdminReply, _ trust: AdminReply) async -> [CheckFinding] {
        let scopes = Set(trust.rows.compactMap { trust.value("scope", in: $0) })
        var waiting: [String: Waiting] = [:]
        var cursor: String?
        repeat {
            let page = await ask(AdminRequest(.queueList, cursor.map { [.after: $0] } ?? [:]))
            if let error = page.error { return [.fail("queue", "the queue cannot be read: \(error.reason)", error.hint)] }
            for row in page.rows {
                let domain = page.value("destination", in: row) ?? ""
                let created = (try? Date(page.value("created_at", in: row) ?? "", strategy: .iso8601)) ?? now
                waiting[domain, default: Waiting(oldest: created)].add(created, reason: page.value("reason", in: row) ?? "")
            }
            cursor = page.details["next"]
        } while cursor?.isEmpty == false
        let found = waiting.sorted { $0.key < $1.key }.compactMap { domain, jobs in
            finding(domain, jobs, isTrusted: scopes.contains(domain) || scopes.contains("federation"))
        }
        return found.isEmpty ? [.ok("queue", "no mail waits for long")] : found
    }

    private struct Waiting {
        var count = 0
        var oldest: Date
        var reason = ""

        mutating func add(_ created: Date, reason: String) {
            count += 1
            oldest = min(oldest, created)
            if !reason.isEmpty { self.reason = reason }
        }
    }

    private func finding(_ domain: String, _ jobs: Waiting, isTrusted: Bool) -> CheckFinding? {
        let count = jobs.count == 1 ? "one message waits" : "\(jobs.count) messages wait"
        if domain == configuration.domain.description {
            // Final delivery here: what plug-ins put off, or cannot judge.
            let reason = jobs.reason.isEmpty ? "" : ": \(jobs.reason)"
            return .warn("queue", "\(count) for plug-ins of this server\(reason)", "look at wsemaild plugin list")
        }
        guard isTrusted, !jobs.reason.contains("does not trust \(domain)") else {
            return .fail(
                "queue", "\(count) for \(domain), which is not trusted here",
                "get its fingerprint by a way you trust, then: wsemaild trust add \(domain) --fingerprint SHA256:…")
        }
        let age = now.timeIntervalSince(jobs.oldest)
        guard age > ServerChecks.longWait else { return nil }
        let reason = jobs.reason.isEmpty ? "" : ": \(jobs.reason)"
        return .warn(
            "queue", "\(count) for \(domain), the oldest for \(Int(age / 3_600)) h\(reason)",
            "when that is repaired: wsemaild queue retry --domain \(domain)")
    }

    // MARK: Peers

    /// Whether a domain's server takes our calls: with the running server's own session, as delivery does.
    func sessionFinding(_ domain: MailDomain, _ ask: @Sendable (AdminRequest) async -> AdminReply) async -> CheckFinding {
        let reply = await ask(AdminRequest(.peerProbe, [.domain: domain.description]))
        if let error = reply.error { return .warn("peer", "no session with \(domain): \(error.reason)", error.hint) }
        guard reply.details["outcome"] == "refused" else { return .ok("peer", "\(domain) trusts this domain, too") }
        guard reply.details["code"] == "UntrustedCertificate" else {
            return .fail("peer", reply.message, "ask its administrator; mail for it waits")
        }
        let fingerprint = (try? configuration.rootFingerprint().description) ?? "that `wsemaild status` shows"
        return .fail(
            "peer", "\(domain) does not trust this domain yet",
            "give its administrator the fingerprint \(fingerprint) for: wsemaild trust add \(configuration.domain) --fingerprint …")
    }

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
            return .warn(
                "peer", "\(name) is not found: \(PlainReason.of(error))",
                dnsAdvice(error) ?? "its administrator must publish its SRV record; mail waits")
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
                problem = "\(service.host) (\(address) port \(service.port)): \(PlainReason.of(error))"
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
