import SOAP
import SOAPClient
import Synchronization

/// A network between a caller and a real server that loses, doubles or delays.
final class BadNetwork: HTTPTransport {
    enum Trick: Sendable {
        /// The server answers; the answer never arrives.
        case loseReply
        /// The request arrives twice.
        case double
        /// The request arrives after the next one has been answered.
        case overtake
    }

    private struct State {
        var tricks: [Trick] = []
        var played = 0
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let inner: TLSTransport
    private let action: String
    private let state = Mutex(State())

    /// - Parameters:
    ///   - operation: whose calls are tampered with; all others pass.
    init(_ inner: TLSTransport, _ operation: MailOperation, tricks: [Trick] = []) {
        self.inner = inner
        action = "\"\(operation.action)\""
        state.withLock { $0.tricks = tricks }
    }

    var traffic: ByteTraffic { inner.traffic }
    /// Tricks played so far.
    var played: Int { state.withLock { $0.played } }

    /// Plays the next tricks on the next calls, one each.
    func play(_ tricks: [Trick]) { state.withLock { $0.tricks += tricks } }
    /// From now on everything passes.
    func behave() { state.withLock { $0.tricks = [] } }

    func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        guard call.headers.contains(where: { $0.value.contains(action) }) else { return try await inner.send(call) }
        let trick = state.withLock { state -> Trick? in
            guard !state.tricks.isEmpty else { return nil }
            state.played += 1
            return state.tricks.removeFirst()
        }
        switch trick {
        case .loseReply:
            _ = try await inner.send(call)
            throw SOAPClientError(.connectionLost, "the reply was lost")
        case .double: return try await sendTwice(call)
        case .overtake:
            await withCheckedContinuation { continuation in state.withLock { $0.held.append(continuation) } }
            return try await inner.send(call)
        case nil:
            let reply = try await inner.send(call)
            let held = state.withLock { state in
                defer { state.held = [] }
                return state.held
            }
            for continuation in held { continuation.resume() }
            return reply
        }
    }

    /// Both copies race; the caller gets the answer of the one that was let in.
    private func sendTwice(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        async let first = result(call)
        async let second = result(call)
        let replies = await [first, second]
        for case .success(let reply) in replies where reply.status == 200 { return reply }
        guard let last = replies.last else { throw SOAPClientError(.connectionLost, "no reply") }
        return try last.get()
    }

    private func result(_ call: HTTPCall) async -> Result<HTTPReply, SOAPClientError> {
        do throws(SOAPClientError) { return .success(try await inner.send(call)) } catch { return .failure(error) }
    }
}
