import Delivery
import Foundation
import Identity
import MailStore

/// Whom this server believes.
extension AdminService {
    /// Adds a root: pinned for one domain, or for a federation. Either the certificate is given, or its fingerprint; then the
    /// domain's own server is asked for it, and believed only if it matches.
    func addTrust(_ request: AdminRequest, _ caller: AdminCaller) async throws -> AdminReply {
        let isFederation = try isFederation(request)
        let peer = try isFederation ? nil : trustedDomain(request)
        let root = try await root(request, peer: peer)
        let anchor = try TrustAnchor(root, scope: peer.map { .domain($0) } ?? .federation)
        guard root.isValid(at: clock()) else {
            throw AdminError(
                .untrusted, "the certificate is valid from \(timestamp(root.notBefore)) to \(timestamp(root.notAfter))",
                hint: "ask the domain's administrator for the present one")
        }
        if isFederation, let only = root.mailDomains.first {
            throw AdminError(
                .invalidArgument, "this is the root of one domain, \(only), not of a federation",
                hint: "pin it instead: wsemaild trust add \(only) --certificate FILE")
        }
        let scope: AnchorScope = peer.map { .domain($0) } ?? .federation
        let others = try await anchors(of: scope).filter { $0.thumbprint != root.thumbprintSHA256 }
        let label = String((request[.label] ?? root.commonName ?? "").prefix(200))
        try await store.addTrustAnchor(
            TrustAnchorRecord(
                thumbprint: root.thumbprintSHA256, der: root.der, scope: scope, label: label, added: clock(),
                addedBy: caller.description))
        let isReplaced = try flag(.replace, of: request, preset: false) && !isFederation
        if isReplaced, let peer {
            for old in others { try await store.removeTrustAnchor(thumbprint: old.thumbprint, scope: scope) }
            if !others.isEmpty { try await store.removePeerMetadata(of: peer) }
        }
        try await hooks.trustChanged()
        if isReplaced, let peer { try await endSessions(with: peer) }
        // Mail that waited for this trust need not wait any longer.
        if let peer {
            try await store.retryNow(.destination(peer), now: clock())
            await hooks.retryWanted(peer)
        }
        await hooks.queueChanged()
        var reply = AdminReply(
            peer.map { "\($0) is trusted by its root \(anchor.fingerprint)" }
                ?? "every domain under the root \(anchor.fingerprint) is trusted",
            details: [
                "fingerprint": anchor.fingerprint.description, "subject": root.commonName ?? "",
                "scope": peer?.description ?? "federation", "expires_at": timestamp(root.notAfter),
            ])
        if !isReplaced, !isFederation, !others.isEmpty {
            reply.details["warning"] =
                "\(others.count) older root(s) stay trusted for it; `--replace` or `wsemaild trust remove` takes them away"
        }
        return reply
    }

    func listTrust(_ request: AdminRequest) async throws -> AdminReply {
        let withCertificates = try flag(.certificate, of: request, preset: false)
        var columns = ["scope", "fingerprint", "label", "expires_at", "added_at", "added_by", "metadata", "last_contact_at"]
        if withCertificates { columns.append("certificate") }
        var rows: [[String]] = []
        for record in try await store.trustAnchors().anchors.sorted(by: AdminService.precedes) {
            let certificate = try? MailCertificate(der: record.der)
            var metadata: PeerMetadata?
            if case .domain(let peer) = record.scope { metadata = try await store.peerMetadata(of: peer) }
            var row = [
                record.scope.text, Fingerprint(of: record.der).description, record.label, timestamp(certificate?.notAfter),
                timestamp(record.added), record.addedBy, metadata.map { "version \($0.version)" } ?? "none yet",
                timestamp(metadata?.fetched),
            ]
            if withCertificates { row.append(Data(record.der).base64EncodedString()) }
            rows.append(row)
        }
        return AdminReply(columns: columns, rows: rows)
    }

    /// Removes one root of a domain or federation by its fingerprint, or all of a domain.
    func removeTrust(_ request: AdminRequest) async throws -> AdminReply {
        let peer = try isFederation(request) ? nil : trustedDomain(request)
        let scope: AnchorScope = peer.map { .domain($0) } ?? .federation
        let name = peer?.description ?? "the federations"
        if peer == nil { _ = try required(.fingerprint, of: request) }
        let wanted = try request[.fingerprint].map { try Fingerprint($0).bytes }
        let all = try await anchors(of: scope)
        let found = all.filter { wanted == nil || $0.thumbprint == wanted }
        guard !found.isEmpty else {
            throw AdminError(
                .unknownCertificate, "no such root is trusted for \(name)", hint: "`wsemaild trust list` shows the roots")
        }
        for record in found { try await store.removeTrustAnchor(thumbprint: record.thumbprint, scope: scope) }
        if let peer, found.count == all.count { try await store.removePeerMetadata(of: peer) }
        try await hooks.trustChanged()
        if let peer { try await endSessions(with: peer) }
        return AdminReply(
            "\(found.count == 1 ? "one root is" : "\(found.count) roots are") no longer trusted for \(name)",
            columns: ["scope", "fingerprint"],
            rows: found.map { [$0.scope.text, Fingerprint(of: $0.der).description] },
            details: ["removed_count": String(found.count)])
    }

    /// Opens a session with a trusted domain's server: the only way to know that it trusts us, too.
    /// - Returns: detail `outcome` is "open", or "refused" with the fault's `code` and `reason`.
    func probePeer(_ request: AdminRequest) async throws -> AdminReply {
        let peer = try trustedDomain(request)
        guard let probe = hooks.probePeer else {
            throw AdminError(.needsServer, "only the running server opens sessions with others", hint: "start `wsemaild serve`")
        }
        do {
            try await probe(peer)
            return AdminReply("the server of \(peer) takes our calls", details: ["outcome": "open"])
        } catch let error as DeliveryError where error.code == .fault {
            return AdminReply(
                "\(peer) refuses our calls: \(error.reason)",
                details: ["outcome": "refused", "code": error.subcode?.rawValue ?? "", "reason": error.reason])
        } catch {
            throw AdminError(.unreachable, PlainReason.of(error))
        }
    }

    /// A session rests on the trust of the time it was opened: both directions begin anew.
    private func endSessions(with peer: MailDomain) async throws {
        await hooks.sessionsEnded(try await store.deleteSessions(of: peer.description, kind: .peer))
        await hooks.peerForgotten(peer)
    }

    // MARK: Arguments

    private func isFederation(_ request: AdminRequest) throws -> Bool {
        switch request[.scope] {
        case nil, "domain": return false
        case "federation":
            guard request[.domain] == nil else {
                throw AdminError(.invalidArgument, "a federation root is for all domains: name no domain with it")
            }
            return true
        default: throw AdminError(.invalidArgument, "scope is domain or federation")
        }
    }

    private func trustedDomain(_ request: AdminRequest) throws -> MailDomain {
        let peer = try MailDomain(try required(.domain, of: request))
        guard peer != domain else {
            throw AdminError(.invalidArgument, "\(domain) is this server's own domain: it trusts itself")
        }
        return peer
    }

    /// The certificate meant, which matches the fingerprint if one was named.
    private func root(_ request: AdminRequest, peer: MailDomain?) async throws -> MailCertificate {
        let wanted = try request[.fingerprint].map { try Fingerprint($0) }
        if let pem = request[.certificate] {
            let root = try MailCertificate(pem: pem)
            guard wanted == nil || root.fingerprint == wanted else {
                throw AdminError(
                    .untrusted, "the certificate's fingerprint is \(root.fingerprint), not the one you named",
                    hint: "ask the domain's administrator, over a way you trust, which is right")
            }
            return root
        }
        guard let wanted, let peer else {
            throw AdminError(
                .invalidArgument, "trust add needs the root's certificate\(peer == nil ? "" : " or fingerprint")",
                hint: "`wsemaild init` and `wsemaild status` print it at the other side")
        }
        return try await fetchedRoot(wanted, of: peer)
    }

    private func fetchedRoot(_ wanted: Fingerprint, of peer: MailDomain) async throws -> MailCertificate {
        guard let fetch = hooks.fetchRoots else {
            throw AdminError(
                .needsServer, "this needs the running server to fetch the certificate",
                hint: "start `wsemaild serve`, or give the certificate with --certificate FILE")
        }
        let candidates: [[UInt8]]
        do {
            candidates = try await fetch(peer)
        } catch {
            throw AdminError(
                .unreachable, "the server of \(peer) did not hand out its certificate: \(PlainReason.of(error))",
                hint: "try again later, or give the certificate with --certificate FILE")
        }
        // SHA-256 binds the octets: whoever answered, only the named certificate passes.
        guard let der = candidates.first(where: { Fingerprint(of: $0) == wanted }) else {
            let found = candidates.map { Fingerprint(of: $0).description }.joined(separator: ", ")
            throw AdminError(
                .untrusted, "the server of \(peer) shows \(found.isEmpty ? "no root" : found), not the fingerprint you named",
                hint: "nothing was changed; ask its administrator, over a way you trust, for the fingerprint")
        }
        return try MailCertificate(der: der)
    }

    private func anchors(of scope: AnchorScope) async throws -> [TrustAnchorRecord] {
        try await store.trustAnchors().anchors.filter { $0.scope == scope }
    }

    private static func precedes(_ one: TrustAnchorRecord, _ other: TrustAnchorRecord) -> Bool {
        (one.scope.text, one.added) < (other.scope.text, other.added)
    }
}

extension AnchorScope {
    /// The domain, or "federation" (which is no possible domain: it has no dot).
    var text: String {
        switch self {
        case .domain(let domain): domain.description
        case .federation: "federation"
        }
    }
}
