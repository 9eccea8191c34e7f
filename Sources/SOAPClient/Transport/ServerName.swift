import NIOCore
import NIOSSL
import X509

/// Matches the names in a TLS server certificate with the names we accept.
///
/// The chain is BoringSSL's business; the name is checked here because *two* names can be right (RFC 7673 §3.1: the
/// service domain, and the SRV target when DNSSEC vouches for it), and NIOSSL checks one.
enum ServerName {
    /// Why the server behind a finished handshake is not the one that was meant; nil: it is.
    static func failure(context: ChannelHandlerContext, accepted: [String]) -> SOAPClientError? {
        guard let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate(),
            let isRight = try? matches(certificate, accepted: accepted)
        else { return SOAPClientError(.tlsFailed, "the server showed no readable certificate") }
        guard !isRight else { return nil }
        return SOAPClientError(.tlsWrongName, "the certificate is not for \(accepted.joined(separator: " or "))")
    }

    /// True when a dNSName of the certificate matches one of `accepted`. The common name is never consulted
    /// (RFC 6125 §6.4.4; RFC 9525 §2).
    static func matches(_ certificate: NIOSSLCertificate, accepted: [String]) throws -> Bool {
        let parsed = try Certificate(derEncoded: certificate.toDERBytes())
        guard let names = try parsed.extensions.subjectAlternativeNames else { return false }
        for case .dnsName(let presented) in names where accepted.contains(where: { matches(presented, $0) }) {
            return true
        }
        return false
    }

    /// Exact, or a wildcard that stands for the whole left-most label (RFC 9525 §6.3).
    static func matches(_ presented: String, _ reference: String) -> Bool {
        let presented = normalized(presented)
        let reference = normalized(reference)
        guard !presented.isEmpty, !reference.isEmpty else { return false }
        if presented == reference { return true }
        guard presented.hasPrefix("*.") else { return false }
        let suffix = presented.dropFirst(1)
        // "*.test" would stand for every domain of a whole registry.
        guard suffix.dropFirst().contains("."), !suffix.contains("*"), reference.hasSuffix(suffix) else { return false }
        let label = reference.dropLast(suffix.count)
        return !label.isEmpty && !label.contains(".")
    }

    private static func normalized(_ name: String) -> String {
        let lowered = name.lowercased()
        return lowered.hasSuffix(".") ? String(lowered.dropLast()) : lowered
    }
}
