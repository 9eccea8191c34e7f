import NIOCore
import Synchronization

/// Counts the open connections of each network address and closes those above the limit at once.
final class ConnectionLimiter: Sendable {
    private let limit: Int
    private let counts = Mutex<[String: Int]>([:])

    init(limit: Int) {
        self.limit = limit
    }

    /// A handler for one new connection.
    func handler() -> any RemovableChannelHandler { Handler(limiter: self) }

    private func opened(_ address: String) -> Bool {
        counts.withLock { counts in
            counts[address, default: 0] += 1
            return counts[address, default: 0] <= limit
        }
    }

    private func closed(_ address: String) {
        counts.withLock { counts in
            let left = counts[address, default: 1] - 1
            counts[address] = left > 0 ? left : nil
        }
    }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        private let limiter: ConnectionLimiter
        private var address: String?

        init(limiter: ConnectionLimiter) {
            self.limiter = limiter
        }

        func handlerAdded(context: ChannelHandlerContext) {
            if context.channel.isActive { admit(context) }
        }

        func channelActive(context: ChannelHandlerContext) {
            admit(context)
            context.fireChannelActive()
        }

        private func admit(_ context: ChannelHandlerContext) {
            guard address == nil, let address = context.channel.remoteAddress?.ipAddress else { return }
            self.address = address
            if !limiter.opened(address) { context.close(promise: nil) }
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            if let address { limiter.closed(address) }
            address = nil
        }
    }
}
