import MailStore
import Synchronization

@testable import SQLiteStore

/// Fails the n-th storage operation, once.
final class CountedFault: Sendable {
    private let state = Mutex<(count: Int, failAt: Int?, hit: StorageOperation?)>((0, nil, nil))

    func arm(at number: Int?) {
        state.withLock { $0 = (0, number, nil) }
    }

    func disarm() {
        state.withLock { $0.failAt = nil }
    }

    /// What was hit.
    var hit: StorageOperation? { state.withLock { $0.hit } }

    func check(_ operation: StorageOperation) throws {
        try state.withLock { state in
            state.count += 1
            guard state.count == state.failAt else { return }
            state.hit = operation
            throw StoreError(.ioFailure, "injected at \(operation)")
        }
    }
}
