import Foundation
import GRDB
import Identity
import MailStore

/// The queue's writes inside a savepoint of the writer's transaction.
struct QueueTransaction {
    struct JobState {
        let key: Int64
        let intent: Int64
        let message: Int64
        let recipients: [String]
        let expires: Date
        let lease: Int64
        let isLeased: Bool
    }

    let connection: WriteConnection
    let configuration: SQLiteConfiguration
    let now: Date

    private var sql: SQLConnection { connection.sql }

    // MARK: Leasing

    /// Destinations with their earliest due time, found by one index seek each however long the queue is.
    static let destinationsByDue = """
        WITH RECURSIVE d(name) AS (
            SELECT min(destination) FROM jobs
            UNION ALL
            SELECT (SELECT min(destination) FROM jobs WHERE destination > d.name) FROM d WHERE d.name IS NOT NULL)
        SELECT name, (SELECT min(due) FROM jobs WHERE destination = d.name) AS due FROM d WHERE name IS NOT NULL ORDER BY due
        """

    func leaseDue(limit: Int, until: Date, excluding: Set<String>, maxPerDestination: Int) throws -> [LeasedJob] {
        let destinations = try sql.all(Self.destinationsByDue) { (name: try $0.text(0), due: try $0.int(1)) }
        var jobs: [LeasedJob] = []
        for destination in destinations where destination.due <= now.micros && !excluding.contains(destination.name) {
            guard jobs.count < limit else { break }
            jobs += try sql.jobs(
                "WHERE j.destination = ? AND j.due <= ? ORDER BY j.due, j.key LIMIT ?", destination.name, now.micros,
                min(maxPerDestination, limit - jobs.count), now: now)
        }
        return try lease(jobs, until: until)
    }

    func leaseDue(of destination: String, limit: Int, until: Date) throws -> [LeasedJob] {
        let jobs = try sql.jobs(
            "WHERE j.destination = ? AND j.due <= ? ORDER BY j.due, j.key LIMIT ?", destination, now.micros, limit, now: now)
        return try lease(jobs, until: until)
    }

    /// Jobs past their expiry (?1) of destinations not excluded (?2, a `lineSet`) that nobody has leased.
    static let isExpired = """
        j.expires <= ?1 AND NOT (j.leased AND j.due > ?1) AND instr(?2, char(10) || j.destination || char(10)) = 0
        """

    /// Names that `isExpired` looks up: no name has a line feed.
    static func lineSet(_ names: some Collection<String>) -> String {
        "\n" + names.map { $0 + "\n" }.joined()
    }

    func leaseExpired(limit: Int, until: Date, excluding: String) throws -> [LeasedJob] {
        let jobs = try sql.jobs(
            "WHERE \(Self.isExpired) ORDER BY j.expires, j.key LIMIT ?3", now.micros, excluding, limit, now: now)
        return try lease(jobs, until: until)
    }

    private func lease(_ jobs: [LeasedJob], until: Date) throws -> [LeasedJob] {
        for job in jobs {
            try sql.run(
                "UPDATE jobs SET lease = ?, leased = 1, due = ? WHERE key = ?", job.lease.token, until.micros, job.lease.job)
        }
        return jobs
    }

    func extend(_ lease: QueueLease, until: Date) throws {
        let job = try held(lease)
        try sql.run("UPDATE jobs SET due = ? WHERE key = ?", until.micros, job.key)
    }

    func release(_ leases: [QueueLease]) throws {
        for lease in leases {
            let count = try sql.run(
                "UPDATE jobs SET leased = 0, due = ? WHERE key = ? AND lease = ? AND leased = 1", now.micros, lease.job, lease.token)
            if count > 0 { connection.events.queue = true }
        }
    }

    // MARK: Settling

    /// The job of a lease that nobody took over.
    func held(_ lease: QueueLease) throws -> JobState {
        let job = try state(of: lease.job)
        guard job.isLeased, job.lease == lease.token else {
            throw StoreError(.leaseLost, "the lease on job \(lease.job) is lost")
        }
        return job
    }

    func state(of job: Int64) throws -> JobState {
        let state = try sql.first(
            "SELECT key, intent, message, recipients, expires, lease, leased FROM jobs WHERE key = ?", job
        ) { row in
            JobState(
                key: try row.int(0), intent: try row.int(1), message: try row.int(2), recipients: try row.lines(3),
                expires: try row.time(4), lease: try row.int(5), isLeased: try row.int(6) != 0)
        }
        guard let state else { throw StoreError(.unknownJob, "there is no queue job \(job)") }
        return state
    }

    func complete(_ job: JobState, _ report: DeliveryReport, bounce: Acceptance?) throws -> [CreatedEntry] {
        let remaining = try record(report, of: job)
        try end(job, withUnknown: remaining)
        return try deliver(bounce)
    }

    func postpone(
        _ job: JobState, until: Date, reason: String, settled: DeliveryReport?, bounce: Acceptance?
    ) throws -> [CreatedEntry] {
        let remaining = try settled.map { try record($0, of: job) } ?? job.recipients
        if remaining.isEmpty {
            try end(job)
        } else {
            try putBack(job, for: remaining, until: until, reason: reason)
        }
        return try deliver(bounce)
    }

    /// Records outcomes; returns the job's recipients that they do not name.
    func record(_ report: DeliveryReport, of job: JobState) throws -> [String] {
        _ = try sql.record(relevant(report, to: job), intent: job.intent, now: now)
        let named = Set(report.outcomes.map(\.recipient.description))
        return job.recipients.filter { !named.contains($0) }
    }

    /// Removes a job. Recipients that it had still become `unknown`: "delivered" would be a guess.
    func end(_ job: JobState, withUnknown remaining: [String] = []) throws {
        let outcomes = try remaining.map { name in
            RecipientOutcome(recipient: try Address(stored: name), state: .unknown, reason: "no result was reported")
        }
        _ = try sql.record(DeliveryReport(outcomes: outcomes), intent: job.intent, now: now)
        try sql.run("DELETE FROM jobs WHERE key = ?", job.key)
        try sql.collectMessages([job.message])
    }

    /// Makes a job wait for its next attempt.
    func putBack(_ job: JobState, for remaining: [String], until: Date, reason: String) throws {
        try sql.run(
            "UPDATE jobs SET due = ?, attempts = attempts + 1, leased = 0, reason = ?, recipients = ? WHERE key = ?",
            min(until, job.expires).micros, reason, remaining.joined(separator: "\n"), job.key)
        connection.events.queue = true
    }

    /// A report speaks only of recipients of its own job.
    private func relevant(_ report: DeliveryReport, to job: JobState) -> DeliveryReport {
        let names = Set(job.recipients)
        return DeliveryReport(
            outcomes: report.outcomes.filter { names.contains($0.recipient.description) }, peerReceipt: report.peerReceipt)
    }

    private func deliver(_ bounce: Acceptance?) throws -> [CreatedEntry] {
        guard let bounce else { return [] }
        guard bounce.origin == .server, bounce.effects.isEmpty else {
            throw StoreError(.invalid, "a bounce is the server's own and has no effects")
        }
        let writer = AcceptanceWriter(connection: connection, acceptance: bounce, configuration: configuration, now: now)
        guard case .accepted(let entries) = try writer.run() else { return [] }
        return entries
    }
}

extension SQLConnection {
    /// Jobs with all that delivery needs. `lease.token` is what the next lease will be.
    func jobs(_ condition: String, _ arguments: (any DatabaseValueConvertible)?..., now: Date) throws -> [LeasedJob] {
        let sql = """
            SELECT j.key, j.destination, i.origin, i.message_id, i.digest, j.recipients, j.created, j.expires, j.attempts, j.due,
            j.leased, j.reason, m.size, j.lease, m.octets, p.octets, m.author, m.to_list, m.cc_list, m.subject, m.date,
            m.in_reply_to, m.traits
            FROM jobs j CROSS JOIN intents i ON i.key = j.intent CROSS JOIN messages m ON m.key = j.message
            CROSS JOIN postmarks p ON p.key = j.postmark \(condition)
            """
        return try all(sql, with: arguments) { row in
            let job = try Self.queueJob(row, now: now)
            return LeasedJob(
                lease: QueueLease(job: job.id, token: try row.int(13) + 1), job: job, octets: try row.bytes(14),
                summary: try Self.summary(row, from: 16), postmark: try row.bytes(15))
        }
    }

    static func queueJob(_ row: Row, now: Date) throws -> QueueJob {
        let due = try row.time(9)
        return QueueJob(
            id: try row.int(0), destination: try MailDomain(stored: row.text(1)), origin: try Origin(stored: row.text(2)),
            messageID: try row.text(3), digest: try row.bytes(4), recipients: try row.lines(5).map(Address.init(stored:)),
            created: try row.time(6), expires: try row.time(7), attempts: Int(try row.int(8)), due: due,
            isLeased: try row.int(10) != 0 && due > now, reason: try row.optionalText(11), size: Int(try row.int(12)))
    }
}
