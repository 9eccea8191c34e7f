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
    private typealias IsHeld = @Sendable (Address, [UInt8]) async throws -> Bool

    public func collect(
        olderThan: Date, now: Date, isHeld: @Sendable (Address, [UInt8]) async throws -> Bool
    ) async throws(BlobError) -> BlobCollection {
        var result = try await collectUploads(now: now)
        let root = root
        let names = try await threads.run { () throws(BlobError) in try root.names() }
        for name in names where name != Self.uploadsName {
            guard FileKey.isName(name) else {
                result.note(name)
                continue
            }
            try await collectFiles(in: name, olderThan: olderThan.timeIntervalSince1970, &result, isHeld)
            if Task.isCancelled { break }
        }
        return result
    }

    /// Dead uploads, and what belongs to no upload.
    private func collectUploads(now: Date) async throws(BlobError) -> BlobCollection {
        let dead = tables.removeDead(of: nil, now: now, idle: configuration.idleTakeover)
        return try await threads.run { [self] () throws(BlobError) in
            var result = BlobCollection()
            for record in dead { deleteFiles(of: record) }
            result.uploads = dead.count
            // First the names, then what is known: who makes files says so before.
            let names = try uploads.names()
            let (ids, temporaries) = tables.values.withLock { (Set($0.uploads.keys), $0.temporaries) }
            for name in names {
                let isKnown: Bool
                switch UploadName(name) {
                case .partial(let id), .sidecar(let id), .newSidecar(let id): isKnown = ids.contains(id)
                case .temporary: isKnown = temporaries.contains(name)
                case nil:
                    result.note("\(Self.uploadsName)/\(name)")
                    continue
                }
                guard !isKnown else { continue }
                do throws(BlobError) {
                    if try uploads.unlink(name) { result.orphans += 1 }
                } catch { result.note("\(Self.uploadsName)/\(name)") }
            }
            return result
        }
    }

    /// One owner's files.
    private func collectFiles(
        in folder: String, olderThan: Double, _ result: inout BlobCollection, _ isHeld: IsHeld
    ) async throws(BlobError) {
        let found: Survey
        do throws(BlobError) {
            found = try await threads.run { [self] () throws(BlobError) in try survey(folder, olderThan: olderThan) }
        } catch {
            result.note(folder)
            return
        }
        for name in found.damaged { result.note(name) }
        for name in found.old {
            if Task.isCancelled { return }
            guard let owner = found.owner, let digest = Hex.decode(name.utf8) else { continue }
            let key = FileKey(folder: folder, name: name)
            // Most files are held: pins need not wait for that answer.
            let isWanted = try await ask(isHeld, owner, digest)
            if isWanted { continue }
            if let size = try await collect(key, owner, digest, olderThan: olderThan, isHeld) {
                result.files += 1
                result.bytes = result.bytes.addingCapped(size)
            }
        }
        let isEmpty = try await threads.run { [self] () throws(BlobError) in removeIfEmpty(folder) }
        if isEmpty && found.owner == nil { result.orphans += 1 }
    }

    /// What an owner's folder holds.
    private struct Survey: Sendable {
        var owner: Address?
        var old: [String] = []
        var damaged: [String] = []
    }

    private func survey(_ name: String, olderThan: Double) throws(BlobError) -> Survey {
        var result = Survey()
        guard let folder = try root.open(name, O_RDONLY | O_DIRECTORY) else {
            result.damaged.append(name)
            return result
        }
        result.owner = try owner(of: folder, name)
        let names = try folder.names()
        // Without the address nobody can say what is held: nothing is deleted.
        if result.owner == nil, !names.isEmpty { result.damaged.append("\(name)/\(Self.ownerName)") }
        for file in names where file != Self.ownerName {
            guard FileKey.isName(file), let status = try folder.status(of: file), status.isFile else {
                result.damaged.append("\(name)/\(file)")
                continue
            }
            if status.modified < olderThan { result.old.append(file) }
        }
        return result
    }

    /// nil: the file is missing or is not the owner of this folder.
    private func owner(of folder: OpenFile, _ name: String) throws(BlobError) -> Address? {
        guard let file = try folder.openFile(Self.ownerName, O_RDONLY), let octets = try file.readAll(limit: Self.ownerLimit),
            let text = String(validating: octets, as: UTF8.self), let owner = try? Address(text), FileKey.folder(of: owner) == name
        else { return nil }
        return owner
    }

    private func ask(_ isHeld: IsHeld, _ owner: Address, _ digest: [UInt8]) async throws(BlobError) -> Bool {
        do { return try await isHeld(owner, digest) } catch {
            throw BlobError(.ioFailure, "nobody says whether a file is held: \(error)")
        }
    }

    /// Deletes one file if it still is old, unpinned and not held. Pins of it wait meanwhile.
    /// - Returns: its octets; nil: it stays.
    private func collect(
        _ key: FileKey, _ owner: Address, _ digest: [UInt8], olderThan: Double, _ isHeld: IsHeld
    ) async throws(BlobError) -> UInt64? {
        guard tables.closeGate(key) else { return nil }
        defer { tables.openGate(key) }
        let isWanted = try await ask(isHeld, owner, digest)
        if isWanted { return nil }
        return try await threads.run { [self] () throws(BlobError) in
            guard let folder = try root.open(key.folder, O_RDONLY | O_DIRECTORY), let status = try folder.status(of: key.name),
                status.isFile, status.modified < olderThan, try folder.unlink(key.name)
            else { return nil }
            tables.deleted(key, size: status.size)
            return status.size
        }
    }

    /// Removes the folder of an owner who has nothing any more.
    private func removeIfEmpty(_ name: String) -> Bool {
        folders.withLock { _ in
            guard let folder = try? root.open(name, O_RDONLY | O_DIRECTORY), let names = try? folder.names(),
                names.allSatisfy({ $0 == Self.ownerName })
            else { return false }
            // A crash between the two leaves an empty folder: the next collection finds it.
            guard (try? folder.unlink(Self.ownerName)) != nil else { return false }
            return (try? root.removeFolder(name)) != nil
        }
    }
}
