import Foundation
import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension DiskBlobStore {
    /// Octets of an upload's secret.
    static let secretLength = 32

    public func openUpload(
        owner: Address, digest: [UInt8], size: UInt64, now: Date
    ) async throws(BlobError) -> BlobUpload {
        let file = try FileKey(owner: owner, digest: digest)
        guard size <= configuration.largestFile, off_t(exactly: size) != nil else {
            throw BlobError(.tooLarge, "a file may have \(configuration.largestFile) octets, not \(size)")
        }
        guard size > 0 else {
            guard RunningHash().digest == file.name else {
                throw BlobError(.digestMismatch, "the digest is not that of no octets")
            }
            _ = try await store([], owner: owner, now: now)
            return .complete
        }
        let isThere = try await refreshStored(file, size: size, now: now)
        if isThere {
            // One that was opened just before another was completed would only take up room.
            if let needless = tables.removeIdle(UploadKey(file: file, size: size), now: now, idle: configuration.idleTakeover) {
                try await threads.run { [self] () throws(BlobError) in deleteFiles(of: needless) }
            }
            return .complete
        }
        try await dropDead(of: file.folder, now: now)
        let secret = RandomID.bytes(Self.secretLength)
        let opening = try await opened(
            .init(
                owner: owner, key: UploadKey(file: file, size: size), secretHash: UploadRecord.hash(ofSecret: secret), now: now,
                limits: configuration))
        switch opening {
        case .created(let id, let token, let expires):
            try await create(id, token)
            return .open(id: id, secret: secret, offset: 0, expires: expires)
        case .watched(let id, let offset, let expires):
            try await threads.run { [self] () throws(BlobError) in try writeSidecar(id) }
            return .open(id: id, secret: secret, offset: offset, expires: expires)
        case .resumed(let id, let token, let expires):
            let offset: UInt64?
            do throws(BlobError) { offset = try await resume(id, token) } catch {
                guard error.code == .notFound else { throw error }
                // Its file was gone, and now it is forgotten.
                return try await openUpload(owner: owner, digest: digest, size: size, now: now)
            }
            guard let offset else { return .complete }
            return .open(id: id, secret: secret, offset: offset, expires: expires)
        }
    }

    /// Where an owner's uploads leave no room for another, the one goes that nobody has touched for the longest time, if that is
    /// long enough: what was given up must not keep its owner from sending for a week.
    private func opened(_ request: BlobTables.Request) async throws(BlobError) -> BlobTables.Opening {
        let folder = request.key.file.folder
        while true {
            let refusal: BlobError
            do throws(BlobError) { return try tables.open(request) } catch { refusal = error }
            let stored = tables.count(folder).stored
            guard refusal.code == .quotaExceeded, stored.addingCapped(request.key.size) <= configuration.quota,
                let old = tables.removeOldestIdle(of: folder, now: request.now, limits: configuration)
            else { throw refusal }
            try await threads.run { [self] () throws(BlobError) in deleteFiles(of: old) }
        }
    }

    public func uploadStatus(
        _ id: String, secret: [UInt8], now: Date
    ) async throws(BlobError) -> (offset: UInt64, size: UInt64) {
        let record = try tables.record(id, secretHash: UploadRecord.hash(ofSecret: secret), now: now)
        return (record.offset, record.key.size)
    }

    public func uploadOwner(_ id: String, secret: [UInt8], now: Date) async throws(BlobError) -> Address {
        try tables.record(id, secretHash: UploadRecord.hash(ofSecret: secret), now: now).owner
    }

    public func append(
        to id: String, secret: [UInt8], at offset: UInt64, now: Date
    ) async throws(BlobError) -> any BlobWriter {
        let record = try tables.beginAppend(
            id, secretHash: UploadRecord.hash(ofSecret: secret), at: offset, now: now, idle: configuration.idleTakeover)
        guard let token = record.slot?.token else { throw BlobError.noUpload }
        do throws(BlobError) {
            let (file, hash) = try await settled(id, token)
            guard hash.count == offset else {
                throw BlobError(.wrongOffset, "the upload is at \(hash.count), not at \(offset)", offset: hash.count)
            }
            tables.endWork(id, token, now: clock())
            return DiskBlobWriter(store: self, record: record, token: token, file: file, hash: hash)
        } catch {
            tables.release(id, token: token)
            throw error
        }
    }

    /// Whether a file of that size is there, durably; refreshes its age. One of another size is damaged, or the size is
    /// wrong: then the upload decides.
    private func refreshStored(_ key: FileKey, size: UInt64, now: Date) async throws(BlobError) -> Bool {
        await tables.pin(key)
        defer { tables.unpin(key) }
        let root = root
        return try await threads.run { () throws(BlobError) in
            guard let found = try Self.refresh(key, in: root, now: now), found.size == size else { return false }
            // Whoever put it there may have failed exactly here.
            try found.folder.sync()
            return true
        }
    }

    private func dropDead(of folder: String, now: Date) async throws(BlobError) {
        guard tables.count(folder).uploads > 0 else { return }
        let dead = tables.removeDead(of: folder, now: now, idle: configuration.idleTakeover)
        guard !dead.isEmpty else { return }
        try await threads.run { [self] () throws(BlobError) in for record in dead { deleteFiles(of: record) } }
    }

    /// Makes the files of a new upload.
    private func create(_ id: String, _ token: UInt64) async throws(BlobError) {
        do throws(BlobError) {
            try await threads.run { [self] () throws(BlobError) in
                try requireSpace(tables.record(id)?.key.size ?? 0)
                _ = try uploads.create(id)
                try writeSidecar(id)
                try uploads.sync()
            }
            tables.release(id, token: token)
        } catch {
            await discard(id)
            throw error
        }
    }

    /// - Throws: `.storageFull` if the disk has no room for `size` octets beside what is kept free.
    func requireSpace(_ size: UInt64) throws(BlobError) {
        guard let free = uploads.freeSpace() else { return }
        guard free >= size.addingCapped(configuration.keepFree) else {
            throw BlobError(
                .storageFull, "\(size) octets do not fit: the disk has \(free) free, of which \(configuration.keepFree) are kept")
        }
    }

    /// Looks how far an upload is that nobody writes to.
    /// - Returns: nil: it had everything and is complete now.
    private func resume(_ id: String, _ token: UInt64) async throws(BlobError) -> UInt64? {
        do throws(BlobError) {
            guard let record = tables.record(id) else { throw BlobError.noUpload }
            let (file, offset) = try await threads.run { [self] () throws(BlobError) in
                let settled = try settle(id, token)
                try writeSidecar(id)
                return settled
            }
            guard offset == record.key.size else {
                tables.release(id, token: token)
                return offset
            }
            let hash = try await knownHash(id, file, upTo: offset)
            guard hash.digest == record.key.file.name else { return try await beginAnew(id, token, file) }
            try await complete(record, token, file, hash)
            return nil
        } catch {
            tables.release(id, token: token)
            throw error
        }
    }

    /// What a crash left is not what was announced: the client starts at 0.
    private func beginAnew(_ id: String, _ token: UInt64, _ file: OpenFile) async throws(BlobError) -> UInt64 {
        tables.change(id, token) { record in
            (record.offset, record.durable, record.hash) = (0, 0, nil)
        }
        try await threads.run { [self] () throws(BlobError) in
            try file.truncate(0)
            try writeSidecar(id)
        }
        tables.release(id, token: token)
        return 0
    }

    /// The partial file and the hash of all that is in it.
    private func settled(_ id: String, _ token: UInt64) async throws(BlobError) -> (OpenFile, RunningHash) {
        let (file, offset) = try await threads.run { [self] () throws(BlobError) in try settle(id, token) }
        return (file, try await knownHash(id, file, upTo: offset))
    }

    private func knownHash(_ id: String, _ file: OpenFile, upTo offset: UInt64) async throws(BlobError) -> RunningHash {
        if let hash = tables.record(id)?.hash, hash.count == offset { return hash }
        return try await hash(file, upTo: offset)
    }

    /// Makes the length of the partial file and the noted offset one: what is beyond the offset is not to be believed,
    /// what is missing was never there.
    private func settle(_ id: String, _ token: UInt64) throws(BlobError) -> (OpenFile, UInt64) {
        guard let record = tables.record(id) else { throw BlobError.noUpload }
        guard let file = try uploads.openFile(id, O_RDWR) else {
            if let gone = tables.remove(id) { deleteFiles(of: gone) }
            throw BlobError.noUpload
        }
        let length = try file.status().size
        if length > record.offset { try file.truncate(record.offset) }
        if length < record.offset {
            tables.change(id, token) { record in
                record.offset = length
                record.durable = min(record.durable, length)
                record.hash = nil
            }
        }
        return (file, min(length, record.offset))
    }

    /// Throws an upload away.
    func discard(_ id: String) async {
        guard let record = tables.remove(id) else { return }
        _ = try? await threads.run { [self] () throws(BlobError) in deleteFiles(of: record) }
    }
}
