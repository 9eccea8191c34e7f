/// What went wrong in a question of identity: names, keys, certificates, trust, metadata, secrets.
///
/// `reason` is written for logs and administrators; it never holds a secret. Callers branch on `code` only.
public struct IdentityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The stable kind of a failure.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A mail domain or host name that is not acceptable.
        case invalidDomain
        /// A mail address that is not acceptable.
        case invalidAddress
        /// A malformed `urn:uuid:` identifier.
        case invalidIdentifier
        /// A malformed fingerprint.
        case invalidFingerprint
        /// Bytes that are not a certificate we can read.
        case malformedCertificate
        /// Bytes that are not a certificate request, or whose self-signature is wrong.
        case malformedRequest
        /// A key of an unknown type, or one too weak.
        case unsupportedKey
        /// A private key does not belong to the certificate it came with.
        case keyMismatch
        /// A certificate of the wrong kind for what it is used for.
        case wrongRole
        /// A certificate or document outside its period of validity.
        case notValidNow
        /// A certificate that its domain has revoked.
        case revoked
        /// No path to an anchor that may speak for this name.
        case untrusted
        /// No anchor is known for this domain at all.
        case noAnchor
        /// The certificate does not name what it is used for.
        case nameMismatch
        /// A metadata document that is malformed or contradicts itself.
        case malformedMetadata
        /// A metadata document or an assertion whose signature is wrong or missing.
        case badSignature
        /// A metadata document older than one already known (versions only grow).
        case metadataRollback
        /// A metadata document past its `NextUpdate`: ask the domain for a newer one, then try again.
        case staleMetadata
        /// A SAML assertion that is not exactly of the form we use.
        case malformedAssertion
        /// An assertion for another service.
        case wrongAudience
        /// A password outside the policy.
        case unacceptablePassword
        /// A stored password hash that cannot be read or has absurd parameters.
        case malformedHash
        /// A file that others can read, or that is not what it should be.
        case unsafeFile
        /// A file system call failed.
        case fileSystem
        /// A limit on size or number was exceeded.
        case limitExceeded
        /// A cryptographic operation failed for no fault of the input.
        case cryptography
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Whether the same call may succeed later without any change by its caller.
    public var isTransient: Bool {
        switch code {
        case .staleMetadata, .fileSystem: true
        default: false
        }
    }

    public var description: String { "\(code.rawValue): \(reason)" }
}

extension IdentityError {
    /// Runs `body` and turns a foreign error into `code`, keeping our own errors as they are.
    static func wrap<T>(_ code: Code, _ what: String, _ body: () throws -> T) throws(IdentityError) -> T {
        do {
            return try body()
        } catch let error as IdentityError {
            throw error
        } catch {
            throw IdentityError(code, "\(what): \(error)")
        }
    }
}
