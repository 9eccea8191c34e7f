import GRDB
import MailStore

/// The writer's connection during one transaction, with what is to be told after the commit.
final class WriteConnection {
    let sql: SQLConnection
    var events = StoreEvents()

    init(_ database: Database, faults: FaultInjector?) {
        sql = SQLConnection(database: database, willRun: faults)
    }

    var database: Database { sql.database }

    /// A savepoint statement; not subject to `.statement` faults, it has its own.
    func control(_ statement: String) throws {
        try database.cachedStatement(sql: statement).execute()
    }

    func rollbackToSavepoint() throws {
        try control("ROLLBACK TO item")
        try control("RELEASE item")
    }
}

/// What a transaction changed that somebody may wait for.
struct StoreEvents {
    /// Canonical addresses of accounts whose mailbox changed.
    var mailboxes: Set<String> = []
    /// Jobs were added or made due.
    var queue = false
}
