import Foundation
import Identity

/// Where a message stands with one recipient.
public enum RecipientState: String, Sendable, Hashable, CaseIterable {
    /// In this server's queue.
    case queued
    /// The recipient's server has taken it.
    case accepted
    /// It is in the recipient's mailbox.
    case delivered
    /// Refused for good, by this server or the recipient's.
    case refused
    /// Given up, and the author was told by a bounce.
    case bounced
    /// Given up because its time ran out.
    case expired
    /// The peer could not be asked: it may or may not have it.
    case unknown
}

/// The status of one recipient.
public struct RecipientStatus: Sendable, Hashable {
    public let recipient: Address
    public let state: RecipientState
    /// When it got this state.
    public let at: Date
    /// Why; while it is queued, why the last attempt was put off.
    public let reason: String?
    /// The receipt that the recipient's server signed.
    public let peerReceipt: [UInt8]?
    /// Attempts put off so far, while it is queued.
    public let attempts: Int

    public init(
        recipient: Address, state: RecipientState, at: Date, reason: String?, peerReceipt: [UInt8]?, attempts: Int = 0
    ) {
        self.attempts = attempts
        self.recipient = recipient
        self.state = state
        self.at = at
        self.reason = reason
        self.peerReceipt = peerReceipt
    }
}

/// What is known of an intent.
public struct IntentStatus: Sendable, Hashable {
    public let messageID: String
    public let digest: [UInt8]
    public let accepted: Date
    /// The receipts that this server gave, oldest first (one, unless recipients were added later).
    public let receipts: [[UInt8]]
    /// By address.
    public let recipients: [RecipientStatus]

    public init(messageID: String, digest: [UInt8], accepted: Date, receipts: [[UInt8]], recipients: [RecipientStatus]) {
        self.messageID = messageID
        self.digest = digest
        self.accepted = accepted
        self.receipts = receipts
        self.recipients = recipients
    }
}

/// The status of what was accepted.
public protocol StatusStore: Sendable {
    /// What became of a message that `origin` handed over: a user asks for his own, a peer for its own. Nil when
    /// nothing is known (never accepted, or too long ago).
    func status(of messageID: String, from origin: Origin) async throws(StoreError) -> IntentStatus?

    /// Records later news of recipients of an intent, such as a receipt that says "delivered" where "accepted" stood.
    /// Recipients that the intent does not know are passed over. Returns how many were updated.
    @discardableResult
    func updateStatus(
        of messageID: String, from origin: Origin, _ report: DeliveryReport, now: Date
    ) async throws(StoreError) -> Int
}
