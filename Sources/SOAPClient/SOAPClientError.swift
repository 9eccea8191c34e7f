import SOAP

/// What went wrong with a call, from the connection up to the verified fault.
///
/// Three families, told apart by ``kind``: the *transport* never brought a believable answer (try again), the peer
/// answered with a *fault* whose signature was verified (believe it), or the reply was *untrusted* (believe nothing
/// it says).
public struct SOAPClientError: Error, Sendable {
    /// Stable names, safe for logs, metrics and scripts.
    public enum Code: String, Sendable, CaseIterable {
        /// The destination has no endpoint, or one that is not an IP literal, or unusable trust roots.
        case invalidDestination
        /// No endpoint took the connection (refused, unreachable, reset before TLS was up).
        case connectFailed
        /// TCP or the TLS handshake took longer than the connect timeout.
        case connectTimeout
        /// The TLS handshake failed for another reason than the two below (version, cipher, truncated).
        case tlsFailed
        /// The TLS chain does not end in an allowed root, or has expired.
        case tlsUntrusted
        /// The TLS certificate is for another name.
        case tlsWrongName
        /// The call's time ran out.
        case timeout
        /// The connection broke during the call.
        case connectionLost
        /// The reply (after inflation) is longer than the call allows.
        case replyTooLarge
        /// The reply is not HTTP/1.1, or badly compressed, or not an envelope.
        case malformedReply
        /// An HTTP status that carries no SOAP answer.
        case httpStatus
        /// The caller's task was cancelled.
        case cancelled
        /// The transport or caller has been shut down.
        case closed
        /// The request could not be built (bad key, no such credentials).
        case invalidRequest
        /// A fault, signed by the peer and verified; see ``SOAPClientError/fault``.
        case fault
        /// The reply's signature, signer, relation or freshness does not hold.
        case untrustedReply
        /// The request may or may not have been executed: it was sent again after a broken connection and the peer
        /// had seen it. Repeat it by its *intent* id.
        case outcomeUnknown
    }

    /// How much of the answer can be believed.
    public enum Kind: Sendable { case transport, fault, untrusted, local }

    public let code: Code
    /// For logs and people; holds no secrets.
    public let reason: String
    /// Trying again later may succeed without anybody changing the request.
    public let isTransient: Bool
    /// The verified fault when ``code`` is `fault`.
    public let fault: SOAPFault?

    public init(_ code: Code, _ reason: String, isTransient: Bool? = nil) {
        self.code = code
        self.reason = reason
        self.isTransient = isTransient ?? Self.transientCodes.contains(code)
        self.fault = nil
    }

    /// A fault whose signature has been verified.
    public init(verified fault: SOAPFault) {
        self.code = .fault
        self.reason = "\(fault.subcode.rawValue): \(fault.reason)"
        self.isTransient = fault.isTransient
        self.fault = fault
    }

    // A wrong certificate is transient in the queue's sense: the peer's operator can repair it while the message waits.
    private static let transientCodes: Set<Code> = [
        .connectFailed, .connectTimeout, .tlsFailed, .tlsUntrusted, .tlsWrongName, .timeout, .connectionLost,
        .malformedReply, .httpStatus, .closed, .untrustedReply, .outcomeUnknown,
    ]

    public var kind: Kind {
        switch code {
        case .fault: .fault
        case .untrustedReply: .untrusted
        case .invalidDestination, .cancelled, .closed, .invalidRequest: .local
        default: .transport
        }
    }

    /// The peer was not reached at all: what a circuit breaker counts.
    public var isConnectionFailure: Bool {
        switch code {
        case .connectFailed, .connectTimeout, .tlsFailed, .tlsUntrusted, .tlsWrongName, .timeout, .connectionLost: true
        default: false
        }
    }
}

extension SOAPClientError: CustomStringConvertible {
    public var description: String { "\(code.rawValue): \(reason)" }
}
