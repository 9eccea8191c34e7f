import Identity
import MailModel
import PluginAPI

/// Letting go of what is over.
extension Attachments {
    /// Attachments that one call looks at, and values that it removes of one.
    private static let round = 20
    private static let removals = 400
    /// What could not be read is looked at again after a day.
    private static let postponement: Int64 = 86_400_000

    /// Lets go of the files of attachments that have expired; a year later of their records and logs, and of the lists of readers.
    /// - Returns: whether there is more to do.
    public func tidy(_ environment: any PluginEnvironment) async throws -> Bool {
        let desk = try AttachmentDesk(environment)
        let keys = try await environment.keys(withPrefix: AttachmentKeys.dues, after: nil, limit: Self.round)
        for key in keys {
            guard let due = AttachmentKeys.due(key) else {
                try await desk.remove(key)
                continue
            }
            guard due.time <= desk.time else { return false }
            switch due.kind {
            case .attachment:
                let isLight = try await settle(due.id, key, due.time, desk)
                guard isLight else { return true }
            case .list:
                try await removeList(due.id, key, desk)
                return true
            }
        }
        return keys.count == Self.round
    }

    /// Returns whether the call has room for another.
    private func settle(
        _ guid: String, _ key: [UInt8], _ due: Int64, _ desk: AttachmentDesk
    ) async throws(PluginError) -> Bool {
        let found: AttachmentRecord?
        do { found = try await desk.record(guid) } catch {
            guard error.code == .failed else { throw error }
            // One damaged value must not keep everything else from being tidied up.
            try desk.environment.log(.error, error.reason)
            try await move(key, to: desk.time + Self.postponement, guid, desk)
            return true
        }
        guard let record = found else {
            try await desk.remove(key)
            return true
        }
        guard due < record.expires + Self.retention else {
            try await remove(record, key, desk)
            return false
        }
        try await expire(record, key, desk)
        return true
    }

    /// Tickets need no end of their own: none is good beyond the expiry.
    private func expire(_ record: AttachmentRecord, _ key: [UInt8], _ desk: AttachmentDesk) async throws(PluginError) {
        try await move(key, to: record.expires + Self.retention, record.guid, desk)
        guard !record.released else { return }
        var record = record
        record.released = true
        try await desk.environment.releaseBlob(record.blob)
        record = try await desk.logged(.expired, in: record)
        try await desk.save(record)
    }

    private func move(_ key: [UInt8], to time: Int64, _ guid: String, _ desk: AttachmentDesk) async throws(PluginError) {
        try await desk.remove(key)
        try await desk.environment.setValue(Array(guid.utf8), for: AttachmentKeys.due(time, .attachment, guid))
    }

    /// Removes what belongs to an attachment, and with the last of it the record.
    private func remove(_ record: AttachmentRecord, _ due: [UInt8], _ desk: AttachmentDesk) async throws(PluginError) {
        let prefixes = [
            AttachmentKeys.log(of: record.guid), AttachmentKeys.fetches(of: record.guid), AttachmentKeys.requests(of: record.guid),
            AttachmentKeys.exceptions(of: record.guid), AttachmentKeys.firstFetches(of: record.guid),
        ]
        var room = Self.removals
        for prefix in prefixes {
            let keys = try await desk.environment.keys(withPrefix: prefix, after: nil, limit: room)
            for key in keys { try await desk.remove(key) }
            room -= keys.count
            guard room > 0 else { return }
        }
        let last = [
            AttachmentKeys.record(record.guid), AttachmentKeys.mailing(record.owner, record.created, record.guid),
            AttachmentKeys.ofMessage(record.owner, record.messageID, record.guid), due,
        ]
        for key in last { try await desk.remove(key) }
    }

    private func removeList(_ list: String, _ due: [UInt8], _ desk: AttachmentDesk) async throws(PluginError) {
        let keys = try await desk.environment.keys(
            withPrefix: AttachmentKeys.readers(of: list), after: nil, limit: Self.maxReaders)
        for key in keys { try await desk.remove(key) }
        try await desk.remove(due)
    }
}
