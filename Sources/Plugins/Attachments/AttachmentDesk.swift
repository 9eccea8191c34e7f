import Foundation
import Identity
import MailModel
import PluginAPI

/// One call's way to the plug-in's values.
struct AttachmentDesk: Sendable {
    /// Events of one attachment that are kept.
    static let logLength: UInt64 = 500
    /// Readers of one attachment that are granted, or taken away before they are readers, one by one. Taking away from who
    /// reads is no part of it: that is always possible, and there are at most so many that the message went to.
    static let maxExceptions = 400
    /// Of these, those that readers can grant.
    static let readersGrants = 200

    let environment: any PluginEnvironment
    let now: Date

    init(_ environment: any PluginEnvironment) throws(PluginError) {
        self.environment = environment
        now = try environment.now()
    }

    var time: Int64 { AttachmentRecord.milliseconds(now) }

    // MARK: Values

    func load<Value: Decodable>(_ type: Value.Type, _ key: [UInt8]) async throws(PluginError) -> Value? {
        guard let octets = try await environment.value(for: key) else { return nil }
        do { return try JSONDecoder().decode(type, from: Data(octets)) } catch {
            throw PluginError(.failed, "a value is damaged: \(String(decoding: key.prefix(80), as: UTF8.self))")
        }
    }

    func save(_ value: some Encodable, _ key: [UInt8]) async throws(PluginError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data: Data
        do { data = try encoder.encode(value) } catch { throw PluginError(.failed, "a value cannot be written") }
        try await environment.setValue(Array(data), for: key)
    }

    func remove(_ key: [UInt8]) async throws(PluginError) { try await environment.setValue(nil, for: key) }

    func record(_ guid: String) async throws(PluginError) -> AttachmentRecord? {
        try await load(AttachmentRecord.self, AttachmentKeys.record(guid))
    }

    func save(_ record: AttachmentRecord) async throws(PluginError) {
        try await save(record, AttachmentKeys.record(record.guid))
    }

    /// Adds a line to the log. The oldest lines go.
    /// - Returns: the record with the line counted, for the caller to save.
    func logged(
        _ kind: AttachmentAnswer.Event.Kind, who: Address? = nil, by: Address? = nil, in record: AttachmentRecord
    ) async throws(PluginError) -> AttachmentRecord {
        let event = LoggedEvent(kind: kind, time: time, who: who, by: by)
        try await save(event, AttachmentKeys.event(record.guid, record.events))
        if record.events >= Self.logLength {
            try await remove(AttachmentKeys.event(record.guid, record.events - Self.logLength))
        }
        var record = record
        record.events += 1
        return record
    }

    /// When an account of this address was removed last, if ever.
    private func removal(of address: Address) async throws(PluginError) -> Int64? {
        try await load(Int64.self, AttachmentKeys.removal(address))
    }

    // MARK: Who may read

    /// The attachment, if the caller may know of it: its owner, or a reader from whom it was not taken back. Whatever is wrong,
    /// the same is read and the same is answered, so that nobody learns which GUIDs there are.
    /// - Throws: ``PluginFault`` ``AttachmentsXML/refusal``.
    func readable(_ guid: String, by caller: Address) async throws -> AttachmentRecord {
        let record = try await record(guid)
        let exception = try await load(ReaderException.self, AttachmentKeys.exception(caller, guid))
        let listed = try await environment.value(for: AttachmentKeys.reader(caller, in: record?.list ?? guid))
        let removed = try await removal(of: caller) ?? .min
        guard let record else { throw refusal(guid, caller, "there is none") }
        guard !record.isAbandoned else { throw refusal(guid, caller, "its owner's account was removed") }
        if record.owner == caller {
            guard record.created > removed else { throw refusal(guid, caller, "it was another's of the same address") }
            return record
        }
        let mayRead = Self.mayRead(exception, isListed: listed != nil, since: record.created, removed: removed)
        guard mayRead else { throw refusal(guid, caller, "the caller is no reader") }  // model: acl
        guard !record.revokedAll else { throw refusal(guid, caller, "it was revoked") }
        return record
    }

    /// - Throws: ``PluginFault`` ``AttachmentsXML/refusal`` for everybody but the owner.
    func owned(_ guid: String, by caller: Address) async throws -> AttachmentRecord {
        guard let record = try await record(guid) else { throw refusal(guid, caller, "there is none") }
        guard record.owner == caller else { throw refusal(guid, caller, "the caller is not the owner") }  // model: grant
        let removed = try await removal(of: caller) ?? .min
        guard !record.isAbandoned, record.created > removed else {
            throw refusal(guid, caller, "it was another's of the same address")
        }
        return record
    }

    /// What was decided of a reader one by one comes first. What was meant for somebody whose account was removed is not for
    /// who has the address now.
    private static func mayRead(
        _ exception: ReaderException?, isListed: Bool, since created: Int64, removed: Int64
    ) -> Bool {
        guard let exception else { return isListed && created > removed }
        return exception.isGranted && exception.time > removed
    }

    /// Whether somebody may read, apart from the whole being revoked.
    func isReader(_ reader: Address, of record: AttachmentRecord) async throws(PluginError) -> Bool {
        let exception = try await load(ReaderException.self, AttachmentKeys.exception(reader, record.guid))
        let listed = try await environment.value(for: AttachmentKeys.reader(reader, in: record.list))
        let removed = try await removal(of: reader) ?? .min
        return Self.mayRead(exception, isListed: listed != nil, since: record.created, removed: removed)
    }

    /// The one refusal. Only the log knows why.
    func refusal(_ guid: String, _ caller: Address, _ why: String) -> PluginFault {
        try? environment.log(.info, "\(caller) is refused the attachment \(guid): \(why)")
        return PluginFault(AttachmentsXML.refusal)
    }
}
