import Foundation
import Identity
import MailModel

/// What the message itself brings along: its author's signature, and messages that it passes on.
extension EvidenceVerifier {
    /// - Parameter time: when the author's domain vouched; nil: nobody did, so that the signature is judged by now.
    func judgeAuthor(
        _ part: String, _ message: SealedMessage, at time: Date?, _ domains: KnownDomains, _ report: inout EvidenceReport
    ) async -> AuthorVerdict {
        let time = time ?? now
        let author = await AuthorSignature.verdict(of: message) { certificate, address in
            guard let known = domains.domains[address.domain] else {
                throw IdentityError(.untrusted, "nothing is known of \(address.domain)")
            }
            try await known.user(certificate, address: address, at: time)
        }
        switch author {
        case .absent: break
        case .verified(let address): report.findings.append(.init(part, true, "signed by \(address) in person"))
        case .notVerified(let reason): report.findings.append(.init(part, false, reason))
        }
        return author
    }

    /// Each message that was passed on must have been signed for the address that did so, by a key that was good until then.
    func judgePassedOn(_ message: SealedMessage, _ domains: KnownDomains, _ report: inout EvidenceReport) async {
        // What cannot be read is content like any other: it proves nothing and refutes nothing.
        guard let chain = try? RedirectedMail.chain(in: message.message) else { return }
        var holder = message.message.from.address
        var passed = report.time
        for mail in chain {
            let part = "Message passed on by \(holder)"
            let postmark = mail.postmark.postmark
            report.passedOn.append(mail.message)
            do {
                guard postmark.recipients.contains(holder) else {
                    throw MailClientError(.notVerified, "its Postmark is for somebody else")
                }
                try checkTime(postmark.time)
                try await mail.postmark.verify(for: mail.message, keys: domains)
                if let passed, passed > postmark.time {
                    try domains.requireNotRevoked(postmark.certificate, of: postmark.domain, at: passed)
                }
                report.findings.append(
                    .init(part, true, "\(postmark.domain) vouches for \(postmark.sender) and the content"))
                passed = postmark.time
            } catch {
                report.findings.append(.init(part, false, MailClientError(error).reason))
                passed = nil
            }
            _ = await judgeAuthor("Author's signature in it", mail.message, at: passed, domains, &report)
            holder = mail.message.message.from.address
        }
    }
}
