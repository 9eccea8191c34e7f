import Foundation
import Identity
import MailStore
import MailStoreContract
import Synchronization
import Testing

@testable import SQLiteStore

@Suite("Failing storage under plug-ins")
struct PluginFaultTests {
    /// All that plug-ins make the store write.
    enum Step: CaseIterable {
        case install, commit, accept, settle, remove
    }

    private static let package = PluginPackageRecord(
        id: "org.example.vacation", version: "2.0", digest: [1], installed: Sample.now, isPresent: true, state: [1])
    private static let lists = FolderName(rawValue: "Lists")

    private static func effects(_ key: String, _ message: Int) -> PluginEffects {
        PluginEffects(
            checks: [Sample.check(key, nil), Sample.check("old", 1)],
            writes: [Sample.write(key, "value"), Sample.write("gone", nil), Sample.write(key, "1", of: "org.other/x")],
            messages: [Sample.notice(message, to: [Sample.alice], remote: [Sample.frank]), Sample.notice(message + 1, to: [Sample.frank])])
    }

    private func run(_ step: Step, _ store: SQLiteStore, _ job: LeasedJob) async throws(StoreError) {
        switch step {
        case .install:
            try await store.installPackage(Self.package, octets: [UInt8](repeating: 7, count: 100_000))
        case .commit:
            if try await !store.commit(Self.effects("commit", 20), now: Sample.now) {
                // It came through after all, and now rests on what it replaced.
                #expect(try await store.pluginValue(Array("commit".utf8), of: Sample.plugin) != nil)
            }
        case .accept:
            var acceptance = Sample.submission(2, local: [Sample.bob], remote: [Sample.dave], sentCopy: true)
            acceptance.settled = [RecipientOutcome(recipient: Sample.erin, state: .accepted, reason: "passed on")]
            acceptance.effects = Self.effects("accept", 30)
            switch try await store.accept(acceptance, now: Sample.now) {
            case .accepted, .duplicate: return
            case .changed, .conflict: throw StoreError(.internal, "neither accepted nor repeated")
            }
        case .settle:
            let settlement = LocalSettlement(
                deliveries: [MailboxDelivery(account: Sample.bob, folder: Self.lists), MailboxDelivery(account: Sample.carol)],
                outcomes: [RecipientOutcome(recipient: Sample.bob, state: .delivered)], effects: Self.effects("settle", 40),
                postponement: .init(until: Sample.now + 100, reason: "later"))
            do throws(StoreError) {
                guard case .settled = try await store.settleLocal(job.lease, settlement, now: Sample.now) else {
                    throw StoreError(.internal, "nothing had changed")
                }
            } catch  where error.code == .leaseLost {
                return
            }
        case .remove:
            _ = try await store.removePackage(Self.package.id, deletingValues: true)
        }
    }

    private func prepare(_ store: SQLiteStore) async throws -> LeasedJob {
        try await store.createAccounts(Sample.alice, Sample.bob, Sample.carol)
        try await store.put("old", "value")
        try await store.put("gone", "value")
        #expect(try await store.text("old")?.version == 1)
        try await store.mustAccept(Sample.waiting(1, for: [Sample.bob, Sample.erin]))
        return try #require(try await store.leaseOwn().first)
    }

    private func verify(_ store: SQLiteStore, _ note: Comment) async throws {
        #expect(try await store.packages().map(\.isPresent) == [false], note)
        #expect(try await store.pluginUsage(Sample.plugin) == (count: 0, bytes: 0), note)
        #expect(try await store.pluginUsage("org.other/x") == (count: 3, bytes: 21), note)
        #expect(try await store.ids(Sample.alice) == [40, 30, 20].map(Sample.id), note)
        #expect(try await store.ids(Sample.bob) == [Sample.id(2)], note)
        #expect(try await store.ids(Sample.bob, Self.lists) == [Sample.id(1)], note)
        #expect(try await store.ids(Sample.carol) == [Sample.id(1)], note)
        #expect(try await store.ids(Sample.alice, .sent) == [Sample.id(2)], note)
        let status = try #require(try await store.status(of: Sample.id(2), from: .submission(by: Sample.alice)))
        #expect(status.recipients.map(\.state) == [.delivered, .queued, .accepted], note)
        let own = try #require(try await store.jobs(destination: Sample.bob.domain, after: nil, limit: 9, now: Sample.now).first)
        #expect(own.recipients == [Sample.erin] && own.attempts == 1 && own.due == Sample.now + 100, note)
        let statistics = try await store.statistics(now: Sample.now)
        #expect(statistics.queueDepth == 5 && statistics.messages == 5 && statistics.intents == 5, note)
        #expect(try await store.check().problems == [], note)
    }

    @Test("whichever storage operation fails, no effect is half done and a repetition does it once", arguments: Step.allCases)
    func everyOperation(_ faulty: Step) async throws {
        for number in 1... {
            let fault = CountedFault()
            let database = try TestDatabase { $0.faultInjector = { try fault.check($0) } }
            let store = try database.store()
            let job = try await prepare(store)
            for step in Step.allCases {
                guard step == faulty else {
                    try await run(step, store, job)
                    continue
                }
                let before = try database.dump()
                fault.arm(at: number)
                do {
                    try await run(step, store, job)
                    #expect(fault.hit == nil, "a failure went unnoticed: \(String(describing: fault.hit))")
                } catch {
                    #expect(error.code == .ioFailure && error.isTransient)
                    if fault.hit != .committed { #expect(try database.dump() == before, "\(String(describing: fault.hit))") }
                    try await run(step, store, job)
                }
                fault.disarm()
            }
            try await verify(store, "operation \(number), \(String(describing: fault.hit))")
            await store.close()
            guard fault.hit != nil else {
                #expect(number > 6)
                return
            }
        }
    }

    @Test("at every instant the files have the mail and the values of a settlement, or neither")
    func copyOfFiles() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.bob)
        for number in 1...60 { try await store.mustAccept(Sample.waiting(number, for: [Sample.bob])) }
        let jobs = try await store.leaseOwn()
        #expect(jobs.count == 60)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<3 {
                group.addTask {
                    for job in stride(from: client, to: jobs.count, by: 3).map({ jobs[$0] }) { try await settle(job, store) }
                }
            }
            for _ in 0..<4 {
                try await store.setSetting("a commit", in: "between", to: [1])
                try await verifyCopy(of: database)
            }
            try await group.waitForAll()
        }
        let settled = try await verifyCopy(of: database)
        #expect(settled == 60)
        await store.close()
    }

    /// Delivers a message, and remembers it under its id.
    private func settle(_ job: LeasedJob, _ store: SQLiteStore) async throws {
        let settlement = LocalSettlement(
            deliveries: [MailboxDelivery(account: Sample.bob)], outcomes: [RecipientOutcome(recipient: Sample.bob, state: .delivered)],
            effects: PluginEffects(checks: [Sample.check(job.job.messageID, nil)], writes: [Sample.write(job.job.messageID, "seen")]))
        try await store.mustSettle(job, settlement)
    }

    @discardableResult
    private func verifyCopy(of database: TestDatabase) async throws -> Int {
        let copy = try TestDatabase()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: database.path + suffix, toPath: copy.path + suffix)
        }
        let store = try copy.store()
        let delivered = Set(try await store.ids(Sample.bob))
        let seen = try await store.pluginKeys(prefix: [], after: nil, limit: 100, of: Sample.plugin)
        #expect(Set(seen.map { String(decoding: $0, as: UTF8.self) }) == delivered)
        let waiting = try await store.jobs(destination: nil, after: nil, limit: 100, now: Sample.now)
        #expect(waiting.count == 60 - delivered.count)
        #expect(try await store.check().problems == [])
        await store.close()
        return delivered.count
    }
}
