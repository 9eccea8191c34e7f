import Foundation
import GRDB
import MailStore

extension SQLiteStore {
    public func check() async throws(StoreError) -> StoreHealth {
        // Settings of the writer are those that count; a read connection has its own.
        let durability = try await write { try DatabaseOpening.durabilityProblems($0.sql) }
        return try await read { sql in
            var problems = durability
            problems += try sql.all("PRAGMA quick_check(20)") { try $0.text(0) }.filter { $0 != "ok" }
                .map { "database damaged: \($0); restore a backup" }
            let dangling = try sql.all("PRAGMA foreign_key_check") { try $0.text(0) }
            if !dangling.isEmpty { problems.append("\(dangling.count) dangling rows in \(Set(dangling).sorted())") }
            problems += try sql.all(
                """
                SELECT address FROM accounts a WHERE removed IS NULL
                AND used <> (SELECT coalesce(sum(charge), 0) FROM entries WHERE account = a.key)
                """
            ) { "the usage of \(try $0.text(0)) is miscounted" }
            problems += try sql.all(
                """
                SELECT plugin FROM (SELECT plugin, count, bytes FROM plugin_usage UNION ALL
                SELECT plugin, -count(*), -sum(length(key) + length(value)) FROM plugin_values GROUP BY plugin)
                GROUP BY plugin HAVING sum(count) <> 0 OR sum(bytes) <> 0
                """
            ) { "the values of the plug-in \(try $0.text(0)) are miscounted" }
            return StoreHealth(problems: problems, facts: try Self.facts(sql))
        }
    }

    private static func facts(_ sql: SQLConnection) throws -> [String: String] {
        var facts = [
            "engine": "SQLite \(try sql.first("SELECT sqlite_version()") { try $0.text(0) } ?? "?")",
            "schema": "\(try sql.number("PRAGMA user_version"))",
            "journal": try sql.first("PRAGMA journal_mode") { try $0.text(0) } ?? "?",
            "synchronous": "FULL",
        ]
        let pageSize = try sql.number("PRAGMA page_size")
        facts["bytes"] = "\(try sql.number("PRAGMA page_count") * pageSize)"
        facts["freeBytes"] = "\(try sql.number("PRAGMA freelist_count") * pageSize)"
        return facts
    }

    public func statistics(now: Date) async throws(StoreError) -> StoreStatistics {
        let counts = writer.counts
        return try await read { sql in
            var result = StoreStatistics()
            result.accounts = Int(try sql.number("SELECT count(*) FROM accounts WHERE removed IS NULL"))
            result.messages = Int(try sql.number("SELECT count(*) FROM messages"))
            result.entries = Int(try sql.number("SELECT count(*) FROM entries"))
            result.intents = Int(try sql.number("SELECT count(*) FROM intents"))
            result.sessions = Int(try sql.number("SELECT count(*) FROM sessions WHERE expires > ?", now.micros))
            result.queueDepth = Int(try sql.number("SELECT count(*) FROM jobs"))
            result.queueLeased = Int(try sql.number("SELECT count(*) FROM jobs WHERE leased AND due > ?", now.micros))
            result.queueOldest = try sql.first("SELECT min(created) FROM jobs") { try $0.optionalTime(0) } ?? nil
            result.bytes = try sql.number("PRAGMA page_count") * sql.number("PRAGMA page_size")
            result.commits = counts.commits
            result.writes = counts.writes
            return result
        }
    }

    public func prune(now: Date, limit: Int) async throws(StoreError) -> PruneReport {
        let seenBefore = now.addingTimeInterval(-configuration.rememberedCertificateLife)
        let limit = max(1, limit)
        return try await write { connection in
            let sql = connection.sql
            var report = PruneReport()
            report.intents = try sql.run(
                """
                DELETE FROM intents WHERE key IN (SELECT key FROM intents i WHERE expires <= ?
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE intent = i.key) ORDER BY expires LIMIT ?)
                """, now.micros, limit)
            if report.intents > 0 { try sql.collectReceipts() }
            report.sessions = try sql.run(
                "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires <= ? LIMIT ?)", now.micros, limit)
            report.certificates = try sql.run(
                "DELETE FROM seen_certificates WHERE thumbprint IN (SELECT thumbprint FROM seen_certificates WHERE seen <= ? LIMIT ?)",
                seenBefore.micros, limit)
            let removed = try sql.first("SELECT key FROM accounts WHERE removed IS NOT NULL LIMIT 1") { try $0.int(0) }
            if let removed { report.entries = try sql.emptyRemovedAccount(removed, limit: limit) }
            report.hasMore =
                removed != nil || [report.intents, report.sessions, report.certificates].contains { $0 >= limit }
            return report
        }
    }

    public func compact() async throws(StoreError) {
        try await writer.exclusively { connection in
            try connection.database.execute(sql: "VACUUM")
            try connection.database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
    }
}
