import Identity
import PluginAPI

/// A root that an administrator trusts to say who publishes plug-ins. Never one for mail.
public struct PublisherAnchor: Sendable, Hashable {
    /// What the administrator calls it.
    public let label: String
    public let certificate: MailCertificate

    /// - Parameter pem: one certificate.
    /// - Throws: ``PluginError`` `.refused` if it is none, or cannot vouch for publishers: no authority, not for code
    ///   signing, or a mail domain's root.
    public init(pem: String, label: String) throws(PluginError) {
        do {
            certificate = try MailCertificate(pem: pem)
            try PublisherTrust.requireAnchor(certificate)
        } catch {
            throw .refused("this certificate cannot be a publisher anchor: \(error.reason)")
        }
        self.label = label
    }

    /// SHA-256 of the certificate, lower-case hexadecimal.
    public var fingerprint: String { Hex.encode(certificate.fingerprint.bytes) }
    public var pem: String { certificate.pem }
    /// The certificate's common name.
    public var name: String { certificate.commonName ?? "" }
}

/// Whom a server believes about publishers.
public struct PublisherAnchors: Sendable {
    public let anchors: [PublisherAnchor]
    /// Fingerprints of certificates that no longer count (SHA-256, lower-case hexadecimal): a publisher's, an
    /// intermediate's or an anchor's.
    public let revoked: Set<String>
    let trust: PublisherTrust

    /// - Parameter revoked: fingerprints in any spelling that ``Fingerprint`` reads. Others match nothing: check them where
    ///   people enter them.
    public init(anchors: [PublisherAnchor], revoked: Set<String> = []) {
        let fingerprints = Set(revoked.compactMap { try? Fingerprint($0) })
        self.anchors = anchors
        self.revoked = Set(fingerprints.map { Hex.encode($0.bytes) })
        trust = PublisherTrust(anchors: anchors.map(\.certificate), revoked: fingerprints)
    }
}
