import Foundation

/// Settings of the embedded store.
public struct SQLiteConfiguration: Sendable {
    /// The database file. Its folder must exist; `-wal`, `-shm` and `.lock` files lie beside it.
    public var path: String
    /// Connections for reads.
    public var readers = 4
    /// How long to wait for a lock of another connection, in seconds (another process can only be a tool such as
    /// `sqlite3`).
    public var busyTimeout: TimeInterval = 5
    /// How long an intent is remembered after its last acceptance or queue expiry, in seconds.
    public var tombstoneLife: TimeInterval = 30 * 86_400
    /// How long a certificate seen on the wire is remembered after it was last seen, in seconds.
    public var rememberedCertificateLife: TimeInterval = 90 * 86_400
    /// Writes that may wait; one more is `busy`.
    public var maximumWaitingWrites = 10_000
    /// Writes committed together at most.
    public var maximumBatch = 256
    /// Recipients of one acceptance at most.
    public var maximumRecipients = 10_000
    /// Receipts of one intent at most (it gets another one only when recipients are added).
    public var maximumReceiptsPerIntent = 100
    /// Octets that the keys and values of one plug-in may take together. Beyond it writes that grow them are
    /// `quotaExceeded`.
    public var pluginValueBytes: Int64 = 64 << 20
    /// The largest the database file may grow, in bytes; nil is without limit. Beyond it writes are `storageFull`.
    public var maximumBytes: Int64?
    /// For tests: consulted before every storage operation of the writer.
    package var faultInjector: FaultInjector?

    public init(path: String) {
        self.path = path
    }
}

/// A step of the writer that can fail.
package enum StorageOperation: Sendable, Hashable {
    case begin
    case savepoint
    case statement(String)
    case release
    case commit
    /// Just after a commit that succeeded: failing here is a commit whose success was never learnt.
    case committed
}

/// Throws where a test wants the storage to fail.
package typealias FaultInjector = @Sendable (StorageOperation) throws -> Void
