/// Why a store refused or failed an operation.
///
/// `reason` is meant for logs and administrators: it holds no message content and no secret, but it is never sent to a
/// peer.
public struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Stable codes; the server maps them to fault subcodes.
    public enum Code: String, Sendable, CaseIterable {
        /// There is no account of that address.
        case unknownAccount
        /// The account exists and is disabled.
        case accountDisabled
        /// The account has no folder of that name.
        case unknownFolder
        /// The account has no such message.
        case unknownMessage
        /// There is no queue job of that number (it may have been completed or dropped).
        case unknownJob
        /// There is no session of that id.
        case unknownSession
        /// There is no such certificate or trust anchor.
        case unknownCertificate
        /// What is to be created exists already.
        case alreadyExists
        /// The lease is held by somebody else by now: the work may be done twice, the result of this worker is dropped.
        case leaseLost
        /// The credentials of the principal changed after they were checked: check them again.
        case credentialsChanged
        /// The caller handed over something that cannot be stored (too many recipients, one recipient twice, a bad
        /// name).
        case invalid
        /// A plug-in's values would take more than its quota.
        case quotaExceeded
        /// The disk or the permitted database size is full. Transient: works again when there is space.
        case storageFull
        /// The disk or the database server answered with an error. Transient.
        case ioFailure
        /// Too much work is waiting, or a lock could not be had in time. Transient.
        case busy
        /// The store was closed. Transient: another process may be about to take over.
        case closed
        /// The database file is damaged.
        case corrupt
        /// The file is a database, but not one of ours.
        case foreignDatabase
        /// The database was written by a newer program.
        case schemaTooNew
        /// Another process owns the database.
        case inUse
        /// The database refuses a setting that durability needs, or the settings make no sense.
        case misconfigured
        /// A defect of the store.
        case `internal`
    }

    public let code: Code
    /// For logs.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Whether the same call may succeed later without anybody changing it.
    public var isTransient: Bool {
        switch code {
        case .storageFull, .ioFailure, .busy, .closed, .credentialsChanged: true
        default: false
        }
    }

    public var description: String { "\(code.rawValue): \(reason)" }
}
