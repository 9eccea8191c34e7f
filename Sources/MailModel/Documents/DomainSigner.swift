import Foundation
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// Signs the documents of one mail domain: its server signing key and the certificate that goes with it.
public struct DomainSigner: Sendable {
    public let domain: MailDomain
    /// SHA-256 of the signing certificate.
    public let thumbprint: [UInt8]
    let signer: SignatureSigner

    public init(domain: MailDomain, key: SigningKey, certificate: MailCertificate) {
        self.domain = domain
        thumbprint = certificate.thumbprintSHA256
        signer = SignatureSigner(key: key, keyInfo: .thumbprintSHA256(certificate.thumbprintSHA256))
    }

    func sign(_ octets: [UInt8], id: String) throws -> [UInt8] {
        try signer.signEnveloped(octets, id: id)
    }
}

/// Answers which key may sign for a mail domain. The answer is a trust decision: it must refuse a certificate that
/// does not speak for exactly this domain at this time (design §5.3).
public protocol DomainKeyResolver: Sendable {
    /// - Returns: the public key of the mail signing certificate that `hint` names.
    /// - Throws: when the certificate is unknown, or not valid for `domain` at `date`.
    func key(_ hint: KeyHint, of domain: MailDomain, at date: Date) async throws -> VerificationKey
}

/// Verifies an enveloped signature by a domain over a stand-alone document.
/// - Returns: only after the root itself was the signed element.
func verifyDomainDocument(
    _ document: XMLDocument, of domain: MailDomain, certificate: [UInt8], at date: Date, keys: some DomainKeyResolver
) async throws {
    guard let signature = try document.root.optional(Names.signature) else {
        throw MailModelError(.badSignature, "\(document.root.localName) is not signed")
    }
    let hint = try KeyHint.parse(try signature.only(Names.keyInfo))
    guard case .thumbprintSHA256(let thumbprint) = hint, thumbprint == certificate else {
        throw MailModelError(.badSignature, "the signature's KeyInfo and the signed Certificate element differ")
    }
    let key = try await keys.key(hint, of: domain, at: date)
    let verified = try SignatureVerifier().verifyEnveloped(document) { (_) throws(SignatureError) in key }
    guard verified.verified(document.root) != nil else {
        throw MailModelError(.badSignature, "the signature does not cover \(document.root.localName)")
    }
}
