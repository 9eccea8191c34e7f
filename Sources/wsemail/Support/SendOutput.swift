import ArgumentParser
import Console
import Foundation
import Identity
import MailClient
import MailModel

/// What is said of a message that the server acknowledged.
struct SendOutput: Encodable {
    struct Recipient: Encodable {
        let address: Address
        let state: String
        let reason: String?
    }

    let id: MessageID
    let subject: String
    let receiptOf: MailDomain
    let time: Date
    let recipients: [Recipient]
    /// What the server keeps for it.
    var files: [SentFiles.File]?
    /// In the list, where it is known.
    var number: UInt64?
    /// What became of the wishes to pass files on.
    var shares: [Sharing]?
    /// Sent directly and refused to all: where the text lies.
    let keptIn: String?

    init(_ sent: SentMessage) {
        let receipt = sent.receipt.receipt
        id = sent.entry.id
        subject = sent.entry.message.message.subject
        receiptOf = receipt.domain
        time = receipt.time
        keptIn = sent.keptIn
        recipients = receipt.recipients.map { Recipient(address: $0.address, state: $0.state.rawValue, reason: $0.reason) }
    }

    /// - Parameter isDirect: our own server knows nothing of it.
    /// - Throws: `ExitCode` 1 for what was sent directly, and refused to all.
    static func show(
        _ sent: SentMessage, _ screen: Screen, isDirect: Bool = false, kept: SentFiles? = nil, shares: [Sharing]? = nil
    ) throws {
        if screen.isJSON {
            var output = SendOutput(sent)
            output.files = kept?.files
            output.number = kept?.number
            output.shares = shares
            try screen.json(output)
        } else {
            tell(sent, screen, isDirect: isDirect, kept)
        }
        if sent.keptIn != nil { throw ExitCode.failure }
    }

    private static func tell(_ sent: SentMessage, _ screen: Screen, isDirect: Bool, _ kept: SentFiles?) {
        let receipt = sent.receipt.receipt
        let isSent = sent.keptIn == nil
        screen.line(
            screen.style(isSent ? "Sent." : "Not sent.", isSent ? .green : .red, .bold)
                + " \(receipt.domain) gave a signed receipt, verified.")
        for status in receipt.recipients {
            let isRefused = status.state == .refused
            let text = "  \(status.address.unicode): \(MailText.state(status))"
            screen.line(isRefused ? screen.style(text, .red) : text)
        }
        if let path = sent.keptIn { return screen.line("  The text is kept in \(PrintableText.clean(path))") }
        let ends = Set((kept?.files ?? []).compactMap(\.expires)).sorted()
        if let first = ends.first {
            screen.line("  files can be fetched until \(MailText.date(first))" + (ends.count > 1 ? " and longer" : ""))
        }
        screen.line("  id \(sent.entry.id)" + (isDirect ? "   (no copy is kept)" : "   (wsemail status \(sent.entry.id))"))
        if let number = kept?.number { screen.line("  number \(number)   (wsemail attachments log \(number))") }
        if isDirect, !sent.refused.isEmpty {
            screen.warning("it did not reach \(sent.refused.map(\.address.unicode).joined(separator: ", ")): no bounce comes")
        }
    }
}

/// What our server says that it keeps for a message that it has just taken.
struct SentFiles {
    struct File: Encodable {
        let guid: String
        let name: String
        let size: UInt64
        let sha256: String
        let expires: Date?
        let maxFetches: UInt64?
        let onForward: String
    }

    let files: [File]
    /// The message's in the list.
    let number: UInt64?

    /// - Returns: nil where there are none, or it cannot be asked now: the message has gone all the same.
    static func of(_ sent: SentMessage, _ client: MailClient) async -> SentFiles? {
        let references = sent.entry.message.message.attachments
        guard !references.isEmpty, let kept = try? await client.sentAttachments(of: sent.entry.id) else { return nil }
        let files = references.compactMap { reference -> File? in
            guard let item = kept.first(where: { $0.digest == reference.digest }) else { return nil }
            return File(
                guid: item.guid, name: reference.name, size: item.size, sha256: MailText.hex(item.digest), expires: item.expires,
                maxFetches: item.maxFetches, onForward: item.onForward.rawValue)
        }
        let recent = try? await client.list(folder: "Sent", limit: 10)
        return SentFiles(files: files, number: recent?.headers.first { $0.id == sent.entry.id }?.uid)
    }
}
