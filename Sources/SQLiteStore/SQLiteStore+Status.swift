import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    public func status(of messageID: String, from origin: Origin) async throws(StoreError) -> IntentStatus? {
        try await read { sql in
            let intent = try sql.first(
                "SELECT key, digest, accepted FROM intents WHERE origin = ? AND message_id = ?", origin.stored, messageID
            ) { (key: try $0.int(0), digest: try $0.bytes(1), accepted: try $0.time(2)) }
            guard let intent else { return nil }
            let receipts = try sql.all("SELECT octets FROM receipts WHERE intent = ? ORDER BY key", intent.key) { try $0.bytes(0) }
            let recipients = try sql.all(
                """
                SELECT r.address, r.state, r.at, coalesce(r.reason, j.reason),
                    (SELECT octets FROM peer_receipts WHERE key = r.peer_receipt), coalesce(j.attempts, 0)
                FROM recipients r LEFT JOIN jobs j
                    ON j.intent = r.intent AND r.state = 'queued' AND instr(j.recipients, r.address) > 0
                WHERE r.intent = ? GROUP BY r.address ORDER BY r.address
                """, intent.key
            ) { row in
                RecipientStatus(
                    recipient: try Address(stored: row.text(0)), state: try RecipientState(stored: row.text(1)),
                    at: try row.time(2), reason: try row.optionalText(3), peerReceipt: try row.optionalBytes(4),
                    attempts: Int(try row.int(5)))
            }
            return IntentStatus(
                messageID: messageID, digest: intent.digest, accepted: intent.accepted, receipts: receipts, recipients: recipients)
        }
    }

    @discardableResult
    public func updateStatus(
        of messageID: String, from origin: Origin, _ report: DeliveryReport, now: Date
    ) async throws(StoreError) -> Int {
        try await write { connection in
            let intent = try IntentJudge(sql: connection.sql).intent(of: origin, messageID)
            guard let intent else { return 0 }
            return try connection.sql.record(report, intent: intent.key, now: now)
        }
    }
}

extension SQLConnection {
    /// Records outcomes of recipients that the intent knows; returns how many. Late news never turn "delivered" back
    /// into something less certain.
    func record(_ report: DeliveryReport, intent: Int64, now: Date) throws -> Int {
        guard !report.outcomes.isEmpty else { return 0 }
        var receipt: Int64?
        if let octets = report.peerReceipt {
            try run("INSERT INTO peer_receipts (intent, octets) VALUES (?, ?)", intent, octets.blob)
            receipt = database.lastInsertedRowID
        }
        var count = 0
        for outcome in report.outcomes {
            count += try run(
                """
                UPDATE recipients SET state = ?, at = ?, reason = ?, peer_receipt = coalesce(?, peer_receipt)
                WHERE intent = ? AND address = ? AND NOT (state = 'delivered' AND ?1 IN ('queued', 'accepted', 'unknown'))
                """,
                outcome.state.rawValue, now.micros, outcome.reason, receipt, intent, outcome.recipient.description)
        }
        return count
    }
}
