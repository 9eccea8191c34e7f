import Foundation
import Identity

/// A folder's name within its account, as shown.
public struct FolderName: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }

    public static let inbox = FolderName(rawValue: "Inbox")
    public static let sent = FolderName(rawValue: "Sent")
}

/// A folder and how much is in it.
public struct Folder: Sendable, Hashable {
    public let name: FolderName
    /// What the folder is for ("inbox", "sent"); nil for one the user made.
    public let role: String?
    public let total: Int
    public let unseen: Int

    public init(name: FolderName, role: String?, total: Int, unseen: Int) {
        self.name = name
        self.role = role
        self.total = total
        self.unseen = unseen
    }
}

/// What the owner of a mailbox noted on an entry.
public struct EntryFlags: OptionSet, Sendable, Hashable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static let seen = EntryFlags(rawValue: 1)
    public static let answered = EntryFlags(rawValue: 2)
    public static let flagged = EntryFlags(rawValue: 4)
}

/// One row of a mailbox.
public struct MailboxEntry: Sendable, Hashable {
    /// Unique and growing within the account, never used again. Moving an entry gives it a new one.
    public let uid: Int64
    public let folder: FolderName
    public let messageID: String
    public let digest: [UInt8]
    public let flags: EntryFlags
    /// Octets of the message.
    public let size: Int
    /// When this server accepted it.
    public let received: Date
    public let summary: MessageSummary

    public init(
        uid: Int64, folder: FolderName, messageID: String, digest: [UInt8], flags: EntryFlags, size: Int, received: Date,
        summary: MessageSummary
    ) {
        self.uid = uid
        self.folder = folder
        self.messageID = messageID
        self.digest = digest
        self.flags = flags
        self.size = size
        self.received = received
        self.summary = summary
    }
}

/// Where a page of a list starts and which way it goes.
public enum ListCursor: Sendable, Hashable {
    /// The newest entries, newest first.
    case newest
    /// Entries with a lower uid, newest first.
    case before(Int64)
    /// Entries with a higher uid, oldest first: what is new since then.
    case after(Int64)
}

/// A page of a list.
public struct MailboxPage: Sendable, Hashable {
    public let entries: [MailboxEntry]
    /// Whether there are more in the same direction.
    public let hasMore: Bool
    /// The highest uid the account has ever given, as of this page: `.after` it shows what is new (once `.after` has no
    /// more).
    public let highestUID: Int64

    public init(entries: [MailboxEntry], hasMore: Bool, highestUID: Int64) {
        self.entries = entries
        self.hasMore = hasMore
        self.highestUID = highestUID
    }
}

/// Names entries of a mailbox.
public enum EntryReference: Sendable, Hashable {
    case uid(Int64)
    /// All entries with this message id (a mail to oneself has two), in one folder or in all. Where one entry is
    /// wanted, it is the oldest: a later message that re-uses the id of another author's does not hide it.
    case message(String, in: FolderName? = nil)
}

/// A message of a mailbox with its evidence.
public struct StoredMessage: Sendable, Hashable {
    public let entry: MailboxEntry
    public let octets: [UInt8]
    /// The postmark under which it came; nil for a Sent copy.
    public let postmark: [UInt8]?
    /// The receipt that this server gave for it.
    public let receipt: [UInt8]?

    public init(entry: MailboxEntry, octets: [UInt8], postmark: [UInt8]?, receipt: [UInt8]?) {
        self.entry = entry
        self.octets = octets
        self.postmark = postmark
        self.receipt = receipt
    }
}

/// Something changed in a mailbox; told after the commit. Several changes may be told as one.
public struct MailboxChange: Sendable, Hashable {
    public let account: Address

    public init(account: Address) {
        self.account = account
    }
}

/// Mailboxes. All methods throw `unknownAccount` if there is no such account.
public protocol MailboxStore: Sendable {
    /// The account's folders by name, with counts (counting costs time linear in the mailbox: not for every call).
    func folders(of account: Address) async throws(StoreError) -> [Folder]

    /// Makes a folder of the user's own. Names have 1 to 100 characters without control characters (`invalid`);
    /// `alreadyExists`.
    func createFolder(_ name: FolderName, of account: Address) async throws(StoreError)

    /// A page of at most `limit` (1 to 1000) entries; the cost does not grow with the mailbox. Throws `unknownFolder`.
    func list(_ account: Address, folder: FolderName, from cursor: ListCursor, limit: Int) async throws(StoreError) -> MailboxPage

    /// One message with its evidence. Throws `unknownMessage`.
    func retrieve(_ account: Address, _ reference: EntryReference) async throws(StoreError) -> StoredMessage

    /// Deletes entries; returns how many there were. Idempotent: what is gone already is no error. The octets go with
    /// the last entry and queue job that uses them; the intent stays, so that a late repetition does not bring the mail
    /// back.
    @discardableResult
    func delete(_ account: Address, _ references: [EntryReference]) async throws(StoreError) -> Int

    /// Adds, then removes flags; returns how many entries were found. Idempotent.
    @discardableResult
    func mark(
        _ account: Address, _ references: [EntryReference], add: EntryFlags, remove: EntryFlags
    ) async throws(StoreError) -> Int

    /// Moves entries to another folder; they get new uids there, returned in the order of the old uids. Entries already
    /// there stay as they are and are not returned. Throws `unknownFolder`.
    @discardableResult
    func move(_ account: Address, _ references: [EntryReference], to folder: FolderName) async throws(StoreError) -> [Int64]

    /// Tells of changes committed after this call until the stream is dropped. Subscribe, then list, then wait: nothing
    /// is missed.
    func changes(of account: Address) -> AsyncStream<MailboxChange>
}
