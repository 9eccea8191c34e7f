#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An open descriptor, closed exactly once, by `deinit`. Its calls block: only on the threads of the pool.
///
/// Made only of a descriptor that is open already: an `init` that throws after `descriptor` is set would run `deinit`.
final class OpenFile: Sendable {
    let descriptor: CInt

    /// Takes `descriptor` over.
    private init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { _ = closeDescriptor(descriptor) }

    /// A folder by its path, which the administrator may have made a symbolic link.
    static func folder(_ path: String) throws(BlobError) -> OpenFile {
        let descriptor = openDescriptor(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw BlobError.system("open the folder \(path)") }
        return OpenFile(descriptor)
    }

    /// Opens `name` in this folder, never through a symbolic link. nil: there is none, or a link or something else
    /// stands there instead of what `flags` ask for.
    func open(_ name: String, _ flags: CInt) throws(BlobError) -> OpenFile? {
        // O_NONBLOCK: a planted FIFO must not hold the thread; it means nothing to regular files and folders.
        let all = flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        let opened = openDescriptor(descriptor, name, all, 0o600)
        guard opened >= 0 else {
            let number = errno
            switch number {
            case ENOENT, ELOOP, ENOTDIR, EMLINK, EISDIR, ENXIO: return nil
            default: throw BlobError.system("open \(name)", number)
            }
        }
        return OpenFile(opened)
    }

    /// A regular file that exists.
    func openFile(_ name: String, _ flags: CInt) throws(BlobError) -> OpenFile? {
        guard let file = try open(name, flags), try file.status().isFile else { return nil }
        return file
    }

    /// A new file, mode 0600; one of that name must not be there.
    func create(_ name: String) throws(BlobError) -> OpenFile {
        guard let file = try open(name, O_RDWR | O_CREAT | O_EXCL) else {
            throw BlobError(.ioFailure, "cannot create \(name)")
        }
        try file.setMode(0o600)
        return file
    }

    /// The folder `name` in this one, created (0700) if it is not there.
    /// - Returns: and whether it is new.
    func subfolder(_ name: String) throws(BlobError) -> (folder: OpenFile, isNew: Bool) {
        let made = mkdirat(descriptor, name, 0o700)
        guard made == 0 || errno == EEXIST else { throw BlobError.system("create the folder \(name)") }
        guard let folder = try open(name, O_RDONLY | O_DIRECTORY) else {
            throw BlobError(.ioFailure, "\(name) is not a folder")
        }
        if made == 0 { try folder.setMode(0o700) }
        return (folder, made == 0)
    }

    /// What the tests of a file ask for.
    struct Status {
        let isFile: Bool
        let size: UInt64
        /// Seconds since 1970.
        let modified: Double

        fileprivate init(_ status: stat) {
            isFile = status.st_mode & S_IFMT == S_IFREG
            size = status.st_size > 0 ? UInt64(status.st_size) : 0
            #if canImport(Darwin)
                let time = status.st_mtimespec
            #else
                let time = status.st_mtim
            #endif
            modified = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }

    func status() throws(BlobError) -> Status {
        var result = stat()
        guard fstat(descriptor, &result) == 0 else { throw BlobError.system("examine a file") }
        return Status(result)
    }

    /// Of `name` in this folder, not of what a symbolic link points at. nil: there is none.
    func status(of name: String) throws(BlobError) -> Status? {
        var result = stat()
        guard fstatat(descriptor, name, &result, AT_SYMLINK_NOFOLLOW) == 0 else {
            let number = errno
            if number == ENOENT { return nil }
            throw BlobError.system("examine \(name)", number)
        }
        return Status(result)
    }

    func setMode(_ mode: mode_t) throws(BlobError) {
        // The umask may have taken bits away.
        guard fchmod(descriptor, mode) == 0 else { throw BlobError.system("set the mode of a file") }
    }

    /// Sets the time of the last change, which is a file's age.
    func touch(_ seconds: Double) throws(BlobError) {
        // Beyond the range, the clock is not worth a trap.
        let whole = max(-1e11, min(1e11, seconds.isFinite ? seconds : 0)).rounded(.down)
        let part = max(0, min(999_999_999, (seconds - whole) * 1e9))
        let time = timespec(tv_sec: Int(whole), tv_nsec: part.isFinite ? Int(part) : 0)
        guard futimens(descriptor, [time, time]) == 0 else { throw BlobError.system("set the time of a file") }
    }

    func sync() throws(BlobError) {
        guard fsync(descriptor) == 0 else { throw BlobError.system("fsync") }
    }

    /// Content and length, without the times.
    func syncData() throws(BlobError) {
        #if canImport(Darwin)
            try sync()
        #else
            guard fdatasync(descriptor) == 0 else { throw BlobError.system("fdatasync") }
        #endif
    }

    func truncate(_ length: UInt64) throws(BlobError) {
        guard let length = off_t(exactly: length) else { throw BlobError(.invalid, "a length beyond all files") }
        guard ftruncate(descriptor, length) == 0 else { throw BlobError.system("truncate a file") }
    }

    /// Writes what it can. `written` counts also when it throws.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, written: inout Int) throws(BlobError) {
        guard let base = bytes.baseAddress else { return }
        while written < bytes.count {
            guard let position = off_t(exactly: offset + UInt64(written)) else {
                throw BlobError(.invalid, "an offset beyond all files")
            }
            let count = pwrite(descriptor, base + written, bytes.count - written, position)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw BlobError.system("write", count == 0 ? ENOSPC : errno) }
            written += count
        }
    }

    func writeAll(_ bytes: [UInt8]) throws(BlobError) {
        var written = 0
        // A closure cannot throw typed through the standard library's rethrows here.
        let result = bytes.withUnsafeBytes { buffer -> Result<Void, BlobError> in
            do throws(BlobError) { return .success(try write(buffer, at: 0, written: &written)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Fills `buffer` as far as there is something.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(BlobError) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            guard let position = off_t(exactly: offset + UInt64(done)) else { return done }
            let count = pread(descriptor, base + done, buffer.count - done, position)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw BlobError.system("read") }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// The whole of a small file. nil: larger than `limit`.
    func readAll(limit: Int) throws(BlobError) -> [UInt8]? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: limit + 1, alignment: 16)
        defer { buffer.deallocate() }
        let count = try read(into: buffer, at: 0)
        return count > limit ? nil : Array(buffer[..<count])
    }

    /// Moves `name` of this folder into another, over what stands there.
    func rename(_ name: String, to newName: String, in folder: OpenFile) throws(BlobError) {
        guard renameat(descriptor, name, folder.descriptor, newName) == 0 else { throw BlobError.system("rename \(name)") }
    }

    /// - Returns: whether it was there.
    @discardableResult func unlink(_ name: String) throws(BlobError) -> Bool {
        guard unlinkat(descriptor, name, 0) != 0 else { return true }
        let number = errno
        guard number == ENOENT else { throw BlobError.system("delete \(name)", number) }
        return false
    }

    /// Deletes an empty folder.
    func removeFolder(_ name: String) throws(BlobError) {
        guard unlinkat(descriptor, name, AT_REMOVEDIR) == 0 else { throw BlobError.system("delete the folder \(name)") }
    }

    /// The names in this folder. Names that are not UTF-8 come with replacement characters: nothing of ours has them.
    func names() throws(BlobError) -> [String] {
        // A descriptor of its own: fdopendir takes it over, and the position of the listing is the descriptor's.
        let copy = openDescriptor(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard copy >= 0 else { throw BlobError.system("list a folder") }
        guard let stream = fdopendir(copy) else {
            let number = errno
            _ = closeDescriptor(copy)
            throw BlobError.system("list a folder", number)
        }
        defer { closedir(stream) }
        var result: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 1) { String(cString: $0) }
            }
            if name != "." && name != ".." { result.append(name) }
        }
        guard errno == 0 else { throw BlobError.system("list a folder") }
        return result
    }

    /// Octets of the disk that are free for us; nil if it does not tell.
    func freeSpace() -> UInt64? {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { return nil }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? UInt64.max : bytes
    }
}

// `close` and `open` are also names of ours.
private func closeDescriptor(_ descriptor: CInt) -> CInt { close(descriptor) }
private func openDescriptor(_ folder: CInt, _ name: String, _ flags: CInt, _ mode: mode_t) -> CInt {
    while true {
        let descriptor = openat(folder, name, flags, mode)
        if descriptor >= 0 || errno != EINTR { return descriptor }
    }
}
