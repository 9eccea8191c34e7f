import Crypto
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// A message together with the octets that every digest and signature is about: the exclusive canonical form of its
/// element, produced once when the message is made or accepted and never re-serialised.
public struct SealedMessage: Sendable {
    public let message: Message
    public let octets: [UInt8]
    /// SHA-256 of `octets`.
    public let digest: [UInt8]

    /// Seals a message that we write ourselves.
    /// - Parameter author: adds the author's own enveloped signature.
    public init(_ message: Message, author: SignatureSigner? = nil) throws {
        var octets = try message.octets(signed: author != nil)
        if let author { octets = try author.signEnveloped(octets, id: Message.signatureID) }
        self.message = message
        self.octets = octets
        digest = Array(SHA256.hash(data: octets))
    }

    /// Seals the message found in a call: its octets are the canonical form of the very element that is read.
    public init(element: XMLElement, limits: MessageLimits = .standard) throws(MailModelError) {
        message = try Message(parsing: element, limits: limits)
        octets = element.canonicalBytes()
        digest = Array(SHA256.hash(data: octets))
    }

    /// Reads stored or exported octets, which must already be canonical.
    public init(octets: [UInt8], limits: MessageLimits = .standard) throws(MailModelError) {
        let document = try mailModel { () throws(XMLError) in try XMLDocument.parse(octets) }
        guard document.root.canonicalBytes() == octets else {
            throw MailModelError(.malformed, "the octets are not in exclusive canonical form")
        }
        message = try Message(parsing: document.root, limits: limits)
        self.octets = octets
        digest = Array(SHA256.hash(data: octets))
    }

    /// Verifies the author's own signature, if there is one. nil: the message carries none.
    /// - Parameter key: finds the author's certificate and says whether it speaks for the From address.
    public func verifyAuthor(
        key: (KeyHint) throws(SignatureError) -> VerificationKey
    ) throws -> VerifiedSignature? {
        let document = try XMLDocument.parse(octets)
        guard document.root.first(Names.signature) != nil else { return nil }
        return try SignatureVerifier().verifyEnveloped(document, key: key)
    }
}
