import Foundation
import Identity
import MailModel

/// A message on its way: its octets are made once, and sent until the server's Receipt was verified.
public struct OutboxEntry: Sendable {
    public let message: SealedMessage
    public let bcc: [Address]
    public let created: Date
    /// Files that are brought to the server before the message, or inside its call.
    public let files: [OutboxFile]
    public let terms: AttachmentTerms

    public init(
        message: SealedMessage, bcc: [Address], created: Date, files: [OutboxFile] = [], terms: AttachmentTerms = AttachmentTerms()
    ) {
        self.message = message
        self.bcc = bcc
        self.created = created
        self.files = files
        self.terms = terms
    }

    /// It waits for an upload that may be long: not done in passing by another command.
    public var hasUploads: Bool { files.contains { !$0.isInline } }

    public var id: MessageID { message.message.id }
    /// Everyone it is for, each once.
    public var recipients: [Address] {
        var seen: Set<Address> = []
        let all = (message.message.to + message.message.cc).map(\.address) + bcc
        return all.filter { seen.insert($0).inserted }
    }
}

/// A file of the outbox that is no message any more.
public struct DamagedEntry: Sendable, Hashable {
    /// Where it lies.
    public let path: String
    public let reason: String
}

/// Messages that the home server has not acknowledged. An entry is durable before its first byte goes out; it is sent
/// again with the same octets and id, which the server acknowledges once (design §4, "attempt and intent are two ids").
struct Outbox: Sendable {
    /// A message of the largest size in base64, and what is around it.
    static let maximumFile = 64 << 20
    private let folder: String
    private let refused: String

    init(_ account: AccountFolder) {
        folder = account.outboxPath
        refused = account.refusedPath
    }

    private struct Stored: Codable {
        var version = 1
        var created: Date
        var bcc: [Address]
        var octets: Data
        var files: [OutboxFile]?
        var terms: AttachmentTerms?
        /// Only in `refused/`, for the person to read: why, and what was written.
        var refusal: String?
        var subject: String?
        var text: String?
    }

    /// Keeps the entry. When this returns it survives a crash.
    /// - Returns: the right to send it. Other commands leave the entry alone until the lock ends.
    @discardableResult
    func add(_ entry: OutboxEntry) throws(MailClientError) -> FileLock {
        try ClientFolder.create(folder)
        // Under a hidden name it is nobody else's; the lock goes along with the renaming.
        let hidden = folder + "/." + Self.fileName(entry.id)
        try StoredJSON.write(
            Stored(
                created: entry.created, bcc: entry.bcc, octets: Data(entry.message.octets),
                files: entry.files.isEmpty ? nil : entry.files, terms: entry.terms == AttachmentTerms() ? nil : entry.terms),
            to: hidden)
        guard let lock = try FileLock.claim(hidden) else {
            throw MailClientError(.storage, "cannot lock \(hidden)")
        }
        try SystemFiles.move(hidden, to: path(entry.id))
        return lock
    }

    /// The right to send an entry.
    /// - Returns: nil if another command is sending it, or has done so.
    func claim(_ id: MessageID) throws(MailClientError) -> FileLock? { try FileLock.claim(path(id)) }

    /// The entry was acknowledged.
    func remove(_ id: MessageID) throws(MailClientError) {
        try SystemFiles.remove(path(id))
    }

    /// The entry will never be accepted: it is put aside.
    /// - Returns: where it is now.
    func refuse(_ entry: OutboxEntry, reason: String) throws(MailClientError) -> String {
        try ClientFolder.create(refused)
        let aside = refused + "/" + Self.fileName(entry.id)
        try StoredJSON.write(
            Stored(
                created: entry.created, bcc: entry.bcc, octets: Data(entry.message.octets),
                files: entry.files.isEmpty ? nil : entry.files, refusal: reason,
                subject: entry.message.message.subject, text: entry.message.message.text),
            to: aside)
        try remove(entry.id)
        return aside
    }

    /// All entries, oldest first, and files that are none. Changes nothing.
    func content() throws(MailClientError) -> (entries: [OutboxEntry], damaged: [DamagedEntry]) {
        var entries: [OutboxEntry] = []
        var damaged: [DamagedEntry] = []
        for name in try SystemFiles.names(in: folder) where name.hasSuffix(".json") {
            let path = folder + "/" + name
            do {
                guard let stored = try StoredJSON.read(Stored.self, from: path, limit: Self.maximumFile) else { continue }
                let message = try SealedMessage(octets: Array(stored.octets))
                entries.append(
                    OutboxEntry(
                        message: message, bcc: stored.bcc, created: stored.created, files: stored.files ?? [],
                        terms: stored.terms ?? AttachmentTerms()))
            } catch {
                let failure = MailClientError(error)
                guard failure.code != .storage || failure.reason.hasSuffix("is damaged") else { throw failure }
                let reason = failure.code == .storage ? "it is no outbox file" : failure.reason
                damaged.append(DamagedEntry(path: path, reason: reason))
            }
        }
        return (entries.sorted { $0.created < $1.created }, damaged)
    }

    /// Takes a damaged file out of the way of the others.
    /// - Returns: nil if another command was faster, and tells of it.
    func setAside(_ entry: DamagedEntry) throws(MailClientError) -> DamagedEntry? {
        guard let lock = try FileLock.claim(entry.path) else { return nil }
        defer { lock.release() }
        let aside = entry.path + Self.damagedSuffix
        try SystemFiles.move(entry.path, to: aside)
        return DamagedEntry(path: aside, reason: entry.reason)
    }

    /// How many messages wait, and how many lie aside: refused or damaged.
    func count() throws(MailClientError) -> (waiting: Int, aside: Int) {
        let names = try SystemFiles.names(in: folder)
        let refusals = try SystemFiles.names(in: refused).count(where: { $0.hasSuffix(".json") })
        return (
            names.count(where: { $0.hasSuffix(".json") }),
            refusals + names.count(where: { $0.hasSuffix(Self.damagedSuffix) })
        )
    }

    private static let damagedSuffix = ".damaged"

    private func path(_ id: MessageID) -> String { folder + "/" + Self.fileName(id) }

    private static func fileName(_ id: MessageID) -> String {
        String(id.description.drop { $0 != ":" }.dropFirst().drop { $0 != ":" }.dropFirst()) + ".json"
    }
}
