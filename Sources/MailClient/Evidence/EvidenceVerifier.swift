import Foundation
import Identity
import MailModel

/// Judges evidence bundles offline, by nothing but roots that the reader trusts already.
///
/// Every statement is judged as of its own time; a Postmark whose delivery has a Receipt is held against revocations up to
/// the Receipt's time, too. A domain's metadata decides only up to its next update.
public struct EvidenceVerifier: Sendable {
    private let anchors: [TrustAnchor]
    let now: Date
    /// How far clocks may differ, in seconds.
    private static let tolerance: TimeInterval = 300

    public init(anchors: [TrustAnchor], now: Date) {
        self.anchors = anchors
        self.now = now
    }

    /// Roots from PEM files. A root constrained to one domain counts for that domain, any other for a federation.
    /// - Throws: `invalidInput`.
    public init(rootsPEM: [String], now: Date) throws(MailClientError) {
        var anchors: [TrustAnchor] = []
        for pem in rootsPEM {
            do {
                let certificates = try MailCertificate.chain(pem: pem)
                guard !certificates.isEmpty else { throw IdentityError(.malformedCertificate, "there is none in the file") }
                for certificate in certificates { anchors.append(try DomainKnowledge.anchor(certificate)) }
            } catch {
                throw MailClientError(.invalidInput, "a root cannot be used: \(MailClientError(error).reason)")
            }
        }
        self.init(anchors: anchors, now: now)
    }

    /// Reads and judges a bundle.
    /// - Throws: `invalidInput` for what is no bundle.
    public func verify(document: [UInt8]) async throws(MailClientError) -> EvidenceReport {
        await verify(try EvidenceBundle(parsing: document))
    }

    /// Judges a bundle. What is wrong is in the report; nothing is thrown.
    public func verify(_ bundle: EvidenceBundle) async -> EvidenceReport {
        var report = EvidenceReport()
        let message: SealedMessage
        do {
            message = try SealedMessage(octets: bundle.message)
        } catch {
            report.findings.append(.init("Message", false, "it cannot be read: \(error.reason)"))
            return report
        }
        report.message = message
        let enclosures = enclosures(bundle, message)
        let inner = Set(enclosures.map(\.postmark.postmark.domain)).subtracting(ownDomains(bundle, message))
        let domains = KnownDomains(domains: await judgeMetadata(bundle, onlyInside: inner, &report))
        let receipts = await judgeReceipts(bundle, message, domains, &report)
        await judgePostmark(bundle, message, receipts, domains, &report)
        report.author = await judgeAuthor("Author's signature", message, at: report.time, domains, &report.findings)
        if report.vouchedBy == nil {
            report.findings.append(
                .init("Author", false, "no domain vouches that \(message.message.from.address) sent it"))
        }
        await judge(enclosures, in: message, domains, &report)
        return report
    }

    // MARK: Metadata

    /// - Parameter inner: domains that only enclosures need: their documents say nothing of the message itself.
    private func judgeMetadata(
        _ bundle: EvidenceBundle, onlyInside inner: Set<MailDomain>, _ report: inout EvidenceReport
    ) async -> [MailDomain: DomainKnowledge] {
        let trust = TrustStore(anchors)
        var domains: [MailDomain: DomainKnowledge] = [:]
        for octets in bundle.metadata {
            let list = EvidenceVerifier.list(ofMetadata: octets, inner)
            do throws(IdentityError) {
                let verified = try await VerifiedMetadata.verify(octets, trust: trust, at: now, allowStale: true)
                let domain = verified.metadata.domain
                guard domains[domain] == nil else {
                    report[keyPath: list].append(.init("Metadata of \(domain)", false, "there are two documents"))
                    continue
                }
                domains[domain] = try await DomainKnowledge(
                    domain: domain, anchors: anchors, octets: octets, at: now, allowStale: true)
                report[keyPath: list].append(
                    .init("Metadata of \(domain)", true, "signed by \(domain) under a root that you trust"))
            } catch {
                report[keyPath: list].append(.init("Metadata", false, words(error, bundle)))
            }
        }
        return domains
    }

    /// Says which root would be needed, without believing it for being in the bundle.
    private func words(_ error: IdentityError, _ bundle: EvidenceBundle) -> String {
        guard error.code == .noAnchor || error.code == .untrusted else { return error.reason }
        let believed = Set(anchors.map(\.fingerprint))
        let missing = bundle.certificates.map { Fingerprint(of: $0) }.filter { !believed.contains($0) }
        guard !missing.isEmpty else { return error.reason }
        return "\(error.reason). The exporter believed the root \(missing.map(\.description).joined(separator: ", ")): "
            + "get it from somebody you trust, compare, and add it to --roots"
    }

    // MARK: Receipts

    private func judgeReceipts(
        _ bundle: EvidenceBundle, _ message: SealedMessage, _ domains: KnownDomains, _ report: inout EvidenceReport
    ) async -> [SealedReceipt] {
        var verified: [SealedReceipt] = []
        let postmark = bundle.postmark.flatMap { try? SealedPostmark(octets: $0) }
        for octets in bundle.receipts {
            var part = "Receipt"
            do {
                let sealed = try SealedReceipt(octets: octets)
                let receipt = sealed.receipt
                part = "Receipt of \(receipt.domain)"
                try checkBinding(receipt, message, postmark)
                try checkTime(receipt.time)
                try await sealed.verify(keys: domains)
                verified.append(sealed)
                report.statements.append(
                    .init(domain: receipt.domain, time: receipt.time, recipients: receipt.recipients))
                if Self.isSubmission(receipt, message) {
                    report.vouchedBy = receipt.domain
                    report.time = receipt.time
                }
                report.findings.append(.init(part, true, "signed by \(receipt.domain)"))
            } catch {
                report.findings.append(.init(part, false, MailClientError(error).reason))
            }
        }
        return verified
    }

    /// The receipt that the author's own domain gave the author for handing the message in.
    private static func isSubmission(_ receipt: Receipt, _ message: SealedMessage) -> Bool {
        receipt.postmarkDigest == nil && receipt.domain == message.message.from.address.domain
            && receipt.audience == receipt.domain
    }

    /// A receipt speaks of exactly this message, to the author's domain, and of the Postmark in the bundle if it names one.
    private func checkBinding(
        _ receipt: Receipt, _ message: SealedMessage, _ postmark: SealedPostmark?
    ) throws(MailClientError) {
        guard receipt.messageID == message.message.id, receipt.digest == message.digest else {
            throw MailClientError(.notVerified, "it is about another message")
        }
        guard receipt.audience == message.message.from.address.domain else {
            throw MailClientError(.notVerified, "it was given to \(receipt.audience), not to the author's domain")
        }
        guard let answered = receipt.postmarkDigest else {
            guard Self.isSubmission(receipt, message) else {
                throw MailClientError(.notVerified, "it answers no Postmark")
            }
            return
        }
        guard let postmark else { return }
        guard answered == postmark.digest else {
            throw MailClientError(.notVerified, "it answers another Postmark than the one in the bundle")
        }
        guard receipt.domain == postmark.postmark.destination else {
            throw MailClientError(.notVerified, "it is not of the Postmark's destination \(postmark.postmark.destination)")
        }
        guard Set(receipt.recipients.map(\.address)).isSubset(of: postmark.postmark.recipients) else {
            throw MailClientError(.notVerified, "it names recipients that the Postmark does not")
        }
    }

    func checkTime(_ time: Date) throws(MailClientError) {
        guard time <= now.addingTimeInterval(Self.tolerance) else {
            throw MailClientError(.notVerified, "it is dated in the future")
        }
    }

    // MARK: Postmark and author

    private func judgePostmark(
        _ bundle: EvidenceBundle, _ message: SealedMessage, _ receipts: [SealedReceipt], _ domains: KnownDomains,
        _ report: inout EvidenceReport
    ) async {
        guard let octets = bundle.postmark else { return }
        do {
            let sealed = try SealedPostmark(octets: octets)
            let postmark = sealed.postmark
            try checkTime(postmark.time)
            try await sealed.verify(for: message, keys: domains)
            let delivered = receipts.filter { $0.receipt.postmarkDigest == sealed.digest }.map(\.receipt.time).max()
            if let delivered, delivered > postmark.time {
                try domains.requireNotRevoked(postmark.certificate, of: postmark.domain, at: delivered)
            }
            report.vouchedBy = postmark.domain
            report.time = postmark.time
            report.method = postmark.method
            report.postmarkRecipients = postmark.recipients
            report.removed = postmark.removed
            report.findings.append(
                .init("Postmark", true, "\(postmark.domain) vouches for \(postmark.sender) and the content"))
        } catch {
            // A Postmark that does not hold up casts doubt on the bundle, whatever else vouches.
            report.findings.append(.init("Postmark", false, MailClientError(error).reason))
        }
    }
}

extension KnownDomains {
    /// For what a certificate signed before `date`: evidence of a key that was revoked meanwhile proves nothing.
    func requireNotRevoked(_ thumbprint: [UInt8], of domain: MailDomain, at date: Date) throws(IdentityError) {
        guard let metadata = domains[domain]?.metadata.metadata,
            let certificate = metadata.server(thumbprintSHA256: thumbprint)
        else { throw IdentityError(.untrusted, "nothing is known of \(domain)") }
        guard !metadata.revoked.contains(certificate.serial, at: date) else {
            throw IdentityError(.revoked, "the key that signed it was revoked before the delivery")
        }
    }
}
