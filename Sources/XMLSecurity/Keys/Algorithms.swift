import Crypto
import XMLCore

/// The digests of references. SHA-1 is none of them.
public enum DigestAlgorithm: String, Sendable, CaseIterable {
    case sha256 = "http://www.w3.org/2001/04/xmlenc#sha256"
    case sha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
    case sha512 = "http://www.w3.org/2001/04/xmlenc#sha512"

    static let table = AlgorithmTable<DigestAlgorithm>()

    public func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        hash { update in
            let isDone: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
            if isDone == nil { Array(bytes).withUnsafeBytes(update) }
        }
    }

    /// The digest of all that `feed` hands to the closure it is given.
    func hash(_ feed: ((UnsafeRawBufferPointer) -> Void) -> Void) -> [UInt8] {
        switch self {
        case .sha256: digest(SHA256.self, feed)
        case .sha384: digest(SHA384.self, feed)
        case .sha512: digest(SHA512.self, feed)
        }
    }
}

private func digest<Hash: HashFunction>(
    _: Hash.Type, _ feed: ((UnsafeRawBufferPointer) -> Void) -> Void
) -> [UInt8] {
    var hash = Hash()
    feed { hash.update(bufferPointer: $0) }
    return hash.finalize().withUnsafeBytes { Array($0) }
}

/// Finds the case that the attribute `Algorithm` of an element names.
struct AlgorithmTable<Algorithm: CaseIterable & RawRepresentable & Sendable>: Sendable
where Algorithm.RawValue == String {
    private let algorithms = Array(Algorithm.allCases)
    private let names = Algorithm.allCases.map(\.rawValue)

    func named(by element: XMLElement) -> Algorithm? {
        element.attribute("Algorithm", isOneOf: names).map { algorithms[$0] }
    }
}

/// The signature algorithms we know, by their URI (XML-Signature 1.1 §6, RFC 9231). SHA-1 is none of them.
public enum SignatureAlgorithm: String, Sendable, CaseIterable {
    case ecdsaSHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    case ecdsaSHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
    case rsaSHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    case rsaSHA384 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
    case rsaSHA512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
    case rsaPSSSHA256 = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
    case rsaPSSSHA384 = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
    case rsaPSSSHA512 = "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"
    case ed25519 = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
    case hmacSHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"

    static let table = AlgorithmTable<SignatureAlgorithm>()

    /// What a key of each type signs with. A key is never tried with an algorithm of another type.
    var keyType: KeyType {
        switch self {
        case .ecdsaSHA256: .p256
        case .ecdsaSHA384: .p384
        case .rsaSHA256, .rsaSHA384, .rsaSHA512, .rsaPSSSHA256, .rsaPSSSHA384, .rsaPSSSHA512: .rsa
        case .ed25519: .ed25519
        case .hmacSHA256: .hmac
        }
    }
}

extension Set<SignatureAlgorithm> {
    /// All that ``SignatureAlgorithm`` knows.
    public static let standard = Set(SignatureAlgorithm.allCases)
    /// Those whose verifier cannot sign.
    public static let publicKey = standard.subtracting([.hmacSHA256])
}

enum KeyType: String, Sendable {
    case p256, p384, rsa, ed25519, hmac
}
