import SwiftASN1
import X509
import XMLSecurity

/// Our own rules for a whole path, beside RFC 5280's: an issuer speaks only for its own domain.
///
/// - Every issuer must be allowed to sign certificates, with a key and an algorithm of today.
/// - Every name constraint on the path must admit the domain. RFC5280Policy applies them to dNSNames; a user
///   certificate has none, so its domain is checked here.
/// - Under a pinned anchor, an intermediate constrained to one domain must be constrained to this one.
/// - Under a federation anchor every intermediate must be constrained to exactly this domain (a subordinate without
///   such a constraint could speak for anybody), and a user certificate needs one: the domain's own authority.
struct ChainPolicy: VerifierPolicy {
    static let maximumLength = 5

    let domain: MailDomain
    let isUser: Bool
    let isFederation: Bool

    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.subjectAlternativeName,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) async -> PolicyEvaluationResult {
        if let fault = fault(in: Array(chain)) { return .failsToMeetPolicy(reason: fault) }
        return .meetsPolicy
    }

    private func fault(in chain: [Certificate]) -> String? {
        guard (2...Self.maximumLength).contains(chain.count) else { return "the chain has \(chain.count) certificates" }
        // The anchor's own signature proves nothing and is not looked at.
        guard chain.dropLast().allSatisfy({ SignatureRules.isStrong($0.signatureAlgorithm) }) else {
            return "a certificate of the chain has a weak or unknown signature algorithm"
        }
        for issuer in chain.dropFirst() {
            if let fault = issuerFault(issuer) { return fault }
        }
        if isFederation && isUser && chain.count < 3 {
            return "a user certificate must come from its domain's own authority"
        }
        for intermediate in chain.dropFirst().dropLast() {
            if let fault = scopeFault(intermediate) { return fault }
        }
        return nil
    }

    private func issuerFault(_ issuer: Certificate) -> String? {
        guard (try? VerificationKey(certificateKey: issuer.publicKey)) != nil else {
            return "an issuer has an unacceptable key"
        }
        do {
            if let usage = try issuer.extensions.keyUsage, !usage.keyCertSign {
                return "an issuer's key is not for signing certificates"
            }
            guard let constraints = try issuer.extensions.nameConstraints else { return nil }
            return admits(constraints) ? nil : "an issuer's name constraints exclude \(domain)"
        } catch {
            return "an issuer's extensions are unreadable: \(error)"
        }
    }

    private func scopeFault(_ intermediate: Certificate) -> String? {
        let own = (try? CertificateNames(intermediate))?.domains.first
        if isFederation {
            return own == domain ? nil : "an intermediate authority is not constrained to \(domain)"
        }
        if let own, own != domain { return "an intermediate authority speaks for \(own)" }
        return nil
    }

    private func admits(_ constraints: NameConstraints) -> Bool {
        let permitted = constraints.permittedDNSDomains
        let excluded = constraints.excludedDNSDomains
        if excluded.contains(where: { isWithin($0) }) { return false }
        return permitted.isEmpty || permitted.contains { isWithin($0) }
    }

    /// RFC 5280 §4.2.1.10: a dNSName constraint admits the name itself and everything below it.
    private func isWithin(_ constraint: String) -> Bool {
        guard !constraint.isEmpty else { return true }
        let name = constraint.hasPrefix(".") ? String(constraint.dropFirst()) : constraint
        guard let base = try? MailDomain(name) else { return domain.ascii.hasSuffix("." + name.lowercased()) }
        return domain.isWithin(base)
    }
}
