import NIOCore
import NIOHTTP1
import NIOPosix

/// File transfers over HTTP/1.1 and TLS, each on a connection of its own: while a gigabyte passes no call waits behind it.
///
/// Thread-safe; holds nothing between transfers. One thread of each transfer reads or writes the disk, while the event loop
/// encrypts or decrypts.
public final class TLSFileTransport: FileTransport {
    private let configuration: TransportConfiguration
    private let group: any EventLoopGroup
    private let contexts = TLSContexts()

    public init(
        configuration: TransportConfiguration = TransportConfiguration(),
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.configuration = configuration
        self.group = group
    }

    public func upload(_ call: FileCall, from source: any FileSource) async throws(SOAPClientError) -> FileReply {
        try await transfer(call, .upload(source))
    }

    public func download(_ call: FileCall, into sink: any FileSink) async throws(SOAPClientError) -> FileReply {
        try await transfer(call, .download(sink))
    }

    private func transfer(_ call: FileCall, _ body: FileExchange.Body) async throws(SOAPClientError) -> FileReply {
        let disk = NIOThreadPool(numberOfThreads: 1)
        disk.start()
        let result: Result<FileReply, SOAPClientError>
        do {
            result = .success(try await run(call, body, disk))
        } catch {
            result = .failure(TransportFailure.translate(error))
        }
        // Ends when the last job has: after this nothing touches source or sink any more.
        try? await disk.shutdownGracefully()
        return try result.get()
    }

    private func run(_ call: FileCall, _ body: FileExchange.Body, _ disk: NIOThreadPool) async throws -> FileReply {
        let channel = try await open(call.destination)
        let promise = channel.eventLoop.makePromise(of: FileReply.self)
        let exchange = FileExchange(
            head: head(of: call, body), body: body, idleTimeout: TimeAmount(call.idleTimeout), maxBytes: call.maxBytes, disk: disk,
            promise: promise)
        return try await withTaskCancellationHandler {
            channel.writeAndFlush(exchange).whenFailure { promise.fail($0) }
            // Nobody waits for a peer that is slow to say goodbye.
            defer { channel.close(promise: nil) }
            return try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            channel.close(promise: nil)
        }
    }

    /// RFC 2782: the addresses in order, until one connects. The most telling of the failures is reported.
    private func open(_ destination: HTTPDestination) async throws(SOAPClientError) -> any Channel {
        let tls = try contexts.context(for: destination.roots)
        var failure = SOAPClientError(.invalidDestination, "no address to connect to")
        for endpoint in destination.endpoints {
            if Task.isCancelled { throw SOAPClientError(.cancelled, "cancelled") }
            do throws(SOAPClientError) {
                return try await HTTPConnection.connect(
                    endpoint, name: destination.name, tls: tls, group: group, configuration: configuration, isBulk: true
                ) { names, ready, _ in
                    FileTransferHandler(
                        acceptedNames: names, ready: ready, handshakeTimeout: TimeAmount(self.configuration.connectTimeout))
                }
            } catch {
                if failure.code == .invalidDestination || error.code == .tlsWrongName || error.code == .tlsUntrusted {
                    failure = error
                }
            }
        }
        throw failure
    }

    private func head(of call: FileCall, _ body: FileExchange.Body) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: call.destination.name)
        headers.add(name: "Accept-Encoding", value: "identity")
        headers.add(name: "Connection", value: "close")
        for field in call.headers { headers.add(name: field.name, value: field.value) }
        if case .upload(let source) = body { headers.add(name: "Content-Length", value: String(source.count)) }
        return HTTPRequestHead(version: .http1_1, method: .init(rawValue: call.method.rawValue), uri: call.path, headers: headers)
    }
}

/// One transfer on its way through a connection.
struct FileExchange: Sendable {
    enum Body: Sendable {
        case upload(any FileSource)
        case download(any FileSink)
    }

    let head: HTTPRequestHead
    let body: Body
    let idleTimeout: TimeAmount
    let maxBytes: UInt64
    /// One thread: its jobs run in the order they were given.
    let disk: NIOThreadPool
    let promise: EventLoopPromise<FileReply>
}
