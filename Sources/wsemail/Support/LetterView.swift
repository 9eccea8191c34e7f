import Console
import Foundation
import Identity
import MailClient
import MailModel

/// A message as people read it: who, what, and whether to believe it - before anything the message itself says.
struct LetterView {
    let letter: ReceivedMessage
    let style: TerminalStyle

    var text: String {
        let message = letter.message.message
        var lines = warnings
        lines.append(field("From", MailText.mailbox(message.from)))
        lines.append(field("To", MailText.mailboxes(message.to)))
        if !message.cc.isEmpty { lines.append(field("Cc", MailText.mailboxes(message.cc))) }
        if !letter.blindCopies.isEmpty {
            lines.append(field("Bcc", letter.blindCopies.map(\.unicode).joined(separator: ", ")))
        }
        lines.append(field("Date", MailText.date(message.date)))
        lines.append(field("Subject", PrintableText.clean(message.subject)))
        lines.append(field("Signed", signed))
        if let author = letter.author.words {
            lines.append(field("Author", style.apply([letter.author.isBelieved ? .green : .red], to: PrintableText.clean(author))))
        }
        if let method = letter.verdict.methodWords { lines.append(field("Proof", method)) }
        lines.append(field("Id", message.id.description))
        if let answered = message.inReplyTo { lines.append(field("Answers", answered.description)) }
        lines += extras(message)
        lines.append("")
        // Indented by nothing, but told apart by the blank line: nothing below it is said by this program.
        lines.append(PrintableText.clean(message.text, keepsLines: true))
        return lines.joined(separator: "\n") + "\n"
    }

    private var signed: String {
        let words = PrintableText.clean(letter.verdict.words)
        return style.apply(letter.verdict.isBelieved ? [.green] : [.red, .bold], to: words)
    }

    private var warnings: [String] {
        guard !letter.isBelieved else { return [] }
        let reason = letter.verdict.isBelieved ? (letter.author.words ?? "") : letter.verdict.words
        return [
            style("WARNING: do not believe who sent this message, or what it says.", .red, .bold),
            style(PrintableText.clean(reason), .red), "",
        ]
    }

    private func field(_ name: String, _ value: String) -> String {
        style((name.isEmpty ? "" : name + ":").padding(toLength: 9, withPad: " ", startingAt: 0), .bold) + value
    }

    private func extras(_ message: Message) -> [String] {
        var lines: [String] = []
        for attachment in message.attachments {
            let size = HumanText.bytes(Int64(clamping: attachment.size))
            lines.append(field("File", "\(PrintableText.clean(attachment.name)) (\(size))"))
        }
        for form in message.forms { lines.append(field("Form", PrintableText.clean("\(form.type) \(form.version)"))) }
        if message.html != nil { lines.append(field("Note", "there is an HTML version too; this is the text")) }
        if let bounce = message.bounce {
            lines.append(field("Bounce", "of \(bounce.messageID)"))
            for status in bounce.recipients {
                lines.append(field("", "\(status.address.unicode): \(MailText.state(status))"))
            }
        }
        return lines
    }
}

/// The same for scripts.
struct LetterJSON: Encodable {
    struct Person: Encodable {
        let address: Address
        let name: String?
        init(_ mailbox: Mailbox) {
            address = mailbox.address
            name = mailbox.name
        }
    }

    let id: MessageID
    let folder: String
    let flags: [String]
    let from: Person
    let to: [Person]
    let cc: [Person]
    /// Only in the author's own copy.
    let bcc: [Address]
    let subject: String
    let date: Date
    let inReplyTo: MessageID?
    let text: String
    let html: String?
    let isBelieved: Bool
    let signature: String
    let author: String?

    init(_ letter: ReceivedMessage) {
        let message = letter.message.message
        id = message.id
        folder = letter.folder
        flags = letter.flags.sorted()
        from = Person(message.from)
        to = message.to.map(Person.init)
        cc = message.cc.map(Person.init)
        bcc = letter.blindCopies
        subject = message.subject
        date = message.date
        inReplyTo = message.inReplyTo
        text = message.text
        html = message.html
        isBelieved = letter.isBelieved
        signature = letter.verdict.words
        author = letter.author.words
    }
}
