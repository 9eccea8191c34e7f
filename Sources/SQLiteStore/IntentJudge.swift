import Foundation
import GRDB
import Identity
import MailStore

/// What the store knows of an intent, and what would happen to its recipients; for reads and inside the accepting
/// transaction.
struct IntentJudge {
    struct Intent {
        let key: Int64
        let digest: [UInt8]
        let hasSentCopy: Bool
    }

    /// A local account as far as a delivery depends on it.
    struct LocalAccount {
        let key: Int64
        let verdict: RecipientVerdict
    }

    let sql: SQLConnection

    func intent(of origin: Origin, _ messageID: String) throws -> Intent? {
        try sql.first(
            "SELECT key, digest, sent_copy FROM intents WHERE origin = ? AND message_id = ?", origin.stored, messageID
        ) { Intent(key: try $0.int(0), digest: try $0.bytes(1), hasSentCopy: try $0.int(2) != 0) }
    }

    func verdict(on request: IntentRequest) throws -> IntentVerdict {
        let intent = try intent(of: request.origin, request.messageID)
        var known: [String: RecipientState] = [:]
        if let intent {
            guard intent.digest == request.digest else { return .conflict }
            known = try states(of: intent)
            let names = Set((request.local + request.remote).map(\.description))
            if let receipt = try coveringReceipt(of: intent, names: names, known: known) { return .duplicate(receipt: receipt) }
        }
        var verdicts: [Address: RecipientVerdict] = [:]
        for recipient in request.remote {
            verdicts[recipient] = known[recipient.description].map { .handled($0) } ?? .deliverable
        }
        for recipient in request.local {
            let name = recipient.description
            verdicts[recipient] = try known[name].map { .handled($0) } ?? account(name, for: request.size).verdict
        }
        let wantsCopy = request.wantsSentCopy && intent?.hasSentCopy != true
        return .open(
            IntentExamination(
                verdicts: verdicts,
                submitter: try submitter(of: request.origin, size: wantsCopy ? request.size : 0).verdict))
    }

    /// The state of every recipient that the intent has dealt with.
    func states(of intent: Intent) throws -> [String: RecipientState] {
        let rows = try sql.all("SELECT address, state FROM recipients WHERE intent = ?", intent.key) {
            (try $0.text(0), try RecipientState(stored: $0.text(1)))
        }
        return Dictionary(rows) { first, _ in first }
    }

    /// The oldest receipt that speaks of all these recipients.
    func coveringReceipt(of intent: Intent, names: Set<String>, known: [String: RecipientState]) throws -> [UInt8]? {
        guard names.allSatisfy({ known[$0] != nil }) else { return nil }
        let receipts = try sql.all("SELECT key, covers FROM receipts WHERE intent = ? ORDER BY key", intent.key) {
            (key: try $0.int(0), covers: try $0.lines(1))
        }
        // What the server wrote itself needs no receipt.
        if receipts.isEmpty { return [] }
        guard let match = receipts.first(where: { names.isSubset(of: $0.covers) }) else { return nil }
        return try sql.first("SELECT octets FROM receipts WHERE key = ?", match.key) { try $0.bytes(0) }
    }

    /// The account of a local recipient; key 0 when there is none.
    func account(_ name: String, for size: Int) throws -> LocalAccount {
        let account = try sql.first(
            "SELECT key, disabled IS NOT NULL, quota IS NOT NULL AND used + ? > quota FROM accounts WHERE address = ?", size, name
        ) { row in
            let isDisabled = try row.int(1) != 0
            let isFull = try row.int(2) != 0
            return LocalAccount(key: try row.int(0), verdict: isDisabled ? .disabled : isFull ? .overQuota : .deliverable)
        }
        return account ?? LocalAccount(key: 0, verdict: .unknown)
    }

    /// Whether the submitter may send; with a size, whether his Sent folder has room for it.
    func submitter(of origin: Origin, size: Int) throws -> LocalAccount {
        guard case .submission(let address) = origin else { return LocalAccount(key: 0, verdict: .deliverable) }
        let account = try account(address.description, for: size)
        // Without a copy to store, a full mailbox does not keep anybody from sending.
        guard size == 0, account.verdict == .overQuota else { return account }
        return LocalAccount(key: account.key, verdict: .deliverable)
    }
}
