import Crypto
import CryptoExtras
import XMLCore
import XMLSecurity

/// Keys, made once, and a signed envelope as our stacks send it.
enum Fixture {
    static let p256 = SigningKey.p256(P256.Signing.PrivateKey())
    static let p384 = SigningKey.p384(P384.Signing.PrivateKey())
    static let rsa: SigningKey? = (try? _RSA.Signing.PrivateKey(keySize: .bits2048)).map { .rsa($0) }
    static let ed25519 = SigningKey.ed25519(Curve25519.Signing.PrivateKey())
    static let hmac = SigningKey.hmac(SymmetricKey(size: .bits256))

    static func key(for algorithm: SignatureAlgorithm) throws -> SigningKey {
        switch algorithm {
        case .ecdsaSHA256: return p256
        case .ecdsaSHA384: return p384
        case .ed25519: return ed25519
        case .hmacSHA256: return hmac
        default:
            guard let rsa else { throw SignatureError(.wrongKeyType, "no RSA key") }
            return rsa
        }
    }

    static let soap = "http://www.w3.org/2003/05/soap-envelope"
    static let ds = SecurityNamespace.ds
    static let wsu = SecurityNamespace.wsu
    static let envelope = XMLTag("s", soap, "Envelope")
    static let header = XMLTag("s", soap, "Header")
    static let body = XMLTag("s", soap, "Body")
    static let security = XMLTag("wsse", SecurityNamespace.wsse, "Security")
    static let timestamp = XMLTag("wsu", wsu, "Timestamp")
    static let created = XMLTag("wsu", wsu, "Created")
    static let id = XMLTag("wsu", wsu, "Id")
    static let payload = XMLTag("w", "urn:wsemail:2", "Send")

    /// Body and Timestamp signed.
    static func signed(
        key: SigningKey = p256, algorithm: SignatureAlgorithm? = nil, digest: DigestAlgorithm = .sha256,
        keyInfo: KeyHint = .thumbprintSHA256([UInt8](repeating: 1, count: 32))
    ) throws -> [UInt8] {
        var writer = XMLWriter()
        writer.start(envelope)
        writer.start(header)
        writer.start(security)
        writer.start(timestamp, selfContained: true)
        writer.attribute(id, "ts")
        writer.element(created, "2025-11-23T19:12:00Z")
        let timestampRange = writer.end()
        let place = writer.bytes.count
        writer.end()
        writer.end()
        writer.start(body, selfContained: true)
        writer.attribute(id, "body")
        writer.element(payload, "pay 10 & go")
        let bodyRange = writer.end()
        writer.end()
        let signer = SignatureSigner(key: key, keyInfo: keyInfo, digest: digest, algorithm: algorithm)
        let signature = try signer.sign(parts: [("body", bodyRange), ("ts", timestampRange)], of: writer.bytes)
        writer.insert(signature, at: place)
        return writer.bytes
    }

    static func signedText() throws -> String { String(decoding: try signed(), as: UTF8.self) }

    /// As a server does: the Signature in the Security header, the whole envelope as the scope.
    static func verify(
        _ bytes: [UInt8], key: VerificationKey = p256.publicKey, verifier: SignatureVerifier = SignatureVerifier()
    ) throws -> (root: XMLElement, signature: VerifiedSignature) {
        let root = try XMLDocument.parse(bytes).root
        let security = try root.only(header.name).only(security.name)
        let signature = try security.only(XMLName(ds, "Signature"))
        return (root, try verifier.verify(signature, in: root) { _ throws(SignatureError) in key })
    }
}

/// The code of the error that `body` throws; nil if it throws none.
func code(_ body: () throws -> Void) -> SignatureError.Code? {
    do {
        try body()
        return nil
    } catch let error as SignatureError {
        return error.code
    } catch {
        return nil
    }
}

extension String {
    /// This text with one passage replaced; the passage must be there.
    func with(_ old: String, _ new: String) throws -> String {
        guard contains(old) else { throw SignatureError(.malformed, "the test's document has no \(old)") }
        return replacing(old, with: new, maxReplacements: 1)
    }

    /// From the first `start` to the end of the first `end` after it.
    func passage(from start: String, to end: String) throws -> String {
        guard let first = firstRange(of: start), let last = self[first.upperBound...].firstRange(of: end) else {
            throw SignatureError(.malformed, "the test's document has no \(start) ... \(end)")
        }
        return String(self[first.lowerBound..<last.upperBound])
    }
}
