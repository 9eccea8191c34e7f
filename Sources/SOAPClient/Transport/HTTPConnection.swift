import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// An open, verified connection to one endpoint.
final class HTTPConnection: Sendable {
    let endpoint: HTTPDestination.Endpoint
    private let channel: any Channel

    private init(endpoint: HTTPDestination.Endpoint, channel: any Channel) {
        self.endpoint = endpoint
        self.channel = channel
    }

    var isActive: Bool { channel.isActive }

    var id: ObjectIdentifier { ObjectIdentifier(self) }

    /// Connects, ends the handshake and checks the server's name.
    static func open(
        _ endpoint: HTTPDestination.Endpoint, name: String, tls: NIOSSLContext, group: any EventLoopGroup,
        configuration: TransportConfiguration
    ) async throws(SOAPClientError) -> HTTPConnection {
        let channel = try await connect(
            endpoint, name: name, tls: tls, group: group, configuration: configuration
        ) { names, ready, counter in
            HTTPConnectionHandler(
                acceptedNames: names, ready: ready, counter: counter, handshakeTimeout: TimeAmount(configuration.connectTimeout),
                idleTimeout: TimeAmount(configuration.idleTimeout))
        }
        return HTTPConnection(endpoint: endpoint, channel: channel)
    }

    /// A channel whose last handler has proved the server's name.
    /// - Parameters:
    ///   - isBulk: large reads, for transfers of files.
    ///   - last: makes the last handler; it keeps the promise once the server is proved, or breaks it.
    static func connect(
        _ endpoint: HTTPDestination.Endpoint, name: String, tls: NIOSSLContext, group: any EventLoopGroup,
        configuration: TransportConfiguration, isBulk: Bool = false,
        last: @escaping @Sendable (_ names: [String], EventLoopPromise<Void>, ByteCounter) -> any ChannelHandler
    ) async throws(SOAPClientError) -> any Channel {
        let address: SocketAddress
        do {
            address = try SocketAddress(ipAddress: endpoint.address, port: endpoint.port)
        } catch {
            throw SOAPClientError(.invalidDestination, "\(endpoint.address) is not an IP address")
        }
        let loop = group.next()
        let ready = loop.makePromise(of: Void.self)
        let names = [name] + (endpoint.alternativeName.map { [$0] } ?? [])
        var bootstrap = bootstrap(on: loop, name: name, tls: tls, timeout: configuration.connectTimeout) { last(names, ready, $0) }
        if isBulk {
            bootstrap = bootstrap.channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: bulkRead))
        }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(to: address).get()
        } catch {
            // The handler never saw the channel when it was not even initialised: its promise must not leak.
            ready.fail(SOAPClientError(.connectFailed, "not connected"))
            throw connectFailure(error, endpoint, preset: .connectFailed)
        }
        do {
            try await ready.futureResult.get()
        } catch {
            throw connectFailure(error, endpoint)
        }
        return channel
    }

    /// TLS, the count of what passes, HTTP, and the handler that all ends in.
    private static func bootstrap(
        on loop: any EventLoop, name: String, tls: NIOSSLContext, timeout: Duration,
        last: @escaping @Sendable (ByteCounter) -> any ChannelHandler
    ) -> ClientBootstrap {
        ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let counter = ByteCounter()
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: serverNameIndication(name)))
                    try pipeline.addHandler(counter)
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try pipeline.addHandler(last(counter))
                }
            }
    }

    /// Octets that are read from a socket at once.
    private static let bulkRead = 256 << 10

    private static func connectFailure(
        _ error: any Error, _ endpoint: HTTPDestination.Endpoint, preset: SOAPClientError.Code? = nil
    ) -> SOAPClientError {
        let failure = TransportFailure.translate(error)
        if failure.code == .cancelled { return failure }
        let host = endpoint.address.contains(":") ? "[\(endpoint.address)]" : endpoint.address
        let code = failure.code == .connectionLost ? preset ?? failure.code : failure.code
        return SOAPClientError(code, "cannot connect to \(host):\(endpoint.port): \(failure.reason)")
    }

    /// RFC 6066 §3: literal addresses are not permitted in the server name extension.
    private static func serverNameIndication(_ name: String) -> String? {
        (try? SocketAddress(ipAddress: name, port: 0)) == nil ? name : nil
    }

    /// Sends one request and waits for its reply; cancellation closes the connection.
    func exchange(
        head: HTTPRequestHead, body: ByteBuffer, maxReplyBytes: Int, deadline: NIODeadline
    ) async throws -> HTTPExchange.Reply {
        let promise = channel.eventLoop.makePromise(of: HTTPExchange.Reply.self)
        let exchange = HTTPExchange(
            head: head, body: body, maxReplyBytes: maxReplyBytes, deadline: deadline, promise: promise)
        return try await withTaskCancellationHandler {
            // On a channel that is gone already the write never reaches our handler.
            channel.writeAndFlush(exchange).whenFailure { error in
                promise.fail(LostBeforeReply(cause: TransportFailure.translate(error)))
            }
            return try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            channel.close(promise: nil)
        }
    }

    func close() {
        channel.close(promise: nil)
    }

    func whenClosed(_ action: @escaping @Sendable () -> Void) {
        channel.closeFuture.whenComplete { _ in action() }
    }
}
