import Foundation
import GRDB
import MailStore
import MailStoreContract
import Synchronization
import Testing

@testable import SQLiteStore

@Suite("Plug-ins in SQLite")
struct PluginStoreTests {
    private func tooMuch(_ body: () async throws -> Void) async {
        await #expect {
            try await body()
        } throws: {
            ($0 as? StoreError)?.code == .quotaExceeded && ($0 as? StoreError)?.isTransient == false
        }
    }

    @Test("a plug-in's keys and values have a quota; others have their own")
    func quota() async throws {
        let database = try TestDatabase { $0.pluginValueBytes = 10 }
        var store = try database.store()
        try await store.put("ab", "12345678")
        await tooMuch { try await store.put("c", "") }
        await tooMuch { try await store.put("ab", "123456789") }
        try await store.put("ab", "12345678", of: "other/x")
        try await store.put("ab", "1234567")
        try await store.put("c", "")
        // Only what is there in the end counts.
        let exchange = PluginEffects(writes: [Sample.write("d", "123456789"), Sample.write("ab", nil), Sample.write("c", nil)])
        #expect(try await store.commit(exchange, now: Sample.now))
        #expect(try await store.pluginUsage(Sample.plugin) == (count: 1, bytes: 10))
        await store.close()
        var configuration = database.configuration
        configuration.pluginValueBytes = 5
        store = try SQLiteStore(configuration: configuration, logger: .silent)
        await tooMuch { try await store.put("e", "") }
        try await store.put("d", "12345678")
        #expect(try await store.pluginUsage(Sample.plugin) == (count: 1, bytes: 9))
        try await store.put("d", nil)
        try await store.put("e", "1234")
        await store.close()
    }

    @Test("effects beyond the quota keep the mail out that they belong to, but not its neighbours")
    func quotaOfMail() async throws {
        let database = try TestDatabase { $0.pluginValueBytes = 10 }
        let store = try database.store()
        try await store.createAccounts(Sample.alice, Sample.bob)
        let acceptances = (1...3).map { number in
            var acceptance = Sample.submission(number, local: [Sample.bob], remote: [Sample.dave])
            acceptance.effects.writes = [Sample.write("a", String(repeating: "x", count: number == 2 ? 10 : number))]
            return acceptance
        }
        let results = await store.accept(acceptances, now: Sample.now)
        await tooMuch { _ = try results[1].get() }
        #expect(try await store.ids(Sample.bob) == [Sample.id(3), Sample.id(1)])
        #expect(try await store.status(of: Sample.id(2), from: .submission(by: Sample.alice)) == nil)
        #expect(try await store.text("a")?.text == "xxx")
        try await store.mustAccept(Sample.waiting(4, for: [Sample.bob]))
        let job = try #require(try await store.leaseOwn().first)
        var settlement = LocalSettlement(
            deliveries: [MailboxDelivery(account: Sample.bob, folder: FolderName(rawValue: "New"))],
            effects: PluginEffects(writes: acceptances[1].effects.writes))
        let before = try database.dump()
        await tooMuch { _ = try await store.settleLocal(job.lease, settlement, now: Sample.now) }
        #expect(try database.dump() == before)
        settlement.effects = PluginEffects()
        try await store.mustSettle(job, settlement)
        await store.close()
    }

    @Test("mail without plug-ins costs no statement for them")
    func statements() async throws {
        let statements = Mutex<[String]>([])
        let database = try TestDatabase { configuration in
            configuration.faultInjector = { operation in
                if case .statement(let sql) = operation { statements.withLock { $0.append(sql) } }
            }
        }
        let store = try database.store()
        try await store.createAccounts(Sample.alice, Sample.bob)
        statements.withLock { $0 = [] }
        try await store.mustAccept(Sample.submission(1, local: [Sample.bob]))
        let plain = statements.withLock { $0 }
        // Intent, submitter, account, message, intent, receipt, postmark; uid, folder, entry, state.
        #expect(plain.count == 11, "\(plain)")
        #expect(!plain.contains { $0.contains("plugin") })
        statements.withLock { $0 = [] }
        var second = Sample.submission(2, local: [Sample.bob])
        second.effects = PluginEffects(checks: [Sample.check("a", nil)], writes: [Sample.write("a", "b")])
        try await store.mustAccept(second)
        // Check, counter, removal, insertion, usage.
        #expect(statements.withLock { $0.count } == plain.count + 5)
        await store.close()
    }

    @Test("reading alone commits without a transaction")
    func readOnlyEffects() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.put("a", "b")
        let before = store.writer.counts.commits
        let version = try #require(try await store.text("a")).version
        #expect(try await store.commit(PluginEffects(checks: [Sample.check("a", version)]), now: Sample.now))
        #expect(try await !store.commit(PluginEffects(checks: [Sample.check("a", nil)]), now: Sample.now))
        #expect(store.writer.counts.commits == before)
        await store.close()
    }

    @Test("effects are limited in number")
    func tooMany() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        let writes = (0..<EffectsWriter.maximumCount).map { Sample.write("\($0)", "x") }
        #expect(try await store.commit(PluginEffects(writes: writes), now: Sample.now))
        #expect(try await store.pluginUsage(Sample.plugin).count == writes.count)
        let error = await #expect(throws: StoreError.self) {
            _ = try await store.commit(PluginEffects(checks: [Sample.check("0", 1)], writes: writes), now: Sample.now)
        }
        #expect(error?.code == .invalid)
        await store.close()
    }

    @Test("a check of the store finds values that are miscounted")
    func miscounted() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.put("a", "b")
        #expect(try await store.check().problems == [])
        try database.inspect { try $0.execute(sql: "UPDATE plugin_usage SET bytes = bytes + 1") }
        #expect(try await store.check().problems == ["the values of the plug-in \(Sample.plugin) are miscounted"])
        try database.inspect { try $0.execute(sql: "DELETE FROM plugin_usage") }
        #expect(try await store.check().problems.count == 1)
        await store.close()
    }
}
