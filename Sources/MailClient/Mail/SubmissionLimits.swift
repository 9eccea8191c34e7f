import Identity
import MailModel
import XMLCore

/// What the home server takes: held to before anything is queued, since nothing that is too large ever becomes smaller.
struct SubmissionLimits: Sendable, Hashable {
    /// Octets of the message, as signed.
    var messageSize: Int
    var recipients: Int

    /// Where nothing is known of the domain.
    static let standard = SubmissionLimits(
        messageSize: XMLLimits.standard.maxBytes, recipients: MessageLimits.standard.maxRecipients)
    /// So little is taken by every domain: for that nobody needs to be asked.
    static let modest = SubmissionLimits(messageSize: 1 << 18, recipients: 20)

    init(messageSize: Int, recipients: Int) {
        self.messageSize = messageSize
        self.recipients = recipients
    }

    /// What a domain publishes, as far as this program can write and read it.
    init(_ limits: DomainMetadata.Limits) {
        messageSize = min(limits.maximumMessageSize, Self.standard.messageSize)
        recipients = min(limits.maximumRecipients, Self.standard.recipients)
    }

    func allow(_ entry: OutboxEntry) -> Bool {
        entry.message.octets.count <= messageSize && entry.recipients.count <= recipients
    }

    /// - Throws: `invalidInput`, in words that say how much would be taken.
    static func check(_ entry: OutboxEntry, _ limits: SubmissionLimits) throws(MailClientError) {
        guard entry.message.octets.count <= limits.messageSize else {
            throw MailClientError(
                .invalidInput, "the message is too long, at most \(words(limits.messageSize)); nothing was sent",
                advice: "Shorten it, or send it in several messages.")
        }
        guard entry.recipients.count <= limits.recipients else {
            throw MailClientError(
                .invalidInput,
                "\(entry.recipients.count) recipients are too many, at most \(limits.recipients); nothing was sent",
                advice: "Send it in several messages.")
        }
    }

    /// Rounded down, so that what is said fits.
    private static func words(_ octets: Int) -> String {
        if octets >= 1 << 20 { return "\(octets >> 20) MB" }
        return octets >= 1 << 10 ? "\(octets >> 10) KB" : "\(octets) bytes"
    }
}
