#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A TCP connection that says nothing.
struct RawConnection {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw ProcessFailure(description: "cannot connect to port \(port)") }
    }

    func close() { _ = closeDescriptor(descriptor) }
}

/// A TLS connection with the beginning of a request whose body never comes (through openssl s_client).
struct HalfRequest {
    private let input: Int32

    init(port: Int, leash: ProcessLeash) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw ProcessFailure(description: "no socket pair")
        }
        input = ends[1]
        defer { _ = closeDescriptor(ends[0]) }
        _ = try spawn(
            ["/usr/bin/openssl", "s_client", "-quiet", "-connect", "127.0.0.1:\(port)"], input: ends[0], output: nil,
            errors: nil, group: leash.group)
        let head =
            "POST /wsemail HTTP/1.1\r\nHost: capicom.test\r\nContent-Type: application/soap+xml; charset=utf-8\r\n"
            + "Content-Length: 1000\r\n\r\n<half"
        let bytes = Array(head.utf8)
        guard write(input, bytes, bytes.count) == bytes.count else { throw ProcessFailure(description: "openssl takes nothing") }
    }

    func close() { _ = closeDescriptor(input) }
}

private func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }
