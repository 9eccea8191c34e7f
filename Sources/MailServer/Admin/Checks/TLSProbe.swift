import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One TLS handshake that only looks: which certificates does a server show?
enum TLSProbe {
    /// - Parameters:
    ///   - name: the name asked for (SNI).
    ///   - timeout: for connection and handshake together.
    /// - Returns: the chain as shown, DER, leaf first.
    static func certificates(
        address: String, port: Int, name: String, group: any EventLoopGroup, timeout: TimeAmount = .seconds(10)
    ) async throws -> [[UInt8]] {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: configuration)
        let found = group.next().makePromise(of: [[UInt8]].self)
        let deadline = group.next().scheduleTask(in: timeout) { found.fail(ChannelError.connectTimeout(timeout)) }
        defer { deadline.cancel() }
        let bootstrap = ClientBootstrap(group: group).connectTimeout(timeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                // Nothing is believed and nothing is sent: the connection ends with the handshake.
                let tls = try NIOSSLClientHandler(
                    context: context, serverHostname: name,
                    customVerificationCallback: { chain, verdict in
                        found.completeWith(Result { try chain.map { try $0.toDERBytes() } })
                        verdict.succeed(.failed)
                    })
                try channel.pipeline.syncOperations.addHandlers(tls, ProbeEnd(found))
            }
        }
        do {
            let channel = try await bootstrap.connect(to: SocketAddress(ipAddress: address, port: port)).get()
            defer { channel.close(promise: nil) }
            return try await found.futureResult.get()
        } catch {
            found.fail(error)
            throw AdminError(.unreachable, explain(error, timeout))
        }
    }

    private static func explain(_ error: any Error, _ timeout: TimeAmount) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout: "no answer within \(timeout.nanoseconds / 1_000_000_000) seconds"
        case ChannelError.eof, ChannelError.inputClosed: "the connection was closed during the TLS handshake"
        default: "what answers there does not speak TLS"
        }
    }

    /// Ends the wait when the connection breaks before a certificate was seen.
    private final class ProbeEnd: ChannelInboundHandler {
        typealias InboundIn = NIOAny
        private let found: EventLoopPromise<[[UInt8]]>

        init(_ found: EventLoopPromise<[[UInt8]]>) {
            self.found = found
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            found.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            found.fail(ChannelError.eof)
            context.fireChannelInactive()
        }
    }
}
