import Dispatch
import Identity
import PluginAPI
import PluginEngine
import Synchronization

/// A module's host calls, which block, in terms of the call's environment, which is asynchronous.
///
/// Blocking is safe here: the thread is one of ``PluginThreads``, never of Swift's cooperative pool, so what it waits for can
/// always run. It waits no longer than the call's deadline.
final class HostCallBridge: HostCalls {
    private let environment: CallEnvironment
    /// Seconds of the longest single wait for the server: what a slow disk has taken of the call's time. Of the module's thread.
    private(set) var longestWait = 0.0

    init(_ environment: CallEnvironment) { self.environment = environment }

    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError) { try environment.log(level, text) }

    func now() throws(PluginError) -> Int64 { Int64((try environment.now().timeIntervalSince1970 * 1000).rounded(.down)) }

    func value(for key: [UInt8]) throws(PluginError) -> [UInt8]? {
        if let known = try environment.knownValue(for: key) { return known.value }
        return try wait { environment async throws(PluginError) in try await environment.value(for: key) }
    }

    func setValue(_ value: [UInt8]?, for key: [UInt8]) throws(PluginError) { try environment.write(value, for: key) }

    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) throws(PluginError) -> [[UInt8]] {
        try wait { environment async throws(PluginError) in
            try await environment.keys(withPrefix: prefix, after: cursor, limit: limit)
        }
    }

    func send(_ frame: [UInt8]) throws(PluginError) { try environment.post(OutgoingMessage(frame: frame)) }

    func lookUp(_ address: String) throws(PluginError) -> Int32 {
        let address = try EventFrames.address(address)
        let standing = try wait { environment async throws(PluginError) in try await environment.lookUp(address) }
        switch standing {
        case .unknown: return 0
        case .mailbox: return 1
        case .foreign: return 2
        }
    }

    private func wait<T: Sendable>(
        _ body: @escaping @Sendable (CallEnvironment) async throws(PluginError) -> T
    ) throws(PluginError) -> T {
        let seconds = environment.secondsLeft
        guard seconds > 0 else { throw PluginError(.timedOut, "it took longer than its time limit") }
        let answer = Answer<T>()
        // Unavoidable: a thread outside of concurrency asks something of it.
        Task { [environment] in
            do throws(PluginError) {
                answer.put(.success(try await body(environment)))
            } catch {
                answer.put(.failure(error))
            }
        }
        let start = ContinuousClock.now
        defer { longestWait = max(longestWait, start.duration(to: .now) / .seconds(1)) }
        guard let result = answer.take(within: seconds) else {
            throw PluginError(.timedOut, "it took longer than its time limit")
        }
        return try result.get()
    }

    private final class Answer<T: Sendable>: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let result = Mutex<Result<T, PluginError>?>(nil)

        func put(_ value: Result<T, PluginError>) {
            result.withLock { $0 = value }
            semaphore.signal()
        }

        func take(within seconds: Double) -> Result<T, PluginError>? {
            guard semaphore.wait(timeout: .now() + seconds) == .success else { return nil }
            return result.withLock { $0 }
        }
    }
}
