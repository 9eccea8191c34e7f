import NIOCore
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One listener with the names of its settings: what keeps it from listening is said in the configuration's words.
struct Listener: Service {
    /// What its settings begin with: "listen" or "metrics".
    let kind: String
    let address: String
    let port: Int
    let application: any Service

    func run() async throws {
        do { try await application.run() } catch { throw Listener.explain(error, kind: kind, address: address, port: port) }
    }

    static func explain(_ error: any Error, kind: String, address: String, port: Int) -> any Error {
        if error is SocketAddressError {
            return AdminError(.file, "\(kind)_address: \"\(address)\" is no IP address", hint: "such as 0.0.0.0, 127.0.0.1 or ::")
        }
        guard let error = error as? IOError else { return error }
        switch error.errnoCode {
        case EADDRINUSE:
            return AdminError(
                .inUse, "port \(port) on \(address) is taken by another program", hint: "stop it, or set \(kind)_port")
        case EACCES, EPERM:
            return AdminError(
                .forbidden, "this user may not listen on port \(port)",
                hint: "set \(kind)_port to one above 1023, or give the program CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL, EAFNOSUPPORT:
            return AdminError(.file, "\(address) is no address of this machine", hint: "set \(kind)_address")
        default:
            return AdminError(
                .internal, "cannot listen on \(address) port \(port): \(String(cString: strerror(error.errnoCode)))",
                hint: "look at \(kind)_address and \(kind)_port")
        }
    }
}
