import NIOCore

/// Cuts the octets of an admin connection into lines, within limits of length and time.
///
/// Flow: bytes in → one buffer per complete line out (without the line end). A line that is too long, or not complete in
/// time, ends the connection; the time starts anew with each reply.
final class AdminLineHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let maximumLength: Int
    private let timeout: TimeAmount
    /// Sent before the connection is closed because of its length.
    private let refusal: ByteBuffer
    private var pending = ByteBuffer()
    private var deadline: Scheduled<Void>?
    private var isRefused = false

    init(maximumLength: Int, timeout: TimeAmount, refusal: ByteBuffer) {
        self.maximumLength = maximumLength
        self.timeout = timeout
        self.refusal = refusal
    }

    func handlerAdded(context: ChannelHandlerContext) { arm(context) }
    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        var incoming = unwrapInboundIn(data)
        pending.writeBuffer(&incoming)
        while let end = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            let length = end - pending.readerIndex
            guard length <= maximumLength else { return refuse(context) }
            guard let line = pending.readSlice(length: length) else { return }
            pending.moveReaderIndex(forwardBy: 1)
            deadline?.cancel()
            context.fireChannelRead(wrapInboundOut(line))
        }
        if pending.readableBytes > maximumLength { refuse(context) }
        pending.discardReadBytes()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        arm(context)
        context.write(data, promise: promise)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        isRefused = true
        pending.clear()
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(refusal)).whenComplete { _ in channel.close(promise: nil) }
    }

    private func arm(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }
}
