import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    private static let maximumPackage = 32 << 20
    private static let maximumState = 256 << 10

    // MARK: Packages

    public func installPackage(_ record: PluginPackageRecord, octets: [UInt8]) async throws(StoreError) {
        guard EffectsWriter.nameOctets.contains(record.id.utf8.count) else {
            throw StoreError(.invalid, "a package's id has 1 to 512 octets")
        }
        guard octets.count <= Self.maximumPackage else {
            throw StoreError(.invalid, "a package has at most \(Self.maximumPackage) octets, not \(octets.count)")
        }
        try Self.checkSize(of: record.state)
        try await write { connection in
            let sql = connection.sql
            let key = try sql.first(
                """
                INSERT INTO plugin_packages (id, version, digest, installed, state) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET version = excluded.version, digest = excluded.digest,
                installed = excluded.installed, state = excluded.state RETURNING key
                """, record.id, record.version, record.digest.blob, record.installed.micros, record.state.blob
            ) { try $0.int(0) }
            try sql.run(
                "INSERT INTO plugin_octets VALUES (?, ?) ON CONFLICT (package) DO UPDATE SET octets = excluded.octets", key, octets.blob)
        }
    }

    public func packages() async throws(StoreError) -> [PluginPackageRecord] {
        try await read { sql in
            try sql.all(
                """
                SELECT id, version, digest, installed, EXISTS (SELECT 1 FROM plugin_octets WHERE package = p.key), state
                FROM plugin_packages p ORDER BY id
                """
            ) { row in
                PluginPackageRecord(
                    id: try row.text(0), version: try row.text(1), digest: try row.bytes(2), installed: try row.time(3),
                    isPresent: try row.int(4) != 0, state: try row.bytes(5))
            }
        }
    }

    public func packageOctets(_ id: String) async throws(StoreError) -> [UInt8]? {
        try await read { sql in
            try sql.first("SELECT octets FROM plugin_octets WHERE package = (SELECT key FROM plugin_packages WHERE id = ?)", id) {
                try $0.bytes(0)
            }
        }
    }

    public func setPackageState(_ id: String, to state: [UInt8]) async throws(StoreError) -> Bool {
        try Self.checkSize(of: state)
        return try await write { try $0.sql.run("UPDATE plugin_packages SET state = ? WHERE id = ?", state.blob, id) > 0 }
    }

    public func removePackage(_ id: String, deletingValues: Bool) async throws(StoreError) -> Bool {
        try await write { connection in
            let sql = connection.sql
            let count = try sql.run(
                "DELETE FROM plugin_octets WHERE package = (SELECT key FROM plugin_packages WHERE id = ?)", id)
            if deletingValues {
                // All names that begin with "id/": the character after "/" is "0".
                try sql.run("DELETE FROM plugin_values WHERE plugin >= ? AND plugin < ?", id + "/", id + "0")
                try sql.run("DELETE FROM plugin_usage WHERE plugin >= ? AND plugin < ?", id + "/", id + "0")
            }
            return count > 0
        }
    }

    private static func checkSize(of state: [UInt8]) throws(StoreError) {
        guard state.count <= maximumState else {
            throw StoreError(.invalid, "a package's state has at most \(maximumState) octets, not \(state.count)")
        }
    }

    // MARK: Values

    public func pluginValue(_ key: [UInt8], of plugin: String) async throws(StoreError) -> PluginValue? {
        try await read { sql in
            try sql.first("SELECT value, version FROM plugin_values WHERE plugin = ? AND key = ?", plugin, key.blob) {
                PluginValue(value: try $0.bytes(0), version: try $0.int(1))
            }
        }
    }

    public func pluginKeys(
        prefix: [UInt8], after cursor: [UInt8]?, limit: Int, of plugin: String
    ) async throws(StoreError) -> [[UInt8]] {
        let end = Self.end(ofPrefix: prefix)
        // One lower bound, so that a page costs the same wherever it begins.
        let isAfterCursor = cursor.map { !$0.lexicographicallyPrecedes(prefix) } ?? false
        let start = isAfterCursor ? cursor ?? prefix : prefix
        return try await read { sql in
            try sql.all(
                "SELECT key FROM plugin_values WHERE plugin = ? AND key \(isAfterCursor ? ">" : ">=") ? AND key < ? ORDER BY key LIMIT ?",
                plugin, start.blob, end.blob, max(0, limit)
            ) { try $0.bytes(0) }
        }
    }

    /// What comes after all keys that begin with a prefix.
    private static func end(ofPrefix prefix: [UInt8]) -> [UInt8] {
        guard let index = prefix.lastIndex(where: { $0 != 0xFF }) else {
            return [UInt8](repeating: 0xFF, count: EffectsWriter.keyOctets.upperBound + 1)
        }
        return prefix[..<index] + [prefix[index] + 1]
    }

    public func pluginUsage(_ plugin: String) async throws(StoreError) -> (count: Int, bytes: Int64) {
        try await read { sql in
            try sql.first("SELECT count, bytes FROM plugin_usage WHERE plugin = ?", plugin) {
                (count: Int(try $0.int(0)), bytes: try $0.int(1))
            } ?? (count: 0, bytes: 0)
        }
    }

    public func commit(_ effects: PluginEffects, now: Date) async throws(StoreError) -> Bool {
        if effects.writes.isEmpty, effects.messages.isEmpty {
            // What only read needs no transaction of its own: one state is as good as another.
            guard !effects.checks.isEmpty else { return true }
            return try await read { try $0.holds(effects.checks) }
        }
        let configuration = configuration
        return try await write { connection in
            let writer = try EffectsWriter(connection: connection, effects: effects, configuration: configuration, now: now)
            guard try writer.holds() else { return false }
            _ = try writer.apply()
            return true
        }
    }

    // MARK: Local delivery

    public func mailboxVerdicts(_ addresses: [Address], size: Int) async throws(StoreError) -> [Address: RecipientVerdict] {
        try await read { sql in
            let judge = IntentJudge(sql: sql)
            var verdicts: [Address: RecipientVerdict] = [:]
            for address in addresses { verdicts[address] = try judge.account(address.description, for: size).verdict }
            return verdicts
        }
    }
}
