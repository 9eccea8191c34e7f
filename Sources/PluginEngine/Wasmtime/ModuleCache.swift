import Crypto
import Foundation
import PluginAPI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Compiled modules on disk.
///
/// Compiled code runs as part of the server, so only what this cache wrote is ever read back: the folder must be ours
/// alone, and every entry begins with an HMAC under a random key that lies in the folder (mode 0600). An entry that does
/// not pass is deleted, and the module compiled anew.
///
/// All files are reached through the folder's descriptor: renaming the folder or putting another in its place later
/// changes nothing. Several processes may share a folder.
///
/// `@unchecked Sendable`: immutable; the descriptor is used for `*at` calls only, which may overlap.
final class ModuleCache: @unchecked Sendable {
    private static let keyName = "key"
    private static let magic = [UInt8]("wsemail compiled module 1\n".utf8)
    private static let keyOctets = 32

    private let descriptor: Int32
    private let key: SymmetricKey
    private let limit: Int

    /// - Parameter folder: made if it is not there (its parent must be).
    /// - Throws: ``PluginError`` `.unavailable` when the folder or its key is another user's, open to others, or no folder.
    init(folder: String, limit: Int) throws(PluginError) {
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw Self.failure("\(folder) cannot be made") }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("\(folder) cannot be opened") }
        do throws(PluginError) {
            try Self.check(descriptor, S_IFDIR, folder)
            key = SymmetricKey(data: try Self.key(in: descriptor, folder))
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.limit = limit
    }

    deinit { close(descriptor) }

    /// The octets kept under a name, if they are there and ours. Whatever else is there is deleted.
    func read(_ name: String) -> [UInt8]? {
        let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno != ENOENT { remove(name) }
            return nil
        }
        defer { close(file) }
        guard let content = try? Self.content(file, limit: limit, name), let payload = verified(content, name) else {
            remove(name)
            return nil
        }
        // Its age counts from its last use.
        futimens(file, nil)
        return payload
    }

    /// Keeps octets under a name. A failure (a full disk) only costs time at the next start.
    func write(_ octets: [UInt8], _ name: String) {
        let head = Self.magic + authentication(octets, name)
        guard head.count + octets.count <= limit else { return }
        let temporary = ".\(UUID().uuidString)"
        do throws(PluginError) {
            try Self.create(temporary, in: descriptor, head + octets)
        } catch {
            remove(temporary)
            return
        }
        if renameat(descriptor, temporary, descriptor, name) != 0 { remove(temporary) }
        trim()
    }

    func remove(_ name: String) { unlinkat(descriptor, name, 0) }

    /// Deletes the entries used longest ago until the rest fits.
    private func trim() {
        let list = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard list >= 0, let directory = fdopendir(list) else {
            if list >= 0 { close(list) }
            return
        }
        defer { closedir(directory) }
        var entries: [(name: String, size: Int, used: Int)] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            var status = stat()
            guard name != Self.keyName, fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG
            else { continue }
            entries.append((name, Int(status.st_size), Self.modified(status)))
        }
        var total = entries.reduce(0) { $0 + $1.size }
        for entry in entries.sorted(by: { $0.used < $1.used }) where total > limit {
            remove(entry.name)
            total -= entry.size
        }
    }

    private func authentication(_ octets: [UInt8], _ name: String) -> [UInt8] {
        var code = HMAC<SHA256>(key: key)
        code.update(data: [UInt8](name.utf8))
        code.update(data: octets)
        return Array(code.finalize())
    }

    private func verified(_ content: [UInt8], _ name: String) -> [UInt8]? {
        let start = Self.magic.count + SHA256.byteCount
        guard content.count > start, content.starts(with: Self.magic) else { return nil }
        let payload = Array(content[start...])
        // Who may read the folder to compare timings could read the key.
        return authentication(payload, name) == Array(content[Self.magic.count..<start]) ? payload : nil
    }

    // MARK: Files

    /// Reads the folder's key, or makes one. Of several processes that make one, the first wins.
    private static func key(in folder: Int32, _ path: String) throws(PluginError) -> [UInt8] {
        for _ in 0..<2 {
            let file = openat(folder, keyName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
            if file >= 0 {
                defer { close(file) }
                let key = try content(file, limit: 1_024, "\(path)/\(keyName)")
                if key.count == keyOctets { return key }
                // Cut off by a crash or a full disk: what it vouched for is compiled anew.
                unlinkat(folder, keyName, 0)
            } else if errno != ENOENT {
                throw failure("\(path)/\(keyName) cannot be opened")
            }
            let temporary = ".\(UUID().uuidString)"
            defer { unlinkat(folder, temporary, 0) }
            var generator = SystemRandomNumberGenerator()
            try create(temporary, in: folder, (0..<keyOctets).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
            guard linkat(folder, temporary, folder, keyName, 0) == 0 || errno == EEXIST else {
                throw failure("\(path)/\(keyName) cannot be made")
            }
        }
        let file = openat(folder, keyName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw failure("\(path)/\(keyName) cannot be opened") }
        defer { close(file) }
        return try content(file, limit: 1_024, "\(path)/\(keyName)")
    }

    private static func create(_ name: String, in folder: Int32, _ octets: [UInt8]) throws(PluginError) {
        let file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("no file can be made in the cache") }
        defer { close(file) }
        var offset = 0
        while offset < octets.count {
            let count = octets.withUnsafeBytes { systemWrite(file, $0[offset...]) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure("the cache cannot be written") }
            offset += count
        }
    }

    private static func content(_ file: Int32, limit: Int, _ name: String) throws(PluginError) -> [UInt8] {
        let size = try check(file, S_IFREG, name)
        guard size <= limit else { throw PluginError(.unavailable, "\(name) is too big") }
        var failed = false
        let octets = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            while filled < size {
                let count = systemRead(file, UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...]))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    failed = count < 0
                    return
                }
                filled += count
            }
        }
        if failed { throw failure("\(name) cannot be read") }
        return octets
    }

    /// Answers the size of a file that is ours alone.
    @discardableResult
    private static func check(_ file: Int32, _ kind: mode_t, _ name: String) throws(PluginError) -> Int {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("\(name) cannot be examined") }
        guard status.st_mode & S_IFMT == kind else { throw PluginError(.unavailable, "\(name) is of the wrong kind") }
        guard status.st_uid == geteuid() else { throw PluginError(.unavailable, "\(name) is another user's") }
        guard status.st_mode & 0o077 == 0 else {
            throw PluginError(.unavailable, "\(name) is open to other users; run: chmod go= \(name)")
        }
        return Int(status.st_size)
    }

    private static func modified(_ status: stat) -> Int {
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    private static func failure(_ text: String) -> PluginError {
        PluginError(.unavailable, "\(text): \(String(cString: strerror(errno)))")
    }
}

private func systemWrite(_ file: Int32, _ octets: Slice<UnsafeRawBufferPointer>) -> Int {
    let buffer = UnsafeRawBufferPointer(rebasing: octets)
    return write(file, buffer.baseAddress, buffer.count)
}

private func systemRead(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(file, buffer.baseAddress, buffer.count)
}
