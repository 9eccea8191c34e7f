import Foundation
import Identity
import MailModel
import SOAP
import WSSecurity
import XMLSecurity

/// A person's mailbox at their home server, with everything verified that is shown.
public struct MailClient: Sendable {
    public let account: ClientAccount
    let server: any HomeServer
    let trust: TrustBook
    let outbox: Outbox
    let numbers: NumberBook
    /// Nil: mail only, no files that stay on servers.
    let network: (any AttachmentNetwork)?
    let clock: @Sendable () -> Date

    /// - Parameters:
    ///   - server: how the home server is called.
    ///   - network: how files travel and other domains are reached; nil: not at all.
    public init(
        account: ClientAccount, folder: ClientFolder, server: any HomeServer, network: (any AttachmentNetwork)? = nil,
        clock: @escaping @Sendable () -> Date
    ) {
        let files = folder.folder(of: account.address)
        self.account = account
        self.server = server
        self.network = network
        self.clock = clock
        outbox = Outbox(files)
        numbers = NumberBook(files)
        trust = TrustBook(
            home: account.address.domain, root: account.root, server: server, cache: DomainCache(files), clock: clock)
    }

    private var judge: MessageJudge { MessageJudge(reader: account.address, trust: trust, clock: clock) }

    // MARK: Reading

    /// A page of a folder: the newest, those before a number, or those after one.
    /// - Parameter wait: seconds that the server may wait for news, at most 60.
    public func list(
        folder: String = "Inbox", after: UInt64? = nil, before: UInt64? = nil, limit: Int = 50, wait: Int = 0
    ) async throws(MailClientError) -> MessageList {
        let folder = Self.folderName(folder)
        let request = ListOperation.Request(folder: folder, after: after, before: before, limit: limit, wait: wait)
        let reply = try await server.call(
            .list, request, reply: ListOperation.Response.self, timeout: .seconds(60 + wait))
        try numbers.remember(reply.headers.map { ($0.uid, MessageLocation($0.id, in: folder, uid: $0.uid)) })
        return MessageList(headers: reply.headers, cursor: reply.cursor, hasMore: reply.more)
    }

    static let inbox = "Inbox"
    static let sent = "Sent"

    /// The folders' names as the server knows them, however they were typed.
    static func folderName(_ text: String) -> String {
        [inbox, sent].first { $0.lowercased() == text.lowercased() } ?? text
    }

    /// Where the message is that a person typed. A number that no list has shown here is looked up at the server.
    public func resolve(_ reference: NumberBook.Reference) async throws(MailClientError) -> MessageLocation {
        switch reference {
        case .id(let id): return MessageLocation(id)
        case .number(let number):
            if let location = try numbers.location(of: number) { return location }
            for folder in [Self.inbox, Self.sent] where number < .max {
                let page = try await list(folder: folder, before: number + 1, limit: 1)
                if let header = page.headers.first, header.uid == number {
                    return MessageLocation(header.id, in: folder, uid: number)
                }
            }
            throw MailClientError(
                .noSuchMessage, "there is no message with the number \(number)",
                advice: "`wsemail list` and `wsemail list --folder Sent` show the numbers.")
        }
    }

    /// One message, with our judgement of its signatures.
    /// - Parameter withReceipt: also asks for the receipt that the home domain gave for it.
    public func retrieve(
        _ location: MessageLocation, withReceipt: Bool = false
    ) async throws(MailClientError) -> ReceivedMessage {
        let reply = try await server.call(
            .retrieve,
            RetrieveOperation.Request(
                messageID: location.id, withReceipt: withReceipt, folder: location.folder, uid: location.uid),
            reply: RetrieveOperation.Response.self, timeout: .seconds(300))
        let message: SealedMessage
        var postmark: SealedPostmark?
        do {
            message = try SealedMessage(octets: reply.message)
            postmark = try reply.postmark.map { (octets) throws(MailModelError) in try SealedPostmark(octets: octets) }
        } catch {
            throw MailClientError(.notVerified, "the message cannot be read: \(error.reason)")
        }
        guard message.message.id == location.id else {
            throw MailClientError(.untrustedServer, "the server answered with another message")
        }
        let verdict = await judge.verdict(on: message, postmark)
        let author = await judge.author(of: message, at: judge.signingTime(message, verdict))
        var received = ReceivedMessage(
            message: message, postmark: postmark, receipt: reply.receipt, folder: reply.folder, flags: reply.flags,
            verdict: verdict, author: author)
        do {
            received.passedOn = try await judge.passedOn(by: message.message, postmark)
        } catch {
            received.passedOnProblem = error.reason
        }
        if received.hasUncheckedForm { received.enclosed = await judge.enclosed(in: received.original.message.message) }
        return received
    }

    // MARK: Changing

    /// Removes messages for good: the very one that a number tells, the copy in the folder that is named, else all copies.
    /// - Returns: how many there were.
    public func delete(_ locations: [MessageLocation]) async throws(MailClientError) -> Int {
        try await inParts(locations) { (entries) async throws(MailClientError) in
            try await server.call(
                .delete, DeleteOperation.Request(entries: entries), reply: DeleteOperation.Response.self
            ).count
        }
    }

    /// Adds and removes flags: seen, answered, flagged.
    /// - Returns: how many messages there were.
    public func mark(
        _ locations: [MessageLocation], add: Set<String>, remove: Set<String> = []
    ) async throws(MailClientError) -> Int {
        guard add.union(remove).isSubset(of: MarkOperation.userFlags), add.isDisjoint(with: remove) else {
            throw MailClientError(.invalidInput, "flags are seen, answered and flagged, each added or removed")
        }
        return try await inParts(locations) { (entries) async throws(MailClientError) in
            try await server.call(
                .mark, MarkOperation.Request(entries: entries, add: add, remove: remove),
                reply: MarkOperation.Response.self
            ).count
        }
    }

    /// As few calls as may be, each of as many messages as a call may name.
    private func inParts(
        _ locations: [MessageLocation], _ change: (EntrySelection) async throws(MailClientError) -> Int
    ) async throws(MailClientError) -> Int {
        var selections = [EntrySelection(uids: locations.compactMap(\.uid))]
        for location in locations where location.uid == nil {
            if let index = selections.indices.dropFirst().first(where: { selections[$0].folder == location.folder }) {
                selections[index].ids.append(location.id)
            } else {
                selections.append(EntrySelection(ids: [location.id], folder: location.folder))
            }
        }
        var count = 0
        for selection in selections {
            for start in stride(from: 0, to: selection.ids.count + selection.uids.count, by: 500) {
                count += try await change(
                    EntrySelection(
                        ids: Array(selection.ids.dropFirst(start).prefix(500)),
                        uids: Array(selection.uids.dropFirst(start).prefix(500)), folder: selection.folder))
            }
        }
        return count
    }

    // MARK: Status

    /// What became of the message that a person typed.
    /// - Throws: `invalidInput` for a message that was received.
    public func status(of reference: NumberBook.Reference) async throws(MailClientError) -> DeliveryStatus {
        let location = try await resolve(reference)
        do throws(MailClientError) {
            return try await status(location.id)
        } catch {
            guard error.code == .noSuchMessage, await isReceived(location) else { throw error }
            throw MailClientError(
                .invalidInput, "\(reference) is a message you received; status is for messages you sent",
                advice: "`wsemail list --folder Sent` shows those.")
        }
    }

    private func isReceived(_ location: MessageLocation) async -> Bool {
        if let folder = location.folder { return folder != Self.sent }
        guard let message = try? await retrieve(location) else { return false }
        return message.folder != Self.sent
    }

    /// What became of a message that this account sent, with the receiving domains' receipts, verified here.
    public func status(_ id: MessageID) async throws(MailClientError) -> DeliveryStatus {
        let reply = try await server.call(
            .status, StatusOperation.Request(messageID: id), reply: StatusOperation.Response.self)
        var proofs: [DeliveryStatus.Proof] = []
        for octets in reply.receipts {
            let receipt: SealedReceipt
            do { receipt = try SealedReceipt(octets: octets) } catch {
                throw MailClientError(.untrustedServer, "a receipt cannot be read: \(error.reason)")
            }
            proofs.append(DeliveryStatus.Proof(receipt: receipt, doubt: await doubt(about: receipt, of: id)))
        }
        let lines = reply.lines.map { line in
            DeliveryStatus.Line(
                status: line, since: DateTime.parse(line.time),
                proof: proofs.last { proof in
                    proof.doubt == nil && proof.receipt.receipt.domain == line.address.domain
                        && proof.receipt.receipt.recipients.contains { $0.address == line.address }
                })
        }
        return DeliveryStatus(id: id, lines: lines, proofs: proofs)
    }

    private func doubt(about receipt: SealedReceipt, of id: MessageID) async -> String? {
        guard receipt.receipt.messageID == id else { return "the receipt is for another message" }
        guard receipt.receipt.audience == account.address.domain else { return "the receipt is for another domain" }
        do {
            try await receipt.verify(keys: trust)
            return nil
        } catch {
            return MailClientError(error).reason
        }
    }

    // MARK: Credentials

    /// Changes the password; all sessions end.
    public func changePassword(old: String, new: String) async throws(MailClientError) {
        guard Password.acceptedLength.contains(new.count) else {
            let range = Password.acceptedLength
            throw MailClientError(
                .invalidInput, "a password has \(range.lowerBound) to \(range.upperBound) characters")
        }
        _ = try await server.call(
            .changePassword, ChangePasswordOperation.Request(old: old, new: new),
            reply: ChangePasswordOperation.Response.self)
        try await server.forgetSession()
    }

    /// Makes a key on this machine and lets the home domain certify it.
    public func enroll() async throws(MailClientError) -> SigningIdentity {
        let key = SigningKey.generateP256()
        let request: CertificateRequest
        do { request = try CertificateRequest.make(address: account.address, key: key) } catch {
            throw MailClientError(error)
        }
        let reply = try await server.call(
            .enroll, EnrollOperation.Request(request: request.der), reply: EnrollOperation.Response.self)
        do {
            guard let der = reply.certificates.first else {
                throw MailClientError(.untrustedServer, "the server sent no certificate")
            }
            let certificate = try MailCertificate(der: der)
            guard key.matches(certificate) else {
                throw MailClientError(.untrustedServer, "the server certified another key")
            }
            let home = account.address.domain
            var intermediates: [MailCertificate] = []
            for der in reply.certificates.dropFirst() {
                let issuer = try MailCertificate(der: der)
                if issuer != account.root { intermediates.append(issuer) }
            }
            _ = try await TrustStore([TrustAnchor(account.root, scope: .domain(home))]).validateUser(
                [certificate] + intermediates, address: account.address, at: clock())
            return SigningIdentity(key: key, certificate: certificate)
        } catch let error as IdentityError {
            throw MailClientError(.untrustedServer, "the server's certificate for you is not valid: \(error.reason)")
        } catch {
            throw MailClientError(error)
        }
    }
}
