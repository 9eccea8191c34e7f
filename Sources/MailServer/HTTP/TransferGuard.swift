import NIOCore
import ServiceLifecycle
import Synchronization

/// Closes the connection of a transfer on which nothing moves any more, or that would hold up the server's end.
final class TransferGuard: Sendable {
    private let lastMove = Mutex(ContinuousClock.now)
    private let closed = Atomic(false)
    private let channel: any Channel
    private let idleLimit: Duration
    private let shutdownGrace: Duration

    /// - Parameters:
    ///   - idleLimit: how long no octet may move.
    ///   - shutdownGrace: how long the transfer may still take when the server shuts down.
    init(channel: any Channel, idleLimit: Duration, shutdownGrace: Duration) {
        self.channel = channel
        self.idleLimit = idleLimit
        self.shutdownGrace = shutdownGrace
    }

    /// Octets moved.
    func touch() {
        let now = ContinuousClock.now
        lastMove.withLock { $0 = now }
    }

    /// Whether the connection was closed here. While TLS says good-bye, writing to it seems to succeed, and at once.
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    /// Waits for the connection's thread to have taken what was written. Writing tells of a full connection only then: a
    /// source faster than that thread would fill the memory.
    func settle() async throws {
        try await channel.eventLoop.submit {}.get()
    }

    /// Runs until it is cancelled, or has closed the connection.
    func watch() async {
        let closes = await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.waitForIdleness() }
            group.addTask { await self.waitForShutdown() }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        guard closes, !Task.isCancelled else { return }
        closed.store(true, ordering: .relaxed)
        channel.close(promise: nil)
    }

    private func waitForIdleness() async -> Bool {
        var waiting: Int?
        while !Task.isCancelled {
            let deadline = lastMove.withLock { $0 } + idleLimit
            guard ContinuousClock.now >= deadline else {
                try? await Task.sleep(until: deadline, clock: .continuous)
                continue
            }
            // A slow reader takes long for one piece: what counts is whether the kernel took any of it.
            let left = await buffered()
            if left == nil || left == waiting || left == 0 { return true }
            waiting = left
            touch()
        }
        return false
    }

    /// Octets that the kernel has not taken yet; nil where that is unknown (a stream of HTTP/2).
    private func buffered() async -> Int? {
        try? await channel.getOption(.bufferedWritableBytes).get()
    }

    private func waitForShutdown() async -> Bool {
        do {
            try await gracefulShutdown()
            try await Task.sleep(for: shutdownGrace)
            return true
        } catch {
            return false
        }
    }
}
