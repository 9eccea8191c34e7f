import Identity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension DiskBlobStore {
    /// Who gets the address next must find nothing: with a digest alone they would have the file.
    public func removeAll(of owner: Address) async throws(BlobError) -> Int {
        let folder = FileKey.folder(of: owner)
        for record in tables.uploads(of: folder) {
            tables.remove(record.id)
            try await threads.run { [self] () throws(BlobError) in deleteFiles(of: record) }
        }
        let root = root
        let names = try await threads.run { () throws(BlobError) -> [String] in
            guard let found = try root.open(folder, O_RDONLY | O_DIRECTORY) else { return [] }
            return try found.names().filter { FileKey.isName($0) }
        }
        var count = 0
        for name in names {
            let key = FileKey(folder: folder, name: name)
            guard tables.closeGate(key) else { throw BlobError(.busy, "a file of \(owner) is in use; try again") }
            defer { tables.openGate(key) }
            let isGone = try await threads.run { [self] () throws(BlobError) in
                guard let found = try root.open(folder, O_RDONLY | O_DIRECTORY), let status = try found.status(of: name),
                    try found.unlink(name)
                else { return false }
                tables.deleted(key, size: status.size)
                return true
            }
            if isGone { count += 1 }
        }
        return count
    }
}
