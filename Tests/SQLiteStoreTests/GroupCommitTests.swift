import Foundation
import MailStore
import MailStoreContract
import Synchronization
import Testing

@testable import SQLiteStore

@Suite("Group commit")
struct GroupCommitTests {
    /// Holds the writer back until `open`, so that what comes meanwhile waits together.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let entered = DispatchSemaphore(value: 0)

        func close(_ store: SQLiteStore) async -> Task<Void, any Error> {
            let task = Task.detached {
                try await store.writer.exclusively { [self] _ in
                    entered.signal()
                    semaphore.wait()
                }
            }
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    self.entered.wait()
                    continuation.resume()
                }
            }
            return task
        }

        func open() { semaphore.signal() }
    }

    @Test("writes that wait are one transaction")
    func oneTransaction() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.bob)
        let before = store.writer.counts
        let results = await store.accept((1...100).map { Sample.delivery($0, to: [Sample.bob]) }, now: Sample.now)
        #expect(results.allSatisfy { (try? $0.get()) != nil })
        #expect(store.writer.counts.commits - before.commits == 1)
        #expect(store.writer.counts.writes - before.writes == 100)
        await store.close()
    }

    @Test("a failing write does not touch its neighbours")
    func neighbours() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.bob)
        let gate = Gate()
        let held = await gate.close(store)
        async let first: Void = store.setSetting("a", in: "x", to: [1])
        async let middle = Result<Void, any Error>.of { try await store.createAccounts(Sample.bob) }
        async let last = store.mustAccept(Sample.delivery(1, to: [Sample.bob]))
        try await Task.sleep(for: .milliseconds(50))
        gate.open()
        try await held.value
        try await first
        let failed = await middle
        #expect(throws: StoreError.self) { try failed.get() }
        #expect(try await last.count == 1)
        #expect(try await store.setting("a", in: "x") == [1])
        await store.close()
    }

    @Test("a commit that fails fails all that were in it, and the next works")
    func failingCommit() async throws {
        let failures = Mutex(0)
        let database = try TestDatabase { configuration in
            configuration.faultInjector = { operation in
                guard operation == .commit, failures.withLock({ if $0 > 0 { $0 -= 1; return true } else { return false } })
                else { return }
                throw StoreError(.ioFailure, "injected")
            }
        }
        let store = try database.store()
        try await store.createAccounts(Sample.bob)
        let deliveries = (1...10).map { Sample.delivery($0, to: [Sample.bob]) }
        failures.withLock { $0 = 1 }
        for result in await store.accept(deliveries, now: Sample.now) {
            #expect(throws: StoreError(.ioFailure, "injected")) { try result.get() }
        }
        #expect(try await store.ids(Sample.bob) == [])
        for result in await store.accept(deliveries, now: Sample.now) { _ = try result.get() }
        #expect(try await store.ids(Sample.bob).count == 10)
        await store.close()
    }

    @Test("when SQLite ends the transaction, only the write at fault fails")
    func transactionLost() async throws {
        let database = try TestDatabase()
        let store = try database.store()
        let bodies: [GroupCommitWriter.Body<Int>] = (0..<5).map { index in
            { connection in
                try connection.sql.run("INSERT INTO settings VALUES ('x', ?, x'00')", "\(index)")
                if index == 2 {
                    try connection.database.rollback()
                    throw StoreError(.ioFailure, "rolled back")
                }
                return index
            }
        }
        let results = await store.writer.writeEach(bodies)
        #expect(results.map { try? $0.get() } == [0, 1, nil, 3, 4])
        #expect(try await store.settings(in: "x").keys.sorted() == ["0", "1", "3", "4"])
        await store.close()
    }

    @Test("too many waiting writes are refused as busy, and nobody is forgotten at closing time")
    func limits() async throws {
        let database = try TestDatabase { $0.maximumWaitingWrites = 5 }
        let store = try database.store()
        let gate = Gate()
        let held = await gate.close(store)
        let codes = await withTaskGroup(of: StoreError.Code?.self) { group in
            for index in 0..<8 {
                group.addTask {
                    do throws(StoreError) {
                        try await store.setSetting("\(index)", in: "x", to: [])
                        return nil
                    } catch {
                        return error.code
                    }
                }
            }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(100))
                gate.open()
                await store.close()
                return nil
            }
            var codes: [StoreError.Code] = []
            for await code in group { if let code { codes.append(code) } }
            return codes
        }
        try await held.value
        #expect(codes == [.busy, .busy, .busy])
        let reopened = try database.store()
        #expect(try await reopened.settings(in: "x").count == 5)
        await reopened.close()
    }

    @Test(
        "throughput", .serialized, .enabled(if: ProcessInfo.processInfo.environment["WSEMAIL_MEASURE"] != nil), arguments: [1, 4, 32, 128])
    func throughput(_ clients: Int) async throws {
        let database = try TestDatabase()
        let store = try database.store()
        try await store.createAccounts(Sample.alice, Sample.bob)
        let count = 4000
        let clock = ContinuousClock()
        let cpu = Self.cpuSeconds()
        let time = try await clock.measure {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<clients {
                    group.addTask {
                        for number in stride(from: client, to: count, by: clients) {
                            try await store.mustAccept(
                                Sample.submission(number, size: 2000, local: [Sample.bob], sentCopy: true))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        let used = (Self.cpuSeconds() - cpu) / Double(count) * 1e6
        print("accept clients=\(clients) per_s=\(Int(Double(count) / seconds)) cpu_us=\(Int(used)) commits=\(store.writer.counts.commits)")
        let list = try await clock.measure {
            for _ in 0..<500 { _ = try await store.list(Sample.bob, folder: .inbox, from: .newest, limit: 50) }
        }
        let retrieve = try await clock.measure {
            for uid in 1...500 { _ = try await store.retrieve(Sample.bob, .uid(Int64(uid))) }
        }
        print("list50_us=\(list / 500) retrieve_us=\(retrieve / 500)")
        await store.close()
    }

    private static func cpuSeconds() -> Double {
        var usage = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &usage)
        return Double(usage.tv_sec) + Double(usage.tv_nsec) / 1e9
    }
}

extension Result where Failure == any Error {
    /// The result of asynchronous work.
    static func of(_ body: () async throws -> Success) async -> Self {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
}
