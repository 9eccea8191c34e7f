import Foundation
import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The folder in which a new domain is made before it is moved into place.
///
/// It lies inside the data directory, because the folder above may not be ours to write (`/var/lib`). A lock tells a running
/// `init` from one that died; the kernel drops it with the process.
final class StagingFolder {
    private static let databaseFiles = ["mail.sqlite", "mail.sqlite-wal", "mail.sqlite-shm", "mail.sqlite.lock"]

    private let data: String
    private let path: String
    private let madeData: Bool
    private var lock: Int32 = -1
    private var moved: [String] = []

    var keys: String { path + "/keys" }
    var database: String { path + "/mail.sqlite" }

    /// Takes the data directory for a new domain.
    /// - Throws: `alreadyExists` if a domain is there; `busy` if another `init` runs; `file`.
    init(data: String) throws {
        self.data = data
        path = data + "/.incomplete"
        let files = FileManager.default
        madeData = !files.fileExists(atPath: data)
        try PrivateFile.createFolder(data)
        do {
            guard chmod(data, 0o700) == 0 else { throw SocketFile.failure("chmod", data) }
            guard !files.fileExists(atPath: data + "/keys") else {
                throw AdminError(
                    .alreadyExists, "\(data) already holds the keys of a domain; nothing was changed",
                    hint: "start it with `wsemaild serve` (a lost password: `wsemaild user passwd postmaster`), or choose "
                        + "another folder with --data")
            }
            let hadRemains = files.fileExists(atPath: path)
            guard hadRemains || !files.fileExists(atPath: data + "/mail.sqlite") else {
                throw AdminError(
                    .alreadyExists, "\(data) holds a database without keys; nothing was changed",
                    hint: "restore \(data)/keys from your backup, or move the database away")
            }
            try take(hadRemains: hadRemains)
        } catch {
            if madeData { rmdir(data) }
            throw error
        }
    }

    private func take(hadRemains: Bool) throws {
        guard hadRemains || mkdir(path, 0o700) == 0 else { throw SocketFile.failure("create", path) }
        lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard lock >= 0 else { throw SocketFile.failure("open", path) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw AdminError(.busy, "another `wsemaild init` is at work in \(data)", hint: "wait until it is done")
        }
        guard hadRemains else { return }
        // Of a try that died: nothing of it was ever in use, as the keys come last.
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }
        for name in StagingFolder.databaseFiles { unlink(data + "/" + name) }
    }

    /// Moves all into place; the keys last.
    func commit() throws {
        for name in StagingFolder.databaseFiles.dropLast() + ["keys"] {
            guard FileManager.default.fileExists(atPath: path + "/" + name) else { continue }
            guard rename(path + "/" + name, data + "/" + name) == 0 else { throw SocketFile.failure("create", data + "/" + name) }
            moved.append(name)
        }
        try sync()
    }

    /// Removes the empty staging folder after `commit`.
    func finish() {
        unlink(database + ".lock")
        rmdir(path)
        unlock()
    }

    /// Undoes everything.
    func abandon() {
        let files = FileManager.default
        for name in moved.reversed() { try? files.removeItem(atPath: data + "/" + name) }
        try? files.removeItem(atPath: path)
        if madeData { rmdir(data) }
        unlock()
    }

    /// Closing alone would not do while a child process that is being spawned still has its copy of the descriptor.
    private func unlock() {
        _ = flock(lock, LOCK_UN)
        close(lock)
    }

    private func sync() throws {
        let folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw SocketFile.failure("open", data) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw SocketFile.failure("fsync", data) }
    }
}
