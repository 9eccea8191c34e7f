import XMLSecurity

/// A private signing key in a file of its own (PKCS #8 PEM), under the rules of ``PrivateFile``.
public enum KeyFile {
    /// Writes `key` to `path`, mode 0600.
    /// - Throws: ``IdentityError`` `.fileSystem`, `.unsupportedKey` for shared secrets.
    public static func write(_ key: SigningKey, to path: String) throws(IdentityError) {
        let pem = try IdentityError.wrap(.unsupportedKey, "the key for \(path)") {
            try key.certificatePrivateKey().serializeAsPEM().pemString
        }
        try PrivateFile.write(pem + "\n", to: path)
    }

    /// Reads the key in `path`. The error never quotes the file.
    /// - Throws: ``IdentityError`` `.unsafeFile`, `.fileSystem`, `.unsupportedKey`.
    public static func read(_ path: String) throws(IdentityError) -> SigningKey {
        let pem = try PrivateFile.readText(path, limit: 16_384)
        guard let key = try? SigningKey(pem: pem) else {
            throw IdentityError(.unsupportedKey, "\(path) does not hold a private key (PEM) that we can use")
        }
        return key
    }
}
