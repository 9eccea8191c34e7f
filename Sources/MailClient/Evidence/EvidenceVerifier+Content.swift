import Foundation
import Identity
import MailModel

/// What the message itself brings along: its author's signature, and messages that it passes on.
extension EvidenceVerifier {
    /// - Parameter time: when the author's domain vouched; nil: nobody did, so that the signature is judged by now.
    func judgeAuthor(
        _ part: String, _ message: SealedMessage, at time: Date?, _ domains: KnownDomains,
        _ findings: inout [EvidenceReport.Finding]
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
        case .verified(let address): findings.append(.init(part, true, "signed by \(address) in person"))
        case .notVerified(let reason): findings.append(.init(part, false, reason))
        }
        return author
    }

    // MARK: Mail passed on

    /// What cannot be read is content like any other: it proves nothing and refutes nothing.
    func enclosures(_ bundle: EvidenceBundle, _ message: SealedMessage) -> [RedirectedMail] {
        let postmark = bundle.postmark.flatMap { try? SealedPostmark(octets: $0) }
        return (try? RedirectedMail.passedOn(by: message.message, postmark)) ?? []
    }

    /// Domains whose word on the message itself is in the bundle.
    func ownDomains(_ bundle: EvidenceBundle, _ message: SealedMessage) -> Set<MailDomain> {
        Set(bundle.receipts.compactMap { try? SealedReceipt(octets: $0).receipt.domain }).union([message.message.from.address.domain])
    }

    /// Where a finding about a metadata document belongs, by the domain that it claims to be of.
    static func list(
        ofMetadata octets: [UInt8], _ inner: Set<MailDomain>
    ) -> WritableKeyPath<EvidenceReport, [EvidenceReport.Finding]> {
        let isInner = inner.contains { (try? DomainMetadata.offeredRoots(octets, of: $0)) != nil }
        return isInner ? \.enclosureFindings : \.findings
    }

    /// Each message that was passed on must have been signed for the address that did so, by a key that was good until then; and
    /// so must all around it, for else nobody vouches that it was passed on at all.
    func judge(
        _ enclosures: [RedirectedMail], in message: SealedMessage, _ domains: KnownDomains, _ report: inout EvidenceReport
    ) async {
        var holder = message.message.from.address
        var passed = report.time
        var isVerified = report.isVerified
        for mail in enclosures {
            let part = "Message passed on by \(holder)"
            let postmark = mail.postmark.postmark
            var findings: [EvidenceReport.Finding] = []
            do {
                guard isVerified else { throw MailClientError(.notVerified, "what it came in is not verified") }
                guard postmark.recipients.contains(holder) else {
                    throw MailClientError(.notVerified, "its Postmark is for somebody else")
                }
                try checkTime(postmark.time)
                try await mail.postmark.verify(for: mail.message, keys: domains)
                if let passed, passed > postmark.time {
                    try domains.requireNotRevoked(postmark.certificate, of: postmark.domain, at: passed)
                }
                findings.append(.init(part, true, "\(postmark.domain) vouches for \(postmark.sender) and the content"))
                passed = postmark.time
            } catch {
                findings.append(.init(part, false, MailClientError(error).reason))
                passed = nil
            }
            _ = await judgeAuthor("Author's signature in it", mail.message, at: passed, domains, &findings)
            isVerified = findings.allSatisfy(\.isVerified)
            report.passedOn.append(.init(message: mail.message, isVerified: isVerified))
            report.enclosureFindings += findings
            holder = mail.message.message.from.address
        }
    }
}
