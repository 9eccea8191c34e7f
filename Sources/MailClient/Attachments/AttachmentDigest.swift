import Crypto

/// SHA-256 of what lies in memory.
enum AttachmentDigest {
    static func of(_ octets: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: octets)) }
}
