import Foundation
import Identity
import MailModel
import MailStore
import SOAP

/// List, Retrieve, Delete, Mark and Status: a user's own mailbox.
struct MailboxService: Sendable {
    let core: ServerCore

    func list(_ request: ListOperation.Request, of user: Address) async throws -> ListOperation.Response {
        let folder = FolderName(rawValue: request.folder)
        let cursor = MailboxService.cursor(request)
        // Subscribe before the first look, so that nothing that arrives in between is missed.
        let changes = request.wait > 0 ? core.store.changes(of: user) : nil
        let page: MailboxPage
        do throws(StoreError) {
            page = try await core.store.list(user, folder: folder, from: cursor, limit: request.limit)
        } catch {
            guard error.code == .unknownFolder else { throw error }
            let names = try await core.store.folders(of: user).map(\.name.rawValue).joined(separator: ", ")
            throw SOAPFault(.unknownFolder, "there is no such folder; yours are \(PluginText.line(names, limit: 500))")
        }
        guard page.entries.isEmpty, let changes else { return try MailboxService.response(page) }
        for await _ in changes.bounded(to: .seconds(request.wait)) {
            let news = try await core.store.list(user, folder: folder, from: cursor, limit: request.limit)
            if !news.entries.isEmpty { return try MailboxService.response(news) }
        }
        return try MailboxService.response(page)
    }

    private static func cursor(_ request: ListOperation.Request) -> ListCursor {
        if let after = request.after { return .after(Int64(after)) }
        if let before = request.before { return .before(Int64(before)) }
        return .newest
    }

    private static func response(_ page: MailboxPage) throws -> ListOperation.Response {
        var headers: [MessageHeader] = []
        headers.reserveCapacity(page.entries.count)
        var addresses = AddressReader()
        for entry in page.entries { headers.append(try MessageHeader(entry, &addresses)) }
        return ListOperation.Response(headers: headers, cursor: UInt64(page.highestUID), more: page.hasMore)
    }

    func retrieve(_ request: RetrieveOperation.Request, of user: Address) async throws -> RetrieveOperation.Response {
        let stored = try await find(request, of: user)
        return RetrieveOperation.Response(
            message: stored.octets, postmark: stored.postmark,
            receipt: request.withReceipt ? try receipt(of: stored, for: user) : nil,
            folder: stored.entry.folder.rawValue, flags: stored.entry.flagNames)
    }

    /// A mail to oneself is in Inbox and Sent: the received one, with its Postmark, says more.
    private func find(_ request: RetrieveOperation.Request, of user: Address) async throws -> StoredMessage {
        let id = request.messageID.description
        if let uid = request.uid {
            let stored = try await core.store.retrieve(user, .uid(Int64(uid)))
            guard stored.entry.messageID == id else { throw StoreError(.unknownMessage, "uid \(uid) is of another message") }
            return stored
        }
        if let folder = request.folder {
            return try await core.store.retrieve(user, .message(id, in: FolderName(rawValue: folder)))
        }
        do throws(StoreError) {
            return try await core.store.retrieve(user, .message(id, in: .inbox))
        } catch {
            guard error.code == .unknownMessage else { throw error }
            return try await core.store.retrieve(user, .message(id))
        }
    }

    /// The receipt of a submission names the blind copies too: only its author may see it. Another local recipient gets one
    /// of his own, which says no more than his Postmark does.
    private func receipt(of stored: StoredMessage, for user: Address) throws -> [UInt8]? {
        guard let octets = stored.receipt, let postmark = stored.postmark else { return stored.receipt }
        let (mark, kept) = (try SealedPostmark(octets: postmark), try SealedReceipt(octets: octets).receipt)
        guard kept.postmarkDigest == nil else { return octets }
        return try Receipt(
            messageID: kept.messageID, digest: kept.digest, postmarkDigest: mark.digest, signer: core.signer,
            audience: mark.postmark.domain, recipients: [MailModel.RecipientStatus(user, .delivered)], time: kept.time
        ).sealed(by: core.signer)
    }

    private static func references(_ entries: EntrySelection) -> [EntryReference] {
        let folder = entries.folder.map { FolderName(rawValue: $0) }
        return entries.ids.map { .message($0.description, in: folder) } + entries.uids.map { .uid(Int64($0)) }
    }

    func delete(_ request: DeleteOperation.Request, of user: Address) async throws -> DeleteOperation.Response {
        let references = MailboxService.references(request.entries)
        return DeleteOperation.Response(count: try await core.store.delete(user, references))
    }

    func mark(_ request: MarkOperation.Request, of user: Address) async throws -> MarkOperation.Response {
        let references = MailboxService.references(request.entries)
        let count = try await core.store.mark(
            user, references, add: EntryFlags(names: request.add), remove: EntryFlags(names: request.remove))
        return MarkOperation.Response(count: count)
    }

    func move(_ request: MoveOperation.Request, of user: Address) async throws -> MoveOperation.Response {
        let references = MailboxService.references(request.entries)
        let moved = try await core.store.move(user, references, to: FolderName(rawValue: request.folder))
        return MoveOperation.Response(count: moved.count)
    }

    func status(_ request: StatusOperation.Request, of user: Address) async throws -> StatusOperation.Response {
        guard let status = try await core.store.status(of: request.messageID.description, from: .submission(by: user))
        else { throw SOAPFault(.unknownMessage, "you have sent no message of that id, or too long ago") }
        let lines = status.recipients.map {
            StatusOperation.Line(
                address: $0.recipient, state: $0.state.rawValue, time: DateTime.format($0.at), attempts: $0.attempts,
                reason: $0.reason)
        }
        var receipts = status.receipts
        for receipt in status.recipients.compactMap(\.peerReceipt) where !receipts.contains(receipt) {
            receipts.append(receipt)
        }
        return StatusOperation.Response(lines: lines, receipts: receipts)
    }
}

extension EntryFlags {
    init(names: Set<String>) {
        self = []
        if names.contains("seen") { insert(.seen) }
        if names.contains("answered") { insert(.answered) }
        if names.contains("flagged") { insert(.flagged) }
    }
}

extension MailboxEntry {
    var flagNames: Set<String> {
        var names: Set<String> = []
        if flags.contains(.seen) { names.insert("seen") }
        if flags.contains(.answered) { names.insert("answered") }
        if flags.contains(.flagged) { names.insert("flagged") }
        if summary.traits.contains(.form) { names.insert("form") }
        if summary.traits.contains(.instant) { names.insert("instant") }
        if summary.traits.contains(.encrypted) { names.insert("encrypted") }
        if summary.traits.contains(.attachments) { names.insert("attachments") }
        if summary.traits.contains(.bounce) { names.insert("bounce") }
        return names
    }
}

extension MessageHeader {
    /// A list shows the first recipients only: two hundred long addresses a message would make it unreadable for its size.
    private static let shownRecipients = 20

    fileprivate init(_ entry: MailboxEntry, _ addresses: inout AddressReader) throws {
        self.init(
            uid: UInt64(entry.uid), id: try MessageID(entry.messageID), from: try addresses.address(entry.summary.from),
            name: nil, to: try entry.summary.to.prefix(MessageHeader.shownRecipients).map { try addresses.address($0) },
            subject: entry.summary.subject, date: entry.summary.date, size: entry.size, flags: entry.flagNames)
    }
}

/// Reads each address of a page once: most of them occur again and again.
private struct AddressReader {
    private var known: [String: Address] = [:]

    mutating func address(_ text: String) throws -> Address {
        if let address = known[text] { return address }
        let address = try Address(text)
        known[text] = address
        return address
    }
}
