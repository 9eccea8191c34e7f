import Foundation
import GRDB
import Identity
import MailStore
import MailStoreContract
import Synchronization
import Testing

@testable import SQLiteStore

/// What clients of a test were told is safe.
private final class Acknowledged: Sendable {
    private let state = Mutex<Set<Int>>([])

    var numbers: Set<Int> { state.withLock { $0 } }

    func insert(_ number: Int) {
        state.withLock { _ = $0.insert(number) }
    }
}

@Suite("Failing storage")
struct FaultTests {
    /// A delivery from its acceptance to the bounce, in steps that are repeated when they fail.
    enum Step: CaseIterable {
        case accept, postpone, complete
    }

    private func run(_ step: Step, _ store: SQLiteStore) async throws(StoreError) {
        switch step {
        case .accept:
            let acceptance = Sample.submission(
                1, local: [Sample.bob, Sample.carol], remote: [Sample.dave, Sample.frank], sentCopy: true)
            switch try await store.accept(acceptance, now: Sample.now) {
            case .accepted, .duplicate: return
            case .changed, .conflict: throw StoreError(.internal, "neither accepted nor repeated")
            }
        case .postpone:
            guard let job = try await lease(Sample.frank, store, at: Sample.now) else { return }
            try await store.postpone(
                job.lease, until: Sample.now + 100, reason: "down", settled: nil, bounce: nil, now: Sample.now)
        case .complete:
            guard let job = try await lease(Sample.dave, store, at: Sample.now + 1) else { return }
            let report = DeliveryReport(
                outcomes: [RecipientOutcome(recipient: Sample.dave, state: .bounced, reason: "no")], peerReceipt: [7])
            do {
                try await store.complete(
                    job.lease, report, bounce: Sample.bounce(2, to: Sample.alice), now: Sample.now + 1)
            } catch  where error.code == .unknownJob {
                return
            }
        }
    }

    /// The job for a recipient, also when the lease on it was taken by an attempt that failed afterwards.
    private func lease(_ recipient: Address, _ store: SQLiteStore, at now: Date) async throws(StoreError) -> LeasedJob? {
        let jobs = try await store.leaseDue(now: now, limit: 9, leaseFor: 0, excluding: [], maxPerDestination: 9)
        return jobs.first { $0.job.recipients == [recipient] }
    }

    private func verify(_ store: SQLiteStore, _ note: Comment) async throws {
        #expect(try await store.ids(Sample.bob) == [Sample.id(1)], note)
        #expect(try await store.ids(Sample.carol) == [Sample.id(1)], note)
        #expect(try await store.ids(Sample.alice, .sent) == [Sample.id(1)], note)
        #expect(try await store.ids(Sample.alice) == [Sample.id(2)], note)
        let status = try #require(try await store.status(of: Sample.id(1), from: .submission(by: Sample.alice)))
        #expect(status.recipients.map(\.state) == [.delivered, .delivered, .bounced, .queued], note)
        #expect(status.receipts == [Sample.receipt], note)
        let jobs = try await store.jobs(destination: nil, after: nil, limit: 9, now: Sample.now)
        #expect(jobs.map(\.recipients) == [[Sample.frank]] && jobs.map(\.attempts) == [1], note)
        #expect(try await store.check().problems == [], note)
        let statistics = try await store.statistics(now: Sample.now)
        #expect(statistics.messages == 2 && statistics.entries == 4 && statistics.intents == 2, note)
    }

    @Test("whichever storage operation fails, nothing is half done and a repetition does it once", arguments: Step.allCases)
    func everyOperation(_ faulty: Step) async throws {
        for number in 1... {
            let fault = CountedFault()
            let database = try TestDatabase { $0.faultInjector = { try fault.check($0) } }
            let store = try database.store()
            try await store.createAccounts(Sample.alice, Sample.bob, Sample.carol)
            for step in Step.allCases {
                guard step == faulty else {
                    try await run(step, store)
                    continue
                }
                try await fail(step, at: number, fault, store, database)
            }
            try await verify(store, "operation \(number), \(String(describing: fault.hit))")
            await store.close()
            guard fault.hit != nil else {
                #expect(number > 10)
                return
            }
        }
    }

    /// Runs a step with its n-th operation failing, then again without.
    private func fail(
        _ step: Step, at number: Int, _ fault: CountedFault, _ store: SQLiteStore, _ database: TestDatabase
    ) async throws {
        let before = try database.dump()
        fault.arm(at: number)
        do {
            try await run(step, store)
            #expect(fault.hit == nil, "a failure went unnoticed: \(String(describing: fault.hit))")
        } catch {
            #expect(error.code == .ioFailure && error.isTransient)
            let after = try database.dump()
            // A lease alone may have come through before; a job's row differs in nothing else then.
            if fault.hit != .committed, step == .accept { #expect(after == before) }
            if fault.hit != .committed { #expect(after.count == before.count) }
            try await run(step, store)
        }
        fault.disarm()
    }

    @Test("what was acknowledged is in the files at that instant")
    func copyOfFiles() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.alice, Sample.bob)
        let acknowledged = Acknowledged()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<4 {
                group.addTask {
                    for number in stride(from: client, to: 160, by: 4) {
                        try await store.mustAccept(Sample.submission(number, local: [Sample.bob], remote: [Sample.dave]))
                        acknowledged.insert(number)
                    }
                }
            }
            for _ in 0..<5 {
                try await Task.sleep(for: .milliseconds(5))
                let expected = acknowledged.numbers
                try await verifyCopy(of: database, has: expected)
            }
            try await group.waitForAll()
        }
        try await verifyCopy(of: database, has: Set(0..<160))
        await store.close()
    }

    /// As after a power cut: the log's torn end is of no account. (A checkpoint would need more writes than this test
    /// makes.)
    private func verifyCopy(of database: TestDatabase, has expected: Set<Int>) async throws {
        let copy = try TestDatabase()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: database.path + suffix, toPath: copy.path + suffix)
        }
        let store = try copy.store()
        let ids = Set(try await store.ids(Sample.bob))
        #expect(ids.isSuperset(of: expected.map(Sample.id)))
        let jobs = try await store.jobs(destination: nil, after: nil, limit: 1000, now: Sample.now)
        #expect(Set(jobs.map(\.messageID)) == ids)
        #expect(try await store.check().problems == [])
        await store.close()
    }

    @Test("a full disk is a transient error; small writes go on and all works when there is space")
    func diskFull() async throws {
        let database = try TestDatabase { $0.maximumBytes = 400_000 }
        var store = try database.store()
        try await store.createAccounts(Sample.alice, Sample.bob)
        let big = Sample.submission(2, size: 1_000_000, local: [Sample.bob], remote: [Sample.dave], sentCopy: true)
        let before = try database.dump()
        await #expect { try await store.accept(big, now: Sample.now) } throws: { error in
            (error as? StoreError)?.code == .storageFull && (error as? StoreError)?.isTransient == true
        }
        #expect(try database.dump() == before)
        let results = await store.accept(
            [Sample.submission(1, local: [Sample.bob]), big, Sample.submission(3, local: [Sample.bob])], now: Sample.now)
        #expect(throws: StoreError.self) { try results[1].get() }
        #expect(try await store.ids(Sample.bob) == [Sample.id(3), Sample.id(1)])
        for number in 10..<1000 {
            guard (try? await store.mustAccept(Sample.submission(number, size: 20_000, local: [Sample.bob]))) != nil else { break }
        }
        await #expect(throws: StoreError.self) {
            try await store.mustAccept(Sample.submission(1000, size: 20_000, local: [Sample.bob]))
        }
        try await store.delete(Sample.bob, [.message(Sample.id(10)), .message(Sample.id(11))])
        try await store.mustAccept(Sample.submission(1000, size: 20_000, local: [Sample.bob]))
        #expect(try await store.check().problems == [])
        await store.close()
        store = try SQLiteStore(configuration: SQLiteConfiguration(path: database.path), logger: .silent)
        try await store.mustAccept(big)
        #expect(try await store.check().problems == [])
        await store.close()
    }

    @Test("a lock that another program holds too long is a transient error")
    func lockedByTool() async throws {
        let database = try TestDatabase { $0.busyTimeout = 0.1 }
        let store = try database.store()
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let tool = try DatabaseQueue(path: database.path, configuration: configuration)
        try tool.inDatabase { try $0.beginTransaction(.immediate) }
        let error = await #expect(throws: StoreError.self) { try await store.createAccounts(Sample.bob) }
        #expect(error?.code == .busy && error?.isTransient == true)
        try tool.inDatabase { try $0.rollback() }
        try tool.close()
        try await store.createAccounts(Sample.bob)
        await store.close()
    }
}
