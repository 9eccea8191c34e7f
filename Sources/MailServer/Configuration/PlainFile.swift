import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files that need not be secret, such as the configuration: read with an error that names the cause.
enum PlainFile {
    /// More is no configuration and no certificate.
    private static let limit = 1 << 20

    /// - Throws: `file` or `forbidden`.
    static func text(_ path: String) throws(AdminError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path) }
        if status.st_mode & S_IFMT == S_IFDIR { throw AdminError(.file, "\(path) is a folder, not a file") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw AdminError(.file, "\(path) is no regular file") }
        guard status.st_size <= limit else { throw AdminError(.file, "\(path) is too large: no more than 1 MB is read") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw AdminError(.file, "\(path) is no text file (UTF-8)")
        }
        return text
    }

    private static func failure(_ path: String) -> AdminError {
        let code = errno
        switch code {
        case ENOENT: return AdminError(.file, "there is no file \(path)")
        case EACCES, EPERM:
            return AdminError(
                .forbidden, "\(UserNames.text(geteuid())) may not read \(path)",
                hint: "run this as the user that runs the server, or as root")
        default: return AdminError(.file, "cannot read \(path): \(String(cString: strerror(code)))")
        }
    }
}
