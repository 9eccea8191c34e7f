import Crypto

/// The SHA-256 of a certificate's DER, as people compare it: `SHA256:AB:CD:…`.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// The fingerprint of a certificate.
    public init(of der: some Sequence<UInt8>) {
        bytes = Array(SHA256.hash(data: Array(der)))
    }

    /// Reads what people paste: colons, spaces, hyphens, any case, with or without `SHA256:` or openssl's
    /// `sha256 Fingerprint=`.
    /// - Throws: ``IdentityError`` `.invalidFingerprint`.
    public init(_ string: String) throws(IdentityError) {
        guard string.utf8.count <= 256 else { throw IdentityError(.invalidFingerprint, "too long") }
        var text = string.lowercased().filter { !$0.isWhitespace }
        for prefix in ["sha256fingerprint=", "sha256:", "sha-256:", "sha256="] where text.hasPrefix(prefix) {
            text.removeFirst(prefix.count)
            break
        }
        let digits = text.utf8.filter { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "-") }
        guard let bytes = Hex.decode(digits), bytes.count == 32 else {
            throw IdentityError(.invalidFingerprint, "a fingerprint is 64 hexadecimal digits (SHA-256)")
        }
        self.bytes = bytes
    }

    public var description: String { "SHA256:" + Hex.encode(bytes, separator: ":", uppercase: true) }
}
