/// Why something the person asked for was not done, and what to do about it.
public struct MailClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable names for scripts.
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such account, or none yet.
        case noAccount
        case accountExists
        /// What was typed does not parse.
        case invalidInput
        /// The root's fingerprint is another than the one given, or nobody confirmed it.
        case fingerprintMismatch
        /// The server could not be reached: DNS, network or TLS.
        case unreachable
        /// The server's answer, certificate or metadata could not be believed.
        case untrustedServer
        /// The server refused; see ``MailClientError/fault``.
        case refused
        /// The password is wrong, or needed and not given.
        case password
        /// The key's certificate is not accepted (any more).
        case keyRefused
        /// Sent, but no acknowledgement came: the outbox keeps it and sends it again.
        case unacknowledged
        case noSuchMessage
        /// A signature, receipt or bundle does not verify.
        case notVerified
        /// The config folder cannot be read or written, or is not private.
        case storage
        /// Another command holds the session for too long.
        case busy
        case `internal`
    }

    public let code: Code
    /// One sentence for people and logs; no secrets.
    public let reason: String
    /// What the person can do now; nil where nothing better than the reason can be said.
    public let advice: String?
    /// Subcode of the server's verified fault, with `refused`, `password` and `keyRefused`.
    public let fault: String?
    public let isTransient: Bool

    public init(
        _ code: Code, _ reason: String, advice: String? = nil, fault: String? = nil, isTransient: Bool = false
    ) {
        self.code = code
        self.reason = reason
        self.advice = advice
        self.fault = fault
        self.isTransient = isTransient
    }

    public var description: String { "\(code.rawValue): \(reason)" }
}
