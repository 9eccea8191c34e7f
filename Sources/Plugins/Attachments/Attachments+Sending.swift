import Foundation
import Identity
import MailModel
import PluginAPI
import SOAP

/// What the sender says of the files, put together from the options of the submission.
private struct KeepWishes {
    private var general: AttachmentKeep?
    private var single: [[UInt8]: AttachmentKeep] = [:]

    /// - Parameter attached: digests that a wish can name.
    /// - Throws: ``PluginFault`` for what is no wish, contradicts another or names no attachment.
    init(_ options: [SubmissionOption], attached: Set<[UInt8]>) throws(PluginFault) {
        for option in options {
            let wish: AttachmentKeep
            do { wish = try AttachmentKeep(octets: option.content) } catch {
                throw PluginFault("the option for attachments is none: \(error.reason)")
            }
            guard let digest = wish.digest else {
                guard general == nil else { throw PluginFault("two options are for all attachments") }
                general = wish
                continue
            }
            guard attached.contains(digest) else {
                throw PluginFault("an option names a file that is not attached, or that was taken out")
            }
            guard single.updateValue(wish, forKey: digest) == nil else { throw PluginFault("two options are for one attachment") }
        }
    }

    /// What a single wish leaves open is as the general one says.
    func wish(for digest: [UInt8]) -> AttachmentKeep {
        let own = single[digest]
        return AttachmentKeep(
            expires: own?.expires ?? general?.expires, maxFetches: own?.maxFetches ?? general?.maxFetches,
            onForward: own?.onForward ?? general?.onForward, digest: digest)
    }
}

extension Attachments {
    /// Keeps every attachment whose file is here, each under a new GUID. Of equal files in one message only the first is kept: a
    /// GUID names a digest.
    public func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict {
        let message = submission.message
        let wishes: KeepWishes
        do {
            wishes = try KeepWishes(submission.options, attached: Set(message.attachments.map(\.digest)))
        } catch { return .refuse(reason: error.reason, isTransient: false) }
        var seen: Set<[UInt8]> = []
        let here = message.attachments.filter { submission.files.contains($0.digest) && seen.insert($0.digest).inserted }
        guard !here.isEmpty else { return .proceed }
        if let identity = submission.identity, identity.principal != message.from.description {
            throw PluginError(.failed, "a message of \(message.from) was handed in by \(identity.principal)")
        }
        let desk = try AttachmentDesk(environment)
        let list = RandomID.hex(16)
        var records: [AttachmentRecord] = []
        do throws(PluginFault) {
            for file in here { records.append(try record(of: file, in: message, list, wishes.wish(for: file.digest), desk.now)) }
        } catch { return .refuse(reason: error.reason, isTransient: false) }
        let readers = Set(submission.recipients + message.to + message.cc)
        guard readers.count <= Self.maxReaders else {
            return .refuse(reason: "a message with attachments goes to at most \(Self.maxReaders) addresses", isTransient: false)
        }
        if let replaced = message.replaces, replaced != message.id { records = try await linked(records, to: replaced, desk) }
        for record in records { try await add(record, desk) }
        try await add(readers, list, until: records.map(\.expires).max() ?? desk.time, desk)
        return .keep(Dictionary(uniqueKeysWithValues: records.map { (Array($0.digest), $0.guid) }))
    }

    private func record(
        of file: MessageFacts.Attachment, in message: MessageFacts, _ list: String, _ wish: AttachmentKeep, _ now: Date
    ) throws(PluginFault) -> AttachmentRecord {
        guard [file.name, file.mediaType].allSatisfy({ $0.unicodeScalars.count <= AttachmentsXML.maxText }) else {
            throw PluginFault("the name of an attachment has at most \(AttachmentsXML.maxText) characters")
        }
        let latest = now.addingTimeInterval(Double(settings.maxExpiryDays) * 86_400)
        let expires = wish.expires ?? now.addingTimeInterval(Double(settings.defaultExpiryDays) * 86_400)
        guard expires > now else { throw PluginFault("an attachment would expire before it is sent") }
        guard expires <= latest else {
            throw PluginFault(
                "an attachment is kept for at most \(settings.maxExpiryDays) days, until \(DateTime.format(latest, milliseconds: false))")
        }
        return AttachmentRecord(
            guid: RandomID.hex(16), owner: message.from, messageID: message.id, name: file.name, mediaType: file.mediaType,
            size: file.size, digest: Data(file.digest), created: AttachmentRecord.milliseconds(now),
            expires: AttachmentRecord.milliseconds(expires), maxFetches: wish.maxFetches,
            onForward: wish.onForward ?? settings.onForward, list: list)
    }

    private func add(_ record: AttachmentRecord, _ desk: AttachmentDesk) async throws(PluginError) {
        try await desk.save(record)
        let guid = Array(record.guid.utf8)
        let indexes = [
            AttachmentKeys.mailing(record.owner, record.created, record.guid),
            AttachmentKeys.ofMessage(record.owner, record.messageID, record.guid),
            AttachmentKeys.due(record.expires, .attachment, record.guid),
        ]
        for key in indexes { try await desk.environment.setValue(guid, for: key) }
    }

    /// One list for all attachments of the message; it stays as long as the longest of their records.
    private func add(
        _ readers: Set<Address>, _ list: String, until expires: Int64, _ desk: AttachmentDesk
    ) async throws(PluginError) {
        for reader in readers.sorted() { try await desk.environment.setValue([], for: AttachmentKeys.reader(reader, in: list)) }
        let end = expires + Self.retention + 86_400_000
        try await desk.environment.setValue(Array(list.utf8), for: AttachmentKeys.due(end, .list, list))
    }

    // MARK: Versions

    /// New versions of what an earlier message of the same author carried: of the same name, or the only one of both.
    /// - Returns: the records, with what they replace.
    private func linked(
        _ records: [AttachmentRecord], to messageID: String, _ desk: AttachmentDesk
    ) async throws(PluginError) -> [AttachmentRecord] {
        guard let owner = records.first?.owner else { return records }
        var records = records
        let keys = try await desk.environment.keys(
            withPrefix: AttachmentKeys.ofMessage(owner, messageID), after: nil, limit: Self.versionsLinked)
        var earlier: [AttachmentRecord] = []
        for key in keys {
            let record = try await desk.record(AttachmentKeys.guid(key))
            if let record, record.owner == owner, !record.isAbandoned { earlier.append(record) }
        }
        var changed: Set<Int> = []
        for index in records.indices {
            let named = earlier.indices.filter { earlier[$0].name == records[index].name }
            let candidates = named.isEmpty && earlier.count == 1 && records.count == 1 ? Array(earlier.indices) : named
            // A message that was accepted in several parts has several: the last one counts.
            let last = candidates.max { (earlier[$0].created, earlier[$0].guid) < (earlier[$1].created, earlier[$1].guid) }
            guard let last, earlier[last].replacedBy.count < Self.successors else { continue }
            records[index].replaces = earlier[last].guid
            earlier[last].replacedBy.append(records[index].guid)
            changed.insert(last)
        }
        for index in changed.sorted() { try await desk.save(earlier[index]) }
        return records
    }

    /// Attachments of an earlier message that are looked at.
    static let versionsLinked = 100
    /// Versions that can follow on one.
    static let successors = 16
    /// Milliseconds for which record and log stay after the expiry.
    static let retention: Int64 = 365 * 86_400_000
}
