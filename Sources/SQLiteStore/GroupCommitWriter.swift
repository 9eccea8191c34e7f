import GRDB
import MailStore
import Synchronization

/// The only writer of a database.
///
/// There is no timer: when a commit is done, all writes that came meanwhile are the next transaction. Each has its own
/// savepoint, so that one that fails fails alone; all are acknowledged after the commit, which has synced the log
/// (synchronous=FULL).
final class GroupCommitWriter: Sendable {
    typealias Body<T> = @Sendable (WriteConnection) throws -> T
    /// Acknowledges a write: nil after the commit, or why the commit failed.
    private typealias Acknowledge = @Sendable (StoreError?) -> Void

    private struct PendingWrite: Sendable {
        /// Runs inside a savepoint; may run again in another transaction after a rollback.
        let perform: @Sendable (WriteConnection) throws -> Acknowledge
        let fail: @Sendable (StoreError) -> Void
        /// Runs alone and outside a transaction (VACUUM).
        let isExclusive: Bool
    }

    private struct State {
        var waiting: [PendingWrite] = []
        var isDraining = false
        var isClosed = false
        var commits: Int64 = 0
        var writes: Int64 = 0
    }

    private let pool: DatabasePool
    private let hub: ChangeHub
    private let maximumWaiting: Int
    private let maximumBatch: Int
    private let faults: FaultInjector?
    private let state = Mutex(State())

    init(pool: DatabasePool, hub: ChangeHub, configuration: SQLiteConfiguration) {
        self.pool = pool
        self.hub = hub
        maximumWaiting = configuration.maximumWaitingWrites
        maximumBatch = configuration.maximumBatch
        faults = configuration.faultInjector
    }

    /// Transactions and writes committed so far.
    var counts: (commits: Int64, writes: Int64) {
        state.withLock { ($0.commits, $0.writes) }
    }

    /// Performs one write durably.
    func write<T: Sendable>(_ body: @escaping Body<T>) async throws(StoreError) -> T {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<T, StoreError>, Never>) in
            enqueue([pending(body) { continuation.resume(returning: $0) }])
        }
        return try result.get()
    }

    /// Performs several writes durably, each for itself, with one hop for all.
    func writeEach<T: Sendable>(_ bodies: [Body<T>]) async -> [Result<T, StoreError>] {
        guard !bodies.isEmpty else { return [] }
        return await withCheckedContinuation { continuation in
            let collector = ResultCollector<T>(count: bodies.count) { continuation.resume(returning: $0) }
            enqueue(
                bodies.enumerated().map { index, body in
                    pending(body) { collector.set($0, at: index) }
                })
        }
    }

    /// Runs alone, outside a transaction.
    func exclusively<T: Sendable>(_ body: @escaping Body<T>) async throws(StoreError) -> T {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<T, StoreError>, Never>) in
            enqueue([pending(body, isExclusive: true) { continuation.resume(returning: $0) }])
        }
        return try result.get()
    }

    /// Refuses new writes and returns when those that wait are done.
    func close() async {
        state.withLock { $0.isClosed = true }
        await withCheckedContinuation { continuation in
            // The writer's queue is serial: whatever drains does so before this.
            pool.asyncWriteWithoutTransaction { _ in continuation.resume() }
        }
    }

    private func pending<T: Sendable>(
        _ body: @escaping Body<T>, isExclusive: Bool = false, finish: @escaping @Sendable (Result<T, StoreError>) -> Void
    ) -> PendingWrite {
        PendingWrite(
            perform: { connection in
                let value = try body(connection)
                return { error in finish(error.map { .failure($0) } ?? .success(value)) }
            },
            fail: { finish(.failure($0)) },
            isExclusive: isExclusive)
    }

    private func enqueue(_ writes: [PendingWrite]) {
        let refusal: StoreError? = state.withLock { state in
            if state.isClosed { return StoreError(.closed, "the store is closed") }
            if state.waiting.count + writes.count > max(maximumWaiting, writes.count) {
                return StoreError(.busy, "\(state.waiting.count) writes wait")
            }
            state.waiting += writes
            guard !state.isDraining else { return nil }
            state.isDraining = true
            // Inside the lock: after `close` has set its flag nothing is handed to the writer's queue any more.
            pool.asyncWriteWithoutTransaction { [self] in drain($0) }
            return nil
        }
        if let refusal {
            writes.forEach { $0.fail(refusal) }
        }
    }

    // MARK: On the writer's queue

    private func drain(_ database: Database) {
        while let batch = nextBatch() {
            if let write = batch.first, write.isExclusive {
                runAlone(write, database)
            } else {
                commit(batch, database)
            }
        }
    }

    private func nextBatch() -> [PendingWrite]? {
        state.withLock { state in
            guard let first = state.waiting.first else {
                state.isDraining = false
                return nil
            }
            var count = 1
            if !first.isExclusive {
                let limit = min(state.waiting.count, maximumBatch)
                while count < limit, !state.waiting[count].isExclusive { count += 1 }
            }
            let batch = Array(state.waiting.prefix(count))
            state.waiting.removeFirst(count)
            return batch
        }
    }

    private func runAlone(_ write: PendingWrite, _ database: Database) {
        do {
            try write.perform(WriteConnection(database, faults: faults))(nil)
        } catch {
            write.fail(StoreError(wrapping: error))
        }
    }

    private enum Attempt {
        case finished
        /// SQLite rolled the whole transaction back at this write: it fails alone, the others run again.
        case broken(at: Int)
    }

    private func commit(_ batch: [PendingWrite], _ database: Database) {
        var batch = batch
        while !batch.isEmpty, case .broken(let index) = attempt(batch, database) {
            batch.remove(at: index)
        }
    }

    private func attempt(_ batch: [PendingWrite], _ database: Database) -> Attempt {
        let connection = WriteConnection(database, faults: faults)
        do {
            if database.isInsideTransaction { try database.rollback() }
            try faults?(.begin)
            try database.beginTransaction(.immediate)
        } catch {
            let failure = StoreError(wrapping: error)
            batch.forEach { $0.fail(failure) }
            return .finished
        }
        var acknowledgements: [Acknowledge] = []
        var failures: [(PendingWrite, StoreError)] = []
        for (index, write) in batch.enumerated() {
            switch performInSavepoint(write, connection) {
            case .done(let acknowledge): acknowledgements.append(acknowledge)
            case .failed(let error): failures.append((write, error))
            case .transactionLost(let error):
                rollback(database)
                write.fail(error)
                return .broken(at: index)
            }
        }
        finish(acknowledgements, connection)
        failures.forEach { $0.0.fail($0.1) }
        return .finished
    }

    private enum Step {
        case done(Acknowledge)
        case failed(StoreError)
        case transactionLost(StoreError)
    }

    private func performInSavepoint(_ write: PendingWrite, _ connection: WriteConnection) -> Step {
        let events = connection.events
        do {
            try faults?(.savepoint)
            try connection.control("SAVEPOINT item")
            let acknowledge = try write.perform(connection)
            try faults?(.release)
            try connection.control("RELEASE item")
            return .done(acknowledge)
        } catch {
            connection.events = events
            let failure = StoreError(wrapping: error)
            // SQLITE_FULL, IOERR and NOMEM may end the transaction (https://www.sqlite.org/lang_transaction.html §2.3).
            guard connection.database.isInsideTransaction else { return .transactionLost(failure) }
            do {
                try connection.rollbackToSavepoint()
                return .failed(failure)
            } catch {
                return .transactionLost(failure)
            }
        }
    }

    private func finish(_ acknowledgements: [Acknowledge], _ connection: WriteConnection) {
        do {
            try faults?(.commit)
            try connection.database.commit()
            try faults?(.committed)
        } catch {
            rollback(connection.database)
            let failure = StoreError(wrapping: error)
            // The commit may have happened all the same: a listener woken for nothing only looks.
            hub.publish(connection.events)
            acknowledgements.forEach { $0(failure) }
            return
        }
        state.withLock {
            $0.commits += 1
            $0.writes += Int64(acknowledgements.count)
        }
        hub.publish(connection.events)
        acknowledgements.forEach { $0(nil) }
    }

    /// Best effort: `attempt` looks again before the next transaction.
    private func rollback(_ database: Database) {
        if database.isInsideTransaction { try? database.rollback() }
    }
}

/// Gathers the results of several writes.
private final class ResultCollector<T: Sendable>: Sendable {
    private let results: Mutex<(values: [Result<T, StoreError>?], missing: Int)>
    private let finish: @Sendable ([Result<T, StoreError>]) -> Void

    init(count: Int, finish: @escaping @Sendable ([Result<T, StoreError>]) -> Void) {
        results = Mutex((Array(repeating: nil, count: count), count))
        self.finish = finish
    }

    func set(_ result: Result<T, StoreError>, at index: Int) {
        let complete: [Result<T, StoreError>]? = results.withLock { state in
            guard state.values[index] == nil else { return nil }
            state.values[index] = result
            state.missing -= 1
            return state.missing == 0 ? state.values.compactMap { $0 } : nil
        }
        if let complete { finish(complete) }
    }
}
