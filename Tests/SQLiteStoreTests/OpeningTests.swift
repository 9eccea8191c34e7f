import Foundation
import GRDB
import MailStore
import MailStoreContract
import Testing

@testable import SQLiteStore

@Suite("Opening a database")
struct OpeningTests {
    /// The newest schema of this program.
    private let latest = Schema.migrations.count

    private func openingError(_ database: TestDatabase) -> StoreError? {
        do {
            _ = try database.store()
            return nil
        } catch {
            return error as? StoreError
        }
    }

    @Test("a new database is durable, ours and readable by its owner only")
    func newDatabase() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.bob)
        let writerSettings = try await store.write { connection in
            try ["synchronous", "foreign_keys", "secure_delete", "trusted_schema"].map {
                try connection.sql.number("PRAGMA \($0)")
            }
        }
        #expect(writerSettings == [2, 1, 2, 0])
        #expect(try database.inspect { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try database.inspect { try Int64.fetchOne($0, sql: "PRAGMA application_id") } == Schema.applicationID)
        for suffix in ["", "-wal", "-shm", ".lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: database.path + suffix)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(suffix)")
        }
        await store.close()
    }

    @Test("rights of others on an existing file are taken away")
    func existingFileMode() async throws {
        let database = try TestDatabase()
        await (try database.store()).close()
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: database.path)
        await (try database.store()).close()
        let attributes = try FileManager.default.attributesOfItem(atPath: database.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test("a second owner is refused and told who has it; afterwards the database is free")
    func ownership() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        let error = try #require(openingError(database))
        #expect(error.code == .inUse && error.reason.contains("\(ProcessInfo.processInfo.processIdentifier)"))
        await store.close()
        await (try database.store()).close()
    }

    @Test("a database of a newer program is refused and left as it is")
    func tooNew() async throws {
        let database = try TestDatabase()
        await (try database.store()).close()
        try database.inspect { try $0.execute(sql: "PRAGMA user_version = 700; CREATE TABLE novelty (x)") }
        let before = try Data(contentsOf: URL(fileURLWithPath: database.path))
        let error = try #require(openingError(database))
        #expect(error.code == .schemaTooNew && !error.isTransient)
        #expect(error.reason == "database schema 700 is newer than this wsemaild (\(latest)): upgrade wsemaild")
        #expect(try Data(contentsOf: URL(fileURLWithPath: database.path)) == before)
    }

    @Test("a database of another program is refused and left as it is")
    func foreign() throws {
        let database = try TestDatabase()
        try database.inspect { try $0.execute(sql: "CREATE TABLE photos (x)") }
        #expect(openingError(database)?.code == .foreignDatabase)
        #expect(try database.inspect { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "delete")
    }

    @Test("a file that is no database, or a damaged one, is refused clearly", arguments: ["text", "schema page", "header"])
    func damaged(_ kind: String) async throws {
        let database = try TestDatabase()
        let file = URL(fileURLWithPath: database.path)
        if kind == "text" {
            try Data(String(repeating: "not a database\n", count: 1000).utf8).write(to: file)
        } else {
            await (try database.store()).close()
            var content = try Data(contentsOf: file)
            let range = kind == "header" ? 0..<16 : 100..<4000
            content.replaceSubrange(range, with: Data(repeating: 0xAB, count: range.count))
            try content.write(to: file)
        }
        let error = try #require(openingError(database))
        #expect(error.code == .corrupt && error.reason.contains(database.path))
    }

    @Test("a damaged mailbox page is reported, not trapped on")
    func damagedPages() async throws {
        let database = try TestDatabase()
        var store = try database.store()
        try await store.createAccounts(Sample.bob)
        for number in 1...50 {
            try await store.mustAccept(Sample.delivery(number, to: [Sample.bob], body: String(repeating: "x", count: 3000)))
        }
        await store.close()
        let file = URL(fileURLWithPath: database.path)
        var content = try Data(contentsOf: file)
        for page in 20..<(content.count / 4096) where page % 3 == 0 {
            content.replaceSubrange(page * 4096..<page * 4096 + 64, with: Data(repeating: 0x5A, count: 64))
        }
        try content.write(to: file)
        store = try database.store()
        let health = try? await store.check()
        #expect(health?.isHealthy != true)
        for uid in 1...50 { _ = try? await store.retrieve(Sample.bob, .uid(Int64(uid))) }
        await store.close()
    }

    @Test("a folder that does not exist is named")
    func missingFolder() throws {
        let database = try TestDatabase { $0.path = "/nonexistent/folder/mail.sqlite" }
        let error = try #require(openingError(database))
        #expect(error.code == .ioFailure && error.reason.contains("/nonexistent/folder"))
    }

    @Test("an older schema is brought up to date, keeping what is there")
    func migration() async throws {
        let database = try TestDatabase()
        let old = try database.store()
        try await old.createAccounts(Sample.bob)
        await old.close()
        let next = Schema.migrations + [Migration(version: latest + 1, sql: "ALTER TABLE accounts ADD COLUMN nickname TEXT")]
        let new = try database.store(migrations: next)
        #expect(try await new.account(Sample.bob) != nil)
        await new.close()
        #expect(try database.inspect { try Int.fetchOne($0, sql: "PRAGMA user_version") } == latest + 1)
        #expect(openingError(database)?.code == .schemaTooNew)
    }

    @Test("a migration that fails leaves the old schema")
    func failingMigration() async throws {
        let database = try TestDatabase()
        await (try database.store()).close()
        let next =
            Schema.migrations + [
                Migration(version: latest + 1, sql: "CREATE TABLE extra (x); CREATE TABLE accounts (x)")
            ]
        #expect(throws: StoreError.self) { try database.store(migrations: next) }
        #expect(try database.inspect { try Int.fetchOne($0, sql: "PRAGMA user_version") } == latest)
        #expect(try database.inspect { try !$0.tableExists("extra") })
        await (try database.store()).close()
    }

    @Test("a database written by each release opens and works", arguments: 1...Schema.migrations.count)
    func fixture(_ version: Int) async throws {
        let database = try TestDatabase()
        let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/schema-\(version).sqlite")
        if ProcessInfo.processInfo.environment["WSEMAIL_WRITE_FIXTURES"] != nil {
            try await writeFixture(to: fixture, version: version)
        }
        try FileManager.default.copyItem(at: fixture, to: URL(fileURLWithPath: database.path))
        #expect(try database.inspect { try Int.fetchOne($0, sql: "PRAGMA user_version") } == version)
        let store = try database.store()
        #expect(try await store.ids(Sample.bob) == [Sample.id(1)])
        #expect(try await store.leaseAll().map(\.job.recipients) == [[Sample.dave]])
        #expect(try await store.accept(Sample.submission(1, local: [Sample.bob]), now: Sample.now) == .duplicate(receipt: Sample.receipt))
        #expect(try await store.trustAnchors().generation == 0)
        #expect(try await store.check().problems == [])
        try await store.mustAccept(Sample.submission(2, local: [Sample.bob]))
        if version >= 2 { try await verifyPlugins(store) }
        try await usePlugins(store)
        #expect(try await store.check().problems == [])
        await store.close()
    }

    /// What schema 2 brought, on whatever is there already.
    private func usePlugins(_ store: SQLiteStore) async throws {
        let record = PluginPackageRecord(
            id: "org.example.new", version: "1.0", digest: [1], installed: Sample.now, isPresent: true, state: [2])
        try await store.installPackage(record, octets: [3])
        #expect(try await store.packages().contains(record))
        #expect(try await store.packageOctets(record.id) == [3])
        #expect(try await store.setPackageState(record.id, to: [4]))
        let effects = PluginEffects(
            checks: [Sample.check("new", nil)], writes: [Sample.write("new", "value")], messages: [Sample.notice(60, to: [Sample.bob])])
        #expect(try await store.commit(effects, now: Sample.now))
        #expect(try await store.text("new")?.text == "value")
        #expect(try await store.pluginKeys(prefix: [], after: nil, limit: 9, of: Sample.plugin).contains(Array("new".utf8)))
        #expect(try await store.pluginUsage(Sample.plugin).count >= 1)
        var acceptance = Sample.waiting(61, for: [Sample.bob])
        acceptance.settled = [RecipientOutcome(recipient: Sample.carol, state: .accepted, reason: "passed on")]
        try await store.mustAccept(acceptance)
        #expect(try await store.nextDue(of: Sample.bob.domain) == Sample.now)
        let job = try #require(try await store.leaseOwn().first)
        #expect(try await store.mailboxVerdicts([Sample.bob], size: 1) == [Sample.bob: .deliverable])
        let settlement = LocalSettlement(
            deliveries: [MailboxDelivery(account: Sample.bob)], outcomes: [RecipientOutcome(recipient: Sample.bob, state: .delivered)])
        #expect(try await store.mustSettle(job, settlement).count == 1)
        #expect(try await store.ids(Sample.bob).prefix(2) == [Sample.id(61), Sample.id(60)])
        #expect(try await store.removePackage(record.id, deletingValues: true))
    }

    private func verifyPlugins(_ store: SQLiteStore) async throws {
        let packages = try await store.packages()
        #expect(packages.map(\.id) == ["org.example.gone", "org.example.vacation"])
        #expect(packages.map(\.isPresent) == [false, true] && packages.map(\.state) == [[2], [5]])
        #expect(try await store.packageOctets("org.example.vacation") == Array("<Package/>".utf8))
        let value = try #require(try await store.text("first"))
        #expect(value.text == "value" && value.version == 1)
        #expect(try await store.pluginUsage(Sample.plugin) == (count: 1, bytes: 10))
    }

    /// Writes what a program with that schema would; a released fixture is never written again.
    private func writeFixture(to file: URL, version: Int) async throws {
        guard !FileManager.default.fileExists(atPath: file.path) else { return }
        let database = try TestDatabase()
        let store = try database.store(migrations: Array(Schema.migrations.prefix(version)))
        try await store.createAccounts(Sample.alice, Sample.bob)
        try await store.mustAccept(Sample.submission(1, local: [Sample.bob], remote: [Sample.dave], sentCopy: true))
        if version >= 2 {
            for (id, state) in [("org.example.gone", UInt8(2)), ("org.example.vacation", 5)] {
                let record = PluginPackageRecord(
                    id: id, version: "1.2.3", digest: Sample.digest([state]), installed: Sample.now, isPresent: true, state: [state])
                try await store.installPackage(record, octets: Array("<Package/>".utf8))
            }
            _ = try await store.removePackage("org.example.gone", deletingValues: true)
            try await store.put("first", "value")
        }
        await store.close()
        try FileManager.default.copyItem(at: URL(fileURLWithPath: database.path), to: file)
    }
}
