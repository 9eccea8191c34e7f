import Foundation
import Identity

/// Who opened a session.
public enum SessionKind: String, Sendable, Hashable, CaseIterable {
    /// A user of this server; the principal is the account's address.
    case user
    /// Another server; the principal is its mail domain.
    case peer
}

/// A secure conversation. The secret is encrypted by the caller: the store never sees a key.
public struct SessionRecord: Sendable, Hashable {
    public let id: String
    /// `Address.description` of a user, `MailDomain.description` of a peer.
    public let principal: String
    public let kind: SessionKind
    /// The session secret, encrypted by the caller.
    public let sealedSecret: [UInt8]
    public let created: Date
    public let expires: Date
    /// `AccountCredential.generation` at the time of the login; not used for peers.
    public let credentialGeneration: Int64
    /// No call numbered above this was ever let in; after a restart the window starts above it.
    public let sequenceCeiling: UInt64

    public init(
        id: String, principal: String, kind: SessionKind, sealedSecret: [UInt8], created: Date, expires: Date,
        credentialGeneration: Int64 = 0, sequenceCeiling: UInt64 = 0
    ) {
        self.id = id
        self.principal = principal
        self.kind = kind
        self.sealedSecret = sealedSecret
        self.created = created
        self.expires = expires
        self.credentialGeneration = credentialGeneration
        self.sequenceCeiling = sequenceCeiling
    }
}

/// Sessions that survive a restart.
public protocol SessionStore: Sendable {
    /// Stores a new session. For a user the account must exist (`unknownAccount`), be enabled (`accountDisabled`) and
    /// still have the record's credential generation (`credentialsChanged`), all judged inside the transaction. Throws
    /// `alreadyExists`.
    func insertSession(_ session: SessionRecord) async throws(StoreError)

    /// The session, or nil if there is none or it expired at or before `now`.
    func session(_ id: String, now: Date) async throws(StoreError) -> SessionRecord?

    /// Raises the session's sequence ceiling to at least `ceiling`; durable on return. Calls numbered up to it may then
    /// be let in without another write. Numbers above `Int64.max` are `invalid`. Throws `unknownSession`.
    func reserveSequence(_ id: String, upTo ceiling: UInt64) async throws(StoreError)

    /// Deletes one session. Idempotent.
    func deleteSession(_ id: String) async throws(StoreError)

    /// Deletes all sessions of a principal; returns their ids.
    @discardableResult
    func deleteSessions(of principal: String, kind: SessionKind) async throws(StoreError) -> [String]
}
