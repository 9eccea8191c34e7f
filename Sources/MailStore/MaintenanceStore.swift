import Foundation

/// What `check` found.
public struct StoreHealth: Sendable, Hashable {
    /// Empty when all is well: what is wrong and, where known, what to do.
    public let problems: [String]
    /// What was looked at, for administrators: engine, version, schema, durability settings, sizes.
    public let facts: [String: String]

    public var isHealthy: Bool { problems.isEmpty }

    public init(problems: [String], facts: [String: String]) {
        self.problems = problems
        self.facts = facts
    }
}

/// Figures for metrics.
public struct StoreStatistics: Sendable, Hashable {
    public var accounts = 0
    public var messages = 0
    public var entries = 0
    public var intents = 0
    public var sessions = 0
    public var queueDepth = 0
    /// Jobs on which a worker is.
    public var queueLeased = 0
    /// When the oldest job was queued.
    public var queueOldest: Date?
    /// Bytes on disk.
    public var bytes: Int64 = 0
    /// Transactions committed and writes in them since the store was opened: their ratio is the group commit's gain.
    public var commits: Int64 = 0
    public var writes: Int64 = 0

    public init() {}
}

/// What one batch of pruning removed.
public struct PruneReport: Sendable, Hashable {
    public var intents = 0
    public var sessions = 0
    public var entries = 0
    public var certificates = 0
    /// Whether another batch is worthwhile.
    public var hasMore = false

    public init() {}
}

/// Looking after the store.
public protocol MaintenanceStore: Sendable {
    /// Examines the database and its durability settings. May take seconds on a large one; does not stop the rest.
    func check() async throws(StoreError) -> StoreHealth

    /// Counts, in time linear in the tables: for a scrape every some seconds, not for every call.
    func statistics(now: Date) async throws(StoreError) -> StoreStatistics

    /// Removes up to `limit` each of expired intents (whose jobs are done), expired sessions, mail of removed accounts
    /// and remembered certificates not seen for long. Call again while `hasMore`.
    func prune(now: Date, limit: Int) async throws(StoreError) -> PruneReport

    /// Gives free space back to the file system. Blocks writes while it runs.
    func compact() async throws(StoreError)
}
