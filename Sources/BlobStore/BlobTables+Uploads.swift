import Foundation
import Identity
import Synchronization

/// Who may write to which upload.
extension BlobTables {
    /// What opening an upload has to do next.
    enum Opening: Sendable {
        /// Make its files. The slot is the caller's.
        case created(id: String, token: UInt64, expires: Date)
        /// Look how far it is. The slot is the caller's.
        case resumed(id: String, token: UInt64, expires: Date)
        /// Somebody appends.
        case watched(id: String, offset: UInt64, expires: Date)
    }

    /// An upload as somebody asks for it.
    struct Request: Sendable {
        let owner: Address
        let key: UploadKey
        let secretHash: [UInt8]
        let now: Date
        let limits: BlobConfiguration
    }

    /// - Throws: `.quotaExceeded`, `.busy`.
    func open(_ request: Request) throws(BlobError) -> Opening {
        try values.withLock { values throws(BlobError) in
            if let id = values.ids[request.key], var record = values.uploads[id] {
                record.secretHash = request.secretHash
                let isFree = record.slot?.isIdle(at: request.now, after: request.limits.idleTakeover) ?? true
                guard isFree else {
                    guard record.offset < record.key.size else {
                        throw BlobError(.busy, "the upload is being completed", offset: record.offset)
                    }
                    values.uploads[id] = record
                    return .watched(id: id, offset: record.offset, expires: record.expires)
                }
                let token = values.newToken()
                record.slot = .init(token: token, lastActivity: request.now, isWorking: true)
                values.uploads[id] = record
                return .resumed(id: id, token: token, expires: record.expires)
            }
            return try Self.create(request, &values)
        }
    }

    private static func create(_ request: Request, _ values: inout Values) throws(BlobError) -> Opening {
        let (folder, limits) = (request.key.file.folder, request.limits)
        guard (values.counts[folder]?.uploads ?? 0) < limits.uploadsPerOwner else {
            throw BlobError(.quotaExceeded, "\(limits.uploadsPerOwner) uploads are open already")
        }
        guard values.uploads.count < limits.uploads else {
            throw BlobError(.busy, "\(limits.uploads) uploads are open already")
        }
        try values.requireRoom(folder, request.key.size, limits)
        let expires = request.now.addingTimeInterval(limits.uploadLife)
        var record = UploadRecord(
            id: RandomID.hex(UploadName.idLength / 2), owner: request.owner, key: request.key, created: request.now, expires: expires,
            secretHash: request.secretHash)
        let token = values.newToken()
        record.slot = .init(token: token, lastActivity: request.now, isWorking: true)
        values.insert(record)
        return .created(id: record.id, token: token, expires: expires)
    }

    /// - Throws: `.notFound`.
    func record(_ id: String, secretHash: [UInt8], now: Date) throws(BlobError) -> UploadRecord {
        let found = values.withLock { $0.uploads[id] }
        guard let found, found.expires > now, found.secretHash == secretHash else { throw BlobError.noUpload }
        return found
    }

    func record(_ id: String) -> UploadRecord? { values.withLock { $0.uploads[id] } }

    /// Removes the upload of a file unless somebody is at work on it.
    func removeIdle(_ key: UploadKey, now: Date, idle: TimeInterval) -> UploadRecord? {
        values.withLock { values in
            guard let id = values.ids[key], let record = values.uploads[id], record.slot?.isIdle(at: now, after: idle) ?? true else {
                return nil
            }
            return values.remove(id)
        }
    }

    /// All of one owner.
    func uploads(of folder: String) -> [UploadRecord] {
        values.withLock { values in values.uploads.values.filter { $0.key.file.folder == folder } }
    }

    /// Takes the slot.
    /// - Throws: `.notFound`, `.busy`, `.wrongOffset`.
    func beginAppend(
        _ id: String, secretHash: [UInt8], at offset: UInt64, now: Date, idle: TimeInterval
    ) throws(BlobError) -> UploadRecord {
        try values.withLock { values throws(BlobError) in
            guard var record = values.uploads[id], record.expires > now, record.secretHash == secretHash else {
                throw BlobError.noUpload
            }
            guard record.slot?.isIdle(at: now, after: idle) ?? true else {
                throw BlobError(.busy, "another append is under way", offset: record.offset)
            }
            guard record.offset == offset else {
                throw BlobError(.wrongOffset, "the upload is at \(record.offset), not at \(offset)", offset: record.offset)
            }
            record.slot = .init(token: values.newToken(), lastActivity: now, isWorking: true)
            values.uploads[id] = record
            return record
        }
    }

    /// Before a call to the disk.
    /// - Throws: `.notFound`, `.busy` if a newer append took over.
    func beginWork(_ id: String, _ token: UInt64) throws(BlobError) {
        try values.withLock { values throws(BlobError) in
            guard let record = values.uploads[id] else { throw BlobError.noUpload }
            guard let slot = record.slot, slot.token == token else {
                throw BlobError(.busy, "a newer append took over", offset: record.offset)
            }
            guard !slot.isWorking else { throw BlobError(.invalid, "one call at a time") }
            values.uploads[id]?.slot?.isWorking = true
        }
    }

    /// After a call to the disk, by the one whose slot it is.
    func endWork(_ id: String, _ token: UInt64, now: Date) {
        change(id, token) { record in
            record.slot?.isWorking = false
            record.slot?.lastActivity = now
        }
    }

    /// Changes the upload if the slot is still the caller's.
    func change(_ id: String, _ token: UInt64, _ body: (inout UploadRecord) -> Void) {
        values.withLock { values in
            guard var record = values.uploads[id], record.slot?.token == token else { return }
            body(&record)
            values.uploads[id] = record
        }
    }

    /// Gives the slot back.
    func release(_ id: String, token: UInt64) { change(id, token) { $0.slot = nil } }

    @discardableResult func remove(_ id: String) -> UploadRecord? { values.withLock { $0.remove(id) } }

    /// Forgets the upload of one owner that nobody is at work on and that has been without progress the longest.
    func removeOldestIdle(of folder: String, now: Date, limits: BlobConfiguration) -> UploadRecord? {
        let untouchedSince = now.addingTimeInterval(limits.uploadLife - limits.uploadGrace)
        return values.withLock { values in
            let free = values.uploads.values.filter { record in
                record.key.file.folder == folder && record.expires <= untouchedSince
                    && (record.slot?.isIdle(at: now, after: limits.idleTakeover) ?? true)
            }
            return free.min { ($0.expires, $0.id) < ($1.expires, $1.id) }.flatMap { values.remove($0.id) }
        }
    }

    /// Forgets dead uploads, of one owner or of all.
    func removeDead(of folder: String?, now: Date, idle: TimeInterval) -> [UploadRecord] {
        values.withLock { values in
            let dead = values.uploads.values.filter { record in
                (folder == nil || record.key.file.folder == folder) && record.isDead(at: now, idle: idle)
            }
            return dead.compactMap { values.remove($0.id) }
        }
    }
}
