import Foundation
import GRDB
import Logging
import MailStore

/// Opens a database file: looks whether it is ours and of a known version, brings its schema up to date, asserts
/// durability.
struct DatabaseOpening {
    let configuration: SQLiteConfiguration
    let migrations: [Migration]
    let logger: Logger

    private var path: String { configuration.path }
    private var latestVersion: Int { migrations.last?.version ?? 0 }

    func open() throws(StoreError) -> DatabasePool {
        do {
            try OwnerLock.protectFile(path)
            try inspect()
            let pool = try DatabasePool(path: path, configuration: poolConfiguration())
            try pool.writeWithoutTransaction { database in
                try migrate(database)
                try setUpWriter(database)
                try releaseLeases(database)
            }
            try OwnerLock.syncFolder(of: path)
            return pool
        } catch {
            throw explain(error)
        }
    }

    /// Before anything is changed, the switch to WAL included.
    private func inspect() throws {
        let queue = try DatabaseQueue(path: path, configuration: baseConfiguration())
        defer { try? queue.close() }
        try queue.inDatabase { database in
            let sql = SQLConnection(database: database)
            let objects = try sql.number("SELECT count(*) FROM sqlite_schema")
            let application = try sql.number("PRAGMA application_id")
            let version = try sql.number("PRAGMA user_version")
            if objects == 0, application == 0, version == 0 { return }
            guard application == Schema.applicationID else {
                throw StoreError(.foreignDatabase, "\(path) is a database of another program (application_id \(application))")
            }
            guard version <= latestVersion else {
                throw StoreError(
                    .schemaTooNew, "database schema \(version) is newer than this wsemaild (\(latestVersion)): upgrade wsemaild")
            }
        }
    }

    private func baseConfiguration() -> Configuration {
        var result = Configuration()
        result.label = "wsemail"
        result.foreignKeysEnabled = true
        result.busyMode = .timeout(configuration.busyTimeout)
        // A write that cannot end its transaction is reported as failed; it must not end the process.
        result.allowsUnsafeTransactions = true
        return result
    }

    private func poolConfiguration() -> Configuration {
        var result = baseConfiguration()
        result.journalMode = .wal
        result.maximumReaderCount = max(1, configuration.readers)
        result.prepareDatabase { database in
            // Views and triggers of a tampered file get no powers; deleted mail does not linger in reused pages.
            try database.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST; PRAGMA temp_store = MEMORY")
        }
        return result
    }

    private func migrate(_ database: Database) throws {
        let sql = SQLConnection(database: database)
        let current = try sql.number("PRAGMA user_version")
        for migration in migrations where migration.version > current {
            try database.inTransaction(.immediate) {
                try database.execute(sql: migration.sql)
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
                try database.execute(sql: "PRAGMA user_version = \(migration.version)")
                return .commit
            }
            logger.info("database schema brought up to date", metadata: ["version": "\(migration.version)"])
        }
    }

    /// GRDB sets synchronous=NORMAL after `prepareDatabase` when it switches to WAL: hence here, and asserted.
    private func setUpWriter(_ database: Database) throws {
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try database.execute(sql: "PRAGMA cache_size = -16384")
        try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
        if let bytes = configuration.maximumBytes {
            let pageSize = try SQLConnection(database: database).number("PRAGMA page_size")
            try database.execute(sql: "PRAGMA max_page_count = \(max(1, bytes / max(1, pageSize)))")
        }
        let problems = try Self.durabilityProblems(SQLConnection(database: database))
        guard problems.isEmpty else { throw StoreError(.misconfigured, problems.joined(separator: "; ")) }
    }

    /// What keeps the writer's commits from being durable; empty when all is well.
    static func durabilityProblems(_ sql: SQLConnection) throws -> [String] {
        var problems: [String] = []
        let synchronous = try sql.number("PRAGMA synchronous")
        if synchronous != 2 { problems.append("synchronous is \(synchronous), not 2 (FULL)") }
        let journal = try sql.first("PRAGMA journal_mode") { try $0.text(0) } ?? "unknown"
        if journal != "wal" { problems.append("journal_mode is \(journal), not wal") }
        if try sql.number("PRAGMA foreign_keys") != 1 { problems.append("foreign_keys is off") }
        return problems
    }

    /// We own the database: whoever held leases is dead. Their tokens end, their jobs are due now.
    private func releaseLeases(_ database: Database) throws {
        try database.inTransaction(.immediate) {
            try database.execute(sql: "UPDATE jobs SET due = created, leased = 0, lease = lease + 1 WHERE leased = 1")
            return .commit
        }
    }

    private func explain(_ error: any Error) -> StoreError {
        let failure = StoreError(wrapping: error)
        guard failure.code == .corrupt else { return failure }
        return StoreError(
            .corrupt, "\(path) is damaged or not a database (\(failure.reason)): restore a backup, or try `sqlite3 FILE .recover`")
    }
}
