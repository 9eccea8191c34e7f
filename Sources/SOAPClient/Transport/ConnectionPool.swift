import NIOConcurrencyHelpers
import NIOCore

/// Which connections exist, which are free and who waits for one. No I/O: opening and closing is the transport's.
///
/// A connection counts from the permission to open it until ``forget(_:key:)``; waiters get a permission or a connection
/// in the order they came.
final class ConnectionPool: Sendable {
    enum Grant: Sendable {
        /// A kept connection; it may turn out to be dead.
        case reuse(HTTPConnection)
        /// Open a new one, then ``opened(_:)`` or ``abandon(key:)``.
        case open
    }

    private struct Waiter {
        let id: UInt64
        let promise: EventLoopPromise<Grant>
    }

    private struct Group {
        var count = 0
        var idle: [HTTPConnection] = []
        var waiters: [Waiter] = []
    }

    private struct State {
        var groups: [HTTPDestination.PoolKey: Group] = [:]
        var connections: [ObjectIdentifier: HTTPConnection] = [:]
        var idleCount = 0
        var nextWaiter: UInt64 = 0
        var isClosed = false
        var drained: EventLoopPromise<Void>?
    }

    private let state = NIOLockedValueBox(State())
    private let maxPerDestination: Int
    private let maxIdle: Int

    init(maxPerDestination: Int, maxIdle: Int) {
        self.maxPerDestination = max(1, maxPerDestination)
        self.maxIdle = max(0, maxIdle)
    }

    /// A connection or the permission to open one, at once or when it is this caller's turn.
    func acquire(
        _ destination: HTTPDestination, fresh: Bool, loop: any EventLoop, deadline: NIODeadline
    ) async throws -> Grant {
        let key = destination.poolKey
        let promise = loop.makePromise(of: Grant.self)
        let (waiter, stale) = state.withLockedValue { state -> (UInt64?, [HTTPConnection]) in
            guard !state.isClosed else {
                promise.fail(SOAPClientError(.closed, "the transport has been shut down"))
                return (nil, [])
            }
            var group = state.groups[key] ?? Group()
            defer { state.groups[key] = group }
            var stale: [HTTPConnection] = []
            while let connection = group.idle.popLast() {
                state.idleCount -= 1
                // Never one to an address that the latest resolution no longer names.
                if !fresh, connection.isActive, destination.endpoints.contains(connection.endpoint) {
                    promise.succeed(.reuse(connection))
                    return (nil, stale)
                }
                stale.append(connection)
            }
            if group.count < maxPerDestination {
                group.count += 1
                promise.succeed(.open)
                return (nil, stale)
            }
            state.nextWaiter += 1
            group.waiters.append(Waiter(id: state.nextWaiter, promise: promise))
            return (state.nextWaiter, stale)
        }
        stale.forEach { $0.close() }
        guard let waiter else { return try await promise.futureResult.get() }
        return try await wait(waiter, promise, key: key, loop: loop, deadline: deadline)
    }

    private func wait(
        _ id: UInt64, _ promise: EventLoopPromise<Grant>, key: HTTPDestination.PoolKey, loop: any EventLoop,
        deadline: NIODeadline
    ) async throws -> Grant {
        let timer = loop.scheduleTask(deadline: deadline) { [self] in
            giveUp(id, key: key, error: SOAPClientError(.timeout, "no connection became free in time"))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            giveUp(id, key: key, error: SOAPClientError(.cancelled, "cancelled"))
        }
    }

    /// Ends a wait, unless the waiter has been served already.
    private func giveUp(_ id: UInt64, key: HTTPDestination.PoolKey, error: SOAPClientError) {
        let waiter = state.withLockedValue { state -> Waiter? in
            guard let index = state.groups[key]?.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.groups[key]?.waiters.remove(at: index)
        }
        waiter?.promise.fail(error)
    }

    /// Records a connection opened by permission. False when the pool was shut down meanwhile: close it.
    func opened(_ connection: HTTPConnection) -> Bool {
        state.withLockedValue { state in
            guard !state.isClosed else { return false }
            state.connections[connection.id] = connection
            return true
        }
    }

    /// Gives a healthy connection back: to the next waiter, or to wait itself.
    func release(_ connection: HTTPConnection, key: HTTPDestination.PoolKey) {
        let (waiter, surplus) = state.withLockedValue { state -> (Waiter?, HTTPConnection?) in
            guard state.connections[connection.id] != nil, var group = state.groups[key] else { return (nil, connection) }
            defer { state.groups[key] = group }
            guard !state.isClosed, connection.isActive else { return (nil, connection) }
            if !group.waiters.isEmpty { return (group.waiters.removeFirst(), nil) }
            guard state.idleCount < maxIdle else { return (nil, connection) }
            group.idle.append(connection)
            state.idleCount += 1
            return (nil, nil)
        }
        surplus?.close()
        waiter?.promise.succeed(.reuse(connection))
    }

    /// The connection has closed: its place is free.
    func forget(_ connection: HTTPConnection, key: HTTPDestination.PoolKey) {
        let known = state.withLockedValue { state -> Bool in
            guard state.connections.removeValue(forKey: connection.id) != nil else { return false }
            if let index = state.groups[key]?.idle.firstIndex(where: { $0 === connection }) {
                state.groups[key]?.idle.remove(at: index)
                state.idleCount -= 1
            }
            return true
        }
        if known { abandon(key: key) }
    }

    /// A permission to open that came to nothing, or a connection that is gone: the next waiter may open one.
    func abandon(key: HTTPDestination.PoolKey) {
        let (waiter, drained) = state.withLockedValue { state -> (Waiter?, EventLoopPromise<Void>?) in
            guard var group = state.groups[key] else { return (nil, nil) }
            if !state.isClosed, !group.waiters.isEmpty {
                let waiter = group.waiters.removeFirst()
                state.groups[key] = group
                return (waiter, nil)
            }
            group.count -= 1
            state.groups[key] = group.count > 0 ? group : nil
            guard state.isClosed, state.groups.isEmpty else { return (nil, nil) }
            defer { state.drained = nil }
            return (nil, state.drained)
        }
        waiter?.promise.succeed(.open)
        drained?.succeed(())
    }

    /// Refuses further work, closes what is idle; the future ends when the last busy connection has.
    func shutDown(loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        let (waiters, idle) = state.withLockedValue { state -> ([Waiter], [HTTPConnection]) in
            state.isClosed = true
            let waiters = state.groups.values.flatMap(\.waiters)
            let idle = state.groups.values.flatMap(\.idle)
            for key in state.groups.keys { state.groups[key]?.waiters = [] }
            if state.groups.isEmpty {
                promise.succeed(())
            } else if let earlier = state.drained {
                earlier.futureResult.cascade(to: promise)
            } else {
                state.drained = promise
            }
            return (waiters, idle)
        }
        waiters.forEach { $0.promise.fail(SOAPClientError(.closed, "the transport has been shut down")) }
        idle.forEach { $0.close() }
        return promise.futureResult
    }

    /// Closes busy connections too; their calls fail.
    func closeAll() {
        state.withLockedValue { Array($0.connections.values) }.forEach { $0.close() }
    }

    /// Connections open or being opened to a destination; for tests and metrics.
    func count(_ key: HTTPDestination.PoolKey) -> Int {
        state.withLockedValue { $0.groups[key]?.count ?? 0 }
    }
}
