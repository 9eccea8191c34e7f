import Foundation
import GRDB
import Identity
import MailStore

/// Writes one acceptance inside a savepoint of the writer's transaction (T1 of design §5.1).
struct AcceptanceWriter {
    let connection: WriteConnection
    let acceptance: Acceptance
    let configuration: SQLiteConfiguration
    let now: Date

    private var sql: SQLConnection { connection.sql }
    private var judge: IntentJudge { IntentJudge(sql: connection.sql) }

    func run() throws -> AcceptOutcome {
        let names = try recipientNames()
        let intent = try judge.intent(of: acceptance.origin, acceptance.message.id)
        var known: [String: RecipientState] = [:]
        if let intent {
            guard intent.digest == acceptance.message.digest else { return .conflict }
            known = try judge.states(of: intent)
            if let receipt = try judge.coveringReceipt(of: intent, names: names, known: known) {
                return .duplicate(receipt: receipt)
            }
        }
        let wantsCopy = acceptance.sentCopy && intent?.hasSentCopy != true
        let submitter = try judge.submitter(of: acceptance.origin, size: wantsCopy ? acceptance.message.octets.count : 0)
        guard submitter.verdict == .deliverable, let accounts = try accountsIfVerdictsHold(known) else { return .changed }
        // An acceptance without effects costs no statement more.
        let effects =
            acceptance.effects.isEmpty
            ? nil
            : try EffectsWriter(
                connection: connection, effects: acceptance.effects, configuration: configuration, now: now)
        if let effects, try !effects.holds() { return .changed }
        let own = try store(accounts: accounts, submitter: submitter.key, wantsCopy: wantsCopy, isNew: intent == nil)
        return .accepted(own + (try effects?.apply() ?? []))
    }

    /// All recipients by canonical name; each must occur once.
    private func recipientNames() throws -> Set<String> {
        let local = acceptance.local.lazy.flatMap(\.recipients)
        let remote = acceptance.remote.lazy.flatMap(\.recipients)
        let refused = acceptance.refused.lazy.map(\.recipient)
        let settled = acceptance.settled.lazy.map(\.recipient)
        let all = Array(local) + Array(remote) + Array(refused) + acceptance.repeated + Array(settled)
        guard all.count <= configuration.maximumRecipients else {
            throw StoreError(.invalid, "\(all.count) recipients, at most \(configuration.maximumRecipients) are allowed")
        }
        let names = Set(all.map(\.description))
        guard names.count == all.count else { throw StoreError(.invalid, "a recipient occurs twice in an acceptance") }
        guard acceptance.origin == .server || !acceptance.receipt.isEmpty else {
            throw StoreError(.invalid, "an acceptance without a receipt")
        }
        guard acceptance.settled.allSatisfy({ $0.state != .queued }) else {
            throw StoreError(.invalid, "a settled recipient would wait in no queue")
        }
        return names
    }

    /// The local recipients' accounts, or nil if a verdict that the acceptance rests on no longer holds.
    ///
    /// The server's own mail goes to those who are there, whatever their quota.
    private func accountsIfVerdictsHold(_ known: [String: RecipientState]) throws -> [String: Int64]? {
        let isOwn = acceptance.origin == .server
        var accounts: [String: Int64] = [:]
        for delivery in acceptance.local {
            let size = acceptance.message.octets.count + delivery.postmark.count
            for recipient in delivery.recipients {
                let name = recipient.description
                let account = try judge.account(name, for: isOwn ? 0 : size)
                let isFit = account.verdict == .deliverable || (isOwn && account.verdict == .overQuota)
                guard known[name] == nil, isFit else {
                    if isOwn { continue }
                    return nil
                }
                accounts[name] = account.key
            }
        }
        // Recipients in `remote` may be of this server's own domain: whether they can be delivered to is judged at T2.
        let untouched =
            acceptance.remote.flatMap(\.recipients) + acceptance.refused.map(\.recipient) + acceptance.settled.map(\.recipient)
        guard untouched.allSatisfy({ known[$0.description] == nil }) else { return nil }
        guard acceptance.repeated.allSatisfy({ known[$0.description] != nil }) else { return nil }
        return accounts
    }

    private func store(
        accounts: [String: Int64], submitter: Int64, wantsCopy: Bool, isNew: Bool
    ) throws -> [CreatedEntry] {
        let lasting = acceptance.refused.filter { !$0.isTemporary }
        let needsMessage = !accounts.isEmpty || !acceptance.remote.isEmpty || wantsCopy
        let hasOutcomes = !lasting.isEmpty || !acceptance.repeated.isEmpty || !acceptance.settled.isEmpty
        guard needsMessage || hasOutcomes else { return [] }
        let message = needsMessage ? try messageKey() : nil
        let intent = try intentKey(wantsCopy: wantsCopy)
        let receipt = try storeReceipt(intent: intent, message: message, lasting: lasting, isNew: isNew)
        for refusal in lasting {
            try setState(.refused, of: refusal.recipient.description, reason: refusal.reason, intent: intent)
        }
        for outcome in acceptance.settled {
            try setState(outcome.state, of: outcome.recipient.description, reason: outcome.reason, intent: intent)
        }
        guard let message else { return [] }
        var created: [CreatedEntry] = []
        if wantsCopy, case .submission(let address) = acceptance.origin {
            let target = EntryWriter.Target(account: submitter, address: address, folder: .sent, flags: .seen)
            created.append(try entryWriter(message, receipt, nil, size: acceptance.message.octets.count).insert(target))
        }
        for delivery in acceptance.local {
            created += try deliver(delivery, accounts: accounts, intent: intent, message: message, receipt: receipt)
        }
        for delivery in acceptance.remote {
            try enqueue(delivery, intent: intent, message: message)
        }
        return created
    }

    private func messageKey() throws -> Int64 {
        let message = acceptance.message
        let summary = message.summary
        let count = try sql.run(
            """
            INSERT INTO messages (digest, id, size, author, to_list, cc_list, subject, date, in_reply_to, traits, octets)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING
            """,
            message.digest.blob, message.id, message.octets.count, summary.from, summary.to.joined(separator: "\n"),
            summary.cc.joined(separator: "\n"), summary.subject, summary.date.micros, summary.inReplyTo,
            summary.traits.rawValue, message.octets.blob)
        if count == 1 { return sql.database.lastInsertedRowID }
        let key = try sql.first("SELECT key FROM messages WHERE digest = ?", message.digest.blob) { try $0.int(0) }
        guard let key else { throw StoreError(.internal, "a message is neither new nor there") }
        return key
    }

    private func intentKey(wantsCopy: Bool) throws -> Int64 {
        let last = acceptance.remote.map(\.expires).reduce(now, max)
        let key = try sql.first(
            """
            INSERT INTO intents (origin, message_id, digest, accepted, expires, sent_copy) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (origin, message_id) DO UPDATE
            SET expires = max(expires, excluded.expires), sent_copy = max(sent_copy, excluded.sent_copy) RETURNING key
            """,
            acceptance.origin.stored, acceptance.message.id, acceptance.message.digest.blob, now.micros,
            last.addingTimeInterval(configuration.tombstoneLife).micros, wantsCopy ? 1 : 0
        ) { try $0.int(0) }
        guard let key else { throw StoreError(.internal, "an intent is neither new nor there") }
        return key
    }

    private func storeReceipt(intent: Int64, message: Int64?, lasting: [Refusal], isNew: Bool) throws -> Int64? {
        guard !acceptance.receipt.isEmpty else { return nil }
        if !isNew {
            let count = try sql.number("SELECT count(*) FROM receipts WHERE intent = ?", intent)
            guard count < configuration.maximumReceiptsPerIntent else {
                throw StoreError(.invalid, "recipients were added to a message more than \(count) times")
            }
        }
        // A temporary refusal is not covered: the next attempt is judged anew.
        let covered =
            acceptance.local.flatMap(\.recipients) + acceptance.remote.flatMap(\.recipients) + lasting.map(\.recipient)
            + acceptance.repeated + acceptance.settled.map(\.recipient)
        let names = covered.map(\.description).sorted().joined(separator: "\n")
        try sql.run(
            "INSERT INTO receipts (intent, message, covers, octets) VALUES (?, ?, ?, ?)", intent, message, names,
            acceptance.receipt.blob)
        return sql.database.lastInsertedRowID
    }

    private func storePostmark(_ octets: [UInt8], message: Int64) throws -> Int64 {
        try sql.run("INSERT INTO postmarks (message, octets) VALUES (?, ?)", message, octets.blob)
        return sql.database.lastInsertedRowID
    }

    private func deliver(
        _ delivery: LocalDelivery, accounts: [String: Int64], intent: Int64, message: Int64, receipt: Int64?
    ) throws -> [CreatedEntry] {
        let present = delivery.recipients.filter { accounts[$0.description] != nil }
        guard !present.isEmpty else { return [] }
        let postmark = delivery.postmark.isEmpty ? nil : try storePostmark(delivery.postmark, message: message)
        let writer = entryWriter(message, receipt, postmark, size: acceptance.message.octets.count + delivery.postmark.count)
        return try present.compactMap { recipient in
            guard let account = accounts[recipient.description] else { return nil }
            let entry = try writer.insert(
                EntryWriter.Target(account: account, address: recipient, folder: delivery.folder, flags: delivery.flags))
            try setState(.delivered, of: recipient.description, intent: intent)
            return entry
        }
    }

    private func entryWriter(_ message: Int64, _ receipt: Int64?, _ postmark: Int64?, size: Int) -> EntryWriter {
        EntryWriter(
            connection: connection, message: message, postmark: postmark, receipt: receipt, charge: Int64(size), received: now)
    }

    private func enqueue(_ delivery: RemoteDelivery, intent: Int64, message: Int64) throws {
        let postmark = try storePostmark(delivery.postmark, message: message)
        let names = delivery.recipients.map(\.description)
        guard !names.isEmpty else { throw StoreError(.invalid, "a remote delivery without recipients") }
        try sql.run(
            """
            INSERT INTO jobs (intent, message, destination, recipients, postmark, created, expires, due)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            intent, message, delivery.destination.description, names.joined(separator: "\n"), postmark, now.micros,
            delivery.expires.micros, now.micros)
        for name in names { try setState(.queued, of: name, intent: intent) }
        connection.events.queue = true
    }

    private func setState(_ state: RecipientState, of name: String, reason: String? = nil, intent: Int64) throws {
        try sql.run(
            "INSERT INTO recipients (intent, address, state, at, reason) VALUES (?, ?, ?, ?, ?)", intent, name, state.rawValue,
            now.micros, reason)
    }
}
