import NIOCore

/// Cuts the octets of an admin connection into lines, within limits of length, number and time.
///
/// Flow: bytes in → one buffer per complete line (without the line end) into `lines`, which ends when the other side stops
/// sending. A line that is too long, one too many waiting, or one not complete in time ends the connection; the time
/// starts anew with each reply.
final class AdminLineHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Lines that may wait while one is answered.
    static let maximumWaiting = 8

    private let maximumLength: Int
    private let timeout: TimeAmount
    private let lines: AsyncStream<ByteBuffer>.Continuation
    /// Sent before the connection is closed because of its length.
    private let refusal: ByteBuffer
    private var pending = ByteBuffer()
    private var deadline: Scheduled<Void>?
    private var isRefused = false

    /// - Parameter lines: of a stream with the policy `.bufferingOldest(maximumWaiting)`.
    init(
        maximumLength: Int, timeout: TimeAmount, refusal: ByteBuffer, lines: AsyncStream<ByteBuffer>.Continuation
    ) {
        self.maximumLength = maximumLength
        self.timeout = timeout
        self.refusal = refusal
        self.lines = lines
    }

    func handlerAdded(context: ChannelHandlerContext) { arm(context) }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        lines.finish()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        lines.finish()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { lines.finish() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        var incoming = unwrapInboundIn(data)
        pending.writeBuffer(&incoming)
        while let end = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            let length = end - pending.readerIndex
            guard length <= maximumLength, let line = pending.readSlice(length: length) else { return refuse(context) }
            pending.moveReaderIndex(forwardBy: 1)
            deadline?.cancel()
            guard case .enqueued = lines.yield(line) else { return refuse(context) }
        }
        if pending.readableBytes > maximumLength { return refuse(context) }
        pending.discardReadBytes()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        arm(context)
        context.write(data, promise: promise)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        isRefused = true
        pending.clear()
        lines.finish()
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(refusal)).whenComplete { _ in channel.close(promise: nil) }
    }

    private func arm(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }
}
