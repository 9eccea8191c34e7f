import FoundationEssentials
import Identity

/// A session as the server keeps it. Build it once per session and keep it: the keys are derived here.
public struct SecuritySession: Sendable {
    /// `urn:uuid:…`, the `wsc:Identifier`.
    public let id: String
    public let principal: Principal
    /// How the session was opened.
    public let method: AuthenticationMethod
    public let secret: SessionSecret
    public let created: Date
    public let expires: Date
    public let keys: SessionKeys

    public init(
        id: String, principal: Principal, method: AuthenticationMethod, secret: SessionSecret, created: Date,
        expires: Date
    ) {
        self.id = id
        self.principal = principal
        self.method = method
        self.secret = secret
        self.created = created
        self.expires = expires
        keys = SessionKeys(secret: secret, session: id)
    }

    public func isExpired(at now: Date) -> Bool { now >= expires }
}

extension SecuritySession: Equatable {
    public static func == (one: SecuritySession, other: SecuritySession) -> Bool {
        one.id == other.id && one.principal == other.principal && one.method == other.method
            && one.created == other.created && one.expires == other.expires && one.secret == other.secret
    }
}

/// Mints sessions. Where they are kept is the server's business.
public struct SessionIssuer: Sendable {
    /// Seconds a session lives at most.
    public let lifetime: TimeInterval

    public init(lifetime: TimeInterval = 8 * 3600) {
        self.lifetime = lifetime
    }

    /// - Parameter requested: the caller's wish in seconds; only a shorter life than ours is granted.
    public func issue(
        principal: Principal, method: AuthenticationMethod, requested: TimeInterval? = nil, now: Date
    ) -> SecuritySession {
        let life = max(60, min(lifetime, requested ?? lifetime))
        return SecuritySession(
            id: RandomID.urn(), principal: principal, method: method, secret: .random(), created: now,
            expires: now.addingTimeInterval(life))
    }

    /// A successor with a new id and a new secret. The caller removes the old one in the same transaction.
    public func renew(_ old: SecuritySession, requested: TimeInterval? = nil, now: Date) -> SecuritySession {
        issue(principal: old.principal, method: old.method, requested: requested, now: now)
    }
}
