import Foundation
import Identity
import MailModel

/// A message of the mailbox, judged.
public struct ReceivedMessage: Sendable {
    public let message: SealedMessage
    public let postmark: SealedPostmark?
    /// What this domain's server said of the delivery, when it was asked for; not judged.
    public let receipt: [UInt8]?
    public let folder: String
    public let flags: Set<String>
    public let verdict: SignatureVerdict
    public let author: AuthorVerdict
    /// What the message passes on, the outermost first, each judged by itself: see `shown` for what to believe. Empty for most
    /// messages, and for all whose Postmark does not say that a server wrote them to pass on another.
    public internal(set) var passedOn: [JudgedMail] = []
    /// Why what the message claims to pass on cannot be read; nil: it can, or there is nothing.
    public internal(set) var passedOnProblem: String?

    /// What the author of the original enclosed of somebody else's, with a Postmark, judged as mail to that author. Nil where there
    /// is none, or it cannot be read. It is content: nobody but who enclosed it says that it belongs here.
    public internal(set) var enclosed: JudgedMail?

    /// No signature is to be doubted: neither of the message, nor of what it passes on.
    public var isBelieved: Bool { layers.allSatisfy(\.isBelieved) }

    /// The message and what it passes on, one inside the other.
    public var layers: [JudgedMail] {
        [JudgedMail(message: message, postmark: postmark, verdict: verdict, author: author)] + passedOn
    }

    /// The message and, from the outside inwards, what it passes on as far as all is believed without a gap. The message itself
    /// comes first whether it is believed or not.
    public var shown: [JudgedMail] { Array(layers.prefix(shownCount)) }

    /// The rest of `layers`: content that is not to be believed, though some of it may be signed. Whoever passes on a message
    /// may enclose anything.
    public var doubtfulEnclosures: [JudgedMail] { Array(layers.dropFirst(shownCount)) }

    private var shownCount: Int { max(1, layers.prefix(while: \.isBelieved).count) }

    /// What somebody wrote, as far as that is believed: the message itself, or the last that reached us by its passing on.
    public var original: JudgedMail { layers[shownCount - 1] }

    /// The original has a Form that looks like a message passed on, and is nothing but content: it was not judged.
    public var hasUncheckedForm: Bool {
        doubtfulEnclosures.isEmpty && passedOnProblem == nil && enclosed?.isBelieved != true
            && original.message.message.hasRedirectedForm
    }

    /// Whom the author's own copy went to besides those it names. Known only where the receipt was asked for.
    public var blindCopies: [Address] {
        guard case .ownCopy = verdict, let receipt else { return [] }
        return message.unnamed(in: receipt)
    }
}

extension SealedMessage {
    /// Recipients that a receipt for this message names and To and Cc do not: blind copies.
    func unnamed(in receipt: [UInt8]) -> [Address] {
        guard let receipt = try? SealedReceipt(octets: receipt).receipt, receipt.messageID == message.id else { return [] }
        let named = Set((message.to + message.cc).map(\.address))
        return receipt.recipients.map(\.address).filter { !named.contains($0) }
    }
}

/// A page of a folder.
public struct MessageList: Sendable {
    public let headers: [MessageHeader]
    /// Give it as `after` to see only what is newer.
    public let cursor: UInt64
    public let hasMore: Bool
}

/// A message that the home server acknowledged, with its verified Receipt.
public struct SentMessage: Sendable {
    public let entry: OutboxEntry
    public let receipt: SealedReceipt
    /// Sent directly and refused to all: where the text lies.
    public internal(set) var keptIn: String?

    init(entry: OutboxEntry, receipt: SealedReceipt) {
        self.entry = entry
        self.receipt = receipt
    }

    /// Whom the receipt says that it was refused to.
    public var refused: [RecipientStatus] { receipt.receipt.recipients.filter { $0.state == .refused } }

    /// Why it was refused to every recipient; nil: it was not.
    var refusedByAll: String? {
        let all = receipt.receipt.recipients
        guard !all.isEmpty, refused.count == all.count else { return nil }
        return all.map { "\($0.address): \($0.reason ?? "refused")" }.joined(separator: "; ")
    }
}

/// What became of what was left in the outbox.
public struct OutboxReport: Sendable {
    public struct Refusal: Sendable {
        public let entry: OutboxEntry
        public let error: MailClientError
        /// Where the message lies now.
        public let path: String
    }

    public var sent: [SentMessage] = []
    public var refused: [Refusal] = []
    /// Files that could not be read any more, where they lie now, and why.
    public var damaged: [DamagedEntry] = []
    /// Still waiting, and why.
    public var waiting: [OutboxEntry] = []
    public var error: MailClientError?

    public var isEmpty: Bool { sent.isEmpty && refused.isEmpty && damaged.isEmpty && waiting.isEmpty }
}

/// What is known of a sent message, recipient by recipient.
public struct DeliveryStatus: Sendable {
    /// A receipt of a domain, with our judgement.
    public struct Proof: Sendable {
        public let receipt: SealedReceipt
        /// Nil: verified. Else why not.
        public let doubt: String?
    }

    public struct Line: Sendable {
        public let status: StatusOperation.Line
        /// When the state was reached.
        public let since: Date?
        /// The last verified receipt that names the recipient and comes from their own domain.
        public let proof: Proof?
    }

    public let id: MessageID
    public let lines: [Line]
    public let proofs: [Proof]

    public var isBelieved: Bool { proofs.allSatisfy { $0.doubt == nil } }
}
