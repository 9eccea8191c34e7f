import Crypto
import CryptoExtras
import XMLCore

/// PKCS #8 PEM. Keys of HMAC have no such form.
extension SigningKey {
    /// Reads an unencrypted private key: PKCS #8, and SEC 1 (EC) or PKCS #1 (RSA).
    ///
    /// - Throws: `wrongKeyType` if it is none that we sign with; RSA below 2048 bits among them.
    public init(pem: String) throws(SignatureError) {
        if let key = try? P256.Signing.PrivateKey(pemRepresentation: pem) {
            self = .p256(key)
        } else if let key = try? P384.Signing.PrivateKey(pemRepresentation: pem) {
            self = .p384(key)
        } else if let key = try? _RSA.Signing.PrivateKey(pemRepresentation: pem),
            key.keySizeInBits >= VerificationKey.minimumRSABits
        {
            self = .rsa(key)
        } else if let key = Self.ed25519(pem) {
            self = .ed25519(key)
        } else {
            throw SignatureError(.wrongKeyType, "not a private key in PEM of P-256, P-384, RSA >= 2048 or Ed25519")
        }
    }

    /// nil for HMAC.
    public var pemRepresentation: String? {
        switch self {
        case .p256(let key): key.pemRepresentation
        case .p384(let key): key.pemRepresentation
        case .rsa(let key): key.pkcs8PEMRepresentation
        case .ed25519(let key): Self.pem(Self.ed25519Header + key.rawRepresentation)
        case .hmac: nil
        }
    }

    /// PrivateKeyInfo of id-Ed25519 up to the 32 octets of the key (RFC 8410 §7), which swift-crypto has no code for.
    private static let ed25519Header: [UInt8] = [
        0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ]
    private static let begin = "-----BEGIN PRIVATE KEY-----"
    private static let end = "-----END PRIVATE KEY-----"

    private static func ed25519(_ pem: String) -> Curve25519.Signing.PrivateKey? {
        let lines = pem.split(whereSeparator: \.isNewline).drop { $0 != begin }.dropFirst().prefix { $0 != end }
        guard let octets = Base64.decode(lines.joined()), octets.count == ed25519Header.count + 32,
            octets.starts(with: ed25519Header)
        else { return nil }
        return try? Curve25519.Signing.PrivateKey(rawRepresentation: octets.suffix(32))
    }

    private static func pem(_ octets: [UInt8]) -> String {
        "\(begin)\n\(Base64.encodeToString(octets))\n\(end)\n"
    }
}
