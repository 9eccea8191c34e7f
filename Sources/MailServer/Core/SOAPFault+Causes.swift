import Identity
import MailModel
import MailStore
import SOAP
import XMLCore
import XMLSecurity

/// The one place where errors of the modules below become faults (design §7). Reasons for logs stay in the log.
extension SOAPFault {
    init(_ error: StoreError) {
        switch error.code {
        case .unknownAccount: self.init(.unknownRecipient, "there is no such account")
        case .accountDisabled: self.init(.forbidden, "the account is disabled")
        case .unknownFolder: self.init(.unknownFolder, "there is no such folder")
        case .unknownMessage: self.init(.unknownMessage, "there is no such message")
        case .unknownSession: self.init(.unknownSession, "the session has ended: open a new one")
        case .invalid, .alreadyExists: self.init(.invalidMessage, "the store does not take this")
        case .storageFull: self.init(.storageFull, "the server's storage is full; nothing was changed, try again later")
        case .busy, .closed, .credentialsChanged: self.init(.busy, "the server is busy; try again")
        default: self.init(.internal, "the server could not do this now; try again later")
        }
    }

    init(_ error: MailModelError) {
        switch error.code {
        case .malformed: self.init(.invalidMessage, error.reason)
        case .invalidValue: self.init(.invalidMessage, error.reason)
        case .limitExceeded: self.init(.tooMany, error.reason)
        case .badSignature, .wrongIssuer: self.init(.invalidPostmark, error.reason)
        }
    }

    init(_ error: IdentityError) {
        switch error.code {
        case .staleMetadata: self.init(.staleMetadata, error.reason)
        case .invalidDomain, .invalidAddress: self.init(.invalidAddress, error.reason)
        case .invalidIdentifier, .malformedRequest, .unacceptablePassword: self.init(.invalidMessage, error.reason)
        case .unsafeFile, .fileSystem, .cryptography, .malformedHash:
            self.init(.internal, "the server could not do this now; try again later")
        default: self.init(.untrustedCertificate, error.reason)
        }
    }

    /// Any error as a fault; what is not known here is `Internal` and says nothing of the inside.
    static func from(_ error: any Error) -> SOAPFault {
        switch error {
        case let fault as SOAPFault: fault
        case let error as StoreError: SOAPFault(error)
        case let error as MailModelError: SOAPFault(error)
        case let error as IdentityError: SOAPFault(error)
        case let error as SignatureError: SOAPFault(.failedCheck, error.reason)
        case let error as XMLError: SOAPFault(.invalidMessage, error.reason)
        default: SOAPFault(.internal, "the server could not do this now; try again later")
        }
    }
}
