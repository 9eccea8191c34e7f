#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads files that a person names, and says in plain words why one cannot be read.
public enum InputFile {
    /// All of a file, or of standard input if `path` is `-`.
    /// - Throws: `unreadable`; `tooLong` beyond `limit` octets.
    public static func read(_ path: String, limit: Int) throws(ConsoleError) -> [UInt8] {
        let isStandardInput = path == "-"
        let name = isStandardInput ? "standard input" : path
        let descriptor = isStandardInput ? Terminal.input.rawValue : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(name) }
        defer { if !isStandardInput { close(descriptor) } }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(name) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw ConsoleError(.unreadable, "\(name) is a folder, not a file")
        }
        return try readAll(descriptor, name, limit)
    }

    private static func readAll(_ descriptor: Int32, _ name: String, _ limit: Int) throws(ConsoleError) -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(name) }
            if count == 0 { return result }
            guard result.count + count <= limit else {
                throw ConsoleError(.tooLong, "\(name) is too long: at most \(HumanText.bytes(Int64(limit)))")
            }
            result += chunk[..<count]
        }
    }

    private static func failure(_ name: String) -> ConsoleError {
        let number = errno
        return ConsoleError(.unreadable, "cannot read \(name): \(String(cString: strerror(number)))")
    }
}

// `read` is also a name of ours.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
