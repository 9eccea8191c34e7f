import Console
import Foundation
import Identity
import MailClient
import MailModel

/// A message as people read it: who, what, and whether to believe it - before anything the message itself says.
struct LetterView {
    let letter: ReceivedMessage
    let style: TerminalStyle
    /// The message's number in the list, where it is known.
    var number: UInt64?
    /// Where newer versions of its files are: by name, in words.
    var newer: [(name: String, place: String)] = []
    /// Until when files can be fetched, as far as it is known: by number.
    var expiries: [Int: Date] = [:]
    /// The number of the message that it takes the place of, where it is known.
    var replaced: UInt64?

    var text: String {
        let original = letter.original
        let message = original.message.message
        var lines = warnings
        for layer in letter.shown.dropLast() { lines.append(field("Via", via(layer))) }
        lines.append(field("From", MailText.mailbox(message.from)))
        lines.append(field("To", MailText.mailboxes(message.to)))
        if !message.cc.isEmpty { lines.append(field("Cc", MailText.mailboxes(message.cc))) }
        if !letter.blindCopies.isEmpty {
            lines.append(field("Bcc", letter.blindCopies.map(\.unicode).joined(separator: ", ")))
        }
        lines.append(field("Date", MailText.date(message.date)))
        lines.append(field("Subject", PrintableText.clean(message.subject)))
        lines.append(field("Signed", signed(original.verdict)))
        if let author = original.author.words {
            lines.append(field("Author", style.apply([original.author.isBelieved ? .green : .red], to: PrintableText.clean(author))))
        }
        if let method = original.verdict.methodWords { lines.append(field("Proof", method)) }
        lines.append(field("Id", message.id.description))
        if let answered = message.inReplyTo { lines.append(field("Answers", answered.description)) }
        if let id = message.replaces { lines.append(field("Replaces", replaced.map { "message \($0)" } ?? id.description)) }
        lines += files
        for item in newer { lines.append(field("", "a newer version of \(PrintableText.clean(item.name)) is in \(item.place)")) }
        lines += extras(message)
        for mail in letter.doubtfulEnclosures { lines.append(field("Inside", inside(mail))) }
        lines.append("")
        // Indented by nothing, but told apart by the blank line: nothing below it is said by this program.
        lines.append(PrintableText.clean(message.text, keepsLines: true))
        for mail in letter.doubtfulEnclosures { lines += quoted(mail.message.message) }
        if let enclosed = letter.enclosed, enclosed.isBelieved { lines += quoted(enclosed.message.message) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Who passed it on, and whose word that is.
    private func via(_ layer: JudgedMail) -> String {
        let message = layer.message.message
        return "\(MailText.mailbox(message.from)) passed it on, \(MailText.date(message.date)): \(signed(layer.verdict))"
    }

    /// An enclosure that is not believed: its claims are told as claims.
    private func inside(_ mail: JudgedMail) -> String {
        let reason = mail.doubt ?? "what it came in is not believed"
        return style.apply(
            [.red, .bold], to: "quoted below, says it is of \(MailText.mailbox(mail.message.message.from)): \(PrintableText.clean(reason))")
    }

    /// Every line is marked, so that none passes for the words of who sent the rest, nor for this program's.
    private func quoted(_ message: Message) -> [String] {
        let head = [
            "From: \(MailText.mailbox(message.from))", "To: \(MailText.mailboxes(message.to))", "Date: \(MailText.date(message.date))",
            "Subject: \(PrintableText.clean(message.subject))", "",
        ]
        let text = PrintableText.clean(message.text, keepsLines: true).split(separator: "\n", omittingEmptySubsequences: false)
        return [""] + (head + text.map(String.init)).map { "> \($0)" }
    }

    private func signed(_ verdict: SignatureVerdict) -> String {
        style.apply(verdict.isBelieved ? [.green] : [.red, .bold], to: PrintableText.clean(verdict.words))
    }

    private var warnings: [String] {
        if let doubt = letter.original.doubt {
            return [style("WARNING: do not believe who sent this message, or what it says.", .red, .bold), red(doubt), ""]
        }
        guard let doubt = letter.doubtfulEnclosures.compactMap(\.doubt).first else { return [] }
        return [style("WARNING: do not believe who wrote the message inside, or what it says.", .red, .bold), red(doubt), ""]
    }

    private func red(_ text: String) -> String {
        style(PrintableText.clean(text), .red)
    }

    private func field(_ name: String, _ value: String) -> String {
        let width = max(9, name.count + 2)
        return style((name.isEmpty ? "" : name + ":").padding(toLength: width, withPad: " ", startingAt: 0), .bold) + value
    }

    /// What the message refers to, and what the servers on its way say that they took out of it.
    private var files: [String] {
        let removed = letter.shown.flatMap { layer in layer.removed.map { (layer.message.message.from.address.domain, $0) } }
        let gone = Set(removed.map(\.1.digest))
        let files = letter.attachments.map { attachment in
            let note = gone.contains(attachment.reference.digest) ? ": removed" : place(of: attachment)
            let until = expiries[attachment.number].map { ", until \(MailText.date($0))" } ?? ""
            return field("File", "\(attachment.number). \(AttachmentText.file(attachment.reference))\(until)\(note)")
        }
        return files
            + removed.map { domain, item in
                field("Removed", "by \(PrintableText.clean(item.plugin)) of \(domain): \(MailText.removed(item))")
            }
    }

    /// How to get it.
    private func place(of attachment: ReceivedAttachment) -> String {
        if case .ownCopy = attachment.mail.verdict { return ": wsemail attachments list \(command)" }
        return attachment.guid == nil ? ": kept by no server" : ": wsemail attachments get \(command) \(attachment.number)"
    }

    /// What the person would type for this message.
    private var command: String { number.map(String.init) ?? letter.message.message.id.description }

    private func extras(_ message: Message) -> [String] {
        var lines: [String] = []
        for form in message.forms { lines.append(field("Form", PrintableText.clean("\(form.type) \(form.version)"))) }
        if let problem = letter.passedOnProblem {
            lines.append(field("Note", PrintableText.clean("it claims to pass on a message that cannot be read: \(problem)")))
        }
        if let enclosed = letter.enclosed, enclosed.isBelieved {
            let message = enclosed.message.message
            lines.append(field("Inside", "quoted below, of \(MailText.mailbox(message.from)): \(signed(enclosed.verdict))"))
        }
        if letter.hasUncheckedForm { lines.append(field("Note", MailText.uncheckedForm)) }
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

/// The same for scripts: the message itself, and inside what it passes on.
struct LetterJSON: Encodable {
    struct Removed: Encodable {
        let name: String
        let sha256: String
        /// The plug-in.
        let by: String
        let domain: MailDomain
    }

    /// A message that was passed on; `by` is who did.
    struct PassedOn: Encodable {
        let by: Address
        let id: MessageID
        let from: Person
        let to: [Person]
        let cc: [Person]
        let subject: String
        let date: Date
        let inReplyTo: MessageID?
        let text: String
        let html: String?
        /// It and all around it.
        let isBelieved: Bool
        let signature: String
        let author: String?

        init(_ mail: JudgedMail, by holder: Address, isBelieved: Bool) {
            let message = mail.message.message
            by = holder
            id = message.id
            from = Person(message.from)
            to = message.to.map(Person.init)
            cc = message.cc.map(Person.init)
            subject = message.subject
            date = message.date
            inReplyTo = message.inReplyTo
            text = message.text
            html = message.html
            self.isBelieved = isBelieved
            signature = mail.verdict.words
            author = mail.author.words
        }
    }

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
    /// The message and all that it passes on; `signature` and `author` are of the message itself.
    let isBelieved: Bool
    let signature: String
    let author: String?
    /// How the author proved who they are, or who else wrote it.
    let proof: String?
    let removed: [Removed]
    let attachments: [AttachmentJSON]
    let replaces: MessageID?
    /// What a person enclosed with its proof, verified.
    let enclosed: PassedOn?
    /// The outermost first.
    let passedOn: [PassedOn]
    /// There is a Form that looks like a message passed on, and is content.
    let hasUncheckedForm: Bool

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
        proof = letter.verdict.methodWords
        removed = letter.shown.flatMap { layer in
            layer.removed.map {
                Removed(
                    name: $0.name, sha256: MailText.hex($0.digest), by: $0.plugin, domain: layer.message.message.from.address.domain)
            }
        }
        attachments = letter.attachments.map { AttachmentJSON($0) }
        replaces = letter.original.message.message.replaces
        enclosed = letter.enclosed.flatMap {
            $0.isBelieved ? PassedOn($0, by: letter.original.message.message.from.address, isBelieved: true) : nil
        }
        let believed = letter.shown.count - 1
        passedOn = zip(letter.passedOn, letter.layers).enumerated().map { index, pair in
            PassedOn(pair.0, by: pair.1.message.message.from.address, isBelieved: index < believed && pair.0.isBelieved)
        }
        hasUncheckedForm = letter.hasUncheckedForm
    }
}
