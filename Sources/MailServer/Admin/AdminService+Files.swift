import BlobStore
import Crypto
import Foundation
import Identity
import PluginHost

/// Attachments that wait on this server.
extension AdminService {
    func dispatchFiles(_ request: AdminRequest) async throws -> AdminReply {
        guard let files = hooks.files else {
            throw AdminError(.needsServer, "the files are looked after by the running server", hint: "start it with `wsemaild serve`")
        }
        return request.command == .fileList ? try await listFiles(files) : try await checkFiles(files, request)
    }

    private func listFiles(_ files: any BlobStore) async throws -> AdminReply {
        let quota = UInt64(configuration.fileQuotaMegabytes) << 20
        var rows: [[String]] = []
        var cursor: Address?
        while true {
            let page = try await store.accounts(after: cursor, limit: AdminService.pageLimit)
            for account in page {
                let used = try await files.usage(of: account.address)
                if used > 0 { rows.append([account.address.description, String(used), String(quota)]) }
            }
            guard page.count == AdminService.pageLimit, let last = page.last else { break }
            cursor = last.address
        }
        return AdminReply(columns: ["address", "used_bytes", "quota_bytes"], rows: rows)
    }

    private func checkFiles(_ files: any BlobStore, _ request: AdminRequest) async throws -> AdminReply {
        let owner = try request[.address].map { _ in try ownAddress(of: request) }
        if let owner, try await store.account(owner) == nil {
            throw AdminError(.unknownAccount, "there is no account \(owner)", hint: "`wsemaild user list` shows the accounts")
        }
        let prefix = owner.map { HostValues.holdPrefix(owner: $0, digest: []) } ?? []
        var rows: [[String]] = []
        var count = 0
        var cursor: [UInt8]?
        while true {
            let keys = try await store.pluginKeys(prefix: prefix, after: cursor, limit: 500, of: HostValues.holds)
            for key in keys {
                guard let hold = HostValues.hold(key) else { continue }
                count += 1
                switch try await files.verify(owner: hold.owner, digest: hold.digest) {
                case .intact: break
                case .damaged: rows.append(row(hold, "damaged"))
                case .missing: rows.append(row(hold, "missing"))
                }
            }
            guard keys.count == 500, let last = keys.last else { break }
            cursor = last
        }
        var reply = AdminReply(
            rows.isEmpty ? "\(count == 0 ? "no file is kept" : "\(count) attachments: every file is there and whole")" : "",
            columns: ["owner", "guid", "path", "state"], rows: rows,
            details: ["checked_count": String(count), "problems_count": String(rows.count)])
        if !rows.isEmpty {
            reply.details["warning"] =
                "\(rows.count) of \(count) attachments are missing or damaged: restore their files from a backup, or tell their senders"
        }
        return reply
    }

    /// - Parameter state: "damaged" or "missing".
    private func row(_ hold: (owner: Address, digest: [UInt8], guid: String), _ state: String) -> [String] {
        let folder = Hex.encode(Array(SHA256.hash(data: Array(hold.owner.description.utf8))))
        return [hold.owner.description, hold.guid, "\(configuration.filesPath)/\(folder)/\(Hex.encode(hold.digest))", state]
    }
}
