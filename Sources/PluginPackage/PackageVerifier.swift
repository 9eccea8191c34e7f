import Foundation
import Identity
import PluginAPI
import XMLCore
import XMLSecurity

/// Who signed a package, as its certificate says, and how that was believed.
public struct PublisherIdentity: Sendable, Hashable, Codable {
    /// The certificate's common name.
    public let name: String
    /// SHA-256 of the certificate, lower-case hexadecimal.
    public let certificate: String
    /// The same of the anchor.
    public let anchor: String
    /// The same of all certificates of the path, the publisher's first, the anchor last: a revocation of any of them ends
    /// the trust.
    public let chain: [String]
    /// When the first certificate of the path expires.
    public let notAfter: Date

    init(_ publisher: ValidatedPublisher) {
        name = publisher.name
        certificate = Hex.encode(publisher.certificate.fingerprint.bytes)
        anchor = Hex.encode(publisher.anchor.fingerprint.bytes)
        chain = publisher.chain.map { Hex.encode($0.fingerprint.bytes) }
        notAfter = publisher.period.upperBound
    }
}

/// A package whose signature a ``PackageVerifier`` found good. Nothing else can make one.
public struct VerifiedPackage: Sendable {
    public let package: PluginPackage
    public let publisher: PublisherIdentity

    fileprivate init(package: PluginPackage, publisher: PublisherIdentity) {
        self.package = package
        self.publisher = publisher
    }
}

/// Decides whether a package is what a trusted publisher signed.
public struct PackageVerifier: Sendable {
    let anchors: PublisherAnchors

    public init(_ anchors: PublisherAnchors) { self.anchors = anchors }

    /// Verifies a package file: the publisher's chain to an anchor, the signature over the whole root, and only then, from
    /// the very element that was hashed, what it says.
    /// - Parameter date: when the certificates must be valid.
    /// - Throws: ``PluginError`` `.refused`, with a reason for the administrator.
    public func verify(_ octets: [UInt8], at date: Date) async throws(PluginError) -> VerifiedPackage {
        let envelope = try PackageEnvelope(octets)
        guard let signature = envelope.signature else { throw .refused("the package is not signed") }
        let chain = try envelope.chain()
        let publisher: ValidatedPublisher
        do {
            publisher = try await anchors.trust.validate(chain, at: date)
        } catch { throw .refused(error.reason) }
        let root = try Self.verified(envelope.document, signature, publisher.certificate.publicKey)
        let content = try PackageReader().content(root.element)
        try envelope.requireExactForm(of: content)
        guard content.publisher.utf8.elementsEqual(publisher.name.utf8) else {
            throw .refused(
                "the package says that its publisher is \"\(content.publisher)\", but \"\(publisher.name)\" signed it")
        }
        return VerifiedPackage(package: PluginPackage(content, octets), publisher: PublisherIdentity(publisher))
    }

    /// The proof that the root itself was signed with `key`.
    static func verified(
        _ document: XMLDocument, _ signature: XMLElement, _ key: VerificationKey
    ) throws(PluginError) -> VerifiedElement {
        let limits = SignatureLimits(maxReferences: 1, maxTransforms: 2, maxPrefixes: 0)
        let verifier = SignatureVerifier(limits: limits, algorithms: .publicKey)
        let verified: VerifiedSignature
        do {
            verified = try verifier.verifyEnveloped(document) { (_) throws(SignatureError) in key }
        } catch {
            switch error.code {
            case .digestMismatch: throw .refused("the package was changed after it was signed")
            case .badSignature: throw .refused("the signature is not of the publisher's key, or was changed")
            case .unknownAlgorithm: throw .refused("the signature uses an algorithm that is not accepted (\(error.reason))")
            default: throw .refused("the signature is not acceptable: \(error.reason)")
            }
        }
        guard verified.elements.count == 1, let root = verified.verified(document.root) else {
            throw .refused("the signature does not cover the whole package")
        }
        return root
    }
}
