import Dispatch
import Foundation
import Identity
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import SOAPClient

/// Transfers of files over real TLS.
@Suite(.timeLimit(.minutes(2)), .serialized) struct FileTransportTests {
    private let scopio: TestIdentity
    private let transport = TLSFileTransport()
    /// 20 MiB and a bit: several batches, no whole number of chunks.
    private let size: UInt64 = (20 << 20) + 4_321

    init() throws { scopio = try TestIdentity("scopio.test") }

    private func call(
        _ server: FileTestServer, _ method: FileCall.Method = .get, path: String = "/file", headers: [HTTPField] = [],
        idle: Duration = .seconds(30), maxBytes: UInt64 = .max, name: String = "scopio.test", roots: [[UInt8]]? = nil
    ) -> FileCall {
        FileCall(
            to: HTTPDestination(
                name: name, endpoints: [.init(address: "127.0.0.1", port: server.port)],
                roots: .certificates(roots ?? [scopio.authority.certificate.der])),
            method: method, path: path, headers: headers, idleTimeout: idle, maxBytes: maxBytes)
    }

    private func failure(_ body: () async throws(SOAPClientError) -> FileReply) async -> SOAPClientError? {
        do throws(SOAPClientError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    // MARK: Downloads

    @Test func aDownloadArrivesWholeAndInOrder() async throws {
        let server = try await FileTestServer.start(scopio, size: size)
        let sink = CheckingSink()
        let reply = try await transport.download(call(server, headers: [HTTPField("X-Test", "1")]), into: sink)
        #expect(reply.status == 200)
        #expect(sink.state.count == size && sink.state.isRight)
        #expect(server.state.heads.first?.headers.first(name: "host") == "scopio.test")
        #expect(server.state.heads.first?.headers.first(name: "x-test") == "1")
        await server.stop()
    }

    @Test func aDownloadGoesOnFromAnOffset() async throws {
        let server = try await FileTestServer.start(scopio, size: size)
        let sink = CheckingSink(from: 5_000_000)
        let reply = try await transport.download(call(server, headers: [HTTPField("Range", "bytes=5000000-")]), into: sink)
        #expect(reply.status == 206 && sink.state.head?.header("content-range")?.hasPrefix("bytes 5000000-") == true)
        #expect(sink.state.count == size - 5_000_000 && sink.state.isRight)
        await server.stop()
    }

    @Test func whatIsNoFileDoesNotReachTheSink() async throws {
        let server = try await FileTestServer.start(scopio, size: size)
        let sink = CheckingSink()
        let reply = try await transport.download(call(server, path: "/missing"), into: sink)
        #expect(reply.status == 404 && sink.state.head == nil && sink.state.count == 0)
        await server.stop()
    }

    @Test func aBodyThatEndsEarlyIsNoReply() async throws {
        let server = try await FileTestServer.start(scopio, size: size, .cutAfter(3 << 20))
        let sink = CheckingSink()
        let error = await failure { () throws(SOAPClientError) in try await transport.download(call(server), into: sink) }
        #expect(error?.code == .connectionLost)
        #expect(sink.state.isRight && sink.state.count <= 3 << 20)
        await server.stop()
    }

    @Test func aBodyAboveTheLimitIsRefused() async throws {
        let server = try await FileTestServer.start(scopio, size: size)
        let inside = try await transport.download(call(server, maxBytes: size), into: CheckingSink())
        #expect(inside.status == 200)
        let error = await failure { () throws(SOAPClientError) in
            try await transport.download(call(server, maxBytes: size - 1), into: CheckingSink())
        }
        #expect(error?.code == .replyTooLarge)
        await server.stop()
    }

    @Test func aSinkThatRefusesEndsTheTransfer() async throws {
        // More than both ends' buffers take together.
        let size: UInt64 = 1 << 30
        let server = try await FileTestServer.start(scopio, size: size)
        let error = await failure { () throws(SOAPClientError) in
            try await transport.download(call(server, maxBytes: size), into: CheckingSink(refusesAt: 1 << 20))
        }
        #expect(error?.code == .cancelled)
        #expect(server.state.sent < size)
        await server.stop()
    }

    @Test func aPeerThatStallsTimesOutButASlowSinkDoesNot() async throws {
        let stalling = try await FileTestServer.start(scopio, size: size, .stallAfter(1 << 20))
        let error = await failure { () throws(SOAPClientError) in
            try await transport.download(call(stalling, idle: .milliseconds(300)), into: CheckingSink())
        }
        #expect(error?.code == .timeout)
        await stalling.stop()
        let server = try await FileTestServer.start(scopio, size: 1 << 20)
        let slow = CheckingSink(waits: DispatchTimeInterval.milliseconds(900))
        let reply = try await transport.download(call(server, idle: .milliseconds(300)), into: slow)
        #expect(reply.status == 200 && slow.state.count == 1 << 20)
        await server.stop()
    }

    @Test func cancellationClosesTheConnection() async throws {
        let server = try await FileTestServer.start(scopio, size: size, .stallAfter(1 << 20))
        let sink = CheckingSink()
        let (call, transport) = (call(server), transport)
        let task = Task { try await transport.download(call, into: sink) }
        await sink.arrival()
        task.cancel()
        let result = await task.result
        #expect(throws: SOAPClientError.self) { try result.get() }
        try await server.closing.get()
        await server.stop()
    }

    @Test func theNetworkWaitsForTheSink() async throws {
        let server = try await FileTestServer.start(scopio, size: 256 << 20)
        let blocked = CheckingSink(refusesAt: 0, waits: .seconds(1)) { server.state.sent }
        _ = await failure { () throws(SOAPClientError) in try await transport.download(call(server), into: blocked) }
        // Our queue, and the buffers of two sockets.
        #expect(blocked.state.seen < 32 << 20)
        await server.stop()
    }

    // MARK: Uploads

    @Test func anUploadArrivesWhole() async throws {
        let server = try await FileTestServer.start(scopio, size: 0)
        let source = MadeUpSource(count: size)
        let reply = try await transport.upload(call(server, .patch, headers: [HTTPField("Upload-Offset", "0")]), from: source)
        #expect(reply.status == 204 && reply.header("upload-offset") == String(size))
        #expect(server.state.received == size && server.state.isRight)
        #expect(server.state.heads.first?.headers.first(name: "content-length") == String(size))
        await server.stop()
    }

    @Test func anEmptyUploadIsARequestToo() async throws {
        let server = try await FileTestServer.start(scopio, size: 0)
        let reply = try await transport.upload(call(server, .patch), from: MadeUpSource(count: 0))
        #expect(reply.status == 204 && server.state.received == 0)
        await server.stop()
    }

    @Test func anEarlyAnswerEndsTheUpload() async throws {
        let server = try await FileTestServer.start(scopio, size: 0, .answerEarly(413))
        let reply = try await transport.upload(call(server, .patch), from: MadeUpSource(count: 64 << 20))
        #expect(reply.status == 413)
        #expect(server.state.received < 64 << 20)
        await server.stop()
    }

    @Test func aSourceThatEndsEarlyIsTold() async throws {
        let server = try await FileTestServer.start(scopio, size: 0)
        let error = await failure { () throws(SOAPClientError) in
            try await transport.upload(call(server, .patch), from: MadeUpSource(count: size, isThere: size / 2))
        }
        #expect(error?.code == .invalidRequest)
        await server.stop()
    }

    // MARK: Trust

    @Test func nothingIsSentToAStranger() async throws {
        let server = try await FileTestServer.start(scopio, size: 0)
        let stranger = try TestIdentity("scopio.test")
        let untrusted = await failure { () throws(SOAPClientError) in
            try await transport.upload(
                call(server, .patch, roots: [stranger.authority.certificate.der]), from: MadeUpSource(count: 10))
        }
        #expect(untrusted?.code == .tlsUntrusted)
        let misnamed = await failure { () throws(SOAPClientError) in
            try await transport.upload(call(server, .patch, name: "capicom.test"), from: MadeUpSource(count: 10))
        }
        #expect(misnamed?.code == .tlsWrongName)
        #expect(server.state.heads.isEmpty && server.state.received == 0)
        await server.stop()
    }

    // MARK: Memory

    @Test func memoryStaysConstant() async throws {
        let size: UInt64 = 256 << 20
        let server = try await FileTestServer.start(scopio, size: size)
        // The first transfer pays for what is made once.
        _ = try await transport.download(call(server, headers: [HTTPField("Range", "bytes=\(size - (8 << 20))-")]), into: CountingSink())
        let before = try Memory.resident()
        let sink = CountingSink()
        _ = try await transport.download(call(server), into: sink)
        #expect(sink.count == size)
        _ = try await transport.upload(call(server, .patch), from: MadeUpSource(count: size))
        #expect(server.state.received == size)
        let growth = try Memory.resident() - before
        #expect(growth < 64 << 20, "grew by \(growth >> 20) MiB")
        await server.stop()
    }
}

/// What the process occupies.
enum Memory {
    struct Unknown: Error {}

    static func resident() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kilobytes = Int(line.split(separator: " ").dropLast().last ?? "")
        else { throw Unknown() }
        return kilobytes << 10
    }
}

/// Compares what arrives with what ``FileTestServer`` makes up.
private final class CheckingSink: FileSink {
    struct State {
        var head: FileReply?
        var count: UInt64 = 0
        var isRight = true
        /// What `probe` said after the wait.
        var seen: UInt64 = 0
    }

    private let box = NIOLockedValueBox(State())
    private let start: UInt64
    private let limit: UInt64
    private let wait: DispatchTimeInterval?
    private let probe: @Sendable () -> UInt64
    private let arrived = AsyncStream<Void>.makeStream()

    init(
        from start: UInt64 = 0, refusesAt limit: UInt64 = .max, waits wait: DispatchTimeInterval? = nil,
        _ probe: @escaping @Sendable () -> UInt64 = { 0 }
    ) {
        self.start = start
        self.limit = limit
        self.wait = wait
        self.probe = probe
    }

    struct Refused: Error {}

    var state: State { box.withLockedValue { $0 } }

    func arrival() async {
        for await _ in arrived.stream { return }
    }

    func begin(_ head: FileReply) throws {
        box.withLockedValue { $0.head = head }
        guard let wait else { return }
        // A sink that is busy: nobody signals, so that this is how long it is.
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + wait)
        box.withLockedValue { $0.seen = probe() }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try box.withLockedValue { state in
            guard state.count + UInt64(bytes.count) <= limit else { throw Refused() }
            if !MadeUp.matches(bytes, at: start + state.count) { state.isRight = false }
            state.count += UInt64(bytes.count)
        }
        arrived.continuation.yield()
    }
}

private final class CountingSink: FileSink {
    private let total = NIOLockedValueBox(UInt64(0))
    var count: UInt64 { total.withLockedValue { $0 } }
    func begin(_ head: FileReply) throws {}
    func write(_ bytes: UnsafeRawBufferPointer) throws { total.withLockedValue { $0 += UInt64(bytes.count) } }
}

/// A file that is nowhere.
private struct MadeUpSource: FileSource {
    let count: UInt64
    /// Where it really ends.
    var isThere: UInt64 = .max

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        let end = min(count, isThere)
        guard offset < end else { return 0 }
        let number = min(buffer.count, Int(end - offset), 100_000)
        MadeUp.fill(UnsafeMutableRawBufferPointer(rebasing: buffer[..<number]), at: offset)
        return number
    }
}
