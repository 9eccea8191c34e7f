import Foundation
import Hummingbird
import HummingbirdCore
import Identity
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Synchronization
import XMLSecurity

@testable import MailServer

/// Files and uploads in memory.
final class MemoryGateway: FileGateway {
    struct Upload: Sendable {
        var size: UInt64
        var octets: [UInt8] = []
        var isBusy = false
        /// What the octets must be in the end.
        var expected: [UInt8]?
    }

    let ticket = [UInt8](repeating: 0xA5, count: 32)
    let guid = String(repeating: "0f", count: 16)
    private let uploads = Mutex<[String: Upload]>([:])
    private let file = Mutex<MemorySource?>(nil)
    /// Told how far an upload is whenever one of its requests ends.
    let ends: AsyncStream<UInt64>
    let end: AsyncStream<UInt64>.Continuation

    init() {
        (ends, end) = AsyncStream.makeStream()
    }

    func put(_ identifier: String, _ upload: Upload) { uploads.withLock { $0[identifier] = upload } }
    func upload(_ identifier: String) -> Upload? { uploads.withLock { $0[identifier] } }
    func offer(_ source: MemorySource?) { file.withLock { $0 = source } }

    func change<Value: Sendable>(_ identifier: String, _ body: (inout Upload) -> Value) -> Value? {
        uploads.withLock { uploads in
            guard var upload = uploads[identifier] else { return nil }
            defer { uploads[identifier] = upload }
            return body(&upload)
        }
    }

    func status(upload identifier: String, ticket: [UInt8]) async throws(FileRefusal) -> UploadStatus {
        guard ticket == self.ticket, let upload = upload(identifier) else { throw .notFound }
        return UploadStatus(offset: UInt64(upload.octets.count), size: upload.size)
    }

    func append(upload identifier: String, ticket: [UInt8], offset: UInt64) async throws(FileRefusal) -> any FileSink {
        let status = try await status(upload: identifier, ticket: ticket)
        guard status.offset == offset else { throw .wrongOffset(status.offset) }
        let wasBusy = change(identifier) { upload in
            defer { upload.isBusy = true }
            return upload.isBusy
        }
        if wasBusy ?? true { throw .busy }
        return Sink(gateway: self, identifier: identifier, remaining: status.size - status.offset)
    }

    func open(guid: String, ticket: [UInt8]) async throws(FileRefusal) -> any FileSource {
        guard let source = file.withLock({ $0 }), ticket == self.ticket, guid == self.guid else { throw .notFound }
        return Lease(source)
    }

    /// Lives as long as a transfer.
    private final class Lease: FileSource {
        private let source: MemorySource
        var size: UInt64 { source.size }
        var digest: [UInt8] { source.digest }
        let holder = "bob@scopio.test"

        init(_ source: MemorySource) { self.source = source }
        deinit { source.leaseEnds.yield() }

        func read(at offset: UInt64, count: Int) async throws(FileRefusal) -> ByteBuffer {
            try await source.read(at: offset, count: count)
        }
    }

    private struct Sink: FileSink {
        let gateway: MemoryGateway
        let identifier: String
        let remaining: UInt64
        let holder = "alice@capicom.test"

        func write(_ octets: ByteBuffer) async throws(FileRefusal) {
            let fits = gateway.change(identifier) { upload in
                let room = Int(upload.size) - upload.octets.count
                upload.octets += octets.readableBytesView.prefix(room)
                return octets.readableBytes <= room
            }
            guard fits ?? false else { throw .tooLarge }
        }

        func finish() async throws(FileRefusal) -> FileProgress {
            await abandon()
            guard let upload = gateway.upload(identifier) else { throw .unavailable }
            guard UInt64(upload.octets.count) == upload.size else { return .partial(offset: UInt64(upload.octets.count)) }
            guard upload.expected.map({ $0 == upload.octets }) ?? true else { throw .digestMismatch }
            return .complete(size: upload.size)
        }

        func abandon() async {
            let offset = gateway.change(identifier) { upload in
                upload.isBusy = false
                return upload.octets.count
            }
            gateway.end.yield(UInt64(offset ?? 0))
        }
    }
}

/// A file of any size, whose octets follow from their place.
final class MemorySource: Sendable {
    let size: UInt64
    /// Told when a piece is read.
    let reads: AsyncStream<Void>
    private let reading: AsyncStream<Void>.Continuation
    /// Told when a transfer has ended.
    let ends: AsyncStream<Void>
    fileprivate let leaseEnds: AsyncStream<Void>.Continuation
    let digest: [UInt8]
    private let failsAt: UInt64
    private let readOctets = Mutex<UInt64>(0)
    private static let pattern = ByteBuffer(bytes: (0..<(1 << 20) + 251).map { UInt8($0 % 251) })

    init(size: UInt64, failsAt: UInt64 = .max) {
        self.size = size
        self.failsAt = failsAt
        (reads, reading) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (ends, leaseEnds) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        digest = [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: 32)
    }

    /// All that was read so far.
    var octetsRead: UInt64 { readOctets.withLock { $0 } }

    static func octets(_ range: Range<UInt64>) -> [UInt8] { range.map { UInt8($0 % 251) } }

    func read(at offset: UInt64, count: Int) async throws(FileRefusal) -> ByteBuffer {
        guard offset < failsAt else { throw .unavailable }
        let length = min(UInt64(count), size - offset, 1 << 20)
        readOctets.withLock { $0 += length }
        reading.yield()
        guard let slice = MemorySource.pattern.getSlice(at: Int(offset % 251), length: Int(length)) else { throw .unavailable }
        return slice
    }
}

/// The server's TLS listener with nothing behind it but transfers.
struct TransferServer: Sendable {
    private struct Front: HTTPResponder {
        typealias Context = ConnectionContext
        let files: FileTransfers

        func respond(to request: Request, context: ConnectionContext) async throws -> Response {
            await files.response(to: request, context: context) ?? Response(status: .notFound)
        }
    }

    let port: Int
    let gateway: MemoryGateway
    let files: FileTransfers
    let group: ServiceGroup

    static func tls() throws -> TLSConfiguration {
        let domain = try MailDomain("files.test")
        let (authority, key) = (try DomainAuthority.create(domain: domain, now: Date()), SigningKey.generateP256())
        let certificate = try authority.issueTLSCertificate(publicKey: key.publicKey, hosts: [], now: Date())
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: certificate.der, format: .der))],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array((key.pemRepresentation ?? "").utf8), format: .pem)))
        tls.shutdownTimeout = .milliseconds(500)
        return tls
    }

    /// Runs a listener as long as `body`.
    static func run<Value: Sendable>(
        idleLimit: Duration = .seconds(20), http2: Bool = false, _ change: (inout FileTransfers) -> Void = { _ in },
        _ body: @escaping @Sendable (TransferServer) async throws -> Value
    ) async throws -> Value {
        let gateway = MemoryGateway()
        var files = FileTransfers(gateway: gateway, idleLimit: idleLimit)
        files.pieceSize = 64 << 10
        change(&files)
        let (ports, port) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "transfers")
        logger.logLevel = .error
        let rules = ConnectionRules(idleTimeoutSeconds: 60, maxHeaderBytes: 32 << 10, connectionsPerAddress: 100, http2: http2)
        let application = Application(
            responder: Front(files: files), server: rules.server(tls: try tls()),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { port.yield($0.localAddress?.port ?? 0) },
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            logger: logger)
        let group = ServiceGroup(configuration: .init(services: [application], logger: logger))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let server = TransferServer(port: await iterator.next() ?? 0, gateway: gateway, files: files, group: group)
            let value = try await body(server)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return value
        }
    }

    func headers(_ fields: [(String, String)] = []) -> HTTPHeaders {
        let ticket = Data(gateway.ticket).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        return HTTPHeaders([("Host", "files.test"), ("Authorization", "WSEmail-Ticket \(ticket)")] + fields)
    }

    /// One request on a connection of its own.
    func ask(
        _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders, body: [UInt8] = []
    ) async throws -> TransferClient.Answer {
        let client = try await TransferClient.connect(port)
        var headers = headers
        if !body.isEmpty, !headers.contains(name: "Content-Length"), !headers.contains(name: "Transfer-Encoding") {
            headers.add(name: "Content-Length", value: String(body.count))
        }
        try await client.send(method, path, headers, body: body, ends: true)
        let answer = try await client.answer()
        try? await client.close()
        return answer
    }

    func patch(_ identifier: String, at offset: Int, _ body: [UInt8], _ fields: [(String, String)] = []) async throws
        -> TransferClient.Answer
    {
        try await ask(.PATCH, FileTransfers.uploadsPath + identifier, headers([("Upload-Offset", "\(offset)")] + fields), body: body)
    }

    func get(_ fields: [(String, String)] = [], method: HTTPMethod = .GET) async throws -> TransferClient.Answer {
        try await ask(method, FileTransfers.filesPath + gateway.guid, headers(fields))
    }
}

/// A connection whose pace a test decides: nothing is read before it is asked for.
final class TransferClient: Sendable {
    struct Answer: Sendable {
        var status = 0
        var headers = HTTPHeaders()
        var body: [UInt8] = []
        /// Whether all came that was announced.
        var isWhole = false
    }

    let channel: any Channel
    private let received: AsyncStream<Answer>

    private init(channel: any Channel, received: AsyncStream<Answer>) {
        (self.channel, self.received) = (channel, received)
    }

    static func connect(_ port: Int, reads: Bool = true) async throws -> TransferClient {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        let context = try NIOSSLContext(configuration: configuration)
        let (received, continuation) = AsyncStream<Answer>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let gate = ReadGate()
                    try pipeline.addHandler(gate)
                    try pipeline.addHandler(try NIOSSLClientHandler(context: context, serverHostname: nil))
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(Collector(continuation, reads ? nil : gate))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return TransferClient(channel: channel, received: received)
    }

    func send(_ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders, body: [UInt8] = [], ends: Bool) async throws {
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        let octets = HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body)))
        // Out of here, that the test may cut the connection.
        guard ends else { return try await channel.writeAndFlush(octets) }
        if !body.isEmpty { channel.write(octets, promise: nil) }
        // A refusal may come, and the connection end, before all is written.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    /// What came until the answer or the connection was at its end.
    func answer() async throws -> Answer {
        for await answer in received { return answer }
        return Answer()
    }

    func close() async throws { try await channel.close() }

    /// Between the connection and all that would read from it.
    private final class ReadGate: ChannelOutboundHandler {
        typealias OutboundIn = Any
        var isOpen = true

        func read(context: ChannelHandlerContext) {
            if isOpen { context.read() }
        }
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart

        private let continuation: AsyncStream<Answer>.Continuation
        private let gate: ReadGate?
        private var answer = Answer()

        /// - Parameter gate: shut as soon as the answer begins.
        init(_ continuation: AsyncStream<Answer>.Continuation, _ gate: ReadGate?) {
            (self.continuation, self.gate) = (continuation, gate)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                (answer.status, answer.headers) = (Int(head.status.code), head.headers)
                gate?.isOpen = false
            case .body(let octets): answer.body += octets.readableBytesView
            case .end:
                answer.isWhole = true
                continuation.yield(answer)
                answer = Answer()
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelInactive(context: ChannelHandlerContext) {
            continuation.yield(answer)
            continuation.finish()
        }
    }
}
