import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The unix socket through which administrators reach the running server: lines of JSON, one request, one reply.
///
/// Who may speak: the file has mode 0600 in the data directory, and the kernel must name the server's own user or root.
struct AdminSocket: Service {
    /// What the socket takes.
    struct Limits: Sendable {
        /// Octets of one request.
        var requestBytes = AdminRequest.maximumSize
        /// Connections at a time.
        var connections = 8
        /// For a request to be complete, from the connection or the last reply on; also for a reply to be read.
        var timeout: TimeAmount = .seconds(10)
    }

    /// One client.
    private struct Connection: Sendable {
        let channel: any Channel
        let lines: AsyncStream<ByteBuffer>

        func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes) }
    }

    private let path: String
    private let group: any EventLoopGroup
    private let logger: Logger
    private let limits: Limits
    private let perform: @Sendable (AdminRequest, AdminCaller) async -> AdminReply
    private let counter = Counter()

    init(
        path: String, group: any EventLoopGroup, logger: Logger, limits: Limits = Limits(),
        perform: @escaping @Sendable (AdminRequest, AdminCaller) async -> AdminReply
    ) {
        self.path = path
        self.group = group
        self.logger = logger
        self.limits = limits
        self.perform = perform
    }

    /// Listens until the service group shuts down or the task is cancelled. What was begun is finished and answered.
    func run() async throws {
        let server = try await bind()
        defer { unlink(path) }
        try await withGracefulShutdownHandler {
            try await server.executeThenClose { connections in
                try activate()
                try await withThrowingDiscardingTaskGroup { tasks in
                    for try await connection in connections {
                        tasks.addTask { await serve(connection) }
                    }
                }
            }
        } onGracefulShutdown: {
            server.channel.close(promise: nil)
        }
    }

    /// Where the socket is made before it has its rights.
    private var freshPath: String { path + ".new" }

    private func bind() async throws -> NIOAsyncChannel<Connection, Never> {
        try SocketFile.prepare(path)
        try SocketFile.prepare(freshPath)
        let (limits, refusal) = (limits, AdminSocket.encode(AdminSocket.tooLong(limits.requestBytes)))
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 16)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(unixDomainSocketPath: freshPath) { channel in
                channel.eventLoop.makeCompletedFuture {
                    // No NIOAsyncChannel here: one that is made and never served, because the server stops just then,
                    // ends the whole process.
                    let (lines, continuation) = AsyncStream.makeStream(
                        of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(AdminLineHandler.maximumWaiting))
                    try channel.pipeline.syncOperations.addHandler(
                        AdminLineHandler(
                            maximumLength: limits.requestBytes, timeout: limits.timeout, refusal: refusal,
                            lines: continuation))
                    return Connection(channel: channel, lines: lines)
                }
            }
    }

    /// Gives the socket its rights, then its name: nobody ever sees it without them.
    private func activate() throws {
        do {
            try SocketFile.protect(freshPath)
            guard rename(freshPath, path) == 0 else { throw SocketFile.failure("create", path) }
        } catch {
            unlink(freshPath)
            throw error
        }
    }

    private func serve(_ connection: Connection) async {
        let isAdmitted = counter.enter(limit: limits.connections)
        defer {
            if isAdmitted { counter.leave() }
            connection.channel.close(promise: nil)
        }
        do {
            guard isAdmitted else {
                throw AdminError(.busy, "too many administrators at a time", hint: "try again")
            }
            let caller = try await caller(of: connection.channel)
            guard caller.user == geteuid() || caller.user == 0 else {
                logger.warning("admin socket: a foreign user", metadata: ["by": "\(caller)"])
                throw AdminError(.forbidden, "only the server's own user and root may do this")
            }
            for await line in connection.lines.cancelOnGracefulShutdown() {
                try await connection.send(AdminSocket.encode(await reply(to: line, caller)))
            }
        } catch let error as AdminError {
            try? await connection.send(AdminSocket.encode(AdminReply(error: error)))
        } catch {
            // A client that went away is nobody's fault.
            logger.debug("admin connection ended", metadata: ["reason": "\(error)"])
        }
    }

    private func reply(to line: ByteBuffer, _ caller: AdminCaller) async -> AdminReply {
        // The line may hold a password: it goes into no log, whatever is wrong with it.
        guard let request = try? JSONDecoder().decode(AdminRequest.self, from: Data(line.readableBytesView)) else {
            return AdminReply(
                error: AdminError(
                    .badRequest, "the request is not understood",
                    hint: "are wsemaild and the running server of the same version? Restart the server after an update"))
        }
        return await perform(request, caller)
    }

    // MARK: Peers

    /// What SO_PEERCRED answers (unix(7)).
    private struct PeerCredentials {
        var process: Int32 = 0
        var user: UInt32 = .max
        var group: UInt32 = .max
    }

    private func caller(of channel: any Channel) async throws -> AdminCaller {
        #if os(Linux)
            guard let provider = channel as? any SocketOptionProvider else {
                throw AdminError(.internal, "the connection has no socket options")
            }
            let credentials: PeerCredentials = try await provider.unsafeGetSocketOption(
                level: .init(rawValue: SOL_SOCKET), name: .init(rawValue: SO_PEERCRED)
            ).get()
            return AdminCaller(user: credentials.user, path: .socket)
        #else
            // Elsewhere the rights of the file and its folder decide alone.
            return AdminCaller(user: geteuid(), path: .socket)
        #endif
    }

    private static func tooLong(_ limit: Int) -> AdminReply {
        AdminReply(error: AdminError(.badRequest, "a request is a line of at most \(limit) bytes"))
    }

    private static func encode(_ reply: AdminReply) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A reply holds nothing but text: this cannot fail.
        var bytes = (try? encoder.encode(reply)) ?? Data(#"{"ok":false,"message":"","columns":[],"rows":[],"details":{}}"#.utf8)
        bytes.append(UInt8(ascii: "\n"))
        return ByteBuffer(bytes: bytes)
    }

    /// Connections open now.
    private final class Counter: Sendable {
        private let open = Mutex(0)

        func enter(limit: Int) -> Bool {
            open.withLock { open in
                guard open < limit else { return false }
                open += 1
                return true
            }
        }

        func leave() { open.withLock { $0 -= 1 } }
    }
}
