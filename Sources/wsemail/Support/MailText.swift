import Console
import Foundation
import Identity
import MailClient
import MailModel

/// Mail in people's words.
enum MailText {
    static func date(_ date: Date) -> String { HumanText.dateTime(date.timeIntervalSince1970) }

    /// `Bob <bob@scopio.test>`. The name is the author's claim, so the address always stands beside it.
    static func mailbox(_ mailbox: Mailbox) -> String {
        guard let name = mailbox.name, !name.isEmpty else { return mailbox.address.unicode }
        return "\(PrintableText.clean(name)) <\(mailbox.address.unicode)>"
    }

    static func mailboxes(_ list: [Mailbox]) -> String { list.map(mailbox).joined(separator: ", ") }

    /// What a domain's receipt says of one recipient.
    static func state(_ status: RecipientStatus) -> String {
        let reason = status.reason.map { " (\(PrintableText.clean($0)))" } ?? ""
        switch status.state {
        case .accepted: return "accepted, on its way"
        case .delivered: return "delivered"
        case .refused: return "refused\(reason)"
        case .read: return "read"
        case .unknown: return "unknown\(reason)"
        }
    }

    static func hex(_ digest: [UInt8]) -> String { digest.map { String(format: "%02x", $0) }.joined() }

    /// `report.exe (sha256 9f86d0…)`: a file that a plug-in took out.
    static func removed(_ item: Postmark.Removed) -> String {
        "\(PrintableText.clean(item.name)) (sha256 \(hex(item.digest)))"
    }

    /// A Form that only looks like what a server makes of mail that it passes on.
    static let uncheckedForm = "a Form in it looks like a message passed on, but is only content: nothing in it was checked"

    /// N new, ! flagged, r answered, B bounce, F form.
    static func flags(_ flags: Set<String>) -> String {
        var text = flags.contains("seen") ? "" : "N"
        if flags.contains("flagged") { text += "!" }
        if flags.contains("answered") { text += "r" }
        if flags.contains("bounce") { text += "B" }
        if flags.contains("form") { text += "F" }
        if flags.contains("attachments") { text += "@" }
        return text
    }
}
