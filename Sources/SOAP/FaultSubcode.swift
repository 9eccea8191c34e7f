/// Why a call was refused: the stable part of a fault, a QName in `urn:wsemail:2`.
///
/// A client may act on the subcode; the reason beside it is for people and may change.
/// Both tables of this file are normative: who is to blame, and whether to try again.
public enum FaultSubcode: String, CaseIterable, Sendable {
    // The envelope
    case malformedEnvelope = "MalformedEnvelope"
    case unsupportedVersion = "UnsupportedVersion"
    case mustUnderstand = "MustUnderstand"
    /// A required header (MessageID, To, Action, Timestamp, Sequence) is absent.
    case missingHeader = "MissingHeader"
    case actionMismatch = "ActionMismatch"
    case unknownAction = "UnknownAction"
    // Security
    case failedAuthentication = "FailedAuthentication"
    case failedCheck = "FailedCheck"
    case unsignedPart = "UnsignedPart"
    case duplicateId = "DuplicateId"
    case unsupportedAlgorithm = "UnsupportedAlgorithm"
    /// Detail carries `ServerTime`: re-wrap with a corrected clock.
    case staleTimestamp = "StaleTimestamp"
    case replay = "Replay"
    /// Detail carries `Next`: re-wrap with that sequence number or a higher one.
    case staleSequence = "StaleSequence"
    case unknownSession = "UnknownSession"
    /// Send the certificate along (BinarySecurityToken) and try again.
    case unknownCertificate = "UnknownCertificate"
    case untrustedCertificate = "UntrustedCertificate"
    case forbidden = "Forbidden"
    /// The assertion is refused; why, only the log says.
    case invalidToken = "InvalidToken"
    /// Assertions of that issuer are not accepted, or not for this service.
    case untrustedIssuer = "UntrustedIssuer"
    // Mail
    case invalidAddress = "InvalidAddress"
    case unknownRecipient = "UnknownRecipient"
    case unknownMessage = "UnknownMessage"
    case unknownFolder = "UnknownFolder"
    case idConflict = "IdConflict"
    case tooLarge = "TooLarge"
    case tooMany = "TooMany"
    case quotaExceeded = "QuotaExceeded"
    case unsupportedConstraint = "UnsupportedConstraint"
    case expiredMessage = "ExpiredMessage"
    case loop = "Loop"
    case wrongDestination = "WrongDestination"
    case invalidPostmark = "InvalidPostmark"
    case invalidMessage = "InvalidMessage"
    case staleMetadata = "StaleMetadata"
    // Plug-ins
    /// No plug-in of the server answers for the identifier.
    case unknownExtension = "UnknownExtension"
    /// The plug-in refused the request; the reason is the plug-in's.
    case extensionFailed = "ExtensionFailed"
    /// A plug-in without which the server does not go on cannot do its work now.
    case pluginUnavailable = "PluginUnavailable"
    /// A plug-in of the server refused the message; the reason is the plug-in's.
    case refusedByPolicy = "RefusedByPolicy"
    // The server's own troubles
    case busy = "Busy"
    case storageFull = "StorageFull"
    case `internal` = "Internal"
    /// Read from a newer or foreign peer; never written.
    case unrecognized = "Unrecognized"

    /// True if the same intent may succeed later or after re-wrapping: keep it queued.
    public var isTransient: Bool {
        switch self {
        case .staleTimestamp, .staleSequence, .unknownCertificate, .staleMetadata, .pluginUnavailable, .busy, .storageFull,
            .internal:
            true
        default: false
        }
    }

    /// SOAP 1.2 §5.4.6: which side is to blame.
    public var defaultCode: SOAPFault.Code {
        switch self {
        case .pluginUnavailable, .busy, .storageFull, .internal: .receiver
        case .mustUnderstand: .mustUnderstand
        case .unsupportedVersion: .versionMismatch
        default: .sender
        }
    }
}
