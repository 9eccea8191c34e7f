/// Passwords: what is acceptable, and how they are kept (scrypt, RFC 7914; never recoverable).
///
/// A check costs about 32 MiB and 60 ms of one core by design: callers bound how many run at once.
public enum Password {
    /// scrypt's cost. Memory is `128 * 2^logN * blockSize` octets.
    public struct Parameters: Sendable, Hashable {
        public let logN: Int
        public let blockSize: Int
        public let parallelism: Int

        /// The default for new hashes: N = 2^15, r = 8, p = 1.
        public static let standard = Parameters(unchecked: 15, 8, 1)

        /// - Throws: ``IdentityError`` `.malformedHash` outside 10...20, 1...32, 1...16 or beyond 256 MiB of work.
        public init(logN: Int, blockSize: Int, parallelism: Int) throws(IdentityError) {
            guard (10...20).contains(logN), (1...32).contains(blockSize), (1...16).contains(parallelism),
                128 * blockSize * parallelism << logN <= 256 << 20
            else { throw IdentityError(.malformedHash, "scrypt parameters out of bounds") }
            self.init(unchecked: logN, blockSize, parallelism)
        }

        private init(unchecked logN: Int, _ blockSize: Int, _ parallelism: Int) {
            self.logN = logN
            self.blockSize = blockSize
            self.parallelism = parallelism
        }
    }

    /// Octets of the normalised password.
    public static let acceptedLength = 8...1024

    /// The string to store.
    /// - Throws: ``IdentityError`` `.unacceptablePassword` with what to change.
    public static func hash(
        _ password: String, parameters: Parameters = .standard
    ) throws(IdentityError) -> String {
        let bytes = try normalized(password)
        guard acceptedLength.contains(bytes.count) else {
            throw IdentityError(
                .unacceptablePassword,
                "a password needs \(acceptedLength.lowerBound) to \(acceptedLength.upperBound) octets")
        }
        return try PasswordHash(of: bytes, salt: RandomID.bytes(PasswordHash.saltLength), parameters: parameters).string
    }

    /// Whether `password` is the one behind `stored`. With `stored == nil` (no such user) the same work is done and
    /// the answer is no, so that time does not tell who exists. An unacceptable password is just wrong.
    /// - Throws: ``IdentityError`` `.malformedHash` if `stored` is damaged.
    public static func verify(_ password: String, against stored: String?) throws(IdentityError) -> Bool {
        let candidate = candidateBytes(password)
        guard let stored else {
            let dummy = try PasswordHash(
                of: candidate ?? [], salt: [UInt8](repeating: 0, count: PasswordHash.saltLength), parameters: .standard)
            return dummy.hash.isEmpty
        }
        let matches = try PasswordHash(stored).matches(candidate ?? [])
        return matches && candidate != nil
    }

    /// Whether a good login should store a new hash: other parameters or a shorter salt than today's.
    public static func needsRehash(_ stored: String, parameters: Parameters = .standard) -> Bool {
        guard let hash = try? PasswordHash(stored) else { return true }
        return hash.parameters != parameters || hash.salt.count < PasswordHash.saltLength
            || hash.hash.count < PasswordHash.hashLength
    }

    /// RFC 8265 §4.2 (OpaqueString): case kept, other spaces become U+0020, NFC; controls are refused.
    static func normalized(_ password: String) throws(IdentityError) -> [UInt8] {
        guard password.utf8.count <= acceptedLength.upperBound * 4 else {
            throw IdentityError(.unacceptablePassword, "the password is too long")
        }
        var view = String.UnicodeScalarView()
        for scalar in password.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                throw IdentityError(.unacceptablePassword, "the password holds a control or unassigned character")
            case .spaceSeparator: view.append(" ")
            default: view.append(scalar)
            }
        }
        return Array(Normalization.nfc(String(view)).utf8)
    }

    private static func candidateBytes(_ password: String) -> [UInt8]? {
        guard let bytes = try? normalized(password), bytes.count <= acceptedLength.upperBound else { return nil }
        return bytes
    }
}
