import Foundation
import Identity
import MailModel

/// A message on its way: its octets are made once, and sent until the server's Receipt was verified.
public struct OutboxEntry: Sendable {
    public let message: SealedMessage
    public let bcc: [Address]
    public let created: Date

    public init(message: SealedMessage, bcc: [Address], created: Date) {
        self.message = message
        self.bcc = bcc
        self.created = created
    }

    public var id: MessageID { message.message.id }
    /// Everyone it is for, each once.
    public var recipients: [Address] {
        var seen: Set<Address> = []
        let all = (message.message.to + message.message.cc).map(\.address) + bcc
        return all.filter { seen.insert($0).inserted }
    }
}

/// Messages that the home server has not acknowledged. An entry is durable before its first byte goes out; it is sent
/// again with the same octets and id, which the server acknowledges once (design §4, "attempt and intent are two ids").
struct Outbox: Sendable {
    /// A message of the largest size in base64, and what is around it.
    static let maximumFile = 64 << 20
    /// Refused messages kept for the person to copy from.
    static let keptRefusals = 50

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
        /// Only in `refused/`, for the person to read: why, and what was written.
        var refusal: String?
        var subject: String?
        var text: String?
    }

    /// Keeps the entry. When this returns it survives a crash.
    func add(_ entry: OutboxEntry) throws(MailClientError) {
        try ClientFolder.create(folder)
        try StoredJSON.write(
            Stored(created: entry.created, bcc: entry.bcc, octets: Data(entry.message.octets)), to: path(entry.id))
    }

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
                created: entry.created, bcc: entry.bcc, octets: Data(entry.message.octets), refusal: reason,
                subject: entry.message.message.subject, text: entry.message.message.text),
            to: aside)
        try remove(entry.id)
        for name in try SystemFiles.names(in: refused).dropLast(Self.keptRefusals) where name != Self.fileName(entry.id) {
            try SystemFiles.remove(refused + "/" + name)
        }
        return aside
    }

    /// All entries, oldest first. A damaged one is put aside rather than standing in the way of the others.
    func entries() throws(MailClientError) -> [OutboxEntry] {
        var result: [OutboxEntry] = []
        for name in try SystemFiles.names(in: folder) where name.hasSuffix(".json") {
            let path = folder + "/" + name
            do {
                guard let stored = try StoredJSON.read(Stored.self, from: path, limit: Self.maximumFile) else { continue }
                let message = try SealedMessage(octets: Array(stored.octets))
                result.append(OutboxEntry(message: message, bcc: stored.bcc, created: stored.created))
            } catch {
                let failure = MailClientError(error)
                guard failure.code != .storage || failure.reason.hasSuffix("is damaged") else { throw failure }
                try SystemFiles.move(path, to: path + ".damaged")
            }
        }
        return result.sorted { $0.created < $1.created }
    }

    private func path(_ id: MessageID) -> String { folder + "/" + Self.fileName(id) }

    private static func fileName(_ id: MessageID) -> String {
        String(id.description.drop { $0 != ":" }.dropFirst().drop { $0 != ":" }.dropFirst()) + ".json"
    }
}
