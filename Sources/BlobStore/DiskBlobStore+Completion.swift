import Foundation
import Identity

/// How a file comes to its place.
extension DiskBlobStore {
    public func store(_ octets: [UInt8], owner: Address, now: Date) async throws(BlobError) -> [UInt8] {
        var hash = RunningHash()
        octets.withUnsafeBytes { hash.update($0) }
        let digest = Hex.decode(hash.digest.utf8) ?? []
        let key = try FileKey(owner: owner, digest: digest)
        let size = UInt64(octets.count)
        guard size <= configuration.largestFile else {
            throw BlobError(.tooLarge, "a file may have \(configuration.largestFile) octets, not \(size)")
        }
        await tables.pin(key)
        defer { tables.unpin(key) }
        let root = root
        let isThere = try await threads.run { () throws(BlobError) in
            guard let found = try Self.refresh(key, in: root, now: now), found.size == size else { return false }
            try found.folder.sync()
            return true
        }
        if isThere { return digest }
        try tables.reserve(key.folder, size, configuration)
        defer { tables.release(key.folder, size) }
        try await threads.run { [self] () throws(BlobError) in
            try requireSpace(size)
            try withTemporary { (file, name) throws(BlobError) in
                try file.writeAll(octets)
                try file.touch(now.timeIntervalSince1970)
                try file.sync()
                try place(name, key, owner: owner, size: size) {}
            }
        }
        return digest
    }

    /// Puts a whole upload in its place. The slot is the caller's; at the end the upload is gone.
    /// - Throws: `.digestMismatch`: the upload was thrown away. After any other error it is as it was.
    func complete(_ record: UploadRecord, _ token: UInt64, _ file: OpenFile, _ hash: RunningHash) async throws(BlobError) {
        let key = record.key.file
        guard hash.count == record.key.size, hash.digest == key.name else {  // model: upload
            await discard(record.id)
            throw BlobError(.digestMismatch, "what was uploaded has another digest than announced")
        }
        await tables.pin(key)
        defer { tables.unpin(key) }
        let now = clock()
        try await threads.run { [self] () throws(BlobError) in
            try file.touch(now.timeIntervalSince1970)
            do throws(BlobError) { try file.sync() } catch {
                distrust(record.id, token)
                throw error
            }
            try place(record.id, key, owner: record.owner, size: record.key.size) {
                if let done = tables.remove(record.id) { deleteFiles(of: done) }
            }
        }
    }

    /// After a failed `fsync` nobody knows what is on the disk: only what was durable before counts.
    func distrust(_ id: String, _ token: UInt64) {
        tables.change(id, token) { record in
            record.offset = record.durable
            record.hash = nil
        }
    }

    /// Moves a durable file of the folder of uploads to its owner's folder, durably.
    /// - Parameter moved: called when it was moved, also if the folder cannot be made durable thereafter; who asks for
    ///   the file next tries that again.
    private func place(
        _ name: String, _ key: FileKey, owner: Address, size: UInt64, moved: () -> Void
    ) throws(BlobError) {
        let folder = try folders.withLock { _ throws(BlobError) in
            let folder = try ownerFolder(owner, key.folder)
            let old = try folder.status(of: key.name)
            try uploads.rename(name, to: key.name, in: folder)
            let replaced = old?.isFile == true ? old?.size : nil
            tables.stored(key, size: size, replaced: replaced)
            return folder
        }
        moved()
        try folder.sync()
    }

    /// The owner's folder, with the address in it.
    private func ownerFolder(_ owner: Address, _ name: String) throws(BlobError) -> OpenFile {
        let (folder, isNew) = try root.subfolder(name)
        let text = Array(owner.description.utf8)
        let status = try folder.status(of: Self.ownerName)
        guard status?.isFile != true || status?.size != UInt64(text.count) else { return folder }
        try withTemporary { (file, name) throws(BlobError) in
            try file.writeAll(text)
            try file.sync()
            try uploads.rename(name, to: Self.ownerName, in: folder)
        }
        try folder.sync()
        if isNew { try root.sync() }
        return folder
    }

    /// A new file in the folder of uploads that the collector leaves alone; deleted if it was not moved.
    private func withTemporary(_ body: (OpenFile, String) throws(BlobError) -> Void) throws(BlobError) {
        let name = UploadName.newTemporary()
        tables.values.withLock { _ = $0.temporaries.insert(name) }
        defer { tables.values.withLock { _ = $0.temporaries.remove(name) } }
        let file = try uploads.create(name)
        do throws(BlobError) { try body(file, name) } catch {
            _ = try? uploads.unlink(name)
            throw error
        }
    }
}
