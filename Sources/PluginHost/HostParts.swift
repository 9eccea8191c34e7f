import Foundation
import Logging
import MailStore

/// What all parts of one host share.
final class HostParts: Sendable {
    let configuration: PluginHostConfiguration
    let store: any PluginStore & DomainStateStore
    let services: HostServices
    let logger: Logger
    let clock: @Sendable () -> Date

    init(
        _ configuration: PluginHostConfiguration, store: any PluginStore & DomainStateStore, services: HostServices, logger: Logger,
        clock: @escaping @Sendable () -> Date
    ) {
        self.configuration = configuration
        self.store = store
        self.services = services
        self.logger = logger
        self.clock = clock
    }
}
