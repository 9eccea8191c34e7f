import Crypto
import CryptoExtras

/// A key that signatures are checked with.
public enum VerificationKey: Sendable {
    case p256(P256.Signing.PublicKey)
    case p384(P384.Signing.PublicKey)
    /// At least 2048 bits: a shorter one is refused when it is used.
    case rsa(_RSA.Signing.PublicKey)
    case ed25519(Curve25519.Signing.PublicKey)
    /// At least 16 octets: a shorter one is refused when it is used.
    case hmac(SymmetricKey)

    static let minimumRSABits = 2048
    static let minimumHMACBits = 128

    var type: KeyType {
        switch self {
        case .p256: .p256
        case .p384: .p384
        case .rsa: .rsa
        case .ed25519: .ed25519
        case .hmac: .hmac
        }
    }

    /// Checks a signature value in the form XML-Signature gives it: r || s for ECDSA (§6.4.3).
    ///
    /// - Throws: `wrongKeyType` if the key does not belong to `algorithm` or is too short, `badSignature` if the value
    ///   is not this key's.
    public func verify(
        _ signature: [UInt8], over octets: [UInt8], algorithm: SignatureAlgorithm
    ) throws(SignatureError) {
        guard algorithm.keyType == type else {
            throw SignatureError(.wrongKeyType, "\(algorithm.rawValue) with a key of type \(type.rawValue)")
        }
        let isValid: Bool
        switch self {
        case .p256(let key):
            let value = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
            isValid = value.map { key.isValidSignature($0, for: SHA256.hash(data: octets)) } ?? false
        case .p384(let key):
            let value = try? P384.Signing.ECDSASignature(rawRepresentation: signature)
            isValid = value.map { key.isValidSignature($0, for: SHA384.hash(data: octets)) } ?? false
        case .rsa(let key):
            isValid = try Self.verify(signature, over: octets, algorithm: algorithm, key: key)
        case .ed25519(let key):
            isValid = key.isValidSignature(signature, for: octets)
        case .hmac(let key):
            try Self.checkStrength(of: key)
            // Compared in constant time.
            isValid = HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: octets, using: key)
        }
        guard isValid else { throw SignatureError(.badSignature, "signature value does not verify") }
    }

    private static func verify(
        _ signature: [UInt8], over octets: [UInt8], algorithm: SignatureAlgorithm, key: _RSA.Signing.PublicKey
    ) throws(SignatureError) -> Bool {
        guard key.keySizeInBits >= minimumRSABits else {
            throw SignatureError(.wrongKeyType, "RSA key of \(key.keySizeInBits) bits")
        }
        let value = _RSA.Signing.RSASignature(rawRepresentation: signature)
        return switch algorithm {
        case .rsaSHA256: key.isValidSignature(value, for: SHA256.hash(data: octets), padding: .insecurePKCS1v1_5)
        case .rsaSHA384: key.isValidSignature(value, for: SHA384.hash(data: octets), padding: .insecurePKCS1v1_5)
        case .rsaSHA512: key.isValidSignature(value, for: SHA512.hash(data: octets), padding: .insecurePKCS1v1_5)
        case .rsaPSSSHA256: key.isValidSignature(value, for: SHA256.hash(data: octets), padding: .PSS)
        case .rsaPSSSHA384: key.isValidSignature(value, for: SHA384.hash(data: octets), padding: .PSS)
        case .rsaPSSSHA512: key.isValidSignature(value, for: SHA512.hash(data: octets), padding: .PSS)
        default: false
        }
    }

    static func checkStrength(of key: SymmetricKey) throws(SignatureError) {
        guard key.bitCount >= minimumHMACBits else {
            throw SignatureError(.wrongKeyType, "HMAC key of \(key.bitCount) bits")
        }
    }
}
