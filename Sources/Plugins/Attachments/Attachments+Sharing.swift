import Foundation
import Identity
import MailModel
import PluginAPI

/// Passing attachments on.
extension Attachments {
    /// Requests of one reader, and of all, that can wait for the owner's answer.
    private static let requestsPerReader = 10
    private static let requests = 100

    /// A reader wishes that others may read it too. What becomes of it the sender has said beforehand: the owner is asked, it is
    /// allowed, or not. The owner's own wish needs no leave.
    ///
    /// What a reader is answered does not depend on whom the message went to: blind recipients stay blind.
    func share(
        _ request: AttachmentCall.Share, _ record: AttachmentRecord, _ caller: Address, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Share {
        guard !record.isExpired(at: desk.now) else { throw PluginFault(AttachmentsXML.expired) }
        guard !record.released else { throw PluginFault("you revoked the attachment: the file is not kept any more") }
        let isOwner = caller == record.owner
        guard isOwner || record.onForward != .forbid else { throw PluginFault(AttachmentsXML.notPassedOn) }
        let wanted = request.readers.filter { $0 != record.owner && $0 != caller }
        guard !wanted.isEmpty else { return AttachmentAnswer.Share(.granted) }
        guard isOwner || record.onForward == .allow else { return try await ask(wanted, caller, record, desk) }
        let changed =
            isOwner ? try await granted(wanted, record, desk) : try await passedOn(wanted, by: caller, record, desk)
        if changed != record { try await desk.save(changed) }
        return AttachmentAnswer.Share(.granted)
    }

    /// What a reader grants: to whom the message went, too, since otherwise it would show who they are. From whom the owner has
    /// taken it a reader cannot give it.
    private func passedOn(
        _ readers: [Address], by caller: Address, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        var record = record
        for reader in readers { record = try await passedOn(reader, by: caller, record, desk) }
        return record
    }

    private func passedOn(
        _ reader: Address, by caller: Address, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        let exception = try await desk.load(ReaderException.self, AttachmentKeys.exception(reader, record.guid))
        guard exception?.isGranted != false else { throw PluginFault(AttachmentsXML.notPassedOn) }
        // Once more is nothing new, and no line of the log: nor does it help who has got the address since.
        guard exception == nil else { return record }
        return try await granted(reader, by: caller, record, desk, limit: AttachmentDesk.readersGrants)
    }

    /// What the owner grants.
    private func granted(
        _ readers: [Address], _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        var record = record
        for reader in readers { record = try await granted(reader, record, desk) }
        return record
    }

    private func granted(
        _ reader: Address, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentRecord {
        let isReader = try await desk.isReader(reader, of: record)
        guard !isReader, reader != record.owner else { return record }
        return try await granted(reader, by: record.owner, record, desk, limit: AttachmentDesk.maxExceptions)
    }

    private func granted(
        _ reader: Address, by: Address, _ record: AttachmentRecord, _ desk: AttachmentDesk, limit: Int
    ) async throws -> AttachmentRecord {
        let changed = try await excepted(reader, isGranted: true, by: by, record, desk, limit: limit)
        return try await desk.logged(.granted, who: reader, by: by, in: changed)
    }

    private func ask(
        _ readers: [Address], _ caller: Address, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Share {
        let keys = try await desk.environment.keys(
            withPrefix: AttachmentKeys.requests(of: record.guid), after: nil, limit: Self.requests)
        var own = 0
        for key in keys {
            let request = try await desk.load(ShareRequest.self, key)
            guard let open = request, open.by == caller else { continue }
            own += 1
            // The same once more is the same request, and the owner is not written to again.
            if Set(open.readers) == Set(readers) { return AttachmentAnswer.Share(.asked, request: AttachmentKeys.guid(key)) }
        }
        guard keys.count < Self.requests, own < Self.requestsPerReader else {
            throw PluginFault("too many requests wait for the sender's answer already")
        }
        let id = RandomID.hex(16)
        try await desk.save(
            ShareRequest(by: caller, readers: readers, time: desk.time), AttachmentKeys.request(record.guid, id))
        // One line, however many they are: readers must not fill the log.
        let changed = try await desk.logged(.asked, who: readers.count == 1 ? readers[0] : nil, by: caller, in: record)
        try await desk.environment.send(question(id, readers, caller, record))
        try await desk.save(changed)
        return AttachmentAnswer.Share(.asked, request: id)
    }

    private func question(
        _ request: String, _ readers: [Address], _ caller: Address, _ record: AttachmentRecord
    ) -> OutgoingMessage {
        let name = VerdictRules.line(String(String.UnicodeScalarView(record.name.unicodeScalars.prefix(100))))
        let text = """
            \(caller) would like to pass on "\(name)", an attachment of your message
            \(record.messageID), to:

            \(readers.map { "  \($0)" }.joined(separator: "\n"))

            If they may read it, allow it:

              wsemail attachments allow \(record.guid) \(request)

            If not, you need not do anything.

            """
        return OutgoingMessage(
            sender: .service, to: [record.owner], subject: "May \(caller) pass on \"\(name)\"?", text: text,
            inReplyTo: record.messageID)
    }

    /// The owner's decision.
    func decide(
        _ answer: AttachmentCall.Answer, _ record: AttachmentRecord, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Answer {
        var record = record
        let key = AttachmentKeys.request(record.guid, answer.request)
        guard let request = try await desk.load(ShareRequest.self, key) else {
            throw PluginFault("there is no such request, or it was answered already")
        }
        if answer.grant {
            guard !record.isExpired(at: desk.now) else { throw PluginFault(AttachmentsXML.expired) }
            guard !record.released else { throw PluginFault("you revoked the attachment: the file is not kept any more") }
            record = try await granted(request.readers, record, desk)
        } else {
            let who = request.readers.count == 1 ? request.readers[0] : nil
            record = try await desk.logged(.refused, who: who, by: record.owner, in: record)
        }
        try await desk.remove(key)
        try await desk.save(record)
        return AttachmentAnswer.Answer()
    }
}
