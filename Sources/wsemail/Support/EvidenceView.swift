import Console
import Foundation
import Identity
import MailClient
import MailModel

/// A report on evidence, for people.
struct EvidenceView {
    let report: EvidenceReport
    let style: TerminalStyle

    var text: String {
        var lines: [String] = []
        if !report.isVerified {
            lines += [style("NOT VERIFIED: do not rely on what follows.", .red, .bold), ""]
        }
        if let message = report.message?.message {
            lines.append(field("From", MailText.mailbox(message.from)))
            lines.append(field("To", MailText.mailboxes(message.to + message.cc)))
            lines.append(field("Subject", PrintableText.clean(message.subject)))
            lines.append(field("Id", message.id.description))
        }
        if let domain = report.vouchedBy, let time = report.time {
            lines.append(field("Vouched", "by \(domain) on \(MailText.date(time))"))
        }
        if let domain = report.vouchedBy, let time = report.time, let method = report.method,
            let words = SignatureVerdict.verified(domain: domain, method: method, time: time).methodWords
        {
            lines.append(field("Proof", words))
        }
        for item in report.removed {
            lines.append(field("Removed", "by \(PrintableText.clean(item.plugin)): \(MailText.removed(item))"))
        }
        for mail in report.passedOn.map(\.message) {
            lines.append(
                field("Inside", "the message of \(MailText.mailbox(mail.from)): \(PrintableText.clean(mail.subject)) (\(mail.id))"))
        }
        if !report.postmarkRecipients.isEmpty {
            lines.append(field("Sent to", report.postmarkRecipients.map(\.unicode).joined(separator: ", ")))
        }
        for statement in report.statements {
            for status in statement.recipients {
                lines.append(
                    field(
                        "Receipt",
                        "\(statement.domain) on \(MailText.date(statement.time)): \(status.address.unicode) "
                            + MailText.state(status)))
            }
        }
        lines.append("")
        for finding in report.findings {
            let mark = finding.isVerified ? style("ok    ", .green) : style("FAILED", .red, .bold)
            lines.append("\(mark)  \(PrintableText.clean(finding.part)): \(PrintableText.clean(finding.words))")
        }
        lines.append("")
        lines.append(
            report.isVerified ? style("VERIFIED", .green, .bold) : style("NOT VERIFIED", .red, .bold))
        return lines.joined(separator: "\n") + "\n"
    }

    private func field(_ name: String, _ value: String) -> String {
        style((name.isEmpty ? "" : name + ":").padding(toLength: 9, withPad: " ", startingAt: 0), .bold) + value
    }
}

/// The same for scripts.
struct EvidenceJSON: Encodable {
    struct Finding: Encodable {
        let part: String
        let isVerified: Bool
        let words: String
    }

    struct Statement: Encodable {
        let domain: MailDomain
        let time: Date
        let recipient: Address
        let state: String
        let reason: String?
    }

    struct Removed: Encodable {
        let name: String
        let sha256: String
        let by: String
    }

    struct PassedOn: Encodable {
        let id: MessageID
        let from: Address
        let subject: String
        let digest: String
    }

    let isVerified: Bool
    let id: MessageID?
    let from: Address?
    let to: [Address]
    let subject: String?
    let digest: String?
    let vouchedBy: MailDomain?
    let time: Date?
    let postmarkRecipients: [Address]
    let method: String?
    let removed: [Removed]
    let passedOn: [PassedOn]
    let statements: [Statement]
    let findings: [Finding]

    init(_ report: EvidenceReport) {
        let message = report.message?.message
        isVerified = report.isVerified
        id = message?.id
        from = message?.from.address
        to = message.map { ($0.to + $0.cc).map(\.address) } ?? []
        subject = message?.subject
        digest = report.message.map { MailText.hex($0.digest) }
        vouchedBy = report.vouchedBy
        time = report.time
        postmarkRecipients = report.postmarkRecipients
        method = report.method?.rawValue
        removed = report.removed.map { Removed(name: $0.name, sha256: MailText.hex($0.digest), by: $0.plugin) }
        passedOn = report.passedOn.map {
            PassedOn(
                id: $0.message.id, from: $0.message.from.address, subject: $0.message.subject, digest: MailText.hex($0.digest))
        }
        statements = report.statements.flatMap { statement in
            statement.recipients.map {
                Statement(
                    domain: statement.domain, time: statement.time, recipient: $0.address, state: $0.state.rawValue,
                    reason: $0.reason)
            }
        }
        findings = report.findings.map { Finding(part: $0.part, isVerified: $0.isVerified, words: $0.words) }
    }
}
