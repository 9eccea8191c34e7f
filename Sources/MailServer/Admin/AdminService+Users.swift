import Foundation
import Identity
import MailStore
import PluginHost

/// Accounts.
extension AdminService {
    static let postmaster = "postmaster"

    func addUser(_ request: AdminRequest) async throws -> AdminReply {
        let address = try ownAddress(of: request)
        let quota = try quotaBytes(request[.quota] ?? String(configuration.quotaMegabytes))
        // Asked first: a hash costs 50 ms and 32 MB.
        guard try await store.account(address) == nil else {
            throw AdminError(.alreadyExists, "there is an account \(address) already", hint: "nothing was changed")
        }
        let hash = try await hooks.hashPassword(try password(of: request))
        try await store.createAccount(address, passwordHash: hash, quotaBytes: quota, now: clock())
        return AdminReply("added \(address)", details: ["address": address.description])
    }

    func setPassword(_ request: AdminRequest) async throws -> AdminReply {
        let address = try await existing(request)
        let hash = try await hooks.hashPassword(try password(of: request))
        let ended = try await store.setPasswordHash(hash, of: address, now: clock())
        await hooks.sessionsEnded(ended)
        return AdminReply(
            "changed the password of \(address)\(AdminService.sessions(ended))", details: AdminService.details(address, ended))
    }

    func listUsers(_ request: AdminRequest) async throws -> AdminReply {
        let limit = try pageLimit(of: request)
        let accounts = try await store.accounts(after: request[.after].map { try Address($0) }, limit: limit)
        let rows = accounts.map { account in
            [
                account.address.description, account.isDisabled ? "disabled" : "active", account.hasPassword ? "yes" : "no",
                String(account.usedBytes), account.quotaBytes.map { String($0) } ?? "", timestamp(account.created),
            ]
        }
        return AdminReply(
            columns: ["address", "state", "password", "used_bytes", "quota_bytes", "created_at"], rows: rows,
            details: accounts.count == limit ? ["next": accounts.last?.address.description ?? ""] : [:])
    }

    func disableUser(_ request: AdminRequest) async throws -> AdminReply {
        let address = try await existing(request, exceptPostmaster: true)
        let ended = try await store.disableAccount(address, now: clock())
        await hooks.sessionsEnded(ended)
        return AdminReply(
            "disabled \(address): it gets no mail and cannot log in\(AdminService.sessions(ended))",
            details: AdminService.details(address, ended))
    }

    func enableUser(_ request: AdminRequest) async throws -> AdminReply {
        let address = try await existing(request)
        try await store.enableAccount(address, now: clock())
        return AdminReply("enabled \(address)", details: ["address": address.description])
    }

    func removeUser(_ request: AdminRequest) async throws -> AdminReply {
        let address = try await existing(request, exceptPostmaster: true)
        let hadCertificates = try await store.certificates(of: address).contains { $0.revoked == nil }
        let files = try await letGoOfFiles(of: address)
        let ended = try await store.removeAccount(address, now: clock())
        await hooks.sessionsEnded(ended)
        var reply = AdminReply(
            "removed \(address) with its mail\(files > 0 ? " and \(files) files that others may not have fetched" : "")\(AdminService.sessions(ended))",
            details: AdminService.details(address, ended))
        if hadCertificates { reply.details["warning"] = await publishRevocations() }
        return reply
    }

    /// Whoever gets the address next must get nothing of what its attachments were: not the files, not who fetched them.
    ///
    /// The account is disabled first, so that nothing is added meanwhile; if it fails, removing it again goes on.
    /// - Returns: how many files went.
    private func letGoOfFiles(of address: Address) async throws -> Int {
        let prefix = HostValues.holdPrefix(owner: address, digest: [])
        let hasHolds = try await !store.pluginKeys(prefix: prefix, after: nil, limit: 1, of: HostValues.holds).isEmpty
        guard let files = hooks.files, let letGo = hooks.accountRemoved else {
            guard !hasHolds else {
                throw AdminError(
                    .needsServer, "attachments of \(address) wait for their recipients, and the server must take them back first",
                    hint: "start it with plug-ins (`wsemaild serve`), then remove the account; or disable it")
            }
            return 0
        }
        await hooks.sessionsEnded(try await store.disableAccount(address, now: clock()))
        try await letGo(address)
        do { return try await files.removeAll(of: address) } catch {
            throw AdminError(.storage, "the files of \(address) are not all gone: \(error.reason)", hint: "remove the account again")
        }
    }

    func setQuota(_ request: AdminRequest) async throws -> AdminReply {
        let address = try await existing(request)
        let quota = try quotaBytes(try required(.quota, of: request))
        try await store.setQuota(quota, of: address)
        return AdminReply(
            quota.map { "the mailbox of \(address) may now take \($0 >> 20) MB" } ?? "\(address) has no quota now",
            details: ["address": address.description, "quota_bytes": quota.map { String($0) } ?? ""])
    }

    /// Publishes what was revoked. The revocation itself stands, so a failure here is a warning.
    /// - Returns: the warning, or nil.
    func publishRevocations() async -> String? {
        guard let publish = hooks.publishMetadata else { return nil }
        do {
            try await publish()
            return nil
        } catch {
            logger.error("revocation not published", metadata: ["reason": "\(PlainReason.of(error))"])
            return "revoked, but the metadata for peers could not be issued: run `wsemaild metadata refresh`"
        }
    }

    /// The account named by the request.
    private func existing(_ request: AdminRequest, exceptPostmaster: Bool = false) async throws -> Address {
        let address = try ownAddress(of: request)
        guard try await store.account(address) != nil else {
            throw AdminError(
                .unknownAccount, "there is no account \(address)", hint: "`wsemaild user list` shows the accounts")
        }
        guard !exceptPostmaster || address.local != AdminService.postmaster else {
            throw AdminError(
                .forbidden, "\(address) must stay: every domain answers there",
                hint: "change its password instead, if you must")
        }
        return address
    }

    private func password(of request: AdminRequest) throws -> String {
        guard let secret = request.secret else {
            throw AdminError(.invalidArgument, "\(request.command.rawValue) needs a password")
        }
        guard Password.acceptedLength.contains(secret.utf8.count) else {
            let range = Password.acceptedLength
            throw AdminError(
                .invalidArgument, "a password has \(range.lowerBound) to \(range.upperBound) bytes",
                hint: "choose a longer one: four random words are good")
        }
        return secret
    }

    private static func sessions(_ ended: [String]) -> String {
        switch ended.count {
        case 0: ""
        case 1: "; one session ended"
        default: "; \(ended.count) sessions ended"
        }
    }

    private static func details(_ address: Address, _ ended: [String]) -> [String: String] {
        ["address": address.description, "sessions_ended_count": String(ended.count)]
    }
}
