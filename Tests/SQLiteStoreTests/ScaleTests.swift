import Foundation
import GRDB
import MailStore
import MailStoreContract
import Testing

@testable import SQLiteStore

@Suite("Size does not matter", .serialized)
struct ScaleTests {
    /// Fills a mailbox past the store: acceptance of so many would take the time of the whole test suite.
    private func fill(_ database: TestDatabase, entries count: Int) throws {
        try database.inspect { connection in
            try connection.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
                    INSERT INTO messages (digest, id, size, author, to_list, cc_list, subject, date, traits, octets)
                    SELECT CAST('digest' || i AS BLOB), 'urn:uuid:' || i, 100, 'alice@capicom.test', 'bob@capicom.test', '',
                    'Subject ' || i, i, 0, zeroblob(100) FROM n;
                    INSERT INTO entries (account, uid, folder, message, flags, received, charge)
                    SELECT a.key, m.key, f.key, m.key, 0, m.key, 100 FROM messages m
                    JOIN accounts a ON a.address = 'bob@capicom.test' JOIN folders f ON f.account = a.key AND f.name = 'Inbox';
                    UPDATE accounts SET last_uid = \(count), used = \(count * 100) WHERE address = 'bob@capicom.test'
                    """)
        }
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    /// The median of many lists of the newest 50.
    private func listTime(entries count: Int) async throws -> Double {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.bob)
        try fill(database, entries: count)
        var times: [Double] = []
        for _ in 0..<101 {
            let time = try await ContinuousClock().measure {
                let page = try await store.list(Sample.bob, folder: .inbox, from: .newest, limit: 50)
                #expect(page.entries.first?.uid == Int64(count) && page.entries.count == 50)
            }
            times.append(seconds(time))
        }
        await store.close()
        return times.sorted()[50]
    }

    @Test("a mailbox of 100,000 lists its newest 50 as fast as one of 100")
    func longMailbox() async throws {
        let small = try await listTime(entries: 100)
        let large = try await listTime(entries: 100_000)
        #expect(large < small * 3 + 0.002, "\(small) s and \(large) s")
    }

    @Test(
        "what runs per message never walks through a table",
        arguments: [
            "SELECT key, digest, sent_copy FROM intents WHERE origin = ? AND message_id = ?",
            "SELECT key FROM accounts WHERE address = ?",
            "DELETE FROM messages WHERE key = ? AND NOT EXISTS (SELECT 1 FROM entries WHERE message = 1) AND NOT EXISTS (SELECT 1 FROM jobs WHERE message = 1)",
            "DELETE FROM receipts WHERE intent IS NULL AND message IS NULL",
            "DELETE FROM intents WHERE key = ?",
            "SELECT key FROM jobs WHERE destination = ? AND due <= 1 ORDER BY due, key LIMIT 1",
            "SELECT 1 FROM jobs WHERE expires <= ? LIMIT 1",
            "SELECT address, state FROM recipients WHERE intent = ?",
            "DELETE FROM sessions WHERE kind = ? AND principal = 'x'",
            QueueTransaction.destinationsByDue,
            "SELECT 1 FROM jobs j WHERE " + QueueTransaction.isExpired + " LIMIT 1",
            "SELECT min(due) FROM jobs WHERE destination = ?",
            "SELECT count(*) FROM entries INDEXED BY entries_message WHERE message = ? AND account = ? AND postmark = ?",
            "SELECT version FROM plugin_values WHERE plugin = 'p' AND key = x'01'",
            "SELECT key FROM plugin_values WHERE plugin = 'p' AND key > x'01' AND key < x'02' ORDER BY key LIMIT ?",
            "DELETE FROM plugin_values WHERE plugin >= 'a/' AND plugin < 'a0'",
            "DELETE FROM plugin_usage WHERE plugin >= 'a/' AND plugin < 'a0'",
        ])
    func plans(_ sql: String) async throws {
        let database = try TestDatabase()
        await (try database.store()).close()
        let plan = try database.inspect { connection in
            try Row.fetchAll(connection, sql: "EXPLAIN QUERY PLAN " + sql.replacingOccurrences(of: "?", with: "1"))
                .map { try $0.decode(String.self, forColumn: "detail") }
        }
        let walks = plan.filter { $0.hasPrefix("SCAN") && !$0.contains("receipts_orphan") && $0 != "SCAN d" }
        #expect(walks.isEmpty, "\(plan)")
        if sql.contains("plugin_values") { #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)") }
    }

    @Test("a long queue for a dead destination does not hold up the others")
    func longQueue() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.alice)
        try await store.mustAccept(Sample.submission(1, remote: [Sample.dave]))
        try database.inspect { connection in
            try connection.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
                    INSERT INTO jobs (intent, message, destination, recipients, postmark, created, expires, due)
                    SELECT j.intent, j.message, j.destination, j.recipients, j.postmark, j.created, j.expires, j.due
                    FROM jobs j, n
                    """)
        }
        try await store.mustAccept(Sample.submission(2, remote: [Sample.frank]), now: Sample.now + 1)
        let time = try await ContinuousClock().measure {
            let jobs = try await store.leaseDue(
                now: Sample.now + 2, limit: 10, leaseFor: 60, excluding: [], maxPerDestination: 5)
            #expect(jobs.map(\.job.destination).suffix(1) == [Sample.frank.domain] && jobs.count == 6)
        }
        #expect(seconds(time) < 1, "\(time)")
        await store.close()
    }
}
