import FoundationEssentials
import SwiftASN1
import Synchronization
@_spi(FixedExpiryValidationTime) import X509

/// Whom we believe, about whom: the anchors, and the validation of chains against them.
///
/// An issuer speaks only for its own domain:
/// - If a domain has pinned anchors, only these count for it, and they count for nothing else.
/// - Otherwise federation anchors count. A server certificate comes from the federation root itself or from an
///   authority constrained to exactly the domain; a user certificate only from such an authority.
///
/// `at` is the time to judge by, so that evidence can be judged years later. All methods may be called from anywhere.
public final class TrustStore: Sendable {
    private struct State {
        var anchors: [TrustAnchor]
        var generation: UInt64 = 0
        var cache: ValidationCache
    }

    /// The most intermediates that a peer may send along.
    public static let maximumIntermediates = 4

    private let state: Mutex<State>

    public init(_ anchors: [TrustAnchor] = [], cacheCapacity: Int = 4096) {
        state = Mutex(State(anchors: anchors, cache: ValidationCache(capacity: cacheCapacity)))
    }

    // MARK: Anchors

    public var anchors: [TrustAnchor] { state.withLock { $0.anchors } }

    /// Replaces all anchors; earlier verdicts are forgotten.
    public func replace(with anchors: [TrustAnchor]) {
        change { $0 = anchors }
    }

    public func add(_ anchor: TrustAnchor) {
        change { if !$0.contains(anchor) { $0.append(anchor) } }
    }

    /// Removes the anchors with this fingerprint, of all scopes or one. Returns whether there was any.
    @discardableResult
    public func remove(_ fingerprint: Fingerprint, scope: TrustAnchor.Scope? = nil) -> Bool {
        change { anchors in
            let before = anchors.count
            anchors.removeAll { $0.fingerprint == fingerprint && (scope == nil || $0.scope == scope) }
            return anchors.count < before
        }
    }

    /// The anchors that count for `domain`: its pinned ones, else the federation's.
    public func anchors(for domain: MailDomain) -> [TrustAnchor] {
        Self.select(anchors, for: domain)
    }

    // MARK: Validation

    /// Validates a server's mail signing certificate.
    /// - Parameters:
    ///   - chain: the leaf first, then any intermediates in any order.
    ///   - speaksFor: the mail domain in whose name it signs.
    ///   - revoked: from that domain's ``VerifiedMetadata``.
    /// - Throws: ``IdentityError`` `.wrongRole`, `.nameMismatch`, `.notValidNow`, `.noAnchor`, `.untrusted`,
    ///   `.revoked`, `.limitExceeded`.
    public func validateServer(
        _ chain: [MailCertificate], speaksFor domain: MailDomain, at date: Date, revoked: RevokedSerials = .none
    ) async throws(IdentityError) -> ValidatedCertificate {
        try await validate(chain, for: .server(domain), at: date, revoked: revoked)
    }

    /// Validates a user's certificate for exactly `address`. Throws as the validation of servers does.
    public func validateUser(
        _ chain: [MailCertificate], address: Address, at date: Date, revoked: RevokedSerials = .none
    ) async throws(IdentityError) -> ValidatedCertificate {
        try await validate(chain, for: .user(address), at: date, revoked: revoked)
    }

    /// Validates a TLS certificate that names the *mail domain*. Throws as the validation of servers does.
    public func validateTLS(
        _ chain: [MailCertificate], mailDomain: MailDomain, at date: Date, revoked: RevokedSerials = .none
    ) async throws(IdentityError) -> ValidatedCertificate {
        try await validate(chain, for: .tls(mailDomain), at: date, revoked: revoked)
    }

    /// The general form of the three above.
    public func validate(
        _ chain: [MailCertificate], for claim: CertificateClaim, at date: Date, revoked: RevokedSerials = .none
    ) async throws(IdentityError) -> ValidatedCertificate {
        guard let leaf = chain.first else { throw IdentityError(.untrusted, "the chain is empty") }
        guard chain.count <= Self.maximumIntermediates + 1 else {
            throw IdentityError(.limitExceeded, "the chain has \(chain.count) certificates")
        }
        try claim.check(leaf, at: date)
        guard !revoked.contains(leaf.serial, at: date) else {
            throw IdentityError(.revoked, "the certificate with serial number \(leaf.serial) is revoked")
        }
        let (anchors, key, known) = state.withLock { state in
            let key = ValidationCache.Key(thumbprint: leaf.thumbprintSHA256, claim: claim, generation: state.generation)
            return (Self.select(state.anchors, for: claim.domain), key, state.cache[key])
        }
        // A path through a revoked intermediate is not the end: the peer may have sent a newer one along.
        if let known, known.period.contains(date), known.isFree(of: revoked, at: date) { return known }
        guard !anchors.isEmpty else { throw IdentityError(.noAnchor, "no trust anchor for \(claim.domain)") }
        let usable = chain.filter { !revoked.contains($0.serial, at: date) }
        do throws(IdentityError) {
            let result = try await follow(usable, claim, anchors, date)
            state.withLock { $0.cache.insert(result, for: key) }
            return result
        } catch {
            guard usable.count < chain.count else { throw error }
            throw IdentityError(.revoked, "an authority between \(claim.domain) and the anchor is revoked")
        }
    }

    var cachedCount: Int { state.withLock { $0.cache.count } }

    private func follow(
        _ chain: [MailCertificate], _ claim: CertificateClaim, _ anchors: [TrustAnchor], _ date: Date
    ) async throws(IdentityError) -> ValidatedCertificate {
        let leaf = chain[0]
        let isUser = if case .user = claim { true } else { false }
        var verifier = Verifier(rootCertificates: CertificateStore(anchors.map(\.certificate.x509))) {
            RFC5280Policy(fixedExpiryValidationTime: date)
            ChainPolicy(domain: claim.domain, isUser: isUser, isFederation: anchors[0].scope == .federation)
        }
        let intermediates = CertificateStore(chain.dropFirst().map(\.x509))
        switch await verifier.validate(leaf: leaf.x509, intermediates: intermediates) {
        case .couldNotValidate(let failures):
            let reasons = failures.prefix(3).map { String(describing: $0.policyFailureReason).prefix(300) }
            let text = reasons.isEmpty ? "no path to an anchor" : reasons.joined(separator: "; ")
            throw IdentityError(.untrusted, "the certificate for \(claim.domain) is not trusted: \(text)")
        case .validCertificate(let path):
            let known = chain + anchors.map(\.certificate)
            let certificates = path.compactMap { certificate in known.first { $0.x509 == certificate } }
            guard certificates.count == path.count, let root = certificates.last,
                let anchor = anchors.first(where: { $0.certificate == root }),
                let result = ValidatedCertificate(leaf: leaf, claim: claim, anchor: anchor, chain: certificates)
            else { throw IdentityError(.untrusted, "the path does not end at an anchor") }
            return result
        }
    }

    private func change<T: Sendable>(_ body: (inout [TrustAnchor]) -> T) -> T {
        state.withLock { state in
            state.generation += 1
            state.cache.removeAll()
            return body(&state.anchors)
        }
    }

    private static func select(_ anchors: [TrustAnchor], for domain: MailDomain) -> [TrustAnchor] {
        let pinned = anchors.filter { $0.scope == .domain(domain) }
        return pinned.isEmpty ? anchors.filter { $0.scope == .federation } : pinned
    }
}
