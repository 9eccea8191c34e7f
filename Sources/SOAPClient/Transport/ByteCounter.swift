import NIOCore

/// Counts what passes between TLS and HTTP. Confined to its channel's event loop.
final class ByteCounter: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var traffic = ByteTraffic()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        traffic.received += unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        traffic.sent += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }
}
