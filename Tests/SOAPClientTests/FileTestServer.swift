import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TestSupport

/// An HTTPS server for large bodies: makes up what it sends, counts and sums up what it gets, both in constant memory.
final class FileTestServer: Sendable {
    /// What a request for a file gets.
    enum Behaviour: Sendable {
        case serve
        /// The body ends early: the connection is closed after so many octets.
        case cutAfter(Int)
        /// After so many octets nothing comes any more.
        case stallAfter(Int)
        /// Answers at once, without reading the body.
        case answerEarly(Int)
    }

    struct Log: Sendable {
        var sent: UInt64 = 0
        var received: UInt64 = 0
        /// All that came is what ``MadeUp`` has there.
        var isRight = true
        var closed = 0
        var heads: [HTTPRequestHead] = []
    }

    private let channel: any Channel
    private let log: NIOLockedValueBox<Log>
    /// Ends when a connection has.
    let closing: EventLoopFuture<Void>

    var port: Int { channel.localAddress?.port ?? 0 }
    var state: Log { log.withLockedValue { $0 } }

    static func start(_ identity: TestIdentity, size: UInt64, _ behaviour: Behaviour = .serve) async throws -> FileTestServer {
        let log = NIOLockedValueBox(Log())
        let tls = try identity.serverContext()
        let group = MultiThreadedEventLoopGroup.singleton
        let closing = group.next().makePromise(of: Void.self)
        let channel = try await ServerBootstrap(group: group)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.closeFuture.whenComplete { _ in
                    log.withLockedValue { $0.closed += 1 }
                    closing.succeed(())
                }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: tls))
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
                    try pipeline.addHandler(FileTestHandler(size: size, behaviour: behaviour, log: log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FileTestServer(channel: channel, log: log, closing: closing.futureResult)
    }

    private init(channel: any Channel, log: NIOLockedValueBox<Log>, closing: EventLoopFuture<Void>) {
        self.channel = channel
        self.log = log
        self.closing = closing
    }

    func stop() async { try? await channel.close().get() }
}

/// A file of any size that is nowhere: each page of 64 KiB counts up from another octet.
enum MadeUp {
    private static let page: UInt64 = 65_536
    private static let pattern: [UInt8] = (0..<65_536 + 256).map { UInt8(truncatingIfNeeded: $0) }

    static func fill(_ buffer: UnsafeMutableRawBufferPointer, at place: UInt64) {
        each(buffer.count, at: place) { offset, slice in
            UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + slice.count]).copyMemory(from: slice)
            return true
        }
    }

    static func matches(_ buffer: UnsafeRawBufferPointer, at place: UInt64) -> Bool {
        each(buffer.count, at: place) { offset, slice in
            guard let mine = slice.baseAddress, let theirs = buffer.baseAddress else { return false }
            return memcmp(mine, theirs + offset, slice.count) == 0
        }
    }

    @discardableResult
    private static func each(_ count: Int, at place: UInt64, _ body: (Int, UnsafeRawBufferPointer) -> Bool) -> Bool {
        pattern.withUnsafeBytes { pattern in
            var offset = 0
            while offset < count {
                let here = place + UInt64(offset)
                let length = min(count - offset, Int(page - here % page))
                let start = Int(here / page % 256) + Int(here % page)
                // The pattern repeats after 256 octets: what runs over its end is there at its beginning too.
                let from = start + length <= pattern.count ? start : start % 256
                let part = min(length, pattern.count - from)
                guard body(offset, UnsafeRawBufferPointer(rebasing: pattern[from..<from + part])) else { return false }
                offset += part
            }
            return true
        }
    }
}

/// Confined to its event loop.
private final class FileTestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let chunk = 256 << 10
    private let size: UInt64
    private let behaviour: FileTestServer.Behaviour
    private let log: NIOLockedValueBox<FileTestServer.Log>
    private var head: HTTPRequestHead?
    private var place: UInt64 = 0
    private var begun: UInt64 = 0

    init(size: UInt64, behaviour: FileTestServer.Behaviour, log: NIOLockedValueBox<FileTestServer.Log>) {
        self.size = size
        self.behaviour = behaviour
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            log.withLockedValue { $0.heads.append(head) }
            if case .answerEarly(let status) = behaviour { answer(status, ["Upload-Offset": "0"], context: context) }
        case .body(let part):
            log.withLockedValue { log in
                if !part.withUnsafeReadableBytes({ MadeUp.matches($0, at: log.received) }) { log.isRight = false }
                log.received += UInt64(part.readableBytes)
            }
        case .end:
            if case .answerEarly = behaviour { return }
            if head?.method == .GET { return serve(context: context) }
            answer(204, ["Upload-Offset": String(log.withLockedValue { $0.received })], context: context)
        }
    }

    private func answer(_ status: Int, _ headers: HTTPHeaders, context: ChannelHandlerContext) {
        var headers = headers
        if status != 204 { headers.add(name: "Content-Length", value: "0") }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func serve(context: ChannelHandlerContext) {
        guard head?.uri != "/missing" else { return answer(404, [:], context: context) }
        let range = head?.headers.first(name: "range").flatMap { UInt64($0.dropFirst("bytes=".count).dropLast()) }
        place = range ?? 0
        begun = place
        var headers: HTTPHeaders = ["Content-Length": String(size - place)]
        if range != nil { headers.add(name: "Content-Range", value: "bytes \(place)-\(size - 1)/\(size)") }
        let head = HTTPResponseHead(version: .http1_1, status: range == nil ? .ok : .partialContent, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        next(context: context)
    }

    private func next(context: ChannelHandlerContext) {
        switch behaviour {
        case .cutAfter(let limit) where place - begun >= UInt64(limit): return context.close(promise: nil)
        case .stallAfter(let limit) where place - begun >= UInt64(limit): return context.flush()
        default: break
        }
        guard place < size else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
        let count = Int(min(UInt64(Self.chunk), size - place))
        var buffer = context.channel.allocator.buffer(capacity: count)
        let start = place
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { free in
            MadeUp.fill(UnsafeMutableRawBufferPointer(rebasing: free[..<count]), at: start)
            return count
        }
        place += UInt64(count)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let log = log
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenSuccess {
            log.withLockedValue { $0.sent += UInt64(count) }
            let (handler, context) = bound.value
            handler.next(context: context)
        }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: written)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
