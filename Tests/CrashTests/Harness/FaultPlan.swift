import MailStore
import SQLiteStore
import Synchronization

/// Fails the n-th storage operation since it was armed, once.
final class FaultPlan: Sendable {
    private struct State {
        var count = 0
        var failAt: Int?
        var hit: StorageOperation?
    }

    private let state = Mutex(State())

    func arm(at number: Int) { state.withLock { $0 = State(failAt: number) } }

    /// What failed, if so many operations happened at all.
    func disarm() -> StorageOperation? {
        state.withLock { state in
            defer { state = State() }
            return state.hit
        }
    }

    func check(_ operation: StorageOperation) throws {
        try state.withLock { state in
            state.count += 1
            guard state.count == state.failAt else { return }
            state.hit = operation
            // Both kinds that disks have; the second one reaches clients as StorageFull.
            throw StoreError(state.count % 2 == 0 ? .ioFailure : .storageFull, "injected at \(operation)")
        }
    }
}
