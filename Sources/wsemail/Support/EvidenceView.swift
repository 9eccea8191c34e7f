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
        } else if !report.enclosuresAreVerified {
            lines += [style("NOT VERIFIED: the message inside. Rely on the one that encloses it only.", .red, .bold), ""]
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
        for enclosure in report.passedOn { lines.append(field("Inside", inside(enclosure))) }
        if report.hasUncheckedForm { lines.append(field("Note", MailText.uncheckedForm)) }
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
        lines += report.findings.map(line)
        if !report.enclosureFindings.isEmpty { lines += ["", "Of the message inside:"] + report.enclosureFindings.map(line) }
        lines.append("")
        lines.append(
            report.isVerified ? style("VERIFIED", .green, .bold) : style("NOT VERIFIED", .red, .bold))
        if report.isVerified, !report.passedOn.isEmpty {
            lines.append(
                report.enclosuresAreVerified
                    ? style("The message inside: VERIFIED", .green, .bold) : style("The message inside: NOT VERIFIED", .red, .bold))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What does not verify is not said to be anybody's.
    private func inside(_ enclosure: EvidenceReport.Enclosure) -> String {
        let mail = enclosure.message.message
        let words = "\(MailText.mailbox(mail.from)): \(PrintableText.clean(mail.subject)) (\(mail.id))"
        return enclosure.isVerified ? "the message of \(words)" : style("NOT VERIFIED, ", .red, .bold) + "says it is of \(words)"
    }

    private func line(_ finding: EvidenceReport.Finding) -> String {
        let mark = finding.isVerified ? style("ok    ", .green) : style("FAILED", .red, .bold)
        return "\(mark)  \(PrintableText.clean(finding.part)): \(PrintableText.clean(finding.words))"
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

        init(_ finding: EvidenceReport.Finding) {
            part = finding.part
            isVerified = finding.isVerified
            words = finding.words
        }
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
        let isVerified: Bool
    }

    /// The message itself; what it passes on has a verdict of its own.
    let isVerified: Bool
    let enclosuresAreVerified: Bool
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
    /// There is a Form that looks like a message passed on, and is content.
    let hasUncheckedForm: Bool
    let statements: [Statement]
    let findings: [Finding]
    let enclosureFindings: [Finding]

    init(_ report: EvidenceReport) {
        let message = report.message?.message
        isVerified = report.isVerified
        enclosuresAreVerified = report.enclosuresAreVerified
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
        passedOn = report.passedOn.map { enclosure in
            let mail = enclosure.message.message
            return PassedOn(
                id: mail.id, from: mail.from.address, subject: mail.subject, digest: MailText.hex(enclosure.message.digest),
                isVerified: enclosure.isVerified)
        }
        hasUncheckedForm = report.hasUncheckedForm
        statements = report.statements.flatMap { statement in
            statement.recipients.map {
                Statement(
                    domain: statement.domain, time: statement.time, recipient: $0.address, state: $0.state.rawValue,
                    reason: $0.reason)
            }
        }
        findings = report.findings.map(Finding.init)
        enclosureFindings = report.enclosureFindings.map(Finding.init)
    }
}
