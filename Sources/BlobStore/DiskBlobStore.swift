import Foundation
import Identity
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files in a folder: `<SHA-256 of the owner's address>/<SHA-256 of the file>` with the address in a file `owner`
/// beside them, and open uploads in `uploads/` (`<id>` with `<id>.json`). Folders have mode 0700, files 0600.
///
/// What is in an owner's folder was whole, checked and durable before its name appeared there; everything else can go
/// at any time. One server process a folder: the lock of its database sees to that, the store has none, so that the
/// administrator's check can read beside it.
public final class DiskBlobStore: BlobStore {
    static let ownerName = "owner"
    static let uploadsName = "uploads"
    /// Octets an address can have, with room to spare.
    static let ownerLimit = 1_024

    let configuration: BlobConfiguration
    let threads: BlobThreads
    let clock: @Sendable () -> Date
    let tables = BlobTables()
    let root: OpenFile
    let uploads: OpenFile
    /// Held while an owner's folder is made sure of and filled, or removed because it is empty. Only on the pool's threads.
    let folders = Mutex<Void>(())

    /// Opens a folder, creating what is missing, and takes stock of it.
    /// - Parameters:
    ///   - pool: running; stopped by the caller after the last use of the store. 2 to 4 threads will do.
    ///   - clock: for what has no `now`: pins, writes, completions.
    /// - Throws: `.ioFailure` (also for a folder that others can write to), `.storageFull`.
    public static func open(
        folder: String, configuration: BlobConfiguration = BlobConfiguration(), pool: NIOThreadPool,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws(BlobError) -> DiskBlobStore {
        let threads = BlobThreads(pool: pool)
        return try await threads.run { () throws(BlobError) in
            do throws(IdentityError) { try PrivateFile.createFolder(folder) } catch {
                throw BlobError(.ioFailure, error.reason)
            }
            let root = try OpenFile.folder(folder)
            try root.setMode(0o700)
            let (uploads, isNew) = try root.subfolder(uploadsName)
            if isNew { try root.sync() }
            let store = DiskBlobStore(configuration, threads, clock, root, uploads)
            try store.takeStock()
            return store
        }
    }

    private init(
        _ configuration: BlobConfiguration, _ threads: BlobThreads, _ clock: @escaping @Sendable () -> Date, _ root: OpenFile,
        _ uploads: OpenFile
    ) {
        self.configuration = configuration
        self.threads = threads
        self.clock = clock
        self.root = root
        self.uploads = uploads
    }

    public func usage(of owner: Address) async throws(BlobError) -> UInt64 { tables.count(FileKey.folder(of: owner)).bytes }

    public func reader(owner: Address, digest: [UInt8]) async throws(BlobError) -> (any BlobReader)? {
        let key = try FileKey(owner: owner, digest: digest)
        let (root, threads) = (root, threads)
        return try await threads.run { () throws(BlobError) -> DiskBlobReader? in
            guard let folder = try root.open(key.folder, O_RDONLY | O_DIRECTORY),
                let file = try folder.openFile(key.name, O_RDONLY)
            else { return nil }
            return DiskBlobReader(file: file, size: try file.status().size, threads: threads)
        }
    }

    public func pin(owner: Address, digest: [UInt8]) async throws(BlobError) -> BlobPin? {
        let key = try FileKey(owner: owner, digest: digest)
        await tables.pin(key)
        let size: UInt64?
        do throws(BlobError) {
            let (root, now) = (root, clock())
            size = try await threads.run { () throws(BlobError) in try Self.refresh(key, in: root, now: now)?.size }
        } catch {
            tables.unpin(key)
            throw error
        }
        guard let size else {
            tables.unpin(key)
            return nil
        }
        return BlobPin(owner: owner, digest: digest, size: size) { [tables] in tables.unpin(key) }
    }

    /// Makes a stored file young.
    /// - Returns: its folder and size; nil if it is not there.
    static func refresh(
        _ key: FileKey, in root: OpenFile, now: Date
    ) throws(BlobError) -> (folder: OpenFile, size: UInt64)? {
        guard let folder = try root.open(key.folder, O_RDONLY | O_DIRECTORY),
            let file = try folder.openFile(key.name, O_RDONLY)
        else { return nil }
        try file.touch(now.timeIntervalSince1970)
        return (folder, try file.status().size)
    }

    public func verify(owner: Address, digest: [UInt8]) async throws(BlobError) -> BlobVerdict {
        let key = try FileKey(owner: owner, digest: digest)
        let root = root
        let found = try await threads.run { () throws(BlobError) -> (file: OpenFile?, isThere: Bool) in
            guard let folder = try root.open(key.folder, O_RDONLY | O_DIRECTORY) else { return (nil, false) }
            let isThere = try folder.status(of: key.name) != nil
            return (isThere ? try folder.openFile(key.name, O_RDONLY) : nil, isThere)
        }
        guard found.isThere else { return .missing }
        guard let file = found.file else { return .damaged }
        let hash = try await hash(file, upTo: .max)
        return hash.digest == key.name ? .intact : .damaged
    }

    /// Hashes a file from its beginning, in calls of a bounded length so that others get the threads, too.
    func hash(_ file: OpenFile, upTo end: UInt64) async throws(BlobError) -> RunningHash {
        var hash = RunningHash()
        while hash.count < end {
            let before = hash
            hash = try await threads.run { () throws(BlobError) in try Self.hashSome(file, before, upTo: end) }
            if hash.count == before.count { break }
        }
        return hash
    }

    private static let hashPiece = 512 << 10
    private static let piecesPerCall = 16

    private static func hashSome(_ file: OpenFile, _ before: RunningHash, upTo end: UInt64) throws(BlobError) -> RunningHash {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: hashPiece, alignment: 64)
        defer { buffer.deallocate() }
        var hash = before
        for _ in 0..<piecesPerCall {
            let wanted = Int(min(UInt64(hashPiece), end - hash.count))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: hash.count)
            guard count > 0 else { break }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        return hash
    }
}
