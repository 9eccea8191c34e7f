import GRDB
import MailStore

extension SQLiteStore {
    private static let maximumSetting = 65_536

    public func nextCounter(_ name: String) async throws(StoreError) -> Int64 {
        try await write { try $0.sql.nextCounter(name) }
    }

    public func counter(_ name: String) async throws(StoreError) -> Int64 {
        try await read { try $0.counter(name) }
    }

    public func setting(_ key: String, in namespace: String) async throws(StoreError) -> [UInt8]? {
        try await read { sql in
            try sql.first("SELECT value FROM settings WHERE namespace = ? AND key = ?", namespace, key) { try $0.bytes(0) }
        }
    }

    public func settings(in namespace: String) async throws(StoreError) -> [String: [UInt8]] {
        try await read { sql in
            let rows = try sql.all("SELECT key, value FROM settings WHERE namespace = ?", namespace) {
                (try $0.text(0), try $0.bytes(1))
            }
            return Dictionary(rows) { first, _ in first }
        }
    }

    public func setSetting(_ key: String, in namespace: String, to value: [UInt8]?) async throws(StoreError) {
        guard (value?.count ?? 0) <= Self.maximumSetting else {
            throw StoreError(.invalid, "the setting \(namespace)/\(key) is larger than \(Self.maximumSetting) bytes")
        }
        try await write { connection in
            guard let value else {
                try connection.sql.run("DELETE FROM settings WHERE namespace = ? AND key = ?", namespace, key)
                return
            }
            try connection.sql.run(
                "INSERT INTO settings VALUES (?, ?, ?) ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value", namespace,
                key, value.blob)
        }
    }
}

extension SQLConnection {
    func counter(_ name: String) throws -> Int64 {
        try number("SELECT value FROM counters WHERE name = ?", name)
    }
}
