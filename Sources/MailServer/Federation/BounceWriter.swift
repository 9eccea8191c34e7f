import Foundation
import Identity
import MailModel
import MailStore

/// Writes the message that tells an author what could not be delivered. A bounce is never bounced (design §4).
struct BounceWriter: Sendable {
    let signer: DomainSigner

    /// The account that bounces come from; `wsemaild init` makes it.
    static func postmaster(of domain: MailDomain) throws -> Address {
        try Address(local: "postmaster", domain: domain)
    }

    /// - Returns: what to deliver to the author in the same transaction that settles the job; nil where nobody is to be
    ///   told: the job is a bounce itself, or has no local author.
    func bounce(_ job: LeasedJob, failed: [RecipientOutcome], now: Date) throws -> Acceptance? {
        guard case .submission(let author) = job.job.origin, !job.summary.traits.contains(.bounce), !failed.isEmpty
        else { return nil }
        let postmaster = try BounceWriter.postmaster(of: signer.domain)
        let original = try MessageID(job.job.messageID)
        var message = Message(
            id: .random(), from: Mailbox(postmaster, name: "Mail delivery of \(signer.domain)"), to: [Mailbox(author)],
            subject: "Not delivered: \(String(job.summary.subject.prefix(200)))", date: now,
            text: BounceWriter.text(job, failed: failed))
        message.inReplyTo = original
        message.bounce = BounceNotice(
            messageID: original, digest: job.job.digest,
            recipients: failed.map {
                MailModel.RecipientStatus(
                    $0.recipient, $0.state == .unknown ? .unknown : .refused, code: nil, reason: $0.reason)
            })
        let sealed = try SealedMessage(message)
        let postmark = try Postmark(
            message: sealed, signer: signer, destination: signer.domain, recipients: [author], sender: postmaster,
            method: .server, time: now
        ).sealed(by: signer)
        return Acceptance(
            origin: .server, message: MessageRecord(sealed),
            local: [LocalDelivery(recipients: [author], postmark: postmark)], receipt: [])
    }

    private static func text(_ job: LeasedJob, failed: [RecipientOutcome]) -> String {
        var lines = ["Your message could not be delivered to:", ""]
        for outcome in failed {
            lines.append("  \(outcome.recipient)")
            lines.append("    \(outcome.reason ?? "no reason was given")")
            if outcome.state == .unknown {
                lines.append("    It may have arrived all the same: its server could not be asked.")
            }
        }
        lines += [
            "", "Subject: \(job.summary.subject)", "Message: \(job.job.messageID)", "",
            "The message is still in your Sent folder. To try again, send it as a new message.",
        ]
        return lines.joined(separator: "\n")
    }
}
