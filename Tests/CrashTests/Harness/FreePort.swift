import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

private let handedOut = Mutex<Set<Int>>([])

/// A TCP port of 127.0.0.1 that stays free while its server is down: below the ports that the system gives to outgoing
/// connections (one of these on the same number would keep the server from coming back), and given out once.
func freePort() throws -> Int {
    for _ in 0..<1_000 {
        let port = Int.random(in: 10_000..<32_000)
        guard handedOut.withLock({ $0.insert(port).inserted }), isFree(port) else { continue }
        return port
    }
    throw ProcessFailure(description: "no free port")
}

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
