import Identity
import WSSecurity

/// What opens a session.
public enum CallerCredentials: Sendable {
    /// No session: only operations that anybody may call.
    case anonymous
    /// UsernameToken over TLS, once per session.
    case password(Address, String)
    /// A key enrolled for a user, or a domain's signing key: signs a challenge of the server.
    /// - metadata: a peer's own signed DomainMetadata octets, stapled when the session is opened; asked anew each time.
    case certificate(SigningIdentity, metadata: (@Sendable () async throws -> [UInt8])? = nil)
}
