import FoundationEssentials
import SOAP

/// A session as the client keeps it, in memory and in its key file (0600): a value, no clock, no I/O.
public struct ClientSession: Sendable, Equatable {
    public let id: String
    public let secret: SessionSecret
    /// By the server's clock.
    public let created: Date
    public let expires: Date
    /// The number the next call takes. Persist it with room ahead, or let `StaleSequence` correct it.
    public private(set) var nextSequence: UInt64
    private let keys: SessionKeys

    public init(
        id: String, secret: SessionSecret, created: Date, expires: Date, nextSequence: UInt64 = 1
    ) {
        self.id = id
        self.secret = secret
        self.created = created
        self.expires = expires
        self.nextSequence = nextSequence
        keys = SessionKeys(secret: secret, session: id)
    }

    /// - Throws: `.invalidToken` for the answer to a cancellation.
    public init(_ response: TokenResponse) throws(WSSecurityError) {
        guard let session = response.session else { throw WSSecurityError(.invalidToken, "no session was issued") }
        self.init(id: session.id, secret: session.secret, created: session.created, expires: session.expires)
    }

    /// In the last fifth of its life (at most the last half hour): renew before the next call.
    public func needsRenewal(now: Date) -> Bool {
        let margin = min(expires.timeIntervalSince(created) / 5, 1800)
        return now >= expires.addingTimeInterval(-margin)
    }

    public func isExpired(now: Date) -> Bool { now >= expires }

    /// Takes one sequence number for one attempt. Every attempt, also a retry, takes its own.
    public mutating func call() -> SessionCall {
        let call = SessionCall(session: id, keys: keys, sequence: nextSequence)
        nextSequence += 1
        return call
    }

    /// After `StaleSequence`: jumps ahead of what the server has seen. True if the call should be wrapped anew.
    public mutating func advance(past fault: SOAPFault) -> Bool {
        guard fault.subcode == .staleSequence, let next = fault.detail.next, next < SequenceWindow.maximum else {
            return false
        }
        nextSequence = max(nextSequence, next)
        return true
    }

    public static func == (one: ClientSession, other: ClientSession) -> Bool {
        one.id == other.id && one.secret == other.secret && one.created == other.created
            && one.expires == other.expires && one.nextSequence == other.nextSequence
    }
}

/// The right to make one call in a session.
public struct SessionCall: Sendable {
    public let session: String
    let keys: SessionKeys
    public let sequence: UInt64
}
