#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files that only their owner may read: private keys, sessions, databases' folders.
///
/// A write is all or nothing, also across a power cut: a temporary file in the same folder (`O_EXCL`, mode 0600),
/// `fsync`, `rename`, `fsync` of the folder.
public enum PrivateFile {
    /// The most a read accepts unless told otherwise, in octets.
    public static let standardLimit = 1 << 20

    /// Replaces or creates `path`.
    /// - Throws: ``IdentityError`` `.fileSystem` naming the call and the path.
    public static func write(_ bytes: [UInt8], to path: String) throws(IdentityError) {
        let folder = folderName(of: path)
        let temporary = "\(folder)/.\(RandomID.hex(8)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create a file in", folder) }
        do throws(IdentityError) {
            try fill(descriptor, bytes, temporary)
            guard rename(temporary, path) == 0 else { throw failure("rename to", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        try syncFolder(folder)
    }

    /// Replaces or creates `path` with UTF-8 text.
    public static func write(_ text: String, to path: String) throws(IdentityError) {
        try write(Array(text.utf8), to: path)
    }

    /// The content of `path`.
    /// - Throws: ``IdentityError`` `.unsafeFile` if group or others may read or write it, if it is another user's or
    ///   no regular file; `.limitExceeded` beyond `limit` octets; `.fileSystem`.
    public static func read(_ path: String, limit: Int = standardLimit) throws(IdentityError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        // The descriptor is judged, not the path: nobody can swap the file in between.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("examine", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw IdentityError(.unsafeFile, "\(path) is not a regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw IdentityError(.unsafeFile, "\(path) can be read by others; run: chmod 600 \(path)")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw IdentityError(
                .unsafeFile, "\(path) belongs to \(UserNames.text(status.st_uid)), not to \(UserNames.text(geteuid()))")
        }
        return try readAll(descriptor, path, limit)
    }

    /// The content of `path` as UTF-8 text, under the same rules as ``read(_:limit:)``.
    public static func readText(_ path: String, limit: Int = standardLimit) throws(IdentityError) -> String {
        guard let text = String(validating: try read(path, limit: limit), as: UTF8.self) else {
            throw IdentityError(.unsafeFile, "\(path) is not UTF-8 text")
        }
        return text
    }

    /// Creates `path` and the missing folders above it with mode 0700. An existing folder must be ours and not
    /// writable by others.
    public static func createFolder(_ path: String) throws(IdentityError) {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw IdentityError(.unsafeFile, "\(path) is not a folder")
            }
            guard status.st_uid == geteuid() else {
                throw IdentityError(
                    .unsafeFile, "\(path) belongs to \(UserNames.text(status.st_uid)), not to \(UserNames.text(geteuid()))")
            }
            guard status.st_mode & 0o022 == 0 else {
                throw IdentityError(.unsafeFile, "\(path) can be changed by others; run: chmod 700 \(path)")
            }
            return
        }
        guard errno == ENOENT else { throw failure("examine", path) }
        let parent = folderName(of: path)
        if parent != path, stat(parent, &status) != 0 { try createFolder(parent) }
        guard mkdir(path, 0o700) == 0 else { throw failure("create", path) }
        try syncFolder(parent)
    }

    private static func fill(_ descriptor: Int32, _ bytes: [UInt8], _ path: String) throws(IdentityError) {
        var isOpen = true
        defer { if isOpen { close(descriptor) } }
        // The umask may have taken bits away; a file nobody can read is as useless as an open one is unsafe.
        guard fchmod(descriptor, 0o600) == 0 else { throw failure("chmod", path) }
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes { buffer -> Int in
                guard let base = buffer.baseAddress else { return 0 }
                return systemWrite(descriptor, base + offset, bytes.count - offset)
            }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw failure("write", path) }
            offset += written
        }
        guard fsync(descriptor) == 0 else { throw failure("fsync", path) }
        isOpen = false
        guard close(descriptor) == 0 else { throw failure("close", path) }
    }

    private static func readAll(_ descriptor: Int32, _ path: String, _ limit: Int) throws(IdentityError) -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = chunk.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            if count == 0 { return result }
            guard result.count + count <= limit else {
                throw IdentityError(.limitExceeded, "\(path) is larger than \(limit) octets")
            }
            result.append(contentsOf: chunk[..<count])
        }
    }

    private static func syncFolder(_ folder: String) throws(IdentityError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", folder) }
    }

    private static func folderName(of path: String) -> String {
        var trimmed = Substring(path)
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// Reads `errno` first: nothing may run between the failed call and this.
    private static func failure(_ what: String, _ path: String) -> IdentityError {
        let number = errno
        return IdentityError(.fileSystem, "cannot \(what) \(path): \(String(cString: strerror(number)))")
    }
}

// `write` and `read` are also names of ours.
private let systemWrite: @Sendable (Int32, UnsafeRawPointer, Int) -> Int = { write($0, $1, $2) }
private let systemRead: @Sendable (Int32, UnsafeMutableRawPointer?, Int) -> Int = { read($0, $1, $2) }
