import ServiceLifecycle

extension AsyncStream where Element: Sendable {
    /// The stream's elements until `limit` has passed or the server shuts down, then the end.
    func bounded(to limit: Duration) -> AsyncStream<Element> {
        let source = self
        return AsyncStream { continuation in
            // The consumer owns this task: it ends with the stream, whichever way that ends.
            let task = Task {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { for await element in source { continuation.yield(element) } }
                    // A server that stops answers those who wait at once.
                    group.addTask { try? await cancelWhenGracefulShutdown { try await Task.sleep(for: limit) } }
                    // Else everybody who waits for news would hold up the shutdown.
                    group.addTask { try? await gracefulShutdown() }
                    await group.next()
                    group.cancelAll()
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
