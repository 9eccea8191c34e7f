import Foundation
import Identity
import MailStore
import NIOConcurrencyHelpers

/// A queue in memory that keeps the promises of ``QueueStore``, and remembers what became of each job.
public final class MemoryQueueStore: QueueStore {
    private struct Entry {
        var job: LeasedJob
        var token: Int64 = 0
        var leasedUntil: Date?
    }

    /// How a job ended.
    public struct Settled: Sendable {
        public let job: QueueJob
        public let report: DeliveryReport
        public let bounce: Acceptance?
    }

    /// How a job of the server's own domain was settled.
    public struct LocallySettled: Sendable {
        public let job: QueueJob
        public let settlement: LocalSettlement
    }

    private struct State {
        var localSettlements: [LocallySettled] = []
        var changes = 0
        var lastUID: [Address: Int64] = [:]
        var entries: [Int64: Entry] = [:]
        var settled: [Settled] = []
        var bounces: [Acceptance] = []
        var nextID: Int64 = 1
        var nextToken: Int64 = 1
        var failures: [StoreError] = []
        var listeners: [AsyncStream<Void>.Continuation] = []
        var watchers: [CheckedContinuation<Void, Never>] = []
        var leases = 0
    }

    private let state = NIOLockedValueBox(State())

    public init() {}

    // MARK: For tests

    /// Adds a job and tells the listeners.
    @discardableResult
    public func enqueue(
        to recipients: [Address], octets: [UInt8] = Array("<Message/>".utf8), created: Date, expires: Date? = nil,
        attempts: Int = 0, due: Date? = nil, subject: String = "subject"
    ) -> Int64 {
        let (id, listeners) = state.withLockedValue { state -> (Int64, [AsyncStream<Void>.Continuation]) in
            let id = state.nextID
            state.nextID += 1
            let job = QueueJob(
                id: id, destination: recipients[0].domain, origin: .server, messageID: "urn:test:\(id)", digest: [UInt8(id & 0xff)],
                recipients: recipients, created: created, expires: expires ?? created.addingTimeInterval(5 * 86_400),
                attempts: attempts, due: due ?? created, isLeased: false, reason: nil, size: octets.count)
            let summary = MessageSummary(
                from: "alice@capicom.test", to: recipients.map(\.description), subject: subject, date: created)
            state.entries[id] = Entry(
                job: LeasedJob(
                    lease: QueueLease(job: id, token: 0), job: job, octets: octets, summary: summary, postmark: []))
            return (id, state.listeners)
        }
        listeners.forEach { $0.yield() }
        return id
    }

    public var settled: [Settled] { state.withLockedValue { $0.settled } }
    /// What `settleLocal` made of the jobs, in order.
    public var localSettlements: [LocallySettled] { state.withLockedValue { $0.localSettlements } }
    public var bounces: [Acceptance] { state.withLockedValue { $0.bounces } }
    public var waiting: [QueueJob] {
        state.withLockedValue { state in state.entries.values.map { Self.seen($0) }.sorted { $0.id < $1.id } }
    }
    /// Successful calls of `leaseDue` that leased something.
    public var leaseCalls: Int { state.withLockedValue { $0.leases } }

    /// The next operations fail, one by one, with these.
    public func fail(_ errors: [StoreError]) { state.withLockedValue { $0.failures += errors } }

    /// So many calls of `settleLocal` find that what they rest on has changed.
    public func change(_ count: Int) { state.withLockedValue { $0.changes += count } }

    /// Returns when `condition` holds; looked at after every change.
    public func until(_ condition: @Sendable (MemoryQueueStore) -> Bool) async {
        while !condition(self) {
            await withCheckedContinuation { continuation in
                state.withLockedValue { $0.watchers.append(continuation) }
                if condition(self) { notify() }
            }
        }
    }

    private func notify() {
        let watchers = state.withLockedValue { state in
            defer { state.watchers = [] }
            return state.watchers
        }
        watchers.forEach { $0.resume() }
    }

    private func write<Value>(_ body: (inout State) throws(StoreError) -> Value) throws(StoreError) -> Value {
        defer { notify() }
        let result = state.withLockedValue { state -> Result<Value, StoreError> in
            if !state.failures.isEmpty { return .failure(state.failures.removeFirst()) }
            do throws(StoreError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private static func seen(_ entry: Entry) -> QueueJob { copy(entry.job.job, isLeased: entry.leasedUntil != nil, due: entry.leasedUntil) }

    private static func copy(
        _ job: QueueJob, recipients: [Address]? = nil, attempts: Int? = nil, isLeased: Bool = false, due: Date? = nil,
        reason: String? = nil
    ) -> QueueJob {
        QueueJob(
            id: job.id, destination: job.destination, origin: job.origin, messageID: job.messageID, digest: job.digest,
            recipients: recipients ?? job.recipients, created: job.created, expires: job.expires,
            attempts: attempts ?? job.attempts, due: due ?? job.due, isLeased: isLeased, reason: reason ?? job.reason, size: job.size)
    }

    private static func with(_ leased: LeasedJob, lease: QueueLease? = nil, job: QueueJob? = nil) -> LeasedJob {
        LeasedJob(
            lease: lease ?? leased.lease, job: job ?? leased.job, octets: leased.octets, summary: leased.summary,
            postmark: leased.postmark)
    }

    // MARK: QueueStore

    private func lease(
        _ state: inout State, _ ids: [Int64], until: Date
    ) -> [LeasedJob] {
        ids.compactMap { id in
            guard var entry = state.entries[id] else { return nil }
            entry.token = state.nextToken
            state.nextToken += 1
            entry.leasedUntil = until
            entry.job = Self.with(entry.job, lease: QueueLease(job: id, token: entry.token))
            state.entries[id] = entry
            return entry.job
        }
    }

    public func leaseDue(
        now: Date, limit: Int, leaseFor seconds: TimeInterval, excluding: Set<MailDomain>, maxPerDestination: Int
    ) async throws(StoreError) -> [LeasedJob] {
        try write { state in
            var count: [MailDomain: Int] = [:]
            let due = state.entries.values.filter {
                ($0.leasedUntil ?? $0.job.job.due) <= now && !excluding.contains($0.job.job.destination)
            }.sorted { ($0.job.job.due, $0.job.job.id) < ($1.job.job.due, $1.job.job.id) }
            let chosen = due.filter { entry in
                count[entry.job.job.destination, default: 0] += 1
                return count[entry.job.job.destination, default: 0] <= maxPerDestination
            }.prefix(limit)
            if !chosen.isEmpty { state.leases += 1 }
            return lease(&state, chosen.map(\.job.job.id), until: now.addingTimeInterval(seconds))
        }
    }

    public func leaseDue(
        of destination: MailDomain, now: Date, limit: Int, leaseFor seconds: TimeInterval
    ) async throws(StoreError) -> [LeasedJob] {
        try write { state in
            let due = state.entries.values.filter {
                ($0.leasedUntil ?? $0.job.job.due) <= now && $0.job.job.destination == destination
            }.sorted { ($0.job.job.due, $0.job.job.id) < ($1.job.job.due, $1.job.job.id) }
            return lease(&state, due.prefix(limit).map(\.job.job.id), until: now.addingTimeInterval(seconds))
        }
    }

    public func leaseExpired(
        now: Date, limit: Int, leaseFor seconds: TimeInterval, excluding: Set<MailDomain>
    ) async throws(StoreError) -> [LeasedJob] {
        try write { state in
            let expired = state.entries.values.filter {
                $0.job.job.expires <= now && ($0.leasedUntil.map { $0 <= now } ?? true)
                    && !excluding.contains($0.job.job.destination)
            }.map(\.job.job.id).sorted().prefix(limit)
            return lease(&state, Array(expired), until: now.addingTimeInterval(seconds))
        }
    }

    private func held(_ state: State, _ lease: QueueLease) throws(StoreError) -> Entry {
        guard let entry = state.entries[lease.job] else { throw StoreError(.unknownJob, "\(lease.job)") }
        guard entry.token == lease.token else { throw StoreError(.leaseLost, "\(lease.job)") }
        return entry
    }

    public func extendLease(_ lease: QueueLease, until: Date) async throws(StoreError) {
        try write { state throws(StoreError) in
            var entry = try held(state, lease)
            entry.leasedUntil = until
            state.entries[lease.job] = entry
        }
    }

    public func complete(
        _ lease: QueueLease, _ report: DeliveryReport, bounce: Acceptance?, now: Date
    ) async throws(StoreError) -> [CreatedEntry] {
        try write { state throws(StoreError) in
            let entry = try held(state, lease)
            state.entries[lease.job] = nil
            state.settled.append(Settled(job: entry.job.job, report: report, bounce: bounce))
            if let bounce { state.bounces.append(bounce) }
            return []
        }
    }

    public func postpone(
        _ lease: QueueLease, until: Date, reason: String, settled: DeliveryReport?, bounce: Acceptance?, now: Date
    ) async throws(StoreError) -> [CreatedEntry] {
        try write { state throws(StoreError) in
            var entry = try held(state, lease)
            let done = Set(settled?.outcomes.map(\.recipient) ?? [])
            let left = entry.job.job.recipients.filter { !done.contains($0) }
            if let settled { state.settled.append(Settled(job: entry.job.job, report: settled, bounce: bounce)) }
            if let bounce { state.bounces.append(bounce) }
            entry.leasedUntil = nil
            entry.token = 0
            entry.job = Self.with(
                entry.job,
                job: Self.copy(
                    entry.job.job, recipients: left, attempts: entry.job.job.attempts + 1,
                    due: min(until, entry.job.job.expires), reason: reason))
            state.entries[lease.job] = left.isEmpty ? nil : entry
            return []
        }
    }

    /// Every account is there and has room; values are not kept, messages of effects only remembered.
    public func settleLocal(
        _ lease: QueueLease, _ settlement: LocalSettlement, now: Date
    ) async throws(StoreError) -> SettleOutcome {
        try write { state throws(StoreError) in
            var entry = try held(state, lease)
            guard Set(settlement.deliveries.map(\.account)).count == settlement.deliveries.count else {
                throw StoreError(.invalid, "an account occurs twice")
            }
            if state.changes > 0 {
                state.changes -= 1
                return .changed
            }
            state.localSettlements.append(LocallySettled(job: entry.job.job, settlement: settlement))
            let done = Set(settlement.outcomes.map(\.recipient))
            let left = entry.job.job.recipients.filter { !done.contains($0) }
            if !left.isEmpty, let postponement = settlement.postponement {
                entry.leasedUntil = nil
                entry.token = 0
                entry.job = Self.with(
                    entry.job,
                    job: Self.copy(
                        entry.job.job, recipients: left, attempts: entry.job.job.attempts + 1,
                        due: min(postponement.until, entry.job.job.expires), reason: postponement.reason))
                state.entries[lease.job] = entry
            } else {
                state.entries[lease.job] = nil
            }
            return .settled(
                settlement.deliveries.map { delivery in
                    state.lastUID[delivery.account, default: 0] += 1
                    return CreatedEntry(
                        account: delivery.account, folder: delivery.folder, uid: state.lastUID[delivery.account, default: 0])
                })
        }
    }

    public func release(_ leases: [QueueLease], now: Date) async throws(StoreError) {
        try write { state in
            for lease in leases where state.entries[lease.job]?.token == lease.token {
                state.entries[lease.job]?.leasedUntil = nil
                state.entries[lease.job]?.token = 0
            }
        }
    }

    public func retryNow(_ selection: JobSelection, now: Date) async throws(StoreError) -> Int { 0 }

    public func postponeDestination(
        _ destination: MailDomain, until: Date, reason: String, now: Date
    ) async throws(StoreError) -> Int { 0 }

    public func dropJob(_ id: Int64, reason: String, bounce: Acceptance?, now: Date) async throws(StoreError) {
        try write { state in state.entries[id] = nil }
    }

    public func jobs(
        destination: MailDomain?, after cursor: Int64?, limit: Int, now: Date
    ) async throws(StoreError) -> [QueueJob] { waiting }

    public func job(_ id: Int64, now: Date) async throws(StoreError) -> LeasedJob? {
        state.withLockedValue { $0.entries[id]?.job }
    }

    public func destinations(now: Date) async throws(StoreError) -> [QueueDestination] { [] }

    public func nextDue(excluding: Set<MailDomain>) async throws(StoreError) -> Date? {
        try write { state in
            state.entries.values.filter { !excluding.contains($0.job.job.destination) }
                .map { $0.leasedUntil ?? $0.job.job.due }.min()
        }
    }

    public func nextDue(of destination: MailDomain) async throws(StoreError) -> Date? {
        try write { state in
            state.entries.values.filter { $0.job.job.destination == destination }.map { $0.leasedUntil ?? $0.job.job.due }.min()
        }
    }

    public func queueChanges() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            state.withLockedValue { $0.listeners.append(continuation) }
        }
    }
}
