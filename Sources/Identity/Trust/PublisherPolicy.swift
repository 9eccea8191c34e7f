import FoundationEssentials
import SwiftASN1
import X509
import XMLSecurity

/// Our own rules for the path from a publisher's certificate to an anchor, beside RFC 5280's.
///
/// - The leaf is for code signing and for nothing that mail or TLS would take it for.
/// - Every issuer says that it is an authority and may sign certificates; where it limits what its certificates are for
///   (extended key usage), code signing is among it.
/// - An issuer with name constraints, such as every mail domain's root, says nothing about publishers, who are no names of
///   the DNS: a constraint could not hold them. It is refused.
/// - Keys and algorithms of today; the anchor's own signature proves nothing and is not looked at.
struct PublisherPolicy: VerifierPolicy {
    let date: Date

    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.subjectAlternativeName,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) async -> PolicyEvaluationResult {
        if let fault = fault(in: Array(chain)) { return .failsToMeetPolicy(reason: fault) }
        return .meetsPolicy
    }

    private func fault(in chain: [Certificate]) -> String? {
        guard (2...PublisherTrust.maximumIntermediates + 2).contains(chain.count) else {
            return "the path has \(chain.count) certificates"
        }
        if let leaf = chain.first, let fault = Self.leafFault(leaf) { return fault }
        guard chain.dropLast().allSatisfy({ SignatureRules.isStrong($0.signatureAlgorithm) }) else {
            return "a certificate of the path has a weak or unknown signature algorithm"
        }
        for issuer in chain.dropFirst() {
            if let fault = Self.issuerFault(issuer) { return fault }
        }
        for certificate in chain {
            if let fault = Self.periodFault(certificate, at: date) { return "the certificate of \(Self.name(certificate)) \(fault)" }
        }
        return nil
    }

    /// Uses that a publisher's certificate must not have as well: a certificate has one use.
    private static let foreignUsages: [ExtendedKeyUsage.Usage] = [
        .init(oid: MailOID.mailServer), .init(oid: MailOID.mailUser), .serverAuth, .clientAuth, .any,
    ]

    static func leafFault(_ leaf: Certificate) -> String? {
        if isAuthority(leaf) { return "the certificate of an authority cannot sign packages itself" }
        guard let usage = try? leaf.extensions.extendedKeyUsage, usage.contains(.codeSigning) else {
            return "the certificate is not for code signing"
        }
        guard !foreignUsages.contains(where: { usage.contains($0) }) else {
            return "the certificate is for mail or TLS besides code signing"
        }
        guard let keyUsage = try? leaf.extensions.keyUsage, keyUsage.digitalSignature else {
            return "the certificate's key is not for digital signatures"
        }
        return keyFault(leaf)
    }

    static func issuerFault(_ issuer: Certificate) -> String? {
        // RFC5280Policy lets certificates of version 1 issue others without saying that they may.
        guard isAuthority(issuer) else { return "\(name(issuer)) is no authority: it may not issue certificates" }
        do {
            if let usage = try issuer.extensions.keyUsage, !usage.keyCertSign {
                return "the key of \(name(issuer)) is not for signing certificates"
            }
            if let usage = try issuer.extensions.extendedKeyUsage, !usage.contains(.codeSigning), !usage.contains(.any) {
                return "the authority \(name(issuer)) is not for code signing"
            }
            guard try issuer.extensions.nameConstraints == nil else {
                return "the authority \(name(issuer)) speaks for names only (a mail domain's root?), not for publishers"
            }
        } catch {
            return "the extensions of \(name(issuer)) are unreadable"
        }
        return keyFault(issuer)
    }

    /// `expired on …` or `is not valid before …`, both ends included (RFC 5280 §4.1.2.5).
    static func periodFault(_ certificate: Certificate, at date: Date) -> String? {
        if date < certificate.notValidBefore { return "is not valid before \(day(certificate.notValidBefore))" }
        if date > certificate.notValidAfter { return "expired on \(day(certificate.notValidAfter))" }
        return nil
    }

    private static func keyFault(_ certificate: Certificate) -> String? {
        (try? VerificationKey(certificateKey: certificate.publicKey)) == nil
            ? "the key of \(name(certificate)) is too weak or of an unknown type" : nil
    }

    private static func isAuthority(_ certificate: Certificate) -> Bool {
        if case .isCertificateAuthority? = try? certificate.extensions.basicConstraints { return true }
        return false
    }

    private static func day(_ date: Date) -> String { String(UTCSeconds.format(date).prefix(10)) }

    private static func name(_ certificate: Certificate) -> String {
        "\"\(String(certificate.subject.description.prefix(100)))\""
    }
}
