import HummingbirdCore
import Logging
import NIOCore
import NIOSSL
import NIOTLS

/// Looks after a connection before HTTP begins on it: counts it from its first moment, and does not wait for ever for the TLS
/// handshake, least of all when the server is to end. (The HTTP library's own time limits begin after the handshake.)
struct GuardedChannel<Base: ServerChildChannel>: ServerChildChannel {
    private let base: Base
    private let limiter: ConnectionLimiter
    private let handshakeTimeout: TimeAmount

    /// - Parameter base: a channel that adds its TLS handler in `setup`.
    init(_ base: Base, limiter: ConnectionLimiter, handshakeTimeout: TimeAmount) {
        self.base = base
        self.limiter = limiter
        self.handshakeTimeout = handshakeTimeout
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
            try pipeline.addHandler(HandshakeGuard(timeout: handshakeTimeout), position: .after(tls))
            try pipeline.addHandler(limiter.handler(), position: .first)
            return value
        }
    }

    func handle(value: Base.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

/// Closes a connection whose TLS handshake is not done in time, or not when the server shuts down.
private final class HandshakeGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let timeout: TimeAmount
    private var timer: Scheduled<Void>?

    init(timeout: TimeAmount) {
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            context.fireUserInboundEventTriggered(event)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
            return
        }
        // Nothing was asked yet, so there is nothing to finish.
        if event is ChannelShouldQuiesceEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
