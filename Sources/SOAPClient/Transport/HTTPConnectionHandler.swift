import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS

/// The last handler of a client connection: proves the server's name, then runs one exchange at a time.
///
/// Confined to its channel's event loop. Pipelining is not used: a reply belongs to the one request that is out.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPExchange
    typealias OutboundOut = HTTPClientRequestPart

    private enum State {
        case handshaking
        case idle
        case busy(Exchange)
        case closed
    }

    private struct Exchange {
        let request: HTTPExchange
        let trafficBefore: ByteTraffic
        var head: HTTPResponseHead?
        var body: ByteBuffer?
    }

    private let acceptedNames: [String]
    private let ready: EventLoopPromise<Void>
    private let counter: ByteCounter
    private let idleTimeout: TimeAmount
    private let handshakeTimeout: TimeAmount
    private var state = State.handshaking
    private var timer: Scheduled<Void>?

    init(
        acceptedNames: [String], ready: EventLoopPromise<Void>, counter: ByteCounter, handshakeTimeout: TimeAmount,
        idleTimeout: TimeAmount
    ) {
        self.acceptedNames = acceptedNames
        self.ready = ready
        self.counter = counter
        self.handshakeTimeout = handshakeTimeout
        self.idleTimeout = idleTimeout
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
            finishHandshake(context: context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func finishHandshake(context: ChannelHandlerContext) {
        if let failure = ServerName.failure(context: context, accepted: acceptedNames) {
            return fail(failure, context: context)
        }
        becomeIdle(context: context)
        ready.succeed(())
    }

    // MARK: Exchanges

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let request = unwrapOutboundIn(data)
        guard case .idle = state else {
            let error = SOAPClientError(.connectionLost, "the kept connection had closed")
            request.promise.fail(LostBeforeReply(cause: error))
            promise?.fail(error)
            return
        }
        state = .busy(Exchange(request: request, trafficBefore: counter.traffic))
        let left = request.deadline - .now()
        schedule(after: left > .zero ? left : .zero, context: context) { handler, context in
            handler.fail(SOAPClientError(.timeout, "no complete reply in time"), context: context)
        }
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        if request.body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(request.body))), promise: nil)
        }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .busy(var exchange) = state else {
            return fail(SOAPClientError(.malformedReply, "a reply without a request"), context: context)
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            exchange.head = head
            if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
                length > exchange.request.maxReplyBytes
            {
                return fail(Self.tooLarge(exchange.request), context: context)
            }
        case .body(var part):
            if exchange.body == nil { exchange.body = part } else { exchange.body?.writeBuffer(&part) }
            if exchange.body?.readableBytes ?? 0 > exchange.request.maxReplyBytes {
                return fail(Self.tooLarge(exchange.request), context: context)
            }
        case .end:
            return finish(exchange, context: context)
        }
        state = .busy(exchange)
    }

    private static func tooLarge(_ request: HTTPExchange) -> SOAPClientError {
        SOAPClientError(.replyTooLarge, "the reply is longer than \(request.maxReplyBytes) bytes")
    }

    private func finish(_ exchange: Exchange, context: ChannelHandlerContext) {
        guard let head = exchange.head else {
            return fail(SOAPClientError(.malformedReply, "a reply without a head"), context: context)
        }
        let traffic = ByteTraffic(
            sent: counter.traffic.sent - exchange.trafficBefore.sent,
            received: counter.traffic.received - exchange.trafficBefore.received)
        let reply = HTTPExchange.Reply(
            head: head, body: exchange.body ?? ByteBuffer(), traffic: traffic, reusable: head.isKeepAlive)
        becomeIdle(context: context)
        exchange.request.promise.succeed(reply)
        if !head.isKeepAlive { context.close(promise: nil) }
    }

    private func becomeIdle(context: ChannelHandlerContext) {
        state = .idle
        schedule(after: idleTimeout, context: context) { handler, context in
            handler.state = .closed
            context.close(promise: nil)
        }
    }

    // MARK: Endings

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(TransportFailure.translate(error), context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(SOAPClientError(.connectionLost, "the peer closed the connection"), context: context)
        context.fireChannelInactive()
    }

    /// Ends the connection and tells whoever waits for it; only the first call has an effect.
    private func fail(_ error: SOAPClientError, context: ChannelHandlerContext) {
        let ended = state
        state = .closed
        timer?.cancel()
        timer = nil
        switch ended {
        case .handshaking:
            ready.fail(error.code == .connectionLost ? SOAPClientError(.tlsFailed, error.reason) : error)
        case .busy(let exchange):
            let mayRepeat = exchange.head == nil && error.code == .connectionLost
            exchange.request.promise.fail(mayRepeat ? LostBeforeReply(cause: error) : error)
        case .idle, .closed:
            break
        }
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        fail(SOAPClientError(.connectionLost, "the connection has ended"), context: context)
    }

    private func schedule(
        after delay: TimeAmount, context: ChannelHandlerContext,
        _ action: @escaping @Sendable (HTTPConnectionHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: delay) {
            let (handler, context) = bound.value
            action(handler, context)
        }
    }
}
