import Crypto
import CryptoExtras

/// A key that signs.
public enum SigningKey: Sendable {
    case p256(P256.Signing.PrivateKey)
    case p384(P384.Signing.PrivateKey)
    /// At least 2048 bits: a shorter one is refused when it is used.
    case rsa(_RSA.Signing.PrivateKey)
    case ed25519(Curve25519.Signing.PrivateKey)
    /// At least 16 octets: a shorter one is refused when it is used.
    case hmac(SymmetricKey)

    /// What this key signs with unless told otherwise.
    public var algorithm: SignatureAlgorithm {
        switch self {
        case .p256: .ecdsaSHA256
        case .p384: .ecdsaSHA384
        case .rsa: .rsaSHA256
        case .ed25519: .ed25519
        case .hmac: .hmacSHA256
        }
    }

    /// What checks the signatures of this key; for HMAC the key itself.
    public var publicKey: VerificationKey {
        switch self {
        case .p256(let key): .p256(key.publicKey)
        case .p384(let key): .p384(key.publicKey)
        case .rsa(let key): .rsa(key.publicKey)
        case .ed25519(let key): .ed25519(key.publicKey)
        case .hmac(let key): .hmac(key)
        }
    }

    /// The signature value in the form XML-Signature gives it: r || s for ECDSA (§6.4.3).
    ///
    /// - Throws: `wrongKeyType` if the key does not belong to `algorithm`, is too short, or fails.
    public func sign(_ octets: [UInt8], algorithm: SignatureAlgorithm? = nil) throws(SignatureError) -> [UInt8] {
        let algorithm = algorithm ?? self.algorithm
        guard algorithm.keyType == publicKeyType else {
            throw SignatureError(.wrongKeyType, "\(algorithm.rawValue) with a key of another type")
        }
        if case .hmac(let key) = self { try VerificationKey.checkStrength(of: key) }
        if case .rsa(let key) = self, key.keySizeInBits < VerificationKey.minimumRSABits {
            throw SignatureError(.wrongKeyType, "RSA key of \(key.keySizeInBits) bits")
        }
        do {
            return switch self {
            case .p256(let key): Array(try key.signature(for: SHA256.hash(data: octets)).rawRepresentation)
            case .p384(let key): Array(try key.signature(for: SHA384.hash(data: octets)).rawRepresentation)
            case .rsa(let key): try Self.sign(octets, algorithm, key)
            case .ed25519(let key): Array(try key.signature(for: octets))
            case .hmac(let key): Array(HMAC<SHA256>.authenticationCode(for: octets, using: key))
            }
        } catch {
            throw SignatureError(.wrongKeyType, "signing failed: \(error)")
        }
    }

    private var publicKeyType: KeyType { algorithm.keyType }

    private static func sign(
        _ octets: [UInt8], _ algorithm: SignatureAlgorithm, _ key: _RSA.Signing.PrivateKey
    ) throws -> [UInt8] {
        let value: _RSA.Signing.RSASignature
        switch algorithm {
        case .rsaSHA384: value = try key.signature(for: SHA384.hash(data: octets), padding: .insecurePKCS1v1_5)
        case .rsaSHA512: value = try key.signature(for: SHA512.hash(data: octets), padding: .insecurePKCS1v1_5)
        case .rsaPSSSHA256: value = try key.signature(for: SHA256.hash(data: octets), padding: .PSS)
        case .rsaPSSSHA384: value = try key.signature(for: SHA384.hash(data: octets), padding: .PSS)
        case .rsaPSSSHA512: value = try key.signature(for: SHA512.hash(data: octets), padding: .PSS)
        default: value = try key.signature(for: SHA256.hash(data: octets), padding: .insecurePKCS1v1_5)
        }
        return Array(value.rawRepresentation)
    }
}
