import Foundation
import Identity
import MailModel
import MailStore

/// Writes the message that tells an author what could not be delivered. A bounce is never bounced (design §4).
struct BounceWriter: Sendable {
    let signer: DomainSigner
    /// How long a bounce to another domain is tried, in seconds.
    var lifetime: TimeInterval = 5 * 86_400

    /// The account that bounces come from; `wsemaild init` makes it.
    static func postmaster(of domain: MailDomain) throws -> Address {
        try Address(local: "postmaster", domain: domain)
    }

    /// - Returns: what tells the author, in the same transaction that settles the job; nil where nobody is to be told: the
    ///   message is a bounce or a plug-in's own, or its author is unproven.
    func bounce(_ job: LeasedJob, failed: [RecipientOutcome], now: Date) throws -> Acceptance? {
        guard !failed.isEmpty, !job.summary.traits.contains(.bounce) else { return nil }
        switch job.job.origin {
        case .submission(let author):
            let notice = BounceNotice(
                messageID: try MessageID(job.job.messageID), digest: job.job.digest, recipients: failed.map(BounceWriter.status))
            return try bounce(notice, subject: job.summary.subject, to: author, now: now)
        case .peer, .visitor, .server: return try bounceToAuthor(of: job, failed: failed, now: now)
        }
    }

    /// Tells the author of a message that came from elsewhere, or of one that was passed on and cannot arrive: what this server
    /// acknowledged to them ended here. The Postmark was proven when the message was taken.
    private func bounceToAuthor(of job: LeasedJob, failed: [RecipientOutcome], now: Date) throws -> Acceptance? {
        var message = try SealedMessage(octets: job.octets)
        var postmark = try SealedPostmark(octets: job.postmark)
        var recipients = failed.map(BounceWriter.status)
        if postmark.postmark.method == .plugin {
            // Another server's is not taken apart.
            guard job.job.origin == .server, let (original, redirector) = original(passedOnBy: message.message) else { return nil }
            // The author wrote to the address that passed it on first, and is not told to whom.
            let reason = "it was passed on from there, and could not be delivered"
            recipients = [MailModel.RecipientStatus(redirector, .refused, code: nil, reason: reason)]
            (message, postmark) = (original.message, original.postmark)
        }
        guard !postmark.postmark.isAutomatic, message.message.bounce == nil else { return nil }
        let notice = BounceNotice(messageID: message.message.id, digest: message.digest, recipients: recipients)
        return try bounce(notice, subject: message.message.subject, to: message.message.from.address, now: now)
    }

    /// What this server took and passed on, perhaps more than once, and the address that did so first.
    ///
    /// It looks into messages that this server wrote, and no further: what these enclose was proven when it was taken. What
    /// somebody else enclosed is only that one's claim; a bounce would go to whomever they name. Nil where nothing was passed on.
    private func original(passedOnBy message: Message) -> (RedirectedMail, redirector: Address)? {
        var redirecting = message
        while let inner = try? RedirectedMail.find(in: redirecting) {
            let postmark = inner.postmark.postmark
            guard postmark.domain == signer.domain, postmark.method == .plugin else { return (inner, redirecting.from.address) }
            redirecting = inner.message.message
        }
        return nil
    }

    private static func status(_ outcome: RecipientOutcome) -> MailModel.RecipientStatus {
        MailModel.RecipientStatus(
            outcome.recipient, outcome.state == .unknown ? .unknown : .refused, code: nil, reason: outcome.reason)
    }

    private func bounce(_ notice: BounceNotice, subject: String, to author: Address, now: Date) throws -> Acceptance {
        let postmaster = try BounceWriter.postmaster(of: signer.domain)
        let isHere = author.domain == signer.domain
        var message = Message(
            id: .random(), from: Mailbox(postmaster, name: "Mail delivery of \(signer.domain)"), to: [Mailbox(author)],
            subject: "Not delivered: \(String(subject.prefix(200)))", date: now,
            text: BounceWriter.text(notice, subject: subject, isHere: isHere))
        message.inReplyTo = notice.messageID
        message.bounce = notice
        let sealed = try SealedMessage(message)
        let postmark = try Postmark(
            message: sealed, signer: signer, destination: author.domain, recipients: [author], sender: postmaster,
            method: .server, time: now
        ).sealed(by: signer)
        var acceptance = Acceptance(origin: .server, message: MessageRecord(sealed), receipt: [])
        if isHere {
            acceptance.local = [LocalDelivery(recipients: [author], postmark: postmark)]
        } else {
            acceptance.remote = [
                RemoteDelivery(
                    destination: author.domain, recipients: [author], postmark: postmark, expires: now.addingTimeInterval(lifetime))
            ]
        }
        return acceptance
    }

    private static func text(_ notice: BounceNotice, subject: String, isHere: Bool) -> String {
        var lines = ["Your message could not be delivered to:", ""]
        for outcome in notice.recipients {
            lines.append("  \(outcome.address)")
            lines.append("    \(outcome.reason ?? "no reason was given")")
            if outcome.state == .unknown {
                lines.append("    It may have arrived all the same: its server could not be asked.")
            }
        }
        lines += ["", "Subject: \(subject)", "Message: \(notice.messageID)", ""]
        lines.append(
            isHere
                ? "The message is still in your Sent folder. To try again, send it as a new message."
                : "To try again, send it as a new message.")
        return lines.joined(separator: "\n")
    }
}
