import Foundation
import Identity

/// A queue job as administrators see it.
public struct QueueJob: Sendable, Hashable {
    public let id: Int64
    public let destination: MailDomain
    public let origin: Origin
    public let messageID: String
    public let digest: [UInt8]
    /// Recipients not settled yet (the postmark may name more).
    public let recipients: [Address]
    public let created: Date
    /// When to stop trying.
    public let expires: Date
    /// Attempts that were deferred.
    public let attempts: Int
    /// When it is due; while leased, when the lease ends.
    public let due: Date
    public let isLeased: Bool
    /// Why the last attempt was deferred.
    public let reason: String?
    /// Octets of the message.
    public let size: Int

    public init(
        id: Int64, destination: MailDomain, origin: Origin, messageID: String, digest: [UInt8], recipients: [Address], created: Date,
        expires: Date, attempts: Int, due: Date, isLeased: Bool, reason: String?, size: Int
    ) {
        self.id = id
        self.destination = destination
        self.origin = origin
        self.messageID = messageID
        self.digest = digest
        self.recipients = recipients
        self.created = created
        self.expires = expires
        self.attempts = attempts
        self.due = due
        self.isLeased = isLeased
        self.reason = reason
        self.size = size
    }
}

/// The right to work on a job until the lease ends or somebody else leases it.
public struct QueueLease: Sendable, Hashable {
    public let job: Int64
    /// Unique per job and lease.
    public let token: Int64

    public init(job: Int64, token: Int64) {
        self.job = job
        self.token = token
    }
}

/// A job to work on, with all that delivery needs.
public struct LeasedJob: Sendable, Hashable {
    public let lease: QueueLease
    public let job: QueueJob
    public let octets: [UInt8]
    public let summary: MessageSummary
    public let postmark: [UInt8]

    public init(lease: QueueLease, job: QueueJob, octets: [UInt8], summary: MessageSummary, postmark: [UInt8]) {
        self.lease = lease
        self.job = job
        self.octets = octets
        self.summary = summary
        self.postmark = postmark
    }
}

/// What became of a recipient.
public struct RecipientOutcome: Sendable, Hashable {
    public let recipient: Address
    public let state: RecipientState
    public let reason: String?

    public init(recipient: Address, state: RecipientState, reason: String? = nil) {
        self.recipient = recipient
        self.state = state
        self.reason = reason
    }
}

/// Outcomes with the peer's receipt that proves them, if there is one.
public struct DeliveryReport: Sendable, Hashable {
    public let outcomes: [RecipientOutcome]
    public let peerReceipt: [UInt8]?

    public init(outcomes: [RecipientOutcome], peerReceipt: [UInt8]? = nil) {
        self.outcomes = outcomes
        self.peerReceipt = peerReceipt
    }
}

/// One local mailbox that a settled job fills.
public struct MailboxDelivery: Sendable, Hashable {
    public let account: Address
    /// Made if the account has no such folder; named as `createFolder` has it (`invalid`).
    public let folder: FolderName
    public let flags: EntryFlags

    public init(account: Address, folder: FolderName = .inbox, flags: EntryFlags = []) {
        self.account = account
        self.folder = folder
        self.flags = flags
    }
}

/// The final delivery of a job of this server's own domain (T2 of design §5.1).
public struct LocalSettlement: Sendable, Hashable {
    /// Each account at most once (`invalid`). The account must be `deliverable` inside the transaction, else the outcome is
    /// `changed`. One that holds the message through this job already (another of its recipients stood for it) keeps that
    /// entry and gets no second.
    public var deliveries: [MailboxDelivery]
    /// What became of recipients of the job; they leave it. Others are passed over. Those not named stay.
    public var outcomes: [RecipientOutcome]
    /// Values, messages passed on, bounces.
    public var effects: PluginEffects
    /// For those that stay: when to try again and why. nil: none may stay; those not named become `unknown`.
    public var postponement: Postponement?

    public struct Postponement: Sendable, Hashable {
        public let until: Date
        public let reason: String

        public init(until: Date, reason: String) {
            self.until = until
            self.reason = reason
        }
    }

    public init(
        deliveries: [MailboxDelivery] = [], outcomes: [RecipientOutcome] = [], effects: PluginEffects = PluginEffects(),
        postponement: Postponement? = nil
    ) {
        self.deliveries = deliveries
        self.outcomes = outcomes
        self.effects = effects
        self.postponement = postponement
    }
}

/// How a local settlement ended.
public enum SettleOutcome: Sendable, Hashable {
    case settled([CreatedEntry])
    /// It rests on verdicts or values that no longer hold. Nothing changed: run the plug-ins again.
    case changed
}

/// What waits for one destination.
public struct QueueDestination: Sendable, Hashable {
    public let destination: MailDomain
    public let jobs: Int
    public let leased: Int
    public let oldest: Date
    /// The earliest time one of its jobs is due (or its lease ends).
    public let due: Date

    public init(destination: MailDomain, jobs: Int, leased: Int, oldest: Date, due: Date) {
        self.destination = destination
        self.jobs = jobs
        self.leased = leased
        self.oldest = oldest
        self.due = due
    }
}

/// Which jobs an administrator means.
public enum JobSelection: Sendable, Hashable {
    case job(Int64)
    case destination(MailDomain)
    case all
}

/// The persistent queue. Jobs come into being in `accept`.
///
/// A lease ends by itself, so that the jobs of a worker that died come back. Until somebody else leases the job, the
/// old lease still settles it; afterwards its holder gets `leaseLost` (and `unknownJob` once it is gone). A store with
/// a single owner process gives all leases back when it opens.
public protocol QueueStore: Sendable {
    /// Leases up to `limit` due jobs, at most `maxPerDestination` of each destination in this call (what is leased
    /// already does not count: put a busy destination into `excluding`). Destinations that waited longest come first;
    /// within one, jobs by due time. Jobs past their expiry are leased as well: compare `job.expires`.
    func leaseDue(
        now: Date, limit: Int, leaseFor seconds: TimeInterval, excluding: Set<MailDomain>, maxPerDestination: Int
    ) async throws(StoreError) -> [LeasedJob]

    /// Leases up to `limit` due jobs of one destination, by due time.
    func leaseDue(
        of destination: MailDomain, now: Date, limit: Int, leaseFor seconds: TimeInterval
    ) async throws(StoreError) -> [LeasedJob]

    /// The earliest time a job of one destination is due or its lease ends; nil when there is none.
    func nextDue(of destination: MailDomain) async throws(StoreError) -> Date?

    /// Settles a job of this server's own domain: mailbox entries (with the job's postmark, the receipt of its intent and the
    /// time it was accepted), recipient states, effects and the job's end or its next attempt (never later than its expiry),
    /// all in one transaction. Returns the entries made, those of the effects' messages last. Throws `leaseLost`,
    /// `unknownJob`, `invalid`, `quotaExceeded` (a plug-in's values); the lease is kept then, as after `changed`.
    func settleLocal(
        _ lease: QueueLease, _ settlement: LocalSettlement, now: Date
    ) async throws(StoreError) -> SettleOutcome

    /// Leases up to `limit` jobs past their expiry that nobody has leased, whatever their due time, of destinations not
    /// excluded.
    func leaseExpired(
        now: Date, limit: Int, leaseFor seconds: TimeInterval, excluding: Set<MailDomain>
    ) async throws(StoreError) -> [LeasedJob]

    /// Prolongs a lease. Throws `leaseLost`, `unknownJob`.
    func extendLease(_ lease: QueueLease, until: Date) async throws(StoreError)

    /// Settles a job: records the report's outcomes (recipients of the job that it does not name become `unknown`),
    /// delivers `bounce` to local mailboxes and removes the job, all in one transaction. Throws `leaseLost`,
    /// `unknownJob`.
    ///
    /// The bounce has `Origin.server` and no effects; recipients without an enabled account are left out silently, quotas do not
    /// apply. Returns the mailbox entries it made.
    @discardableResult
    func complete(
        _ lease: QueueLease, _ report: DeliveryReport, bounce: Acceptance?, now: Date
    ) async throws(StoreError) -> [CreatedEntry]

    /// Puts a job back until `until` (never later than its expiry), one attempt counted. Recipients that `settled`
    /// names are done and leave the job; `bounce` as in `complete`. A job without recipients left is removed. Throws
    /// `leaseLost`, `unknownJob`.
    @discardableResult
    func postpone(
        _ lease: QueueLease, until: Date, reason: String, settled: DeliveryReport?, bounce: Acceptance?, now: Date
    ) async throws(StoreError) -> [CreatedEntry]

    /// Gives jobs back untried and due at once (shutdown). Leases lost by now are passed over.
    func release(_ leases: [QueueLease], now: Date) async throws(StoreError)

    /// Makes jobs due at once, unless leased. Returns how many.
    @discardableResult
    func retryNow(_ selection: JobSelection, now: Date) async throws(StoreError) -> Int

    /// Moves unleased due jobs of a destination to `until` (a circuit breaker opened), without counting an attempt.
    /// Returns how many.
    @discardableResult
    func postponeDestination(_ destination: MailDomain, until: Date, reason: String, now: Date) async throws(StoreError) -> Int

    /// Removes a job even while leased, its recipients become `bounced` with `reason`, or `refused` when no bounce tells
    /// the author; `bounce` as in `complete`.
    /// Throws `unknownJob`.
    func dropJob(_ id: Int64, reason: String, bounce: Acceptance?, now: Date) async throws(StoreError)

    /// Jobs by id, those after `cursor`, of one destination or all.
    func jobs(destination: MailDomain?, after cursor: Int64?, limit: Int, now: Date) async throws(StoreError) -> [QueueJob]

    /// One job with its message, without leasing it (`lease.token` is not valid), or nil.
    func job(_ id: Int64, now: Date) async throws(StoreError) -> LeasedJob?

    /// What waits, per destination, by name.
    func destinations(now: Date) async throws(StoreError) -> [QueueDestination]

    /// The earliest time a job of a destination not excluded is due or its lease ends; nil when there is none. May be
    /// in the past.
    func nextDue(excluding: Set<MailDomain>) async throws(StoreError) -> Date?

    /// Tells after a commit that jobs were added or made due. Several may be told as one. Subscribe before `leaseDue`.
    func queueChanges() -> AsyncStream<Void>
}
