import Foundation
import GRDB
import Identity
import MailStore

/// Puts one message into mailboxes: the same postmark, receipt and charge for each.
struct EntryWriter {
    /// Where an entry goes; the Inbox if the account has no such folder.
    struct Target {
        let account: Int64
        let address: Address
        let folder: FolderName
        let flags: EntryFlags
    }

    let connection: WriteConnection
    let message: Int64
    let postmark: Int64?
    let receipt: Int64?
    /// What each account's usage grows by.
    let charge: Int64
    let received: Date

    private var sql: SQLConnection { connection.sql }

    func insert(_ target: Target) throws -> CreatedEntry {
        let uid = try sql.first(
            "UPDATE accounts SET last_uid = last_uid + 1, used = used + ? WHERE key = ? RETURNING last_uid", charge, target.account
        ) { try $0.int(0) }
        let folder = try sql.first(
            "SELECT key, name FROM folders WHERE account = ? AND name IN (?, 'Inbox') ORDER BY name = 'Inbox' LIMIT 1",
            target.account, target.folder.rawValue
        ) { (key: try $0.int(0), name: FolderName(rawValue: try $0.text(1))) }
        guard let uid, let folder else { throw StoreError(.internal, "an account without an inbox") }
        try sql.run(
            """
            INSERT INTO entries (account, uid, folder, message, postmark, receipt, flags, received, charge)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            target.account, uid, folder.key, message, postmark, receipt, target.flags.rawValue, received.micros, charge)
        connection.events.mailboxes.insert(target.address.description)
        return CreatedEntry(account: target.address, folder: folder.name, uid: uid)
    }
}
