import Foundation
import Identity
import MailStore

/// Certificates of users.
extension AdminService {
    /// Accounts looked at for one page of `key list`.
    private static let accountsPerPage = 100

    func listKeys(_ request: AdminRequest) async throws -> AdminReply {
        let columns = ["owner", "fingerprint", "serial", "state", "added_at", "expires_at", "revoked_at"]
        if request[.address] != nil {
            let owner = try ownAddress(of: request)
            return AdminReply(columns: columns, rows: try await store.certificates(of: owner).map(row))
        }
        let limit = min(AdminService.accountsPerPage, try pageLimit(of: request))
        let accounts = try await store.accounts(after: request[.after].map { try Address($0) }, limit: limit)
        var rows: [[String]] = []
        for account in accounts {
            rows += try await store.certificates(of: account.address).map(row)
        }
        return AdminReply(
            columns: columns, rows: rows,
            details: accounts.count == limit ? ["next": accounts.last?.address.description ?? ""] : [:])
    }

    /// Revokes one certificate by its fingerprint, or all of an address.
    func revokeKeys(_ request: AdminRequest) async throws -> AdminReply {
        let targets = try await certificatesToRevoke(request)
        let open = targets.filter { $0.revoked == nil }
        guard !open.isEmpty else { return AdminReply("revoked before; nothing was changed", details: ["revoked_count": "0"]) }
        var ended: [String] = []
        for certificate in open {
            ended += try await store.revokeCertificate(thumbprint: certificate.thumbprint, now: clock())
        }
        await hooks.sessionsEnded(ended)
        var reply = AdminReply(
            open.count == 1 ? "revoked one certificate" : "revoked \(open.count) certificates",
            columns: ["owner", "fingerprint"],
            rows: open.map { [$0.owner?.description ?? domain.description, Fingerprint(of: $0.der).description] },
            details: ["revoked_count": String(open.count), "sessions_ended_count": String(ended.count)])
        reply.details["warning"] = await publishRevocations()
        return reply
    }

    private func certificatesToRevoke(_ request: AdminRequest) async throws -> [IssuedCertificate] {
        let hint = "`wsemaild key list` shows the certificates"
        if let text = request[.fingerprint] {
            guard request[.address] == nil else {
                throw AdminError(.invalidArgument, "name a fingerprint or an address, not both")
            }
            guard let found = try await store.certificate(thumbprint: try Fingerprint(text).bytes) else {
                throw AdminError(.unknownCertificate, "this domain has issued no such certificate", hint: hint)
            }
            return [found]
        }
        let owner = try ownAddress(of: request)
        let found = try await store.certificates(of: owner)
        guard !found.isEmpty else {
            throw AdminError(.unknownCertificate, "\(owner) has no certificate", hint: hint)
        }
        return found
    }

    private func row(_ certificate: IssuedCertificate) -> [String] {
        let state =
            if certificate.revoked != nil { "revoked" } else if certificate.notAfter < clock() { "expired" } else { "valid" }
        return [
            certificate.owner?.description ?? domain.description, Fingerprint(of: certificate.der).description,
            (try? MailCertificate(der: certificate.der).serial) ?? "", state, timestamp(certificate.added),
            timestamp(certificate.notAfter), timestamp(certificate.revoked),
        ]
    }
}
