import NIOPosix

/// Runs what blocks on the threads of a pool. A task that is cancelled still waits for the end: what is half done on
/// the disk is worse than what is late.
struct BlobThreads: Sendable {
    let pool: NIOThreadPool

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws(BlobError) -> Value) async throws(BlobError) -> Value {
        let result: Result<Value, BlobError> = await withCheckedContinuation { continuation in
            pool.submit { state in
                guard case .active = state else {
                    continuation.resume(returning: .failure(BlobError(.ioFailure, "the threads of the store were stopped")))
                    return
                }
                do throws(BlobError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
