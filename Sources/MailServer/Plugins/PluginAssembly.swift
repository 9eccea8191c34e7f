import Foundation
import Identity
import Logging
import MailStore
import PluginAPI
import PluginEngine
import PluginHost
import Plugins

/// How a server's plug-in host and its manager are made from the configuration.
enum PluginAssembly {
    static let serverVersion = PluginVersion(2, 0, 0)

    static func host(
        _ configuration: ServerConfiguration, store: any MailStore, files: FileKeeping, logger: Logger,
        clock: @escaping @Sendable () -> Date
    ) -> PluginHost? {
        guard configuration.runsPlugins else { return nil }
        let domain = configuration.domain
        let services = HostServices(
            lookUp: { address throws(PluginError) in
                guard address.domain == domain else { return .foreign }
                do throws(StoreError) {
                    return try await store.account(address) == nil ? .unknown : .mailbox
                } catch {
                    throw PluginError(.storage, error.reason)
                }
            }, files: files)
        return PluginHost(
            configuration: hostConfiguration(configuration), store: store, engine: engine(configuration, logger),
            builtIns: BuiltIns.all.map { BuiltInPlugin(descriptor: $0.descriptor, grants: $0.grants, make: $0.make) }, services: services,
            logger: logger, clock: clock)
    }

    static func manager(
        _ configuration: ServerConfiguration, store: any MailStore, logger: Logger, clock: @escaping @Sendable () -> Date
    ) -> PluginManager {
        PluginManager(
            configuration: hostConfiguration(configuration), store: store, engine: engine(configuration, logger),
            builtIns: BuiltIns.all.map { BuiltInPlugin(descriptor: $0.descriptor, grants: $0.grants, make: $0.make) }, logger: logger,
            clock: clock)
    }

    private static func hostConfiguration(_ configuration: ServerConfiguration) -> PluginHostConfiguration {
        var host = PluginHostConfiguration(serverVersion: serverVersion, domain: configuration.domain)
        host.defaultLimits.seconds = Double(configuration.pluginTimeLimitMilliseconds) / 1_000
        host.defaultLimits.memory = configuration.pluginMemoryMegabytes << 20
        host.concurrency = configuration.pluginCalls
        host.threads = configuration.pluginThreads
        host.errorBudget = configuration.pluginErrorBudget
        host.valueBytes = configuration.store.pluginValueBytes
        host.loadAtStart = configuration.plugins == ["all"] || !configuration.runsPlugins ? nil : configuration.plugins
        return host
    }

    private static func engine(
        _ configuration: ServerConfiguration, _ logger: Logger
    ) -> @Sendable () throws(PluginError) -> any PluginEngine {
        { () throws(PluginError) in
            var options = WasmtimeOptions()
            if configuration.pluginInterpreter { options.execution = .interpreted }
            let engine = try WasmtimeEngine(
                library: configuration.pluginEngineLibrary, cacheFolder: configuration.pluginCacheDirectory, options: options)
            for notice in engine.notices { logger.notice("plug-in engine", metadata: ["notice": "\(notice)"]) }
            return engine
        }
    }
}

extension PluginAssembly {
    /// Tells the log what a server that runs no plug-ins leaves out: mail passes even those that it must not pass.
    static func logAbsence(
        _ configuration: ServerConfiguration, store: any MailStore, logger: Logger, clock: @escaping @Sendable () -> Date
    ) async {
        do throws(PluginError) {
            for status in try await manager(configuration, store: store, logger: logger, clock: clock).list()
            where status.policy == .closed && isWanted(status) {
                logger.error(
                    "plug-in is out because of plugins = off: mail passes without it, although it is fail-closed",
                    metadata: ["plugin": "\(status.identifier)", "version": "\(status.version)"])
            }
        } catch {
            logger.error("plugins = off, and what plug-ins there are cannot be read", metadata: ["reason": "\(error.reason)"])
        }
    }

    /// Whether it would run if plug-ins ran.
    private static func isWanted(_ status: PluginStatus) -> Bool {
        switch status.state {
        case .active, .failed, .suspended: true
        case .notRunning: !status.roles.isEmpty
        case .disabled, .unloaded, .removed: false
        }
    }

    /// Names in the setting `plugins` that no installed plug-in has.
    /// - Parameter installed: identifiers, `package/name`.
    static func unknownNames(_ configuration: ServerConfiguration, installed: [String]) -> [String] {
        guard configuration.runsPlugins, configuration.plugins != ["all"] else { return [] }
        return configuration.plugins.filter { name in !installed.contains { $0 == name || $0.hasPrefix(name + "/") } }
    }

    /// Tells the log what became of a plug-in at the start of the server.
    static func log(_ status: PluginStatus, _ logger: Logger) {
        let metadata: Logger.Metadata = ["plugin": "\(status.identifier)", "version": "\(status.version)"]
        switch status.state {
        case .active: logger.notice("plug-in loaded", metadata: metadata)
        case .failed(let reason), .suspended(let reason):
            logger.error(
                status.policy == .closed ? "plug-in is out: mail waits for it" : "plug-in is out: mail passes without it",
                metadata: metadata.merging(["reason": "\(PluginText.line(reason))"]) { $1 })
        default: break
        }
    }
}

/// Figures of plug-ins in the Prometheus text format.
enum PluginMetricsText {
    static func prometheus(_ statuses: [PluginStatus]) -> String {
        var lines: [String] = []
        func family(_ name: String, _ kind: String, _ help: String, _ value: (PluginStatus) -> String) {
            lines.append("# HELP wsemail_plugin_\(name) \(help)")
            lines.append("# TYPE wsemail_plugin_\(name) \(kind)")
            for status in statuses {
                let labels = "plugin=\"\(status.identifier)\",version=\"\(status.version)\""
                lines.append("wsemail_plugin_\(name){\(labels)} \(value(status))")
            }
        }
        guard !statuses.isEmpty else { return "" }
        family("active", "gauge", "Whether the plug-in is at work.") { $0.state == .active ? "1" : "0" }
        family("calls_total", "counter", "Calls of the plug-in.") { "\($0.metrics.calls)" }
        family("failures_total", "counter", "Calls that failed.") { "\($0.metrics.failures)" }
        family("timeouts_total", "counter", "Calls that took too long.") { "\($0.metrics.timeouts)" }
        family("seconds_total", "counter", "Time spent in calls.") { "\(Double($0.metrics.totalMicroseconds) / 1_000_000)" }
        family("calls_running", "gauge", "Calls at this moment.") { "\($0.metrics.inFlight)" }
        return lines.joined(separator: "\n") + "\n"
    }
}
