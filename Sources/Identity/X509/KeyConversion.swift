import Crypto
import CryptoExtras
import X509
import XMLSecurity

// The same keys under two roofs: X509 knows them as certificate keys, XMLSecurity as signature keys.

/// What keys we accept anywhere.
public enum KeyPolicy {
    /// Bits of the smallest RSA modulus.
    public static let minimumRSABits = 2048
    /// Bits of the largest: a verification costs time, and a stranger chooses its key.
    public static let maximumRSABits = 8192
}

extension VerificationKey {
    /// - Throws: ``IdentityError`` `.unsupportedKey` for P-521, unknown types and RSA outside 2048...8192 bits.
    public init(certificateKey: Certificate.PublicKey) throws(IdentityError) {
        if let key = P256.Signing.PublicKey(certificateKey) {
            self = .p256(key)
        } else if let key = P384.Signing.PublicKey(certificateKey) {
            self = .p384(key)
        } else if let key = Curve25519.Signing.PublicKey(certificateKey) {
            self = .ed25519(key)
        } else if let key = _RSA.Signing.PublicKey(certificateKey) {
            guard (KeyPolicy.minimumRSABits...KeyPolicy.maximumRSABits).contains(key.keySizeInBits) else {
                throw IdentityError(.unsupportedKey, "an RSA key of \(key.keySizeInBits) bits")
            }
            self = .rsa(key)
        } else {
            throw IdentityError(.unsupportedKey, "the key is none of P-256, P-384, Ed25519, RSA")
        }
    }

    /// The key as a certificate holds it.
    /// - Throws: ``IdentityError`` `.unsupportedKey` for shared secrets.
    public func certificateKey() throws(IdentityError) -> Certificate.PublicKey {
        switch self {
        case .p256(let key): return Certificate.PublicKey(key)
        case .p384(let key): return Certificate.PublicKey(key)
        case .rsa(let key): return Certificate.PublicKey(key)
        case .ed25519(let key): return Certificate.PublicKey(key)
        case .hmac: throw IdentityError(.unsupportedKey, "a shared secret has no certificate")
        }
    }
}

extension SigningKey {
    /// The key as X509 signs with it.
    /// - Throws: ``IdentityError`` `.unsupportedKey` for shared secrets.
    func certificatePrivateKey() throws(IdentityError) -> Certificate.PrivateKey {
        switch self {
        case .p256(let key): return Certificate.PrivateKey(key)
        case .p384(let key): return Certificate.PrivateKey(key)
        case .rsa(let key): return Certificate.PrivateKey(key)
        case .ed25519(let key): return Certificate.PrivateKey(key)
        case .hmac: throw IdentityError(.unsupportedKey, "a shared secret cannot sign a certificate")
        }
    }

    /// A new key of the default type, P-256.
    public static func generateP256() -> SigningKey { .p256(P256.Signing.PrivateKey()) }

    /// A new RSA key for stacks without ECDSA.
    /// - Parameter bits: 2048, 3072 or 4096.
    /// - Throws: ``IdentityError`` `.unsupportedKey` for another size, `.cryptography`.
    public static func generateRSA(bits: Int = 2048) throws(IdentityError) -> SigningKey {
        guard [2048, 3072, 4096].contains(bits) else {
            throw IdentityError(.unsupportedKey, "an RSA key of \(bits) bits")
        }
        return try IdentityError.wrap(.cryptography, "RSA key") {
            .rsa(try _RSA.Signing.PrivateKey(keySize: .init(bitCount: bits)))
        }
    }

    /// Whether `certificate` is for this key.
    public func matches(_ certificate: MailCertificate) -> Bool {
        guard let own = try? certificatePrivateKey() else { return false }
        return own.publicKey == certificate.x509.publicKey
    }
}
