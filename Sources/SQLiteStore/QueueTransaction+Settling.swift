import Foundation
import GRDB
import Identity
import MailStore

/// Final delivery of a job of this server's own domain (T2 of design §5.1).
extension QueueTransaction {
    /// An account that gets the message now.
    private struct Place {
        let delivery: MailboxDelivery
        let account: Int64
    }

    /// What a job's mailbox entries have in common.
    private struct Evidence {
        let postmark: Int64
        let size: Int
        let created: Date
    }

    func settle(_ job: JobState, _ settlement: LocalSettlement) throws -> SettleOutcome {
        let accounts = Set(settlement.deliveries.map(\.account.description))
        guard accounts.count == settlement.deliveries.count else {
            throw StoreError(.invalid, "an account occurs twice in a settlement")
        }
        for delivery in settlement.deliveries { try delivery.folder.checkSpelling() }
        let effects =
            settlement.effects.isEmpty
            ? nil
            : try EffectsWriter(
                connection: connection, effects: settlement.effects, configuration: configuration, now: now)
        if let effects, try !effects.holds() { return .changed }
        let evidence = try evidence(of: job)
        guard let places = try places(settlement.deliveries, job, evidence) else { return .changed }
        // From here on nothing is `changed` any more.
        var created = try fill(places, job, evidence)
        let remaining = try record(DeliveryReport(outcomes: settlement.outcomes), of: job)
        created += try effects?.apply() ?? []
        if !remaining.isEmpty, let postponement = settlement.postponement {
            try putBack(job, for: remaining, until: postponement.until, reason: postponement.reason)
        } else {
            try end(job, withUnknown: remaining)
        }
        return .settled(created)
    }

    private func evidence(of job: JobState) throws -> Evidence {
        let evidence = try connection.sql.first(
            """
            SELECT j.postmark, m.size + length(p.octets), j.created FROM jobs j CROSS JOIN messages m ON m.key = j.message
            CROSS JOIN postmarks p ON p.key = j.postmark WHERE j.key = ?
            """, job.key
        ) { Evidence(postmark: try $0.int(0), size: Int(try $0.int(1)), created: try $0.time(2)) }
        guard let evidence else { throw StoreError(.internal, "a job without a message or postmark") }
        return evidence
    }

    /// The accounts to fill, or nil if one cannot take the message now.
    private func places(_ deliveries: [MailboxDelivery], _ job: JobState, _ evidence: Evidence) throws -> [Place]? {
        let judge = IntentJudge(sql: connection.sql)
        var places: [Place] = []
        for delivery in deliveries {
            let account = try judge.account(delivery.account.description, for: evidence.size)
            // Another recipient of the job stood for the same account, and was settled before: it has the message.
            if account.key != 0, try hasEntry(account.key, job, evidence) { continue }
            guard account.verdict == .deliverable else { return nil }
            places.append(Place(delivery: delivery, account: account.key))
        }
        return places
    }

    private func hasEntry(_ account: Int64, _ job: JobState, _ evidence: Evidence) throws -> Bool {
        try connection.sql.number(
            "SELECT count(*) FROM entries INDEXED BY entries_message WHERE message = ? AND account = ? AND postmark = ?",
            job.message, account, evidence.postmark) > 0
    }

    private func fill(_ places: [Place], _ job: JobState, _ evidence: Evidence) throws -> [CreatedEntry] {
        guard !places.isEmpty else { return [] }
        // Accepted when the job was made, not when the plug-ins let it pass.
        let writer = EntryWriter(
            connection: connection, message: job.message, postmark: evidence.postmark, receipt: try receipt(of: job),
            charge: Int64(evidence.size), received: evidence.created)
        return try places.map { place in
            let delivery = place.delivery
            if delivery.folder != .inbox {
                try connection.sql.run(
                    "INSERT INTO folders (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING", place.account, delivery.folder.rawValue)
            }
            return try writer.insert(
                EntryWriter.Target(
                    account: place.account, address: delivery.account, folder: delivery.folder, flags: delivery.flags))
        }
    }

    /// The receipt that was given when the job was made: the oldest that speaks of its recipients.
    private func receipt(of job: JobState) throws -> Int64? {
        let names = Set(job.recipients)
        return try connection.sql.all("SELECT key, covers FROM receipts WHERE intent = ? ORDER BY key", job.intent) {
            (key: try $0.int(0), covers: try $0.lines(1))
        }.first { names.isSubset(of: $0.covers) }?.key
    }
}
