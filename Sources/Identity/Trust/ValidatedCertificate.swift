import FoundationEssentials

/// A certificate that ``TrustStore`` has followed to an anchor. Nothing else can make one.
public struct ValidatedCertificate: Sendable, Hashable {
    public let certificate: MailCertificate
    /// What it was validated for, and only that.
    public let claim: CertificateClaim
    public let anchor: TrustAnchor
    /// Leaf first, the anchor's certificate last.
    public let chain: [MailCertificate]
    /// When every certificate of the chain is valid.
    public let period: ClosedRange<Date>

    public var domain: MailDomain { claim.domain }

    init?(leaf: MailCertificate, claim: CertificateClaim, anchor: TrustAnchor, chain: [MailCertificate]) {
        guard let from = chain.map(\.notBefore).max(), let until = chain.map(\.notAfter).min(), from <= until else {
            return nil
        }
        certificate = leaf
        self.claim = claim
        self.anchor = anchor
        self.chain = chain
        period = from...until
    }

    /// Whether neither the leaf nor an intermediate was revoked at `date`.
    func isFree(of revoked: RevokedSerials, at date: Date) -> Bool {
        revoked.isEmpty || !chain.dropLast().contains { revoked.contains($0.serial, at: date) }
    }
}
