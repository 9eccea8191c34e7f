import Foundation
import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What lies in the folder when it is opened. Changes nothing: a second process may look.
extension DiskBlobStore {
    func takeStock() throws(BlobError) {
        // One entry that cannot be read is no reason to keep all others from their owners; the collector names it.
        for name in try root.names() where FileKey.isName(name) { try? countFiles(name) }
        for name in try uploads.names() {
            guard case .sidecar(let id)? = UploadName(name), let record = try? loadUpload(id) else { continue }
            tables.values.withLock { values in
                // A second one of the same name and size is of no use: the collector finds its files.
                if values.ids[record.key] == nil { values.insert(record) }
            }
        }
    }

    private func countFiles(_ name: String) throws(BlobError) {
        guard let folder = try root.open(name, O_RDONLY | O_DIRECTORY) else { return }
        var count = BlobTables.Count()
        for file in try folder.names() where FileKey.isName(file) {
            guard let status = try folder.status(of: file), status.isFile else { continue }
            count.stored = count.stored.addingCapped(status.size)
            count.files += 1
        }
        tables.values.withLock { $0.counts[name] = count.isNothing ? nil : count }
    }

    /// nil: the sidecar or its file is missing or makes no sense.
    private func loadUpload(_ id: String) throws(BlobError) -> UploadRecord? {
        guard let file = try uploads.openFile(UploadName.sidecar(id), O_RDONLY),
            let octets = try file.readAll(limit: UploadSidecar.limit),
            let sidecar = try? JSONDecoder().decode(UploadSidecar.self, from: Data(octets)),
            let partial = try uploads.status(of: id), partial.isFile
        else { return nil }
        return sidecar.record(id: id, length: partial.size)
    }

    /// Writes what is known of an upload beside it, durably. Does nothing if the upload is gone meanwhile.
    func writeSidecar(_ id: String) throws(BlobError) {
        guard let lock = tables.record(id)?.sidecarLock else { return }
        try lock.mutex.withLock { _ throws(BlobError) in
            guard let record = tables.record(id) else { return }
            let octets: Data
            do { octets = try JSONEncoder().encode(UploadSidecar(record)) } catch {
                throw BlobError(.invalid, "cannot describe an upload: \(error)")
            }
            let name = UploadName.newSidecar(id)
            try uploads.unlink(name)
            let file = try uploads.create(name)
            do throws(BlobError) {
                try file.writeAll(Array(octets))
                try file.syncData()
                try uploads.rename(name, to: UploadName.sidecar(id), in: uploads)
            } catch {
                // It would be found by the collector; on a full disk, sooner is better.
                _ = try? uploads.unlink(name)
                throw error
            }
        }
    }

    /// Deletes the files of an upload that the tables know no longer. What cannot be deleted is left to the collector.
    func deleteFiles(of record: UploadRecord) {
        record.sidecarLock.mutex.withLock { _ in
            for name in [UploadName.sidecar(record.id), UploadName.newSidecar(record.id), record.id] {
                _ = try? uploads.unlink(name)
            }
        }
    }
}
