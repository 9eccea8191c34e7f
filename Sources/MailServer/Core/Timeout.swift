/// Runs `body`, but not longer than `limit`: then it is cancelled.
/// - Throws: `TimeoutError`, or what `body` throws.
func withTimeout<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() ?? nil else { throw TimeoutError() }
        return result
    }
}

/// The time that something may take ran out.
struct TimeoutError: Error {}
