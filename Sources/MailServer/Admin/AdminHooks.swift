import BlobStore
import Identity
import MailStore
import PluginHost

/// Gets the root certificates (DER) that a domain's own server hands out, over TLS that nothing vouches for yet.
/// What it returns is worth nothing until a fingerprint matches.
public typealias RootFetcher = @Sendable (MailDomain) async throws -> [[UInt8]]

/// How the administrative acts reach the live parts of a server. The presets are right where no server runs.
struct AdminHooks: Sendable {
    /// Hashes a new password, off the cooperative threads.
    var hashPassword: @Sendable (String) async throws -> String = { try Password.hash($0) }
    /// These sessions have ended in the store: caches must forget them.
    var sessionsEnded: @Sendable ([String]) async -> Void = { _ in }
    /// The trust anchors in the store have changed.
    var trustChanged: @Sendable () async throws -> Void = {}
    /// Issues the domain's metadata anew, so that peers learn of a revocation. nil where no server runs: it publishes at start.
    var publishMetadata: (@Sendable () async throws -> Void)?
    /// A domain is no longer trusted as it was: outgoing sessions with it end.
    var peerForgotten: @Sendable (MailDomain) async -> Void = { _ in }
    /// An administrator wants another try now: failures of this destination (nil: of all) no longer hold it back.
    var retryWanted: @Sendable (MailDomain?) async -> Void = { _ in }
    /// Jobs became due or vanished: delivery should look.
    var queueChanged: @Sendable () async -> Void = {}
    var fetchRoots: RootFetcher?
    /// Opens a session with a domain's server as delivery would, and ends it. nil where no server runs.
    var probePeer: (@Sendable (MailDomain) async throws -> Void)?
    /// Writes the bounce that tells the author of a dropped job; nil for a job without an author to tell. The outer nil: this
    /// process cannot write one.
    var bounce: (@Sendable (LeasedJob, _ reason: String) async throws -> Acceptance?)?
    /// Brings the running plug-ins in line with the store; nil where no server runs, or it runs no plug-ins.
    var reconcilePlugins: (@Sendable () async throws -> [PluginStatus])?
    /// The running plug-ins with their figures.
    var pluginStatuses: (@Sendable () async -> [PluginStatus])?
    /// Lets plug-ins let go of what was an account's, before it is removed; nil where no plug-ins run.
    var accountRemoved: (@Sendable (Address) async throws -> Void)?
    /// The files of the server's users; nil where no server runs.
    var files: (any BlobStore)?
    /// Figures of the running server for `status`, named like columns.
    var liveDetails: @Sendable () async -> [String: String] = { ["server": "not running"] }

    init() {}
}
