import Foundation
import Identity
import Logging
import MailModel
import MailStore
import PluginHost
import WSSecurity

/// What all services of a running server share. Everything is passed in; nothing is global.
struct ServerCore: Sendable {
    let configuration: ServerConfiguration
    let store: any MailStore
    let keys: DomainKeys
    let trust: TrustDirectory
    let metrics: ServerMetrics
    let logger: Logger
    let clock: @Sendable () -> Date
    let files: FileKeeping
    /// nil: this server runs no plug-ins (`plugins = off`).
    let plugins: PluginHost?

    /// The plug-ins that see one event, from its beginning to its end.
    var pipeline: PluginPipeline { plugins?.pipeline ?? .empty }
    var domain: MailDomain { configuration.domain }
    var signer: DomainSigner { keys.signer }
    func now() -> Date { clock() }

    /// How long an intent is remembered after its queue life: longer than any retry of a client or peer.
    static let tombstoneLife: TimeInterval = 30 * 86_400

    /// Mail older than this by its own date is refused: its intent might be forgotten (see `IntakeStore`).
    static let maxMessageAge: TimeInterval = tombstoneLife - 86_400
    /// A date in the future beyond the clocks' tolerance is refused.
    static let clockTolerance: TimeInterval = 300
}
