import Identity
import MailStore
import Synchronization

/// Tells waiting lists and the queue worker what was committed. Signals are merged: a slow listener holds one at most.
final class ChangeHub: Sendable {
    private struct Listener {
        let account: Address
        let continuation: AsyncStream<MailboxChange>.Continuation
    }

    private struct State {
        var nextID = 0
        var mailboxes: [String: [Int: Listener]] = [:]
        var queue: [Int: AsyncStream<Void>.Continuation] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())

    func mailboxChanges(of account: Address) -> AsyncStream<MailboxChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: MailboxChange.self, bufferingPolicy: .bufferingNewest(1))
        let key = account.description
        let id: Int? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.nextID += 1
            state.mailboxes[key, default: [:]][state.nextID] = Listener(account: account, continuation: continuation)
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.removeMailboxListener(id, of: key) }
        return stream
    }

    func queueChanges() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id: Int? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.nextID += 1
            state.queue[state.nextID] = continuation
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.removeQueueListener(id) }
        return stream
    }

    func publish(_ events: StoreEvents) {
        guard events.queue || !events.mailboxes.isEmpty else { return }
        let (listeners, queue) = state.withLock { state in
            (
                events.mailboxes.flatMap { state.mailboxes[$0].map { Array($0.values) } ?? [] },
                events.queue ? Array(state.queue.values) : []
            )
        }
        listeners.forEach { $0.continuation.yield(MailboxChange(account: $0.account)) }
        queue.forEach { $0.yield() }
    }

    func close() {
        let (listeners, queue) = state.withLock { state in
            defer {
                state.isClosed = true
                state.mailboxes = [:]
                state.queue = [:]
            }
            return (state.mailboxes.values.flatMap(\.values), Array(state.queue.values))
        }
        listeners.forEach { $0.continuation.finish() }
        queue.forEach { $0.finish() }
    }

    private func removeMailboxListener(_ id: Int, of key: String) {
        state.withLock { state in
            state.mailboxes[key]?[id] = nil
            if state.mailboxes[key]?.isEmpty == true { state.mailboxes[key] = nil }
        }
    }

    private func removeQueueListener(_ id: Int) {
        state.withLock { _ = $0.queue.removeValue(forKey: id) }
    }
}
