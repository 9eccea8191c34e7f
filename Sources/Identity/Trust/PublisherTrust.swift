import FoundationEssentials
import SwiftASN1
@_spi(FixedExpiryValidationTime) import X509

/// Who may publish plug-ins: the anchors an administrator took up for that, and the validation of chains against them.
///
/// These anchors are a world of their own. Mail anchors (``TrustStore``) are never among them, and a root that is bound to
/// a mail domain is refused even when somebody puts it here by mistake.
public struct PublisherTrust: Sendable {
    /// The most intermediates between a publisher's certificate and its anchor.
    public static let maximumIntermediates = 3

    public let anchors: [MailCertificate]
    /// Certificates that no longer count, whatever they signed and when: a publisher's, an intermediate's or an anchor's.
    public let revoked: Set<Fingerprint>

    public init(anchors: [MailCertificate], revoked: Set<Fingerprint> = []) {
        self.anchors = anchors
        self.revoked = revoked
    }

    /// Whether a certificate can be a publisher anchor at all.
    /// - Throws: ``IdentityError`` `.wrongRole`.
    public static func requireAnchor(_ certificate: MailCertificate) throws(IdentityError) {
        if let fault = PublisherPolicy.issuerFault(certificate.x509) { throw IdentityError(.wrongRole, fault) }
    }

    /// Validates a publisher's certificate.
    /// - Parameters:
    ///   - chain: the leaf first, then any intermediates in any order, without the anchor.
    ///   - date: when every certificate of the path, the anchor's too, must be valid.
    /// - Throws: ``IdentityError`` `.wrongRole`, `.nameMismatch`, `.notValidNow`, `.noAnchor`, `.untrusted`, `.revoked`,
    ///   `.limitExceeded`.
    public func validate(
        _ chain: [MailCertificate], at date: Date
    ) async throws(IdentityError) -> ValidatedPublisher {
        guard let leaf = chain.first else { throw IdentityError(.untrusted, "there is no publisher certificate") }
        guard chain.count <= Self.maximumIntermediates + 1 else {
            throw IdentityError(.limitExceeded, "the publisher's chain has \(chain.count) certificates")
        }
        let name = try Self.requireLeaf(leaf, at: date)
        guard !revoked.contains(leaf.fingerprint) else {
            throw IdentityError(.revoked, "the certificate of the publisher \"\(name)\" is revoked")
        }
        guard !anchors.isEmpty else {
            throw IdentityError(.noAnchor, "no publisher is trusted yet: add the root with `wsemaild plugin publisher add`")
        }
        let usable = chain.filter { !revoked.contains($0.fingerprint) }
        let roots = anchors.filter { !revoked.contains($0.fingerprint) }
        do throws(IdentityError) {
            return try await follow(usable, name, roots, date)
        } catch {
            // A path round a revoked authority is a good path; only if there is none, that is the reason.
            let issuers = Set(chain.map { $0.x509.issuer.description })
            let gone = (chain.dropFirst() + anchors).first {
                revoked.contains($0.fingerprint) && issuers.contains($0.x509.subject.description)
            }
            guard let gone else { throw error }
            let authority = gone.commonName ?? gone.serial
            throw IdentityError(.revoked, "the authority \"\(authority)\", which certified the publisher, is revoked")
        }
    }

    /// The rules that need the leaf alone; gives its name. Also for signing, before the chain can be judged.
    /// - Throws: ``IdentityError`` `.wrongRole`, `.nameMismatch`, `.notValidNow`.
    @discardableResult
    public static func requireLeaf(_ leaf: MailCertificate, at date: Date) throws(IdentityError) -> String {
        if let fault = PublisherPolicy.leafFault(leaf.x509) { throw IdentityError(.wrongRole, fault) }
        guard let name = leaf.commonName else {
            throw IdentityError(.nameMismatch, "the publisher's certificate has no single common name")
        }
        try PublisherAuthority.requireName(name)
        if let fault = PublisherPolicy.periodFault(leaf.x509, at: date) {
            throw IdentityError(.notValidNow, "the certificate of the publisher \"\(name)\" \(fault)")
        }
        return name
    }

    private func follow(
        _ chain: [MailCertificate], _ name: String, _ anchors: [MailCertificate], _ date: Date
    ) async throws(IdentityError) -> ValidatedPublisher {
        let leaf = chain[0]
        var verifier = Verifier(rootCertificates: CertificateStore(anchors.map(\.x509))) {
            // Ours comes first: it says in plain words what is wrong.
            PublisherPolicy(date: date)
            RFC5280Policy(fixedExpiryValidationTime: date)
        }
        let intermediates = CertificateStore(chain.dropFirst().map(\.x509))
        switch await verifier.validate(leaf: leaf.x509, intermediates: intermediates) {
        case .couldNotValidate(let failures):
            let reasons = failures.prefix(3).map { String(describing: $0.policyFailureReason).prefix(300) }
            let none = "it leads to no publisher anchor known here (it was issued by \(leaf.x509.issuer))"
            let text = reasons.isEmpty ? String(none.prefix(300)) : reasons.joined(separator: "; ")
            throw IdentityError(.untrusted, "the certificate of the publisher \"\(name)\" is not trusted: \(text)")
        case .validCertificate(let path):
            let known = chain + anchors
            let certificates = path.compactMap { certificate in known.first { $0.x509 == certificate } }
            guard certificates.count == path.count, let anchor = certificates.last,
                let from = certificates.map(\.notBefore).max(), let until = certificates.map(\.notAfter).min(), from <= until
            else { throw IdentityError(.untrusted, "the path does not end at an anchor") }
            return ValidatedPublisher(
                certificate: leaf, name: name, anchor: anchor, chain: certificates, period: from...until)
        }
    }
}

/// A publisher's certificate that ``PublisherTrust`` has followed to an anchor. Nothing else can make one.
public struct ValidatedPublisher: Sendable, Hashable {
    public let certificate: MailCertificate
    /// The certificate's common name.
    public let name: String
    public let anchor: MailCertificate
    /// Leaf first, the anchor last.
    public let chain: [MailCertificate]
    /// When every certificate of the chain is valid.
    public let period: ClosedRange<Date>

    fileprivate init(
        certificate: MailCertificate, name: String, anchor: MailCertificate, chain: [MailCertificate],
        period: ClosedRange<Date>
    ) {
        self.certificate = certificate
        self.name = name
        self.anchor = anchor
        self.chain = chain
        self.period = period
    }
}
