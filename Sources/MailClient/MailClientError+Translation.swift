import Delivery
import Identity
import MailModel
import SOAP
import SOAPClient
import WSSecurity
import XMLCore
import XMLSecurity

extension MailClientError {
    /// One place that turns the errors of all lower modules into ours.
    public init(_ error: any Error) {
        switch error {
        case let error as MailClientError: self = error
        case let error as SOAPFault: self.init(fault: error)
        case let error as SOAPClientError: self.init(call: error)
        case let error as DeliveryError: self.init(resolution: error)
        case let error as WSSecurityError: self.init(reply: error)
        case let error as IdentityError: self.init(identity: error)
        case let error as MailModelError: self.init(.notVerified, error.reason)
        case let error as SignatureError: self.init(.notVerified, error.reason)
        case let error as XMLError: self.init(.notVerified, error.reason)
        case is CancellationError: self.init(.internal, "interrupted", isTransient: true)
        default: self.init(.internal, "\(error)")
        }
    }

    private init(call error: SOAPClientError) {
        if let fault = error.fault {
            self.init(fault: fault)
            return
        }
        let words = ConnectionWords.plain(error.reason)
        switch error.code {
        case .tlsUntrusted, .tlsWrongName:
            self.init(
                .untrustedServer, "the server's TLS certificate does not prove your mail domain: \(words)",
                advice: "Somebody may be in between. Ask the domain's operator whether its root changed; if so, "
                    + "run `wsemail account remove` and `wsemail account add` with the new fingerprint.",
                isTransient: error.isTransient)
        case .untrustedReply:
            self.init(
                .untrustedServer, "the server's answer could not be believed: \(words)",
                advice: "Try again; if it stays so, tell the domain's operator.", isTransient: true)
        case .outcomeUnknown:
            self.init(.unacknowledged, words, advice: "Run the command again.", isTransient: true)
        case .connectFailed, .connectTimeout:
            self.init(.unreachable, words, advice: Self.tryAgain, isTransient: true)
        case .httpStatus where error.reason == "HTTP status 413":
            // Not signed, but said by the server that TLS proved; the same octets never become smaller.
            self.init(
                .refused, "the server refuses it: it is too large", advice: "Shorten the message.",
                fault: FaultSubcode.tooLarge.rawValue)
        case .cancelled: self.init(.internal, "interrupted", isTransient: true)
        case .invalidDestination, .invalidRequest, .closed: self.init(.internal, error.reason)
        default:
            self.init(
                .unreachable, "the server could not be reached: \(words)", advice: Self.tryAgain, isTransient: true)
        }
    }

    private static let tryAgain = "Check the network, then try again; nothing is lost."

    private init(resolution error: DeliveryError) {
        let words = ConnectionWords.plain(error.reason)
        switch error.code {
        case .noService, .serviceDenied:
            self.init(
                .unreachable, words,
                advice: "Check the spelling of the domain, or name its server with --server HOST:PORT.",
                isTransient: error.isTransient)
        case .privateTarget:
            self.init(
                .unreachable, "the domain's servers have private addresses only",
                advice: "In a private network, allow that with --allow-private when you add the account.")
        case .dnsFailure, .bogus, .noAddress, .unreachable, .suspended:
            self.init(
                .unreachable, words,
                advice: "Check the network and DNS (--dns ADDRESS asks another resolver), then try again.",
                isTransient: true)
        default: self.init(.internal, words, isTransient: error.isTransient)
        }
    }

    private init(reply error: WSSecurityError) {
        guard let claimed = error.untrusted else {
            self.init(
                .untrustedServer, "the server's answer could not be believed: \(error.reason)",
                advice: "Try again; if it stays so, tell the domain's operator.", isTransient: error.isTransient)
            return
        }
        self.init(
            .untrustedServer,
            "an answer that nobody signed says: \(claimed.subcode.rawValue): \(claimed.reason)",
            advice: "It proves nothing: try again; if it stays so, tell the domain's operator.", isTransient: true)
    }

    private init(identity error: IdentityError) {
        switch error.code {
        case .fileSystem, .unsafeFile: self.init(.storage, error.reason)
        case .invalidAddress, .invalidDomain, .invalidFingerprint, .invalidIdentifier, .unacceptablePassword:
            self.init(.invalidInput, error.reason)
        case .cryptography, .limitExceeded: self.init(.internal, error.reason)
        default: self.init(.notVerified, error.reason, isTransient: error.isTransient)
        }
    }
}
