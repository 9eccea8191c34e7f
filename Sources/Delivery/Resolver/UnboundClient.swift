import CUnbound
import Foundation
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// libunbound as a ``DNSLookup``: a validating, caching resolver in this process.
///
/// One thread owns the context; no other ever touches it, so that neither Swift's cooperative pool blocks nor libunbound's
/// locking matters. Callers hand their question over and are resumed by that thread, at the latest after the timeout.
public final class UnboundClient: DNSLookup {
    private let mailbox: UnboundMailbox
    private let maxPending: Int

    /// - Throws: `internal` when libunbound refuses the configuration (unreadable trust anchor, bad forwarder).
    public init(_ configuration: ResolverConfiguration = ResolverConfiguration()) throws(DeliveryError) {
        maxPending = configuration.maxPending
        mailbox = try UnboundMailbox()
        let worker = try UnboundWorker(configuration, mailbox: mailbox)
        let sent = UnboundWorker.Transfer(worker)
        let thread = Thread { sent.worker.run() }
        thread.name = "wsemail-dns"
        thread.start()
    }

    deinit {
        mailbox.close()
    }

    public func lookup(_ name: String, _ type: DNSRecordType) async throws(DeliveryError) -> DNSAnswer {
        let result: Result<DNSAnswer, DeliveryError> = await withCheckedContinuation { continuation in
            let question = UnboundQuestion(name: name, type: type, continuation: continuation)
            if let refusal = mailbox.post(question, limit: maxPending) {
                continuation.resume(returning: .failure(refusal))
            }
        }
        return try result.get()
    }

    /// Ends the thread; questions under way fail with `closed`. Idempotent.
    public func close() {
        mailbox.close()
    }
}

/// A question and who waits for its answer.
struct UnboundQuestion: Sendable {
    let name: String
    let type: DNSRecordType
    let continuation: CheckedContinuation<Result<DNSAnswer, DeliveryError>, Never>
}

/// Where callers leave questions for the thread; a pipe wakes it.
final class UnboundMailbox: Sendable {
    private struct State {
        var questions: [UnboundQuestion] = []
        /// Posted and not yet answered.
        var outstanding = 0
        var isClosed = false
    }

    private let state = NIOLockedValueBox(State())
    let readEnd: Int32
    private let writeEnd: Int32

    init() throws(DeliveryError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw DeliveryError(.internal, "no pipe for the resolver") }
        readEnd = ends[0]
        writeEnd = ends[1]
        for end in ends {
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        _ = Self.systemClose(readEnd)
        _ = Self.systemClose(writeEnd)
    }

    private static func systemClose(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.close(descriptor)
        #elseif canImport(Musl)
            Musl.close(descriptor)
        #else
            Darwin.close(descriptor)
        #endif
    }

    /// Nil when taken.
    func post(_ question: UnboundQuestion, limit: Int) -> DeliveryError? {
        let refusal = state.withLockedValue { state -> DeliveryError? in
            if state.isClosed { return DeliveryError(.closed, "the resolver has been closed") }
            if state.outstanding >= limit { return DeliveryError(.dnsFailure, "too many DNS questions under way") }
            state.questions.append(question)
            state.outstanding += 1
            return nil
        }
        if refusal == nil { wake() }
        return refusal
    }

    func close() {
        state.withLockedValue { $0.isClosed = true }
        wake()
    }

    private func wake() {
        var byte: UInt8 = 1
        // A full pipe has woken the thread already.
        _ = write(writeEnd, &byte, 1)
    }

    /// For the thread: all questions posted since the last time, and whether to end.
    func take() -> (questions: [UnboundQuestion], isClosed: Bool) {
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(readEnd, &bytes, bytes.count) == bytes.count {}
        return state.withLockedValue { state in
            defer { state.questions = [] }
            return (state.questions, state.isClosed)
        }
    }

    func answer(_ question: UnboundQuestion, _ result: Result<DNSAnswer, DeliveryError>) {
        state.withLockedValue { $0.outstanding -= 1 }
        question.continuation.resume(returning: result)
    }
}
