import NIOCore
import NIOHTTP1

/// One request on its way through a connection, with the promise of its reply.
struct HTTPExchange: Sendable {
    let head: HTTPRequestHead
    let body: ByteBuffer
    let maxReplyBytes: Int
    let deadline: NIODeadline
    let promise: EventLoopPromise<Reply>

    /// The reply as it travelled: not yet inflated.
    struct Reply: Sendable {
        let head: HTTPResponseHead
        let body: ByteBuffer
        let traffic: ByteTraffic
        let reusable: Bool
    }
}

/// The connection ended before a byte of the reply arrived: the request may be sent again on another one.
struct LostBeforeReply: Error {
    let cause: SOAPClientError
}
