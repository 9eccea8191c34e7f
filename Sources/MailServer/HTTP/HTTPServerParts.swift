import HummingbirdCore
import HummingbirdHTTP2
import HummingbirdTLS
import NIOCore
import NIOSSL

/// How a TLS listener treats its connections.
struct ConnectionRules: Sendable {
    var idleTimeoutSeconds: Int
    var maxHeaderBytes: Int
    var connectionsPerAddress: Int
    /// Offered beside HTTP/1.1.
    var http2: Bool
    var handshakeTimeout = TimeAmount.seconds(15)

    /// What makes the channel of each connection.
    func server(tls: TLSConfiguration) -> HTTPServerBuilder {
        let limiter = ConnectionLimiter(limit: connectionsPerAddress)
        let channel = HTTP1Channel.Configuration(
            idleTimeout: .seconds(Int64(idleTimeoutSeconds)),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: maxHeaderBytes, maxHeaderListSize: maxHeaderBytes, maxHeaderFieldCount: 100))
        return HTTPServerBuilder { responder in
            if http2 {
                let base = try HTTP2UpgradeChannel(
                    tlsConfiguration: tls,
                    configuration: .init(
                        idleTimeout: .seconds(idleTimeoutSeconds), gracefulCloseTimeout: .seconds(10),
                        streamConfiguration: channel),
                    responder: responder)
                return GuardedChannel(base, limiter: limiter, handshakeTimeout: handshakeTimeout)
            }
            let base = try TLSChannel(HTTP1Channel(responder: responder, configuration: channel), tlsConfiguration: tls)
            return GuardedChannel(base, limiter: limiter, handshakeTimeout: handshakeTimeout)
        }
    }
}
