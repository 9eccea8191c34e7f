import Identity
import MailModel
import PluginAPI

extension MessageFacts {
    /// All there is to know of a message; the host strips what a plug-in is not granted.
    init(_ sealed: SealedMessage, isAutomatic: Bool) {
        let message = sealed.message
        self.init(
            id: message.id.description, from: message.from.address, to: message.to.map(\.address), cc: message.cc.map(\.address),
            date: message.date, inReplyTo: message.inReplyTo?.description, replaces: message.replaces?.description,
            size: sealed.octets.count,
            isAutomatic: isAutomatic || message.bounce != nil, hasForm: !message.forms.isEmpty,
            attachments: message.attachments.map {
                Attachment(name: $0.name, mediaType: $0.mediaType, size: $0.size, digest: $0.digest)
            },
            content: Content(subject: message.subject, text: message.text, html: message.html), octets: sealed.octets)
    }
}

extension Postmark {
    /// No person wrote the message: answering it would speak to a machine.
    var isAutomatic: Bool { method == .plugin || method == .server }
}

/// Reasons come from plug-ins and go to people: one bounded line.
enum PluginText {
    static func line(_ text: String, limit: Int = 300) -> String {
        let printable = text.unicodeScalars.prefix(limit).map { $0.properties.generalCategory == .control ? " " : $0 }
        return String(String.UnicodeScalarView(printable))
    }
}
