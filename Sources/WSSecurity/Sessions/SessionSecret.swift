import Crypto
import Identity

/// The 256-bit secret of a session. It never describes itself.
public struct SessionSecret: Sendable {
    public static let length = 32

    /// For the token response, the vault and the client's key file; nowhere else.
    public let bytes: [UInt8]

    /// Nil unless there are exactly 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        self.bytes = bytes
    }

    private init(random: Void) { bytes = RandomID.bytes(Self.length) }

    public static func random() -> SessionSecret { SessionSecret(random: ()) }
}

extension SessionSecret: Equatable {
    /// Takes the same time whatever differs.
    public static func == (one: SessionSecret, other: SessionSecret) -> Bool {
        zip(one.bytes, other.bytes).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension SessionSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "SessionSecret(redacted)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The two keys of a session, one per direction, so that a request can never come back as a reply.
///
/// HKDF-SHA256 (RFC 5869): secret as input, the session's identifier as salt, `wsemail2 client` and
/// `wsemail2 server` as info; 32 bytes each.
public struct SessionKeys: Sendable {
    /// Signs what the client sends.
    public let client: SymmetricKey
    /// Signs what the server sends.
    public let server: SymmetricKey

    public init(secret: SessionSecret, session: String) {
        let input = SymmetricKey(data: secret.bytes)
        let salt = Array(session.utf8)
        client = Self.derive(input, salt, "wsemail2 client")
        server = Self.derive(input, salt, "wsemail2 server")
    }

    private static func derive(_ input: SymmetricKey, _ salt: [UInt8], _ info: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: input, salt: salt, info: Array(info.utf8), outputByteCount: SessionSecret.length)
    }
}
