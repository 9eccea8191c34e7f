import Crypto
import CryptoExtras
import FoundationEssentials

/// A stored password: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64 without padding (the PHC string format).
struct PasswordHash: Sendable, Equatable {
    let parameters: Password.Parameters
    let salt: [UInt8]
    let hash: [UInt8]

    static let saltLength = 16
    static let hashLength = 32

    /// - Throws: ``IdentityError`` `.malformedHash`, also where the parameters would cost absurd time or memory.
    init(_ string: String) throws(IdentityError) {
        guard string.utf8.count <= 512 else { throw Self.malformed("too long") }
        let fields = string.split(separator: "$", omittingEmptySubsequences: false)
        guard fields.count == 5, fields[0].isEmpty, fields[1] == "scrypt" else { throw Self.malformed("not scrypt") }
        parameters = try Self.parameters(fields[2])
        guard let salt = Self.decode(fields[3]), (8...64).contains(salt.count) else { throw Self.malformed("salt") }
        guard let hash = Self.decode(fields[4]), (16...64).contains(hash.count) else { throw Self.malformed("hash") }
        self.salt = salt
        self.hash = hash
    }

    init(of password: [UInt8], salt: [UInt8], parameters: Password.Parameters) throws(IdentityError) {
        self.parameters = parameters
        self.salt = salt
        hash = try Self.derive(password, salt, parameters, Self.hashLength)
    }

    var string: String {
        let fields = "ln=\(parameters.logN),r=\(parameters.blockSize),p=\(parameters.parallelism)"
        return "$scrypt$\(fields)$\(Self.encode(salt))$\(Self.encode(hash))"
    }

    /// Does the whole derivation and compares without leaking where a difference is.
    func matches(_ password: [UInt8]) throws(IdentityError) -> Bool {
        let candidate = try Self.derive(password, salt, parameters, hash.count)
        guard candidate.count == hash.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(candidate, hash) { difference |= one ^ other }
        return difference == 0
    }

    private static func derive(
        _ password: [UInt8], _ salt: [UInt8], _ parameters: Password.Parameters, _ count: Int
    ) throws(IdentityError) -> [UInt8] {
        try IdentityError.wrap(.cryptography, "scrypt") {
            let key = try KDF.Scrypt.deriveKey(
                from: password, salt: salt, outputByteCount: count, rounds: 1 << parameters.logN,
                blockSize: parameters.blockSize, parallelism: parameters.parallelism)
            return key.withUnsafeBytes { Array($0) }
        }
    }

    private static func parameters(_ text: Substring) throws(IdentityError) -> Password.Parameters {
        var values: [String: Int] = [:]
        for field in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = field.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, let value = Int(pair[1]), values.updateValue(value, forKey: String(pair[0])) == nil
            else { throw malformed("parameters") }
        }
        guard values.count == 3, let logN = values["ln"], let r = values["r"], let p = values["p"] else {
            throw malformed("parameters")
        }
        return try Password.Parameters(logN: logN, blockSize: r, parallelism: p)
    }

    private static func encode(_ bytes: [UInt8]) -> String {
        String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
    }

    private static func decode(_ text: Substring) -> [UInt8]? {
        guard !text.contains("="), text.utf8.count % 4 != 1 else { return nil }
        let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: String(padded)) else { return nil }
        let bytes = Array(data)
        // One spelling only: stray bits behind the last octet are refused.
        return encode(bytes) == String(text) ? bytes : nil
    }

    private static func malformed(_ what: String) -> IdentityError {
        IdentityError(.malformedHash, "the stored password hash is malformed: \(what)")
    }
}
