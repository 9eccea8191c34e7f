import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import SOAP

/// HTTP/1.1 over TLS on SwiftNIO: keeps connections, connects only to given addresses, proves the mail domain.
///
/// Thread-safe. End it with ``shutDown(within:)``.
public final class TLSTransport: HTTPTransport {
    public let configuration: TransportConfiguration
    private let group: any EventLoopGroup
    private let pool: ConnectionPool
    private let contexts = TLSContexts()
    private let coding = ContentCoding()
    private let total = NIOLockedValueBox(ByteTraffic())

    public init(
        configuration: TransportConfiguration = TransportConfiguration(),
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.configuration = configuration
        self.group = group
        self.pool = ConnectionPool(
            maxPerDestination: configuration.maxConnectionsPerDestination, maxIdle: configuration.maxIdleConnections)
    }

    public var traffic: ByteTraffic { total.withLockedValue { $0 } }

    public func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        let deadline = NIODeadline.now() + TimeAmount(call.timeout)
        do {
            let compressed = try compressedBody(of: call)
            let reply = try await attempt(call, compressed: compressed, deadline: deadline)
            // RFC 9110 §15.5.16: the coding was not acceptable after all. Nothing has been executed.
            guard compressed != nil, reply.status == 415 else { return reply }
            coding.forget(call.destination.name)
            return try await attempt(call, compressed: nil, deadline: deadline)
        } catch {
            throw TransportFailure.translate(error)
        }
    }

    /// Finishes running calls for at most `grace`, then closes all. New calls are refused at once.
    public func shutDown(within grace: Duration = .seconds(10)) async {
        let loop = group.next()
        let drained = pool.shutDown(loop: loop)
        let timer = loop.scheduleTask(in: TimeAmount(grace)) { [pool] in pool.closeAll() }
        _ = try? await drained.get()
        timer.cancel()
    }

    /// Connections open to a destination, busy ones included.
    public func connectionCount(to destination: HTTPDestination) -> Int { pool.count(destination.poolKey) }

    // MARK: One attempt

    private func attempt(
        _ call: HTTPCall, compressed: [UInt8]?, deadline: NIODeadline
    ) async throws -> HTTPReply {
        do {
            return try await exchange(call, compressed, fresh: false, deadline: deadline)
        } catch let lost as LostBeforeReply {
            // RFC 9112 §9.3.1: a kept connection may close just as it is used. The same bytes go out once more: the
            // peer's replay guard recognises them if it had seen them, hence `wasResent`.
            guard !Task.isCancelled else { throw lost }
            return try await exchange(call, compressed, fresh: true, deadline: deadline)
        }
    }

    private func exchange(
        _ call: HTTPCall, _ compressed: [UInt8]?, fresh: Bool, deadline: NIODeadline
    ) async throws -> HTTPReply {
        let key = call.destination.poolKey
        let grant = try await pool.acquire(call.destination, fresh: fresh, loop: group.next(), deadline: deadline)
        let connection: HTTPConnection
        let isReused: Bool
        switch grant {
        case .reuse(let kept): (connection, isReused) = (kept, true)
        case .open: (connection, isReused) = (try await open(call.destination, key: key), false)
        }
        let reply: HTTPExchange.Reply
        do {
            reply = try await connection.exchange(
                head: head(of: call, compressed: compressed), body: ByteBuffer(bytes: compressed ?? call.body),
                maxReplyBytes: call.maxReplyBytes, deadline: deadline)
        } catch let lost as LostBeforeReply {
            connection.close()
            // On a connection opened for this very request the peer has most likely read it.
            throw isReused && !fresh ? lost : lost.cause
        } catch {
            connection.close()
            throw error
        }
        if reply.reusable { pool.release(connection, key: key) } else { connection.close() }
        return try finish(reply, call: call, wasResent: fresh)
    }

    private func open(
        _ destination: HTTPDestination, key: HTTPDestination.PoolKey
    ) async throws(SOAPClientError) -> HTTPConnection {
        do throws(SOAPClientError) {
            let connection = try await openAny(destination)
            guard pool.opened(connection) else {
                connection.close()
                throw SOAPClientError(.closed, "the transport has been shut down")
            }
            connection.whenClosed { [pool] in pool.forget(connection, key: key) }
            return connection
        } catch {
            pool.abandon(key: key)
            throw error
        }
    }

    /// RFC 2782: the addresses in order, until one connects. The most telling of the failures is reported.
    private func openAny(_ destination: HTTPDestination) async throws(SOAPClientError) -> HTTPConnection {
        let tls = try contexts.context(for: destination.roots)
        var failure = SOAPClientError(.invalidDestination, "no address to connect to")
        for endpoint in destination.endpoints {
            if Task.isCancelled { throw SOAPClientError(.cancelled, "cancelled") }
            do {
                return try await HTTPConnection.open(
                    endpoint, name: destination.name, tls: tls, group: group, configuration: configuration)
            } catch {
                if failure.code == .invalidDestination || error.code == .tlsWrongName || error.code == .tlsUntrusted {
                    failure = error
                }
            }
        }
        throw failure
    }

    // MARK: Heads and bodies

    private func compressedBody(of call: HTTPCall) throws(SOAPClientError) -> [UInt8]? {
        guard configuration.compression == .whenAccepted, call.mayCompress,
            call.body.count >= configuration.minBytesToCompress, coding.accepts(call.destination.name)
        else { return nil }
        guard let compressed = try? GZip.compress(call.body), compressed.count < call.body.count else { return nil }
        return compressed
    }

    private func head(of call: HTTPCall, compressed: [UInt8]?) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: call.destination.name)
        headers.add(name: "Accept-Encoding", value: "gzip")
        for field in call.headers { headers.add(name: field.name, value: field.value) }
        if compressed != nil { headers.add(name: "Content-Encoding", value: "gzip") }
        if call.method == .post {
            headers.add(name: "Content-Length", value: String((compressed ?? call.body).count))
        }
        return HTTPRequestHead(version: .http1_1, method: .init(rawValue: call.method.rawValue), uri: call.path, headers: headers)
    }

    private func finish(_ reply: HTTPExchange.Reply, call: HTTPCall, wasResent: Bool) throws(SOAPClientError) -> HTTPReply {
        total.withLockedValue { $0 = $0 + reply.traffic }
        coding.learn(from: reply.head.headers, name: call.destination.name)
        let body = try ContentCoding.decode(
            Array(reply.body.readableBytesView), headers: reply.head.headers, limit: call.maxReplyBytes)
        return HTTPReply(
            status: Int(reply.head.status.code), headers: reply.head.headers.map { HTTPField($0.name, $0.value) },
            body: body, traffic: reply.traffic, wasResent: wasResent)
    }
}
