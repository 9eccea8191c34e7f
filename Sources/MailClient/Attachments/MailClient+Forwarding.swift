import Identity
import MailModel

extension MailClient {
    /// A draft that passes a message on whole, with the Postmark that brought it to us.
    /// - Throws: `notVerified` for a message that we do not believe ourselves; `invalidInput` where there is no proof to go along.
    public func forwarding(
        _ letter: ReceivedMessage, to recipients: [Mailbox], text: String
    ) throws(MailClientError) -> Draft {
        let original = letter.original
        guard original.isBelieved else {
            throw MailClientError(.notVerified, "a message that is not verified is not passed on: \(original.doubt ?? "")")
        }
        guard let postmark = original.postmark, postmark.postmark.recipients.contains(account.address) else {
            throw MailClientError(
                .invalidInput, "this copy carries no proof that could go along with it",
                advice: original.message.message.attachments.isEmpty
                    ? "Write a new message instead."
                    : "Write a new message instead; `wsemail attachments share` lets others fetch its files.")
        }
        let message = original.message.message
        var draft = Draft(
            to: recipients, subject: Self.forwardSubject(message.subject),
            text: text.isEmpty ? "A message of \(message.from.address) is inside.\n" : text)
        do {
            draft.forms = [try RedirectedMail(message: original.message, postmark: postmark).form()]
        } catch {
            throw MailClientError(.invalidInput, "it cannot be passed on: \(error.reason)")
        }
        return draft
    }

    private static func forwardSubject(_ subject: String) -> String {
        guard !subject.lowercased().hasPrefix("fwd:") else { return subject }
        return String(("Fwd: " + subject).prefix(MessageLimits.standard.maxSubject))
    }

    /// The number under which a list showed a message; nil where none has.
    public func number(of id: MessageID) throws(MailClientError) -> UInt64? { try numbers.number(of: id) }

    /// The files of a message, with those that it encloses; of our own copy, as our server says that it keeps them.
    public func attachments(of letter: ReceivedMessage) async throws(MailClientError) -> [ReceivedAttachment] {
        guard case .ownCopy = letter.verdict, !letter.attachments.isEmpty else { return letter.attachments }
        let kept = try await sentAttachments(of: letter.message.message.id)
        return letter.attachments.map { attachment in
            // What we passed on ourselves is of somebody else, and kept there.
            guard case .ownCopy = attachment.mail.verdict else { return attachment }
            return attachment.kept(as: kept.first { $0.digest == attachment.reference.digest }?.guid)
        }
    }
}
