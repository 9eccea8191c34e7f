import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS

/// The last handler of a connection for files: proves the server's name, then runs one transfer.
///
/// Confined to its channel's event loop. Back-pressure: what has been received and not been taken by the sink is bounded by holding
/// back reads from the socket; what has been read from a source and not been sent, by reading from the source only as writes end.
final class FileTransferHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = FileExchange
    typealias OutboundOut = HTTPClientRequestPart

    /// Received, not yet taken: above `high` the socket is left alone, until it is `low`.
    private static let high = 4 << 20
    private static let low = 2 << 20
    /// Given to the sink's thread at once: fewer hand-overs.
    private static let batch = 512 << 10
    /// Read from a source at once, and how many of these may be on their way.
    private static let chunk = 512 << 10
    private static let chunksUnderWay = 3

    private enum State {
        case handshaking
        case idle
        case busy(FileExchange)
        case closed
    }

    private let acceptedNames: [String]
    private let ready: EventLoopPromise<Void>
    private let handshakeTimeout: TimeAmount
    private var state = State.handshaking
    private var timer: Scheduled<Void>?
    private var lastProgress = NIODeadline.now()

    // The reply.
    private var reply: FileReply?
    private var isForSink = false
    private var received: UInt64 = 0
    private var gathered: [ByteBuffer] = []
    private var gatheredBytes = 0
    private var untaken = 0
    private var wantsRead = false
    /// All of the reply is here; what becomes of the connection does not matter any more.
    private var isComplete = false
    // The request.
    private var offset: UInt64 = 0
    private var underWay = 0

    init(acceptedNames: [String], ready: EventLoopPromise<Void>, handshakeTimeout: TimeAmount) {
        self.acceptedNames = acceptedNames
        self.ready = ready
        self.handshakeTimeout = handshakeTimeout
    }

    // MARK: Opening

    func channelActive(context: ChannelHandlerContext) {
        schedule(after: handshakeTimeout, context: context) { handler, context in
            handler.fail(SOAPClientError(.connectTimeout, "no TLS handshake in time"), context: context)
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(negotiatedProtocol: _) = event, case .handshaking = state {
            if let failure = ServerName.failure(context: context, accepted: acceptedNames) {
                fail(failure, context: context)
            } else {
                state = .idle
                timer?.cancel()
                ready.succeed(())
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Beginning

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        guard case .idle = state else {
            promise?.fail(SOAPClientError(.connectionLost, "the connection had closed"))
            return
        }
        state = .busy(exchange)
        progress()
        watch(exchange, context: context)
        context.write(wrapOutboundOut(.head(exchange.head)), promise: promise)
        guard case .upload(let source) = exchange.body else {
            context.write(wrapOutboundOut(.end(nil)), promise: nil)
            return
        }
        if source.count == 0 { return context.write(wrapOutboundOut(.end(nil)), promise: nil) }
        for _ in 0..<Self.chunksUnderWay { readChunk(source, exchange, context: context) }
    }

    // MARK: Uploading

    private func readChunk(_ source: any FileSource, _ exchange: FileExchange, context: ChannelHandlerContext) {
        let count = Int(min(UInt64(Self.chunk), source.count - offset))
        guard count > 0 else { return }
        let (position, loop) = (offset, context.eventLoop)
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        let allocator = context.channel.allocator
        offset += UInt64(count)
        underWay += 1
        exchange.disk.submit { state in
            guard case .active = state else { return }
            let result = Result { try Self.read(source, count, at: position, allocator) }
            loop.execute {
                let (handler, context) = bound.value
                handler.send(result, source, exchange, context: context)
            }
        }
    }

    private static func read(
        _ source: any FileSource, _ count: Int, at offset: UInt64, _ allocator: ByteBufferAllocator
    ) throws -> ByteBuffer {
        var buffer = allocator.buffer(capacity: count)
        while buffer.readableBytes < count {
            let filled = buffer.readableBytes
            let read = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count - filled) { free in
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: free[..<(count - filled)]), at: offset + UInt64(filled))
            }
            guard read > 0 else { throw SOAPClientError(.invalidRequest, "the file has become shorter") }
        }
        return buffer
    }

    private func send(
        _ chunk: Result<ByteBuffer, any Error>, _ source: any FileSource, _ exchange: FileExchange, context: ChannelHandlerContext
    ) {
        // After an early reply the rest is of no interest.
        guard case .busy = state, reply == nil else { return }
        let buffer: ByteBuffer
        do { buffer = try chunk.get() } catch {
            let reason = (error as? SOAPClientError)?.reason ?? "the file cannot be read"
            return fail(SOAPClientError(.invalidRequest, reason), context: context)
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenSuccess {
            let (handler, context) = bound.value
            handler.chunkSent(source, exchange, context: context)
        }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: sent)
    }

    private func chunkSent(_ source: any FileSource, _ exchange: FileExchange, context: ChannelHandlerContext) {
        guard case .busy = state, reply == nil else { return }
        progress()
        underWay -= 1
        readChunk(source, exchange, context: context)
        if underWay == 0 { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    }

    // MARK: Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .busy(let exchange) = state else {
            return fail(SOAPClientError(.malformedReply, "a reply without a request"), context: context)
        }
        progress()
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, exchange, context: context)
        case .body(let part):
            received += UInt64(part.readableBytes)
            guard received <= exchange.maxBytes else { return fail(Self.tooLarge(exchange), context: context) }
            guard isForSink else { return }
            gathered.append(part)
            gatheredBytes += part.readableBytes
            if gatheredBytes >= Self.batch { handOver(exchange, context: context) }
        case .end: finish(exchange, context: context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .busy(let exchange) = state { handOver(exchange, context: context) }
        context.fireChannelReadComplete()
    }

    private func begin(_ head: HTTPResponseHead, _ exchange: FileExchange, context: ChannelHandlerContext) {
        let known = FileReply(status: Int(head.status.code), headers: head.headers.map { HTTPField($0.name, $0.value) })
        // An interim reply is not the reply (RFC 9110 §15.2).
        guard !(100..<200).contains(known.status) else { return }
        reply = known
        guard case .download(let sink) = exchange.body, known.status == 200 || known.status == 206 else { return }
        if let length = head.headers.first(name: "content-length").flatMap({ UInt64($0) }), length > exchange.maxBytes {
            return fail(Self.tooLarge(exchange), context: context)
        }
        isForSink = true
        run(exchange, context: context) { try sink.begin(known) }
    }

    private static func tooLarge(_ exchange: FileExchange) -> SOAPClientError {
        SOAPClientError(.replyTooLarge, "the reply is longer than \(exchange.maxBytes) bytes")
    }

    private func handOver(_ exchange: FileExchange, context: ChannelHandlerContext) {
        guard gatheredBytes > 0, case .download(let sink) = exchange.body else { return }
        let (buffers, count) = (gathered, gatheredBytes)
        gathered.removeAll(keepingCapacity: true)
        gatheredBytes = 0
        untaken += count
        run(exchange, context: context, taking: count) {
            for buffer in buffers { try buffer.withUnsafeReadableBytes { try sink.write($0) } }
        }
    }

    /// Runs something of the sink's on its thread; a refusal ends the transfer.
    private func run(
        _ exchange: FileExchange, context: ChannelHandlerContext, taking count: Int = 0,
        _ work: @escaping @Sendable () throws -> Void
    ) {
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        exchange.disk.submit { state in
            guard case .active = state else { return }
            let result = Result { try work() }
            loop.execute {
                let (handler, context) = bound.value
                handler.taken(count, result, context: context)
            }
        }
    }

    private func taken(_ count: Int, _ result: Result<Void, any Error>, context: ChannelHandlerContext) {
        untaken -= count
        progress()
        guard case .busy = state else { return }
        if case .failure = result {
            return fail(SOAPClientError(.cancelled, "what was received could not be taken"), context: context)
        }
        if wantsRead, untaken <= Self.low {
            wantsRead = false
            context.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if untaken > Self.high { wantsRead = true } else { context.read() }
    }

    // MARK: Endings

    private func finish(_ exchange: FileExchange, context: ChannelHandlerContext) {
        guard let reply else {
            return fail(SOAPClientError(.malformedReply, "a reply without a head"), context: context)
        }
        isComplete = true
        guard isForSink else { return succeed(exchange, reply) }
        handOver(exchange, context: context)
        // Behind all that the sink still has to take.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loop = context.eventLoop
        exchange.disk.submit { _ in loop.execute { bound.value.succeed(exchange, reply) } }
    }

    private func succeed(_ exchange: FileExchange, _ reply: FileReply) {
        guard case .busy = state else { return }
        state = .closed
        timer?.cancel()
        exchange.promise.succeed(reply)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isComplete { return context.close(promise: nil) }
        fail(TransportFailure.translate(error), context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isComplete { fail(SOAPClientError(.connectionLost, "the peer closed the connection"), context: context) }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if !isComplete { fail(SOAPClientError(.connectionLost, "the connection has ended"), context: context) }
    }

    /// Ends the connection and tells whoever waits for it; only the first call has an effect.
    private func fail(_ error: SOAPClientError, context: ChannelHandlerContext) {
        let ended = state
        state = .closed
        timer?.cancel()
        timer = nil
        gathered = []
        switch ended {
        case .handshaking:
            ready.fail(error.code == .connectionLost ? SOAPClientError(.tlsFailed, error.reason) : error)
        case .busy(let exchange): exchange.promise.fail(error)
        case .idle, .closed: break
        }
        context.close(promise: nil)
    }

    // MARK: Time

    private func progress() { lastProgress = .now() }

    /// Ends the transfer when nothing has moved for too long; a sink that takes its time is not held against the peer.
    private func watch(_ exchange: FileExchange, context: ChannelHandlerContext) {
        let left = lastProgress + exchange.idleTimeout - .now()
        schedule(after: left > .zero ? left : exchange.idleTimeout, context: context) { handler, context in
            guard case .busy = handler.state, !handler.isComplete else { return }
            let isDue = NIODeadline.now() - handler.lastProgress >= exchange.idleTimeout
            guard isDue, handler.untaken == 0 else { return handler.watch(exchange, context: context) }
            handler.fail(
                SOAPClientError(.timeout, "nothing has moved for \(exchange.idleTimeout.nanoseconds / 1_000_000_000) s"), context: context)
        }
    }

    private func schedule(
        after delay: TimeAmount, context: ChannelHandlerContext,
        _ action: @escaping @Sendable (FileTransferHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: delay) {
            let (handler, context) = bound.value
            action(handler, context)
        }
    }
}
