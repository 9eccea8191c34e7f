import Foundation
import GRDB
import Identity
import Logging
import MailStore
import Synchronization

/// The embedded store: one SQLite file in WAL mode, owned by one process.
///
/// Writes go through one connection with group commit and `synchronous=FULL` (`GroupCommitWriter`); reads run beside
/// them on a pool of connections, each on a snapshot of its own.
public final class SQLiteStore: MailStore {
    let configuration: SQLiteConfiguration
    let writer: GroupCommitWriter
    let hub = ChangeHub()
    private let pool: DatabasePool
    private let logger: Logger
    private let lock: Mutex<OwnerLock?>

    /// Opens or creates the database; blocks while it does. Throws `inUse`, `schemaTooNew`, `foreignDatabase`,
    /// `corrupt`, `misconfigured`, `ioFailure`, each with what to do.
    public convenience init(configuration: SQLiteConfiguration, logger: Logger) throws(StoreError) {
        try self.init(configuration: configuration, migrations: Schema.migrations, logger: logger)
    }

    package init(configuration: SQLiteConfiguration, migrations: [Migration], logger: Logger) throws(StoreError) {
        let lock = try OwnerLock(database: configuration.path)
        let opening = DatabaseOpening(configuration: configuration, migrations: migrations, logger: logger)
        pool = try opening.open()
        writer = GroupCommitWriter(pool: pool, hub: hub, configuration: configuration)
        self.configuration = configuration
        self.logger = logger
        self.lock = Mutex(lock)
    }

    public func close() async {
        await writer.close()
        hub.close()
        do {
            try pool.close()
        } catch {
            logger.warning("database did not close cleanly", metadata: ["error": "\(StoreError(wrapping: error))"])
        }
        lock.withLock { $0 = nil }
    }

    /// Reads on a snapshot.
    func read<T: Sendable>(_ body: @escaping @Sendable (SQLConnection) throws -> T) async throws(StoreError) -> T {
        let result: Result<T, StoreError> = await withCheckedContinuation { continuation in
            pool.asyncRead { access in
                do {
                    continuation.resume(returning: .success(try body(SQLConnection(database: access.get()))))
                } catch {
                    continuation.resume(returning: .failure(StoreError(wrapping: error)))
                }
            }
        }
        return try result.get()
    }

    /// Writes durably and atomically.
    func write<T: Sendable>(_ body: @escaping @Sendable (WriteConnection) throws -> T) async throws(StoreError) -> T {
        try await writer.write(body)
    }
}

/// Look-ups that several parts need.
extension SQLConnection {
    func accountKey(_ address: Address) throws -> Int64 {
        let key = try first("SELECT key FROM accounts WHERE address = ?", address.description) { try $0.int(0) }
        guard let key else { throw StoreError(.unknownAccount, "there is no account \(address)") }
        return key
    }

    func folderKey(_ name: FolderName, account: Int64) throws -> Int64 {
        let key = try first("SELECT key FROM folders WHERE account = ? AND name = ?", account, name.rawValue) { try $0.int(0) }
        guard let key else { throw StoreError(.unknownFolder, "there is no folder \(name)") }
        return key
    }

    func nextCounter(_ name: String) throws -> Int64 {
        let value = try first(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value", name
        ) { try $0.int(0) }
        guard let value else { throw StoreError(.internal, "a counter returned nothing") }
        return value
    }

    /// Deletes messages that no entry and no job uses any more, with their postmarks and the receipts nobody needs.
    func collectMessages(_ keys: some Sequence<Int64>) throws {
        var hasDeleted = false
        for key in Set(keys) {
            let count = try run(
                """
                DELETE FROM messages WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM entries WHERE message = ?1)
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE message = ?1)
                """, key)
            hasDeleted = hasDeleted || count > 0
        }
        if hasDeleted { try collectReceipts() }
    }

    func collectReceipts() throws {
        try run("DELETE FROM receipts WHERE intent IS NULL AND message IS NULL")
    }
}

/// Names as they are stored.
extension Origin {
    var stored: String {
        switch self {
        case .submission(let address): "user:\(address)"
        case .peer(let domain): "peer:\(domain)"
        case .visitor(let address): "visitor:\(address)"
        case .server: "server"
        }
    }

    init(stored: String) throws {
        if stored == "server" {
            self = .server
        } else if stored.hasPrefix("user:") {
            self = .submission(by: try Address(stored: String(stored.dropFirst(5))))
        } else if stored.hasPrefix("visitor:") {
            self = .visitor(try Address(stored: String(stored.dropFirst(8))))
        } else if stored.hasPrefix("peer:") {
            self = .peer(try MailDomain(stored: String(stored.dropFirst(5))))
        } else {
            throw StoreError(.corrupt, "an unknown kind of origin")
        }
    }
}

extension Address {
    init(stored: String) throws {
        do {
            try self.init(stored)
        } catch {
            throw StoreError(.corrupt, "a stored address is none: \(error)")
        }
    }
}

extension MailDomain {
    init(stored: String) throws {
        do {
            try self.init(stored)
        } catch {
            throw StoreError(.corrupt, "a stored domain is none: \(error)")
        }
    }
}

extension RecipientState {
    init(stored: String) throws {
        guard let state = RecipientState(rawValue: stored) else { throw StoreError(.corrupt, "an unknown recipient state") }
        self = state
    }
}
