#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The unix socket as a file: its name, what stands there already, and plain blocking calls on it.
enum SocketFile {
    /// What stands at a socket's path.
    enum State: Sendable, Equatable {
        case nothing
        /// A socket where nobody listens any more.
        case stale
        /// Somebody listens.
        case answering
        /// Something else: never removed.
        case foreign
    }

    static func state(of path: String) throws -> State {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return .nothing }
            throw failure("examine", path)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return .foreign }
        let descriptor = try open()
        defer { close(descriptor) }
        if try call(path, { connect(descriptor, $0, $1) }) == 0 { return .answering }
        switch errno {
        case ECONNREFUSED: return .stale
        case ENOENT: return .nothing
        case EAGAIN: return .answering
        default: throw failure("connect to", path)
        }
    }

    /// Makes room for a new socket: a stale one goes, nothing else does.
    static func prepare(_ path: String) throws {
        switch try state(of: path) {
        case .nothing: break
        case .stale:
            guard unlink(path) == 0 || errno == ENOENT else { throw failure("remove", path) }
        case .answering:
            throw AdminError(.inUse, "another server answers at \(path)", hint: "stop it first, or use another data_directory")
        case .foreign:
            throw AdminError(.file, "\(path) is no socket", hint: "move it away, then start again")
        }
    }

    /// A stream socket that no child process inherits.
    static func open() throws -> Int32 {
        #if canImport(Glibc)
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #elseif canImport(Musl)
            let descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw failure("open", "a socket") }
        return descriptor
    }

    /// Runs `body` with the path as a socket address.
    static func call<T>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) throws -> T {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard name.count < capacity else {
            throw AdminError(
                .file, "the path \(path) is too long for a socket: at most \(capacity - 1) bytes",
                hint: "choose a shorter data_directory")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    /// Lets only the owner connect.
    static func protect(_ path: String) throws {
        guard chmod(path, 0o600) == 0 else { throw failure("chmod", path) }
    }

    static func failure(_ what: String, _ path: String) -> AdminError {
        let number = errno
        let hint = number == EACCES || number == EPERM ? "run this as the user that runs the server, or as root" : ""
        return AdminError(
            number == EACCES || number == EPERM ? .forbidden : .file,
            "cannot \(what) \(path): \(String(cString: strerror(number)))", hint: hint)
    }
}
