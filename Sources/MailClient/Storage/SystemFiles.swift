import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The few file operations that `Identity.PrivateFile` does not offer.
enum SystemFiles {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Names in a folder, sorted, without hidden ones; empty where there is no folder.
    static func names(in folder: String) throws(MailClientError) -> [String] {
        guard exists(folder) else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw MailClientError(.storage, "cannot read \(folder)")
        }
    }

    /// Removes a file; one that is not there is no error.
    static func remove(_ path: String) throws(MailClientError) {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw MailClientError(.storage, "cannot remove \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Removes a folder with all that is in it.
    static func removeFolder(_ path: String) throws(MailClientError) {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            throw MailClientError(.storage, "cannot remove \(path)")
        }
    }

    /// Renames within a folder. When this returns the new name survives a crash.
    static func move(_ from: String, to: String) throws(MailClientError) {
        guard rename(from, to) == 0 else {
            throw MailClientError(.storage, "cannot move \(from): \(String(cString: strerror(errno)))")
        }
        let folder = to.lastIndex(of: "/").map { String(to[..<$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw MailClientError(.storage, "cannot open \(folder): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw MailClientError(.storage, "cannot write \(folder): \(String(cString: strerror(errno)))")
        }
    }

    /// Permission bits; nil where there is no such file.
    static func mode(of path: String) -> UInt32? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return UInt32(status.st_mode) & 0o777
    }
}

/// An exclusive lock between processes and tasks, on a file of its own: never on one that is replaced by renaming.
/// It ends with ``release()`` or with its last reference; a process that dies leaves none behind.
final class FileLock: Sendable {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Waits for the lock without blocking a thread.
    /// - Throws: `busy` after `timeout`; `storage`.
    static func acquire(_ path: String, timeout: Duration = .seconds(30)) async throws(MailClientError) -> FileLock {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw MailClientError(.storage, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        let lock = FileLock(descriptor)
        let deadline = ContinuousClock.now + timeout
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw MailClientError(.storage, "cannot lock \(path): \(String(cString: strerror(errno)))")
            }
            guard ContinuousClock.now < deadline else {
                throw MailClientError(
                    .busy, "another wsemail command is still at work on this account", advice: "Wait for it, then try again.",
                    isTransient: true)
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch {
                throw MailClientError(.internal, "interrupted", isTransient: true)
            }
        }
        return lock
    }

    /// Locks a file that is there, without waiting: for files that are removed by whoever holds their lock.
    /// - Returns: nil if another holds the lock, or the file is gone.
    static func claim(_ path: String) throws(MailClientError) -> FileLock? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            guard errno == ENOENT else {
                throw MailClientError(.storage, "cannot open \(path): \(String(cString: strerror(errno)))")
            }
            return nil
        }
        let lock = FileLock(descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
        // Between opening and locking its holder may have removed it.
        var held = stat()
        var named = stat()
        guard fstat(descriptor, &held) == 0, stat(path, &named) == 0 else { return nil }
        return held.st_ino == named.st_ino && held.st_dev == named.st_dev ? lock : nil
    }

    /// Ends the lock. (Closing in `deinit` would do so too; this says when.)
    func release() { _ = flock(descriptor, LOCK_UN) }
}
