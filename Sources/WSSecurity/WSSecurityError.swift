import SOAP

/// What the client half reports, and what cannot be signed or sealed here. The server half answers with `SOAPFault`s.
public struct WSSecurityError: Error, Sendable {
    public enum Code: String, Sendable, CaseIterable {
        /// The reply is no envelope we can read.
        case malformed
        /// The reply carries no signature, or leaves a part that must be signed unsigned.
        case unsigned
        /// A fault that nobody signed (or that is bound to no call). See `untrusted`: show it, do not act on it.
        case untrustedFault
        /// Signed by a certificate that does not speak for the domain we called.
        case untrustedSigner
        case badSignature
        /// A good reply to another call.
        case wrongReply
        /// The reply's Timestamp is outside the freshness window.
        case staleReply
        /// A token response or session that cannot be used.
        case invalidToken
        /// A call or reply could not be signed with this key.
        case cannotSign
        /// A sealed secret does not open.
        case cannotOpen
    }

    public let code: Code
    /// For logs.
    public let reason: String
    /// With `untrustedFault`: what somebody on the way claims that the server said.
    public let untrusted: SOAPFault?

    public init(_ code: Code, _ reason: String, untrusted: SOAPFault? = nil) {
        self.code = code
        self.reason = reason
        self.untrusted = untrusted
    }

    /// A garbled, forged or misdirected reply says nothing about the call: try again, the intent's id makes it safe.
    public var isTransient: Bool {
        switch code {
        case .cannotSign, .cannotOpen, .invalidToken: false
        default: true
        }
    }
}

extension WSSecurityError: CustomStringConvertible {
    public var description: String { "\(code.rawValue): \(reason)" }
}
