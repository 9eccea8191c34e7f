import Identity
import MailModel

/// A file that a message of the mailbox refers to.
public struct ReceivedAttachment: Sendable {
    /// From 1, in the order of the message.
    public let number: Int
    public let reference: AttachmentReference
    /// As the Postmark of the sender's domain names it; nil where it names none: there is nothing to fetch.
    public let guid: String?
    /// The message that it belongs to, with its judgement.
    public let mail: JudgedMail
    /// The plug-in that took it out, by the word of the sender's domain.
    public let removedBy: String?

    public var from: Address { mail.message.message.from.address }
    public var messageID: MessageID { mail.message.message.id }

    /// The attachments of a message: GUIDs and digests come from what its domain signed, and from nowhere else.
    /// - Parameter first: the number of the first one.
    static func all(of mail: JudgedMail, from first: Int = 1) -> [ReceivedAttachment] {
        let stamped = mail.postmark?.postmark.attachments ?? []
        let removed = mail.removed
        return mail.message.message.attachments.enumerated().map { index, reference in
            let guid = stamped.first { $0.digest == reference.digest }?.guid
            return ReceivedAttachment(
                number: index + first, reference: reference, guid: guid.flatMap { AttachmentsXML.isGUID($0) ? $0 : nil }, mail: mail,
                removedBy: removed.first { $0.digest == reference.digest }?.plugin)
        }
    }

    /// Who keeps the file, and its GUID there: the domain whose verified Postmark names both author and GUID.
    /// - Throws: `notVerified` where the origin does not hold; `invalidInput` where there is nothing to fetch.
    func origin() throws(MailClientError) -> (domain: MailDomain, guid: String) {
        let domain: MailDomain?
        switch mail.verdict {
        case .verified(let signer, _, _): domain = signer
        case .ownCopy(let author): domain = author.domain
        case .notVerified: domain = nil
        }
        // What follows asks a server, with a proof of who we are, for what this message says: only if it is from there.
        guard domain == from.domain, mail.author.isBelieved else {  // model: origin
            throw MailClientError(
                .notVerified, "nothing is fetched for a message that is not verified: \(mail.doubt ?? mail.verdict.words)",
                advice: "`wsemail read` says more.")
        }
        if let removedBy {
            throw MailClientError(.invalidInput, "\(reference.name) was removed by \(removedBy) of \(from.domain)")
        }
        guard let guid else {
            throw MailClientError(.invalidInput, "the server of \(from.domain) keeps no file \(reference.name) for this message")
        }
        return (from.domain, guid)
    }
}

extension ReceivedAttachment {
    /// The same, as the owner's server keeps it.
    func kept(as guid: String?) -> ReceivedAttachment {
        ReceivedAttachment(number: number, reference: reference, guid: guid, mail: mail, removedBy: removedBy)
    }
}

extension ReceivedMessage {
    /// The files of the message, or of the original that it passes on; then those of a message that a person enclosed with proof.
    public var attachments: [ReceivedAttachment] {
        let own = ReceivedAttachment.all(of: original)
        guard let enclosed, enclosed.isBelieved else { return own }
        return own + ReceivedAttachment.all(of: enclosed, from: own.count + 1)
    }
}
