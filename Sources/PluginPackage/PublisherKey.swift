import Crypto
import XMLSecurity

/// A new private key to sign packages with (P-256).
public struct PublisherKey: Sendable {
    private let key = P256.Signing.PrivateKey()

    public init() {}

    public var publicKey: VerificationKey { .p256(key.publicKey) }
    /// PKCS #8 PEM: for a private file only.
    public var pem: String { key.pemRepresentation + "\n" }
}
