import Crypto
import FoundationEssentials

/// Seals session secrets for the store: AES-256-GCM under a key that only the server's file system holds, bound to
/// the session's id, so that a copy of the database opens no session and rows cannot be swapped.
public struct SessionVault: Sendable {
    private let key: SymmetricKey

    /// - Parameter key: 32 bytes.
    public init(key: [UInt8]) throws(WSSecurityError) {
        guard key.count == 32 else { throw WSSecurityError(.cannotOpen, "a vault key has 32 bytes") }
        self.key = SymmetricKey(data: key)
    }

    /// Nonce, ciphertext and tag: 60 bytes.
    public func seal(_ secret: SessionSecret, session: String) throws(WSSecurityError) -> [UInt8] {
        do {
            let box = try AES.GCM.seal(secret.bytes, using: key, authenticating: Array(session.utf8))
            guard let combined = box.combined else { throw WSSecurityError(.cannotOpen, "no combined form") }
            return Array(combined)
        } catch {
            throw WSSecurityError(.cannotOpen, "sealing failed")
        }
    }

    public func open(_ sealed: [UInt8], session: String) throws(WSSecurityError) -> SessionSecret {
        do {
            let box = try AES.GCM.SealedBox(combined: sealed)
            let plain = try AES.GCM.open(box, using: key, authenticating: Array(session.utf8))
            guard let secret = SessionSecret(Array(plain)) else {
                throw WSSecurityError(.cannotOpen, "a session secret has another length")
            }
            return secret
        } catch {
            throw WSSecurityError(.cannotOpen, "a sealed session secret does not open")
        }
    }
}
