import Identity
import MailStore

extension AdminError {
    /// Any error of the modules below, with advice.
    static func from(_ error: any Error) -> AdminError {
        switch error {
        case let error as AdminError: error
        case let error as StoreError: AdminError(error)
        case let error as IdentityError: AdminError(error)
        case let error as ConfigurationError: AdminError(.file, error.reason)
        default: AdminError(.internal, "\(error)", hint: "the server's log may say more")
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
        case .invalid: self.init(.invalidArgument, error.reason)
        default: self.init(.internal, "\(error)", hint: "the server's log may say more")
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
