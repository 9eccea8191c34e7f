import ServiceLifecycle

/// Runs `body`, but not longer than `limit`: then it is cancelled.
/// - Parameter grace: how long it may still run when the server shuts down.
/// - Throws: `TimeoutError`, or what `body` throws.
func withTimeout<Result: Sendable>(
    _ limit: Duration, graceAtShutdown grace: Duration? = nil, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        if let grace {
            group.addTask {
                try await gracefulShutdown()
                try await Task.sleep(for: grace)
                return nil
            }
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() ?? nil else { throw TimeoutError() }
        return result
    }
}

/// The time that something may take ran out.
struct TimeoutError: Error {}
