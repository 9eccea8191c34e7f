import Crypto
import FoundationEssentials
import XMLCore
import XMLSecurity

/// Domain metadata whose signature and signer have been verified. Only ``verify(_:of:trust:at:known:allowStale:)``
/// makes one.
public struct VerifiedMetadata: Sendable, Hashable {
    public let metadata: DomainMetadata
    /// The server certificate that signed it.
    public let signer: ValidatedCertificate
    /// The document as it came, to store and to staple.
    public let octets: [UInt8]
    /// SHA-256 of ``octets``.
    public let digest: [UInt8]

    /// How far in the future `issued` may lie, in seconds.
    public static let clockTolerance: TimeInterval = 300

    /// Whether a newer document is due.
    public func isStale(at date: Date) -> Bool { date > metadata.nextUpdate }

    /// Verifies a document: structure, signature by one of the listed servers, the signer's chain to an anchor for the
    /// domain, time, and that it does not go back behind `known`.
    /// - Parameters:
    ///   - octets: the document as received.
    ///   - domain: whose metadata is expected; `nil` takes the domain the document names (and its signer must prove).
    ///   - trust: the anchors.
    ///   - date: the time to judge by.
    ///   - known: the latest document of this domain seen before.
    ///   - allowStale: for evidence: accept a document past its `nextUpdate`.
    /// - Throws: ``IdentityError`` `.malformedMetadata`, `.badSignature`, `.metadataRollback`, `.staleMetadata`
    ///   (transient), `.notValidNow` (issued in the future), and what ``TrustStore`` throws for the signer.
    public static func verify(
        _ octets: [UInt8], of domain: MailDomain? = nil, trust: TrustStore, at date: Date,
        known: VerifiedMetadata? = nil, allowStale: Bool = false
    ) async throws(IdentityError) -> VerifiedMetadata {
        guard octets.count <= DomainMetadata.maximumSize else {
            throw IdentityError(.limitExceeded, "domain metadata of \(octets.count) octets")
        }
        let (metadata, server) = try readSigned(octets)
        if let domain, metadata.domain != domain {
            throw IdentityError(.nameMismatch, "metadata of \(metadata.domain) where \(domain)'s was expected")
        }
        let signer = try await trust.validateServer(
            metadata.chain(of: server), speaksFor: metadata.domain, at: allowStale ? metadata.issued : date,
            revoked: metadata.revoked)
        let result = VerifiedMetadata(
            metadata: metadata, signer: signer, octets: octets, digest: Array(SHA256.hash(data: octets)))
        guard metadata.issued <= date.addingTimeInterval(clockTolerance) else {
            throw IdentityError(.notValidNow, "the metadata of \(metadata.domain) is from the future: check the clocks")
        }
        if let known { try result.checkFollows(known, at: date) }
        if !allowStale && result.isStale(at: date) {
            throw IdentityError(.staleMetadata, "the metadata of \(metadata.domain) is past its next update")
        }
        return result
    }

    /// The content is read only after its own bytes are proved to be what the listed server signed.
    private static func readSigned(_ octets: [UInt8]) throws(IdentityError) -> (DomainMetadata, MailCertificate) {
        let document: XMLDocument
        do throws(XMLError) {
            document = try XMLDocument.parse(octets)
        } catch {
            throw DomainMetadata.malformed(error.reason)
        }
        // One document, one spelling: comments and white space between versions would make equal documents differ.
        guard document.root.canonicalBytes() == octets else { throw DomainMetadata.malformed("it is not canonical") }
        let metadata = try DomainMetadata(element: document.root)
        var server: MailCertificate?
        do throws(SignatureError) {
            let signature = try SignatureVerifier().verifyEnveloped(document) { (hint) throws(SignatureError) in
                guard case .thumbprintSHA256(let thumbprint) = hint,
                    let found = metadata.server(thumbprintSHA256: thumbprint)
                else { throw SignatureError(.unknownKey, "signed by none of the listed servers") }
                server = found
                return found.publicKey
            }
            guard signature.verified(document.root) != nil, let server else {
                throw SignatureError(.unsigned, "the document's root is not what was signed")
            }
            return (metadata, server)
        } catch {
            throw IdentityError(.badSignature, "the signature of the domain metadata: \(error.reason)")
        }
    }

    /// Versions only grow, one version has one content, and what `known` revoked stays revoked for this decision.
    private func checkFollows(_ known: VerifiedMetadata, at date: Date) throws(IdentityError) {
        guard metadata.domain == known.metadata.domain else {
            throw IdentityError(.nameMismatch, "metadata of another domain")
        }
        guard metadata.version >= known.metadata.version else {
            throw IdentityError(
                .metadataRollback, "version \(metadata.version) after version \(known.metadata.version)")
        }
        guard metadata.version > known.metadata.version || digest == known.digest else {
            throw IdentityError(.metadataRollback, "two documents of version \(metadata.version)")
        }
        // A thief of a revoked key must not bring it back by signing the next version without the revocation.
        guard signer.isFree(of: known.metadata.revoked, at: date) else {
            throw IdentityError(
                .revoked, "the metadata is signed with a key that version \(known.metadata.version) revoked")
        }
    }
}
