import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Asks a running server through its admin socket. Blocks; meant for command-line tools.
public struct AdminClient: Sendable {
    public let path: String
    /// Seconds to wait for the reply.
    public let timeout: Int

    public init(path: String, timeout: Int = 120) {
        self.path = path
        self.timeout = timeout
    }

    /// Sends one request and waits for its reply.
    /// - Throws: `notRunning` if nobody listens; `forbidden`; `unreachable` if the server broke off, so that nobody knows
    ///   whether it did as asked; `badRequest`.
    public func perform(_ request: AdminRequest) throws(AdminError) -> AdminReply {
        do {
            let line = try JSONEncoder().encode(request) + [UInt8(ascii: "\n")]
            guard line.count <= AdminRequest.maximumSize else { throw AdminError(.badRequest, "the request is too long") }
            let descriptor = try connected()
            defer { close(descriptor) }
            try send(Array(line), descriptor)
            return try JSONDecoder().decode(AdminReply.self, from: Data(try receiveLine(descriptor)))
        } catch let error as AdminError {
            throw error
        } catch {
            throw AdminError(.badRequest, "the server's answer is not understood: are both of the same version?")
        }
    }

    private func connected() throws -> Int32 {
        let descriptor = try SocketFile.open()
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        do {
            guard try SocketFile.call(path, { connect(descriptor, $0, $1) }) == 0 else {
                if errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR {
                    throw AdminError(.notRunning, "no server answers at \(path)", hint: "start it with `wsemaild serve`")
                }
                throw SocketFile.failure("connect to", path)
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private func send(_ bytes: [UInt8], _ descriptor: Int32) throws {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes { buffer -> Int in
                guard let base = buffer.baseAddress else { return 0 }
                return transmit(descriptor, base + offset, bytes.count - offset)
            }
            if sent < 0, errno == EINTR { continue }
            // The server may have answered and closed: its answer says more than our failure.
            if sent < 0, errno == EPIPE || errno == ECONNRESET { return }
            guard sent > 0 else { throw AdminClient.brokenOff }
            offset += sent
        }
    }

    private func receiveLine(_ descriptor: Int32) throws -> [UInt8] {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while line.count <= AdminReply.maximumSize {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw AdminClient.brokenOff }
            if let end = chunk[..<count].firstIndex(of: UInt8(ascii: "\n")) { return line + chunk[..<end] }
            line += chunk[..<count]
        }
        throw AdminError(.badRequest, "the server's answer is too long")
    }

    private static let brokenOff = AdminError(
        .unreachable, "the server broke off before it answered: nobody knows whether it did as asked",
        hint: "look with a list command, then try again")
}

/// Sends without a signal when the other end is gone.
private func transmit(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    #if canImport(Darwin)
        send(descriptor, bytes, count, 0)
    #else
        send(descriptor, bytes, count, Int32(MSG_NOSIGNAL))
    #endif
}
