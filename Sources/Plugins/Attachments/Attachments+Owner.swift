import Foundation
import Identity
import MailModel
import PluginAPI

/// What owners ask of their own attachments.
extension Attachments {
    private static let page = 50

    func list(
        _ request: AttachmentCall.List, _ caller: Address, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.List {
        let limit = min(max(request.limit ?? Self.page, 1), AttachmentsXML.maxPage)
        let prefix: [UInt8]
        var cursor: [UInt8]?
        if let messageID = request.messageID?.description {
            prefix = AttachmentKeys.ofMessage(caller, messageID)
            cursor = request.after.map { AttachmentKeys.ofMessage(caller, messageID, $0) }
        } else {
            prefix = AttachmentKeys.mailings(of: caller)
            if let after = request.after {
                let last = try await desk.owned(after, by: caller)
                cursor = AttachmentKeys.mailing(caller, last.created, after)
            }
        }
        let keys = try await desk.environment.keys(withPrefix: prefix, after: cursor, limit: limit + 1)
        var attachments: [AttachmentAnswer.Listed] = []
        for key in keys.prefix(limit) {
            let found = try await desk.record(AttachmentKeys.guid(key))
            guard let record = found, record.owner == caller, !record.isAbandoned else { continue }
            attachments.append(try listed(record))
        }
        return AttachmentAnswer.List(attachments: attachments, more: keys.count > limit)
    }

    private func listed(_ record: AttachmentRecord) throws(PluginError) -> AttachmentAnswer.Listed {
        AttachmentAnswer.Listed(
            guid: record.guid, messageID: try messageID(record), name: record.name, mediaType: record.mediaType, size: record.size,
            digest: Array(record.digest), created: record.createdDate, expires: record.expiryDate, fetches: record.fetches,
            maxFetches: record.maxFetches, onForward: record.onForward, isRevoked: record.revokedAll)
    }

    func log(
        _ request: AttachmentCall.Log, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Log {
        let keys = try await desk.environment.keys(
            withPrefix: AttachmentKeys.log(of: record.guid), after: nil, limit: Int(AttachmentDesk.logLength))
        var events: [LoggedEvent] = []
        for key in keys {
            let event = try await desk.load(LoggedEvent.self, key)
            if let event { events.append(event) }
        }
        let told = Set(events)
        let firsts = try await desk.environment.keys(
            withPrefix: AttachmentKeys.firstFetches(of: record.guid), after: nil, limit: AttachmentsXML.maxEvents / 2)
        let lost = firsts.compactMap { AttachmentKeys.firstFetch($0, of: record.guid) }.filter { !told.contains($0) }
        return AttachmentAnswer.Log(
            events: (lost + events).map {
                AttachmentAnswer.Event($0.kind, time: AttachmentRecord.date($0.time), who: $0.who, by: $0.by)
            })
    }

    /// Takes the attachment back, and tickets with it: from all, for good, and the file goes; or from some.
    func revoke(
        _ request: AttachmentCall.Revoke, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Revoke {
        var record = record
        guard request.readers.isEmpty else {
            let taken = try await taken(from: request.readers, record, desk)
            try await desk.save(taken.record)
            return AttachmentAnswer.Revoke(count: taken.count)
        }
        guard !record.revokedAll else { return AttachmentAnswer.Revoke(count: 0) }
        let count = try await readers(of: record, desk)
        record.revokedAll = true
        try await desk.environment.withdrawDownloads(of: record.guid, reader: nil)
        if !record.released { try await desk.environment.releaseBlob(record.blob) }
        record.released = true
        record = try await desk.logged(.revoked, by: record.owner, in: record)
        try await desk.save(record)
        return AttachmentAnswer.Revoke(count: count)
    }

    /// - Returns: the record to save, and how many could read it.
    private func taken(
        from readers: [Address], _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> (record: AttachmentRecord, count: Int) {
        var record = record
        var count = 0
        for reader in readers where reader != record.owner {
            let isReader = try await desk.isReader(reader, of: record)
            if isReader, !record.revokedAll { count += 1 }
            record = try await taken(from: reader, isReader: isReader, record, desk)
        }
        // From several: all offers end, since to tell whose they are takes long. Who may still read goes on with a new ticket.
        try await desk.environment.withdrawDownloads(of: record.guid, reader: readers.count == 1 ? readers[0] : nil)
        return (record, count)
    }

    private func taken(
        from reader: Address, isReader: Bool, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        // The owner can always take away from who reads.
        let limit = isReader ? Int.max : AttachmentDesk.maxExceptions
        let changed = try await excepted(reader, isGranted: false, by: record.owner, record, desk, limit: limit)
        return try await desk.logged(.revoked, who: reader, by: record.owner, in: changed)
    }

    /// Notes what was decided of one reader.
    /// - Parameter limit: of those of whom something was decided; not for who is one of them already.
    /// - Returns: the record to save.
    func excepted(
        _ reader: Address, isGranted: Bool, by: Address, _ record: AttachmentRecord, _ desk: AttachmentDesk, limit: Int
    ) async throws -> AttachmentRecord {
        let key = AttachmentKeys.exception(reader, record.guid)
        let known = try await desk.environment.value(for: key)
        let changed = known == nil ? try counted(record, limit) : record
        try await desk.save(ReaderException(isGranted: isGranted, by: by, time: desk.time), key)
        return changed
    }

    private func counted(_ record: AttachmentRecord, _ limit: Int) throws -> AttachmentRecord {
        guard record.exceptions < limit else {
            throw PluginFault("of at most \(limit) readers something else can be said than of all")
        }
        var record = record
        record.exceptions += 1
        return record
    }

    /// How many can read it, its owner apart.
    private func readers(of record: AttachmentRecord, _ desk: AttachmentDesk) async throws(PluginError) -> Int {
        let listed = AttachmentKeys.readers(of: record.list)
        var readers = Set(
            try await desk.environment.keys(withPrefix: listed, after: nil, limit: Self.maxReaders)
                .map { Array($0.dropFirst(listed.count)) })
        let excepted = AttachmentKeys.exceptions(of: record.guid)
        let keys = try await desk.environment.keys(withPrefix: excepted, after: nil, limit: Self.maxReaders + AttachmentDesk.maxExceptions)
        for key in keys {
            let reader = Array(key.dropFirst(excepted.count))
            let exception = try await desk.load(ReaderException.self, key)
            if exception?.isGranted == true {
                readers.insert(reader)
            } else {
                readers.remove(reader)
            }
        }
        readers.remove(Array(record.owner.description.utf8))
        return readers.count
    }
}
