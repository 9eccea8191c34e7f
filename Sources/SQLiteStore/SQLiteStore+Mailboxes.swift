import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    public func folders(of account: Address) async throws(StoreError) -> [Folder] {
        try await read { sql in
            let key = try sql.accountKey(account)
            return try sql.all(
                """
                SELECT name, role, (SELECT count(*) FROM entries WHERE folder = f.key),
                (SELECT count(*) FROM entries WHERE folder = f.key AND flags & ? = 0)
                FROM folders f WHERE account = ? ORDER BY name
                """, EntryFlags.seen.rawValue, key
            ) { row in
                Folder(
                    name: FolderName(rawValue: try row.text(0)), role: try row.optionalText(1), total: Int(try row.int(2)),
                    unseen: Int(try row.int(3)))
            }
        }
    }

    public func createFolder(_ name: FolderName, of account: Address) async throws(StoreError) {
        try name.checkSpelling()
        try await write { connection in
            let count = try connection.sql.run(
                "INSERT INTO folders (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING", connection.sql.accountKey(account),
                name.rawValue)
            guard count == 1 else { throw StoreError(.alreadyExists, "there is a folder \(name)") }
        }
    }

    public func list(
        _ account: Address, folder: FolderName, from cursor: ListCursor, limit: Int
    ) async throws(StoreError) -> MailboxPage {
        let limit = min(max(1, limit), 1000)
        return try await read { sql in
            let box = try sql.first(
                """
                SELECT a.last_uid, f.key FROM accounts a LEFT JOIN folders f ON f.account = a.key AND f.name = ?
                WHERE a.address = ?
                """, folder.rawValue, account.description
            ) { (lastUID: try $0.int(0), folder: try $0.optionalInt(1)) }
            guard let box else { throw StoreError(.unknownAccount, "there is no account \(account)") }
            guard let key = box.folder else { throw StoreError(.unknownFolder, "there is no folder \(folder)") }
            // One more than asked tells whether there is more.
            var entries = try sql.entries(folder: key, named: folder, from: cursor, limit: limit + 1)
            let hasMore = entries.count > limit
            if hasMore { entries.removeLast() }
            return MailboxPage(entries: entries, hasMore: hasMore, highestUID: box.lastUID)
        }
    }

    public func retrieve(_ account: Address, _ reference: EntryReference) async throws(StoreError) -> StoredMessage {
        try await read { sql in
            let key = try sql.accountKey(account)
            guard let match = try sql.matches(account: key, reference).first else {
                throw StoreError(.unknownMessage, "there is no such message")
            }
            return try sql.storedMessage(account: key, uid: match.uid)
        }
    }

    @discardableResult
    public func delete(_ account: Address, _ references: [EntryReference]) async throws(StoreError) -> Int {
        try await write { connection in
            let sql = connection.sql
            let key = try sql.accountKey(account)
            var messages: [Int64] = []
            var freed: Int64 = 0
            for match in try sql.matches(account: key, references) {
                try sql.run("DELETE FROM entries WHERE account = ? AND uid = ?", key, match.uid)
                messages.append(match.message)
                freed += match.charge
            }
            guard !messages.isEmpty else { return 0 }
            try sql.run("UPDATE accounts SET used = used - ? WHERE key = ?", freed, key)
            try sql.collectMessages(messages)
            connection.events.mailboxes.insert(account.description)
            return messages.count
        }
    }

    @discardableResult
    public func mark(
        _ account: Address, _ references: [EntryReference], add: EntryFlags, remove: EntryFlags
    ) async throws(StoreError) -> Int {
        try await write { connection in
            let sql = connection.sql
            let key = try sql.accountKey(account)
            let matches = try sql.matches(account: key, references)
            for match in matches {
                try sql.run(
                    "UPDATE entries SET flags = (flags | ?) & ~? WHERE account = ? AND uid = ?", add.rawValue, remove.rawValue, key,
                    match.uid)
            }
            if !matches.isEmpty { connection.events.mailboxes.insert(account.description) }
            return matches.count
        }
    }

    @discardableResult
    public func move(
        _ account: Address, _ references: [EntryReference], to folder: FolderName
    ) async throws(StoreError) -> [Int64] {
        try await write { connection in
            let sql = connection.sql
            let key = try sql.accountKey(account)
            let target = try sql.folderKey(folder, account: key)
            let matches = try sql.matches(account: key, references).filter { $0.folder != target }
            guard !matches.isEmpty else { return [] }
            let last = try sql.number(
                "UPDATE accounts SET last_uid = last_uid + ? WHERE key = ? RETURNING last_uid", matches.count, key)
            var uids: [Int64] = []
            for (match, uid) in zip(matches.sorted { $0.uid < $1.uid }, (last - Int64(matches.count) + 1)...) {
                try sql.run("UPDATE entries SET uid = ?, folder = ? WHERE account = ? AND uid = ?", uid, target, key, match.uid)
                uids.append(uid)
            }
            connection.events.mailboxes.insert(account.description)
            return uids
        }
    }

    public func changes(of account: Address) -> AsyncStream<MailboxChange> {
        hub.mailboxChanges(of: account)
    }
}

extension FolderName {
    /// Throws `invalid` if no folder may have this name.
    func checkSpelling() throws(StoreError) {
        let scalars = rawValue.unicodeScalars
        guard (1...100).contains(scalars.count), !scalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw StoreError(.invalid, "a folder's name has 1 to 100 characters and no control characters")
        }
    }
}

/// An entry that a reference means.
struct EntryMatch {
    let uid: Int64
    let folder: Int64
    let message: Int64
    let charge: Int64
}

extension SQLConnection {
    private static let headerColumns = """
        e.uid, m.id, m.digest, e.flags, m.size, e.received, m.author, m.to_list, m.cc_list, m.subject, m.date, m.in_reply_to, m.traits
        """

    /// Entries that a reference means, by uid.
    func matches(account: Int64, _ reference: EntryReference) throws -> [EntryMatch] {
        let map: (Row) throws -> EntryMatch = { row in
            EntryMatch(uid: try row.int(0), folder: try row.int(1), message: try row.int(2), charge: try row.int(3))
        }
        switch reference {
        case .uid(let uid):
            return try all(
                "SELECT uid, folder, message, charge FROM entries WHERE account = ? AND uid = ?", account, uid, map: map)
        case .message(let id, let folder):
            return try all(
                """
                SELECT e.uid, e.folder, e.message, e.charge FROM messages m
                CROSS JOIN entries e INDEXED BY entries_message ON e.message = m.key AND e.account = ?1
                WHERE m.id = ?2
                AND (?3 IS NULL OR e.folder = (SELECT key FROM folders WHERE account = ?1 AND name = ?3)) ORDER BY e.uid
                """, account, id, folder?.rawValue, map: map)
        }
    }

    /// Entries that several references mean, each once.
    func matches(account: Int64, _ references: [EntryReference]) throws -> [EntryMatch] {
        var seen: Set<Int64> = []
        return try references.flatMap { try matches(account: account, $0) }.filter { seen.insert($0.uid).inserted }
    }

    func entries(folder: Int64, named name: FolderName, from cursor: ListCursor, limit: Int) throws -> [MailboxEntry] {
        // The index on (folder, uid) yields the page in order; nothing else of the mailbox is touched.
        let from = "SELECT \(Self.headerColumns) FROM entries e INDEXED BY entries_folder CROSS JOIN messages m ON m.key = e.message"
        let map: (Row) throws -> MailboxEntry = { try Self.entry($0, folder: name) }
        switch cursor {
        case .newest:
            return try all(from + " WHERE e.folder = ? ORDER BY e.uid DESC LIMIT ?", folder, limit, map: map)
        case .before(let uid):
            return try all(from + " WHERE e.folder = ? AND e.uid < ? ORDER BY e.uid DESC LIMIT ?", folder, uid, limit, map: map)
        case .after(let uid):
            return try all(from + " WHERE e.folder = ? AND e.uid > ? ORDER BY e.uid LIMIT ?", folder, uid, limit, map: map)
        }
    }

    func storedMessage(account: Int64, uid: Int64) throws -> StoredMessage {
        let message = try first(
            """
            SELECT \(Self.headerColumns), f.name, m.octets, (SELECT octets FROM postmarks WHERE key = e.postmark),
            (SELECT octets FROM receipts WHERE key = e.receipt)
            FROM entries e JOIN messages m ON m.key = e.message JOIN folders f ON f.key = e.folder
            WHERE e.account = ? AND e.uid = ?
            """, account, uid
        ) { row in
            StoredMessage(
                entry: try Self.entry(row, folder: FolderName(rawValue: try row.text(13))), octets: try row.bytes(14),
                postmark: try row.optionalBytes(15), receipt: try row.optionalBytes(16))
        }
        guard let message else { throw StoreError(.unknownMessage, "there is no such message") }
        return message
    }

    private static func entry(_ row: Row, folder: FolderName) throws -> MailboxEntry {
        MailboxEntry(
            uid: try row.int(0), folder: folder, messageID: try row.text(1), digest: try row.bytes(2),
            flags: EntryFlags(rawValue: try row.int(3)), size: Int(try row.int(4)), received: try row.time(5),
            summary: try summary(row, from: 6))
    }

    /// author, to_list, cc_list, subject, date, in_reply_to, traits
    static func summary(_ row: Row, from index: Int) throws -> MessageSummary {
        MessageSummary(
            from: try row.text(index), to: try row.lines(index + 1), cc: try row.lines(index + 2), subject: try row.text(index + 3),
            date: try row.time(index + 4), inReplyTo: try row.optionalText(index + 5),
            traits: MessageTraits(rawValue: try row.int(index + 6)))
    }
}
