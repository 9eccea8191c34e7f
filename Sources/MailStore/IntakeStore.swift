import Foundation
import Identity

/// What is about to be accepted, as far as its verdict depends on it.
public struct IntentRequest: Sendable, Hashable {
    public let origin: Origin
    public let messageID: String
    public let digest: [UInt8]
    /// Octets that one mailbox entry will take: message and postmark.
    public let size: Int
    /// Recipients whose mailboxes are here.
    public let local: [Address]
    /// Recipients elsewhere.
    public let remote: [Address]
    /// Whether the submitter's Sent folder gets a copy.
    public let wantsSentCopy: Bool

    public init(
        origin: Origin, messageID: String, digest: [UInt8], size: Int, local: [Address], remote: [Address] = [],
        wantsSentCopy: Bool = false
    ) {
        self.origin = origin
        self.messageID = messageID
        self.digest = digest
        self.size = size
        self.local = local
        self.remote = remote
        self.wantsSentCopy = wantsSentCopy
    }
}

/// What would happen to one recipient.
public enum RecipientVerdict: Sendable, Hashable {
    /// A local mailbox that exists, is enabled and has room; or a remote recipient not queued yet.
    case deliverable
    /// No such local account.
    case unknown
    /// The local account is disabled.
    case disabled
    /// The local mailbox has no room. Temporary.
    case overQuota
    /// This intent has dealt with the recipient before; its state then or now.
    case handled(RecipientState)
}

/// Verdicts on an intent that needs work, in the state of the store when they were read.
public struct IntentExamination: Sendable, Hashable {
    /// One verdict per distinct recipient of the request.
    public let verdicts: [Address: RecipientVerdict]
    /// For a submission: whether the submitter may send, and (if a Sent copy is wanted) has room for it.
    /// `deliverable` for other origins.
    public let submitter: RecipientVerdict

    public init(verdicts: [Address: RecipientVerdict], submitter: RecipientVerdict) {
        self.verdicts = verdicts
        self.submitter = submitter
    }
}

/// The answer to `examine`.
public enum IntentVerdict: Sendable, Hashable {
    /// There is something to accept.
    case open(IntentExamination)
    /// All recipients were dealt with before under one receipt: here it is. Nothing is to be done.
    case duplicate(receipt: [UInt8])
    /// The same origin used this message id for another message.
    case conflict
}

/// Mail for local recipients under one postmark. Each Bcc recipient has its own (design §4).
public struct LocalDelivery: Sendable, Hashable {
    public let recipients: [Address]
    public let postmark: [UInt8]
    /// Where it goes; the Inbox if the account has no such folder.
    public let folder: FolderName
    public let flags: EntryFlags

    public init(recipients: [Address], postmark: [UInt8], folder: FolderName = .inbox, flags: EntryFlags = []) {
        self.recipients = recipients
        self.postmark = postmark
        self.folder = folder
        self.flags = flags
    }
}

/// Mail for recipients of another domain under one postmark: becomes one queue job.
public struct RemoteDelivery: Sendable, Hashable {
    public let destination: MailDomain
    public let recipients: [Address]
    public let postmark: [UInt8]
    /// When the server stops trying.
    public let expires: Date

    public init(destination: MailDomain, recipients: [Address], postmark: [UInt8], expires: Date) {
        self.destination = destination
        self.recipients = recipients
        self.postmark = postmark
        self.expires = expires
    }
}

/// A recipient that the receipt refuses.
public struct Refusal: Sendable, Hashable {
    public let recipient: Address
    public let reason: String
    /// A temporary refusal (quota) is not remembered: a later attempt with the same message is judged anew.
    public let isTemporary: Bool

    public init(recipient: Address, reason: String, isTemporary: Bool) {
        self.recipient = recipient
        self.reason = reason
        self.isTemporary = isTemporary
    }
}

/// One message on its way in, with all that follows from accepting it (T1 of design §5.1).
///
/// Each recipient occurs exactly once among `local`, `remote`, `refused`, `repeated` and `settled`.
///
/// `remote` may name this server's own domain: mail that waits for its final delivery here (T2), because delivery plug-ins
/// are to see it. Its job is settled by `settleLocal`. The caller asks for such recipients in `IntentRequest.local`; whether
/// their mailboxes are there and have room is judged again at T2 only.
public struct Acceptance: Sendable, Hashable {
    public var origin: Origin
    public var message: MessageRecord
    public var local: [LocalDelivery]
    public var remote: [RemoteDelivery]
    public var refused: [Refusal]
    /// Recipients that `examine` reported as handled: nothing is done for them, `receipt` speaks of them too.
    public var repeated: [Address]
    /// Recipients dealt with without a delivery (passed on to others by a plug-in): only their state is recorded. The receipt
    /// covers them. Never `queued`: there is no job (`invalid`). New to the intent, else the outcome is `changed`.
    public var settled: [RecipientOutcome] = []
    /// What sending processors did: commits with the acceptance; `.changed` if a check does not hold. Passed over when the
    /// acceptance is a duplicate.
    public var effects = PluginEffects()
    /// Whether the submitter's Sent folder gets a copy (once per intent).
    public var sentCopy: Bool
    /// What the origin gets as proof, signed before the commit; may be empty for `Origin.server`.
    public var receipt: [UInt8]

    public init(
        origin: Origin, message: MessageRecord, local: [LocalDelivery] = [], remote: [RemoteDelivery] = [],
        refused: [Refusal] = [], repeated: [Address] = [], sentCopy: Bool = false, receipt: [UInt8]
    ) {
        self.origin = origin
        self.message = message
        self.local = local
        self.remote = remote
        self.refused = refused
        self.repeated = repeated
        self.sentCopy = sentCopy
        self.receipt = receipt
    }
}

/// A mailbox entry that an acceptance made.
public struct CreatedEntry: Sendable, Hashable {
    public let account: Address
    public let folder: FolderName
    public let uid: Int64

    public init(account: Address, folder: FolderName, uid: Int64) {
        self.account = account
        self.folder = folder
        self.uid = uid
    }
}

/// How an acceptance ended.
public enum AcceptOutcome: Sendable, Hashable {
    /// Committed: the acceptance's receipt may be sent. Lists the mailbox entries made, those of its effects' messages last.
    case accepted([CreatedEntry])
    /// Done before: this is the receipt of then. Nothing changed.
    case duplicate(receipt: [UInt8])
    /// The same origin used this message id for another message. Nothing changed.
    case conflict
    /// The acceptance rests on verdicts that no longer hold. Nothing changed: examine again and build it (and the
    /// receipt) anew.
    case changed
}

/// Acceptance of mail.
///
/// The receipt must be signed before the commit, and what it says depends on the store. Hence two steps: `examine`
/// reads the verdicts, the caller builds postmarks and receipt by them, `accept` checks them again inside its
/// transaction and answers `.changed` if they no longer hold.
///
/// **Intent rule** (design §4). An intent is (origin, message id). The same digest for recipients that one stored
/// receipt covers gives that receipt and changes nothing. Another digest is a conflict. New recipients are served, and
/// only they. Intents outlive deletion by the user; they are pruned after the configured tombstone life (counted from
/// the last acceptance or the queue expiry, whichever is later). A caller must refuse postmarks and submissions older
/// than that life by their own date.
public protocol IntakeStore: Sendable {
    /// Verdicts for several intents in one read, in the order of the requests.
    func examine(_ requests: [IntentRequest]) async throws(StoreError) -> [IntentVerdict]

    /// Accepts several messages, each atomic and independent of the others; results in the same order.
    /// On `.accepted` message, mailbox entries, queue jobs, statuses and receipt are durable.
    func accept(_ acceptances: [Acceptance], now: Date) async -> [Result<AcceptOutcome, StoreError>]
}

extension IntakeStore {
    /// The verdict for one intent.
    public func examine(_ request: IntentRequest) async throws(StoreError) -> IntentVerdict {
        guard let verdict = try await examine([request]).first else {
            throw StoreError(.internal, "examine answered nothing")
        }
        return verdict
    }

    /// Accepts one message.
    public func accept(_ acceptance: Acceptance, now: Date) async throws(StoreError) -> AcceptOutcome {
        guard let result = await accept([acceptance], now: now).first else {
            throw StoreError(.internal, "accept answered nothing")
        }
        return try result.get()
    }
}
