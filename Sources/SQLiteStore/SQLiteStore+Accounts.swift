import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    /// Entries deleted per transaction when an account is removed: other writes need not wait long.
    static let removalBatch = 500

    public func createAccount(
        _ address: Address, passwordHash: String?, quotaBytes: Int64?, now: Date
    ) async throws(StoreError) {
        try await write { connection in
            let sql = connection.sql
            let count = try sql.run(
                """
                INSERT INTO accounts (address, created, password, generation, quota) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (address) DO NOTHING
                """,
                address.description, now.micros, passwordHash, try sql.nextCounter(Counter.credential), quotaBytes)
            guard count == 1 else { throw StoreError(.alreadyExists, "there is an account \(address)") }
            let key = sql.database.lastInsertedRowID
            for (folder, role) in [(FolderName.inbox, "inbox"), (.sent, "sent")] {
                try sql.run("INSERT INTO folders (account, name, role) VALUES (?, ?, ?)", key, folder.rawValue, role)
            }
        }
    }

    public func account(_ address: Address) async throws(StoreError) -> Account? {
        try await read { sql in
            try sql.first(Self.accountColumns + " WHERE address = ?", address.description, map: Self.account)
        }
    }

    public func accounts(after cursor: Address?, limit: Int) async throws(StoreError) -> [Account] {
        try await read { sql in
            try sql.all(
                Self.accountColumns + " WHERE address > ? AND removed IS NULL ORDER BY address LIMIT ?",
                cursor?.description ?? "", max(0, limit), map: Self.account)
        }
    }

    public func credential(of address: Address) async throws(StoreError) -> AccountCredential? {
        try await read { sql in
            try sql.first(
                "SELECT password, generation, disabled IS NOT NULL FROM accounts WHERE address = ?", address.description
            ) { row in
                AccountCredential(
                    passwordHash: try row.optionalText(0), generation: try row.int(1), isDisabled: try row.int(2) != 0)
            }
        }
    }

    @discardableResult
    public func setPasswordHash(_ hash: String?, of address: Address, now: Date) async throws(StoreError) -> [String] {
        try await write { connection in
            let key = try connection.sql.accountKey(address)
            try connection.sql.run("UPDATE accounts SET password = ? WHERE key = ?", hash, key)
            return try connection.sql.endSessions(of: address, account: key)
        }
    }

    public func setQuota(_ bytes: Int64?, of address: Address) async throws(StoreError) {
        try await write { connection in
            let key = try connection.sql.accountKey(address)
            try connection.sql.run("UPDATE accounts SET quota = ? WHERE key = ?", bytes, key)
        }
    }

    @discardableResult
    public func disableAccount(_ address: Address, now: Date) async throws(StoreError) -> [String] {
        try await write { connection in
            let key = try connection.sql.accountKey(address)
            try connection.sql.run("UPDATE accounts SET disabled = coalesce(disabled, ?) WHERE key = ?", now.micros, key)
            return try connection.sql.endSessions(of: address, account: key)
        }
    }

    public func enableAccount(_ address: Address, now: Date) async throws(StoreError) {
        try await write { connection in
            let key = try connection.sql.accountKey(address)
            try connection.sql.run("UPDATE accounts SET disabled = NULL WHERE key = ?", key)
        }
    }

    @discardableResult
    public func removeAccount(_ address: Address, now: Date) async throws(StoreError) -> [String] {
        let (key, ended) = try await write { connection in
            let sql = connection.sql
            let key = try sql.accountKey(address)
            let ended = try sql.endSessions(of: address, account: key)
            try sql.run(
                "UPDATE certificates SET revoked = ? WHERE owner = ? AND revoked IS NULL", now.micros, address.description)
            // The address is free at once; no address has this form.
            try sql.run(
                "UPDATE accounts SET removed = ?, address = 'removed ' || key, disabled = ?, password = NULL WHERE key = ?",
                now.micros, now.micros, key)
            connection.events.mailboxes.insert(address.description)
            return (key, ended)
        }
        while try await write({ try $0.sql.emptyRemovedAccount(key, limit: Self.removalBatch) }) >= Self.removalBatch {}
        return ended
    }

    private static let accountColumns = """
        SELECT address, created, disabled IS NOT NULL, quota, used, password IS NOT NULL, generation FROM accounts
        """

    private static func account(_ row: Row) throws -> Account {
        Account(
            address: try Address(stored: row.text(0)), created: try row.time(1), isDisabled: try row.int(2) != 0,
            quotaBytes: try row.optionalInt(3), usedBytes: try row.int(4), hasPassword: try row.int(5) != 0,
            credentialGeneration: try row.int(6))
    }
}

/// Names of the store's own counters; with a space in front, so that no caller's counter meets them.
enum Counter {
    static let credential = " credential"
    static let anchors = " anchors"
    static let pluginValues = " plugin values"
}

extension SQLConnection {
    /// Ends all sessions of a user because credentials changed; returns their ids.
    func endSessions(of address: Address, account key: Int64) throws -> [String] {
        try run("UPDATE accounts SET generation = ? WHERE key = ?", try nextCounter(Counter.credential), key)
        return try deleteSessions(of: address.description, kind: .user)
    }

    func deleteSessions(of principal: String, kind: SessionKind) throws -> [String] {
        try all("DELETE FROM sessions WHERE kind = ? AND principal = ? RETURNING id", kind.rawValue, principal) {
            try $0.text(0)
        }
    }

    /// Deletes some mail of a removed account, and at last the account. Returns how many entries went.
    func emptyRemovedAccount(_ key: Int64, limit: Int) throws -> Int {
        let messages = try all(
            """
            DELETE FROM entries WHERE account = ?1 AND uid IN (SELECT uid FROM entries WHERE account = ?1 ORDER BY uid LIMIT ?2)
            RETURNING message
            """, key, limit
        ) { try $0.int(0) }
        try collectMessages(messages)
        if messages.count < limit {
            try run("DELETE FROM accounts WHERE key = ? AND removed IS NOT NULL", key)
        }
        return messages.count
    }
}
