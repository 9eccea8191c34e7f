import Identity
import SOAP
import SOAPClient

/// Why a destination was not found or not reached, or a batch not delivered.
public struct DeliveryError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable names for logs, metrics and the queue's reasons.
    public enum Code: String, Sendable, CaseIterable {
        /// DNS did not answer, or answered with a failure. Transient.
        case dnsFailure
        /// DNSSEC validation failed. Transient: only the domain's operator (or the end of an attack) can repair it, and
        /// until the message expires they may.
        case bogus
        /// The domain publishes no `_wsemail._tcp` record. Permanent when DNSSEC proves it; otherwise transient for
        /// ``RetrySchedule/noServiceGrace``, as an answer on its way may lie or a zone be half loaded.
        case noService
        /// The domain says that it offers no WSEmail: SRV target "." (RFC 2782). Permanent.
        case serviceDenied
        /// None of the SRV targets has an address. Transient.
        case noAddress
        /// All addresses are private, loopback or otherwise not for the public. Permanent.
        case privateTarget
        /// No trust anchor covers the domain. Transient: the administrator may add one.
        case noAnchor
        /// The peer was not reached or broke off. Transient.
        case unreachable
        /// The circuit breaker is open: not attempted. Transient.
        case suspended
        /// The peer's reply could not be believed. Transient.
        case untrusted
        /// The peer answered the whole call with a fault.
        case fault
        /// The agent is shutting down. Transient.
        case closed
        /// A defect or a wrong configuration of ours.
        case `internal`
    }

    public let code: Code
    /// For logs and the queue; no secrets, no message content.
    public let reason: String
    public let isTransient: Bool
    /// Whether the peer counts as down: what the circuit breaker listens to.
    public let isConnectionFailure: Bool
    /// What the peer's fault says, when ``code`` is `fault`.
    public let subcode: FaultSubcode?

    public init(
        _ code: Code, _ reason: String, isTransient: Bool? = nil, isConnectionFailure: Bool? = nil,
        subcode: FaultSubcode? = nil
    ) {
        self.subcode = subcode
        self.code = code
        self.reason = reason
        self.isTransient = isTransient ?? (code != .serviceDenied && code != .privateTarget)
        self.isConnectionFailure = isConnectionFailure ?? Self.down.contains(code)
    }

    private static let down: Set<Code> = [.unreachable, .dnsFailure, .bogus, .noAddress]

    /// What a failed call means for delivery.
    ///
    /// Only a fault that speaks of the *message* is permanent. One that speaks of the servers (an unknown certificate, a
    /// lost session, a forbidden domain) can be repaired by their operators while the message waits.
    public init(_ error: SOAPClientError) {
        switch error.kind {
        case .fault:
            let speaksOfMessage = error.fault.map { Self.messageFaults.contains($0.subcode) } ?? false
            self.init(
                .fault, "its server answered \(error.reason)", isTransient: error.isTransient || !speaksOfMessage,
                subcode: error.fault?.subcode)
        case .untrusted:
            self.init(.untrusted, error.reason)
        case .transport:
            // Whatever the transport suffered, the message is not to blame, except when the reply can never fit.
            self.init(.unreachable, error.reason, isTransient: true, isConnectionFailure: error.isConnectionFailure)
        case .local:
            self.init(error.code == .closed || error.code == .cancelled ? .closed : .internal, error.reason, isTransient: true)
        }
    }

    private static let messageFaults: Set<FaultSubcode> = [
        .tooLarge, .tooMany, .invalidMessage, .invalidPostmark, .expiredMessage, .loop, .wrongDestination,
        .unsupportedConstraint, .unknownRecipient, .invalidAddress, .idConflict, .malformedEnvelope,
    ]

    /// No root is trusted that could vouch for `domain`.
    public static func noAnchor(for domain: MailDomain) -> DeliveryError {
        DeliveryError(.noAnchor, "this server does not trust \(domain) yet: wsemaild trust add \(domain) --fingerprint SHA256:…")
    }

    public var description: String { "\(code.rawValue): \(reason)" }
}
