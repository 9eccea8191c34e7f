import Foundation
import Identity
import MailModel

/// What a person wants to send.
public struct Draft: Sendable, Hashable {
    public var to: [Mailbox]
    public var cc: [Mailbox]
    public var bcc: [Address]
    public var subject: String
    public var text: String
    public var inReplyTo: MessageID?
    /// Add the author's own signature with the enrolled key.
    public var isSigned: Bool
    /// Files to go with it.
    public var files: [DraftFile] = []
    public var terms = AttachmentTerms()
    /// The earlier message of ours that this one takes the place of.
    public var replaces: MessageID?
    public var forms: [Form] = []

    public init(
        to: [Mailbox], cc: [Mailbox] = [], bcc: [Address] = [], subject: String, text: String, inReplyTo: MessageID? = nil,
        isSigned: Bool = false
    ) {
        self.to = to
        self.cc = cc
        self.bcc = bcc
        self.subject = subject
        self.text = text
        self.inReplyTo = inReplyTo
        self.isSigned = isSigned
    }

    /// A reply to what somebody wrote: where a message was passed on, to its original author, not to who passed it on. Where who
    /// wrote it is not believed, to the last who is: nobody can turn an answer to somebody else by enclosing their name.
    public static func reply(to received: ReceivedMessage, by reader: Address, text: String, toAll: Bool = false) -> Draft {
        reply(to: received.original.message.message, by: reader, text: text, toAll: toAll)
    }

    /// A reply to a message: to its author, or to all others who are named in it.
    public static func reply(to message: Message, by reader: Address, text: String, toAll: Bool = false) -> Draft {
        // Who answers their own letter goes on writing to those it was for.
        let isOwn = message.from.address == reader
        var seen: Set<Address> = [reader]
        let to = (isOwn ? message.to : [message.from]).filter { seen.insert($0.address).inserted }
        let others = isOwn ? message.cc : message.to + message.cc
        let cc = toAll ? others.filter { seen.insert($0.address).inserted } : []
        return Draft(
            to: to.isEmpty ? [message.from] : to, cc: cc, subject: replySubject(message.subject), text: text,
            inReplyTo: message.id)
    }

    static func replySubject(_ subject: String) -> String {
        let limit = MessageLimits.standard.maxSubject
        guard !subject.lowercased().hasPrefix("re:") else { return subject }
        return String(("Re: " + subject).prefix(limit))
    }

    /// The same with everybody named once: To goes before Cc, Cc before Bcc, the first name before the next.
    func withoutRepeats() -> Draft {
        var seen: Set<Address> = []
        var draft = self
        draft.to = to.filter { seen.insert($0.address).inserted }
        draft.cc = cc.filter { seen.insert($0.address).inserted }
        draft.bcc = bcc.filter { seen.insert($0).inserted }
        return draft
    }

    /// The message, with its id made here, once.
    /// - Parameter read: the draft's files, read and hashed.
    /// - Throws: `invalidInput`.
    func message(from author: Address, now: Date, read: [OutboxFile] = []) throws(MailClientError) -> Message {
        let limits = MessageLimits.standard
        guard !(to.isEmpty && cc.isEmpty && bcc.isEmpty) else {
            throw MailClientError(.invalidInput, "the message has no recipient", advice: "Name at least one address.")
        }
        guard subject.count <= limits.maxSubject else {
            throw MailClientError(.invalidInput, "the subject is longer than \(limits.maxSubject) characters")
        }
        guard !subject.contains(where: \.isNewline) else {
            throw MailClientError(.invalidInput, "the subject has a line break")
        }
        guard to.count + cc.count <= limits.maxRecipients else {
            throw MailClientError(
                .invalidInput, "more than \(limits.maxRecipients) recipients", advice: "Send it in several messages.")
        }
        var message = Message(
            id: .random(), from: Mailbox(author), to: to, cc: cc, subject: subject, date: now, text: text)
        message.inReplyTo = inReplyTo
        message.replaces = replaces
        message.forms = forms
        message.attachments = zip(files, read).map { file, read in
            AttachmentReference(
                name: read.name, mediaType: file.mediaType ?? MediaTypes.type(of: read.name), size: read.size,
                digest: Array(read.digest), description: file.description)
        }
        return message
    }
}
