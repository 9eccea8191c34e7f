import Foundation
import MailStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes one process the owner of a database: an exclusive `flock` on a file beside it, which the kernel drops when the
/// process dies. The lock file stays; deleting it would let two processes lock two files of one name.
final class OwnerLock: Sendable {
    private let descriptor: CInt

    /// Once `descriptor` is set, `deinit` closes it, also when this throws.
    init(database path: String) throws(StoreError) {
        let lockPath = path + ".lock"
        descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("cannot open", lockPath) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let owner = Self.read(descriptor)
            guard code == EWOULDBLOCK else { throw Self.failure("cannot lock", lockPath, code: code) }
            let who = owner.isEmpty ? "another process" : "the process \(owner)"
            throw StoreError(.inUse, "\(path) is in use by \(who): stop it first, or talk to it")
        }
        let text = "\(getpid())\n"
        _ = ftruncate(descriptor, 0)
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit {
        // Closing alone would not do while a child process that is being spawned still has its copy of the descriptor.
        _ = flock(descriptor, LOCK_UN)
        _ = closeDescriptor(descriptor)
    }

    /// Only for messages to people.
    private static func read(_ descriptor: CInt) -> String {
        var buffer = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return "" }
        return String(decoding: buffer.prefix(count).filter { (0x30...0x39).contains($0) }, as: UTF8.self)
    }

    /// Creates the database file for its owner only, or takes the rights of others away. SQLite gives `-wal` and `-shm`
    /// the same mode.
    static func protectFile(_ path: String) throws(StoreError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("cannot open", path) }
        defer { _ = closeDescriptor(file) }
        guard fchmod(file, 0o600) == 0 else { throw failure("cannot set the mode of", path) }
    }

    /// Makes the name of a new file durable.
    static func syncFolder(of path: String) throws(StoreError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let file = open(folder, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("cannot open", folder) }
        defer { _ = closeDescriptor(file) }
        guard fsync(file) == 0 else { throw failure("cannot sync", folder) }
    }

    private static func failure(_ what: String, _ path: String, code: CInt = errno) -> StoreError {
        StoreError(code == ENOSPC ? .storageFull : .ioFailure, "\(what) \(path): \(String(cString: strerror(code)))")
    }
}

private func closeDescriptor(_ descriptor: CInt) -> CInt { close(descriptor) }
