import Foundation
import Identity
import MailModel
import SOAP
import XMLCore
import XMLSecurity

/// The author's own enveloped signature over a message; its KeyInfo carries the author's certificate.
enum AuthorSignature {
    /// Signs messages with the enrolled key.
    static func signer(_ key: SigningKey, _ certificate: MailCertificate) -> SignatureSigner {
        SignatureSigner(key: key, keyInfo: .certificate(certificate.der))
    }

    /// Verifies the signature of `sealed`, if it carries one.
    /// - Parameter validate: throws unless the certificate belongs to exactly this address, under its domain's anchors.
    static func verdict(
        of sealed: SealedMessage, validate: (MailCertificate, Address) async throws -> Void
    ) async -> AuthorVerdict {
        let author = sealed.message.from.address
        do {
            guard let hint = try hint(in: sealed) else { return .absent }
            guard case .certificate(let der) = hint else {
                return .notVerified(reason: "it does not carry the author's certificate")
            }
            let certificate = try MailCertificate(der: der)
            try await validate(certificate, author)
            let verified = try sealed.verifyAuthor { (shown) throws(SignatureError) in
                guard shown == hint else { throw SignatureError(.unknownKey, "another key") }
                return certificate.publicKey
            }
            return verified == nil ? .notVerified(reason: "it covers nothing") : .verified(author)
        } catch {
            return .notVerified(reason: MailClientError(error).reason)
        }
    }

    private static func hint(in sealed: SealedMessage) throws -> KeyHint? {
        let root = try XMLDocument.parse(sealed.octets).root
        guard let signature = try root.optional(Names.signature) else { return nil }
        return try KeyHint.parse(signature.only(Names.keyInfo))
    }
}
