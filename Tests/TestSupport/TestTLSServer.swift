import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A small HTTPS server on 127.0.0.1 whose behaviour a test decides, request by request.
public final class TestTLSServer: Sendable {
    public struct Request: Sendable {
        public let method: String
        public let path: String
        public let headers: [(name: String, value: String)]
        public let body: [UInt8]
        /// Counts the server's connections from 1.
        public let connection: Int

        public func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    public enum Response: Sendable {
        case reply(Int = 200, [(String, String)] = [], [UInt8] = [])
        /// Never answers.
        case silence
        /// Closes without an answer.
        case hangUp
        /// Announces a body of so many bytes, sends these, then closes.
        case truncated(announced: Int, [UInt8])
    }

    public typealias Behaviour = @Sendable (Request) async -> Response

    private let channel: any Channel
    private let log: NIOLockedValueBox<Log>

    private struct Log {
        var requests: [Request] = []
        var connections = 0
        var open: [ObjectIdentifier: any Channel] = [:]
    }

    public var port: Int { channel.localAddress?.port ?? 0 }
    public var requests: [Request] { log.withLockedValue { $0.requests } }
    /// Connections accepted so far.
    public var connections: Int { log.withLockedValue { $0.connections } }

    public static func start(tls: NIOSSLContext, _ behaviour: @escaping Behaviour) async throws -> TestTLSServer {
        let log = NIOLockedValueBox(Log())
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.closeFuture.whenComplete { _ in
                    log.withLockedValue { $0.open[ObjectIdentifier(channel)] = nil }
                }
                let number = log.withLockedValue { log -> Int in
                    log.connections += 1
                    log.open[ObjectIdentifier(channel)] = channel
                    return log.connections
                }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLServerHandler(context: tls))
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
                    try pipeline.addHandler(
                        TestServerHandler(number: number, behaviour: behaviour) { one in
                            log.withLockedValue { $0.requests.append(one) }
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TestTLSServer(channel: channel, log: log)
    }

    private init(channel: any Channel, log: NIOLockedValueBox<Log>) {
        self.channel = channel
        self.log = log
    }

    /// Ends all connections; the next request finds a fresh one.
    public func dropConnections() async {
        for channel in log.withLockedValue({ Array($0.open.values) }) { try? await channel.close().get() }
    }

    public func stop() async {
        try? await channel.close().get()
        await dropConnections()
    }
}

/// Collects a request, asks the behaviour, writes what it says. Confined to its event loop.
private final class TestServerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let number: Int
    private let behaviour: TestTLSServer.Behaviour
    private let note: @Sendable (TestTLSServer.Request) -> Void
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(
        number: Int, behaviour: @escaping TestTLSServer.Behaviour,
        note: @escaping @Sendable (TestTLSServer.Request) -> Void
    ) {
        self.number = number
        self.behaviour = behaviour
        self.note = note
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let part):
            body += Array(part.readableBytesView)
        case .end:
            guard let head else { return }
            let request = TestTLSServer.Request(
                method: head.method.rawValue, path: head.uri, headers: head.headers.map { ($0.name, $0.value) }, body: body,
                connection: number)
            note(request)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let behaviour = behaviour
            context.eventLoop.makeFutureWithTask { await behaviour(request) }.whenSuccess { response in
                let (handler, context) = bound.value
                handler.answer(response, context: context)
            }
        }
    }

    private func answer(_ response: TestTLSServer.Response, context: ChannelHandlerContext) {
        switch response {
        case .silence: break
        case .hangUp: context.close(promise: nil)
        case .truncated(let announced, let body):
            let headers: HTTPHeaders = ["Content-Length": String(announced)]
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
            context.close(promise: nil)
        case .reply(let status, let fields, let body):
            var headers = HTTPHeaders(fields)
            headers.replaceOrAdd(name: "Content-Length", value: String(body.count))
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            if headers["Connection"].contains("close") { context.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
