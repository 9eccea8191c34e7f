import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    private func transact<T: Sendable>(
        now: Date, _ body: @escaping @Sendable (QueueTransaction) throws -> T
    ) async throws(StoreError) -> T {
        let configuration = configuration
        return try await write { connection in
            try body(QueueTransaction(connection: connection, configuration: configuration, now: now))
        }
    }

    public func leaseDue(
        now: Date, limit: Int, leaseFor seconds: TimeInterval, excluding: Set<MailDomain>, maxPerDestination: Int
    ) async throws(StoreError) -> [LeasedJob] {
        // Mostly there is nothing to do, and a read does not sync.
        guard let due = try await nextDue(excluding: excluding), due <= now, limit > 0, maxPerDestination > 0 else { return [] }
        let excluded = Set(excluding.map(\.description))
        return try await transact(now: now) { transaction in
            try transaction.leaseDue(
                limit: limit, until: now.addingTimeInterval(seconds), excluding: excluded, maxPerDestination: maxPerDestination)
        }
    }

    public func leaseDue(
        of destination: MailDomain, now: Date, limit: Int, leaseFor seconds: TimeInterval
    ) async throws(StoreError) -> [LeasedJob] {
        guard let due = try await nextDue(of: destination), due <= now, limit > 0 else { return [] }
        return try await transact(now: now) { transaction in
            try transaction.leaseDue(of: destination.description, limit: limit, until: now.addingTimeInterval(seconds))
        }
    }

    public func leaseExpired(
        now: Date, limit: Int, leaseFor seconds: TimeInterval, excluding: Set<MailDomain>
    ) async throws(StoreError) -> [LeasedJob] {
        let excluded = QueueTransaction.lineSet(excluding.map(\.description))
        let hasExpired = try await read { sql in
            try sql.number(
                "SELECT count(*) FROM (SELECT 1 FROM jobs j WHERE \(QueueTransaction.isExpired) LIMIT 1)", now.micros, excluded) > 0
        }
        guard hasExpired, limit > 0 else { return [] }
        return try await transact(now: now) { transaction in
            try transaction.leaseExpired(limit: limit, until: now.addingTimeInterval(seconds), excluding: excluded)
        }
    }

    public func settleLocal(
        _ lease: QueueLease, _ settlement: LocalSettlement, now: Date
    ) async throws(StoreError) -> SettleOutcome {
        try await transact(now: now) { transaction in
            try transaction.settle(transaction.held(lease), settlement)
        }
    }

    public func extendLease(_ lease: QueueLease, until: Date) async throws(StoreError) {
        try await transact(now: until) { try $0.extend(lease, until: until) }
    }

    @discardableResult
    public func complete(
        _ lease: QueueLease, _ report: DeliveryReport, bounce: Acceptance?, now: Date
    ) async throws(StoreError) -> [CreatedEntry] {
        try await transact(now: now) { try $0.complete($0.held(lease), report, bounce: bounce) }
    }

    @discardableResult
    public func postpone(
        _ lease: QueueLease, until: Date, reason: String, settled: DeliveryReport?, bounce: Acceptance?, now: Date
    ) async throws(StoreError) -> [CreatedEntry] {
        try await transact(now: now) { transaction in
            try transaction.postpone(transaction.held(lease), until: until, reason: reason, settled: settled, bounce: bounce)
        }
    }

    public func release(_ leases: [QueueLease], now: Date) async throws(StoreError) {
        try await transact(now: now) { try $0.release(leases) }
    }

    @discardableResult
    public func retryNow(_ selection: JobSelection, now: Date) async throws(StoreError) -> Int {
        try await write { connection in
            let start = "UPDATE jobs SET due = ?1 WHERE due > ?1 AND leased = 0"
            let count =
                switch selection {
                case .all: try connection.sql.run(start, now.micros)
                case .job(let id): try connection.sql.run(start + " AND key = ?2", now.micros, id)
                case .destination(let domain):
                    try connection.sql.run(start + " AND destination = ?2", now.micros, domain.description)
                }
            if count > 0 { connection.events.queue = true }
            return count
        }
    }

    @discardableResult
    public func postponeDestination(
        _ destination: MailDomain, until: Date, reason: String, now: Date
    ) async throws(StoreError) -> Int {
        try await write { connection in
            try connection.sql.run(
                """
                UPDATE jobs SET due = min(?, expires), reason = ?, leased = 0
                WHERE destination = ? AND due <= ? AND leased = 0 AND expires > ?4
                """, until.micros, reason, destination.description, now.micros)
        }
    }

    public func dropJob(_ id: Int64, reason: String, bounce: Acceptance?, now: Date) async throws(StoreError) {
        try await transact(now: now) { transaction in
            let job = try transaction.state(of: id)
            let outcomes = try job.recipients.map { name in
                RecipientOutcome(
                    recipient: try Address(stored: name), state: bounce == nil ? .refused : .bounced, reason: reason)
            }
            _ = try transaction.complete(job, DeliveryReport(outcomes: outcomes), bounce: bounce)
        }
    }

    public func jobs(
        destination: MailDomain?, after cursor: Int64?, limit: Int, now: Date
    ) async throws(StoreError) -> [QueueJob] {
        try await read { sql in
            try sql.all(
                """
                SELECT j.key, j.destination, i.origin, i.message_id, i.digest, j.recipients, j.created, j.expires, j.attempts,
                j.due, j.leased, j.reason, m.size
                FROM jobs j CROSS JOIN intents i ON i.key = j.intent CROSS JOIN messages m ON m.key = j.message
                WHERE j.key > ?1 AND (?2 IS NULL OR j.destination = ?2) ORDER BY j.key LIMIT ?3
                """, cursor ?? 0, destination?.description, max(0, limit)
            ) { try SQLConnection.queueJob($0, now: now) }
        }
    }

    public func job(_ id: Int64, now: Date) async throws(StoreError) -> LeasedJob? {
        try await read { sql in
            try sql.jobs("WHERE j.key = ?", id, now: now).first.map { job in
                LeasedJob(
                    lease: QueueLease(job: id, token: -1), job: job.job, octets: job.octets, summary: job.summary,
                    postmark: job.postmark)
            }
        }
    }

    public func destinations(now: Date) async throws(StoreError) -> [QueueDestination] {
        try await read { sql in
            try sql.all(
                """
                SELECT destination, count(*), sum(leased AND due > ?), min(created), min(due) FROM jobs
                GROUP BY destination ORDER BY destination
                """, now.micros
            ) { row in
                QueueDestination(
                    destination: try MailDomain(stored: row.text(0)), jobs: Int(try row.int(1)), leased: Int(try row.int(2)),
                    oldest: try row.time(3), due: try row.time(4))
            }
        }
    }

    public func nextDue(excluding: Set<MailDomain>) async throws(StoreError) -> Date? {
        let excluded = Set(excluding.map(\.description))
        return try await read { sql in
            try sql.all(QueueTransaction.destinationsByDue) { (name: try $0.text(0), due: try $0.time(1)) }
                .first { !excluded.contains($0.name) }?.due
        }
    }

    public func nextDue(of destination: MailDomain) async throws(StoreError) -> Date? {
        try await read { sql in
            let due = try sql.first("SELECT min(due) FROM jobs WHERE destination = ?", destination.description) {
                try $0.optionalTime(0)
            }
            return due ?? nil
        }
    }

    public func queueChanges() -> AsyncStream<Void> {
        hub.queueChanges()
    }
}
