import Delivery
import Identity
import MailModel
import MailStore
import NIOCore
import PluginAPI
import SOAP
import SOAPClient
import WSSecurity
import XMLCore
import XMLSecurity

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension AdminError {
    /// Any error of the modules below, with advice.
    public static func from(_ error: any Error) -> AdminError {
        switch error {
        case let error as AdminError: error
        case let error as StoreError: AdminError(error)
        case let error as IdentityError: AdminError(error)
        case let error as ConfigurationError: AdminError(.file, error.reason)
        case let error as PluginError: AdminError(error)
        case let error as DeliveryError: AdminError(.file, error.reason, hint: "look at the dns_ settings")
        default: AdminError(.internal, PlainReason.of(error), hint: "the server's log may say more")
        }
    }

    init(_ error: StoreError) {
        switch error.code {
        case .unknownAccount: self.init(.unknownAccount, error.reason, hint: "`wsemaild user list` shows the accounts")
        case .alreadyExists: self.init(.alreadyExists, error.reason)
        case .unknownJob: self.init(.unknownJob, error.reason, hint: "it may be done by now; see `wsemaild queue list`")
        case .unknownCertificate: self.init(.unknownCertificate, error.reason)
        case .storageFull: self.init(.storage, error.reason, hint: "free space on the disk, then try again")
        case .ioFailure: self.init(.storage, error.reason, hint: "look at the disk and the system's log, then try again")
        case .busy: self.init(.busy, error.reason, hint: "try again")
        case .closed: self.init(.busy, "the server is shutting down", hint: "try again when it is up")
        case .inUse: self.init(.inUse, error.reason)
        case .schemaTooNew: self.init(.file, error.reason, hint: "install the newer program")
        case .corrupt, .foreignDatabase, .misconfigured: self.init(.file, error.reason)
        case .invalid, .quotaExceeded: self.init(.invalidArgument, error.reason)
        default: self.init(.internal, error.reason, hint: "the server's log may say more")
        }
    }

    init(_ error: PluginError) {
        switch error.code {
        case .invalid, .limitExceeded: self.init(.invalidArgument, error.reason)
        case .refused, .notGranted, .invalidModule, .failed, .suspended: self.init(.refused, error.reason)
        case .unavailable: self.init(.file, error.reason, hint: "look at the setting plugin_engine_library")
        case .timedOut, .busy: self.init(.busy, error.reason, hint: "try again")
        case .storage: self.init(.storage, error.reason, hint: "look at the disk and the server's log, then try again")
        }
    }

    init(_ error: IdentityError) {
        switch error.code {
        case .unsafeFile, .fileSystem: self.init(.file, error.reason)
        case .untrusted, .noAnchor, .nameMismatch, .wrongRole, .notValidNow, .badSignature:
            self.init(.untrusted, error.reason)
        case .cryptography: self.init(.internal, error.reason)
        default: self.init(.invalidArgument, error.reason)
        }
    }
}

/// Any error in words, for people and logs: never the dump of a type.
enum PlainReason {
    static func of(_ error: any Error) -> String {
        switch error {
        case let error as AdminError: error.reason
        case let error as SOAPFault: error.reason
        case let error as StoreError: error.reason
        case let error as IdentityError: error.reason
        case let error as ConfigurationError: error.reason
        case let error as DeliveryError: error.reason
        case let error as SOAPClientError: error.reason
        case let error as MailModelError: error.reason
        case let error as SignatureError: error.reason
        case let error as WSSecurityError: error.reason
        case let error as XMLError: error.reason
        case let error as PluginError: error.reason
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case is CancellationError: "it was stopped before it was done"
        // Of a library: its words are better than none.
        default: "\(error)"
        }
    }
}
