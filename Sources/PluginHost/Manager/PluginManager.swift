import Foundation
import Logging
import MailStore
import PluginAPI
import PluginEngine
import PluginPackage

/// The administrator's acts on plug-ins. They change the store only; a running ``PluginHost`` follows at its next
/// `reconcile()`. Each is idempotent, and each throws ``PluginError`` `.refused` or `.invalid` with a reason that says what to do,
/// or `.storage`.
public struct PluginManager: Sendable {
    /// Acts read a package's state and write it back. One process owns the store, and managers are made as needed: what keeps
    /// acts apart must be shared by all of them.
    private static let gate = SerialGate()

    let configuration: PluginHostConfiguration
    let store: any PluginStore & DomainStateStore
    let engine: @Sendable () throws(PluginError) -> any PluginEngine
    let builtIns: [BuiltInPlugin]
    let logger: Logger
    let clock: @Sendable () -> Date
    let source: any PackageSource

    /// - Parameter engine: makes a new engine at each call, with which an installation tries the modules; it is shut down
    ///   afterwards.
    public init(
        configuration: PluginHostConfiguration, store: any PluginStore & DomainStateStore,
        engine: @escaping @Sendable () throws(PluginError) -> any PluginEngine, builtIns: [BuiltInPlugin], logger: Logger,
        clock: @escaping @Sendable () -> Date
    ) {
        self.init(
            configuration: configuration, store: store, engine: engine, builtIns: builtIns, logger: logger, clock: clock,
            source: SignedPackageSource())
    }

    init(
        configuration: PluginHostConfiguration, store: any PluginStore & DomainStateStore,
        engine: @escaping @Sendable () throws(PluginError) -> any PluginEngine, builtIns: [BuiltInPlugin], logger: Logger,
        clock: @escaping @Sendable () -> Date, source: any PackageSource
    ) {
        self.configuration = configuration
        self.store = store
        self.engine = engine
        self.builtIns = builtIns
        self.logger = logger
        self.clock = clock
        self.source = source
    }

    /// All plug-ins as the store has them. What could run is `.notRunning`.
    public func list() async throws(PluginError) -> [PluginStatus] {
        var statuses: [PluginStatus] = []
        for plugin in try await inventory().plugins {
            var state = plugin.idleState(configuration) ?? .notRunning
            if state == .notRunning, plugin.runsHere {
                if let suspension = plugin.suspension { state = .suspended(suspension.reason) }
                if let damage = plugin.damage { state = .failed(damage.reason) }
            }
            var status = plugin.status(state, configuration)
            do {
                let usage = try await store.pluginUsage(plugin.identifier.description)
                status.storage.count = usage.count
                status.storage.bytes = usage.bytes
            } catch {
                throw PluginError(.storage, error.reason)
            }
            statuses.append(status)
        }
        return statuses
    }

    func inventory() async throws(PluginError) -> Inventory {
        try await Inventory.read(store, builtIns: builtIns, logger: logger)
    }

    /// Runs one act at a time.
    func alone<T: Sendable>(_ act: () async throws(PluginError) -> T) async throws(PluginError) -> T {
        await Self.gate.enter()
        defer { Self.gate.leave() }
        return try await act()
    }

    /// The plug-in of a name: `package/name`, or the package's if it has only one.
    func find(_ name: String) async throws(PluginError) -> InstalledPlugin {
        let present = try await inventory().plugins.filter { $0.isPresent && $0.runsHere }
        if let plugin = present.first(where: { $0.identifier.description == name }) { return plugin }
        let members = present.filter { $0.identifier.package == name }
        guard let first = members.first else {
            throw PluginError(.refused, "there is no plug-in \"\(name.prefix(150))\": `wsemaild plugin list` shows all")
        }
        guard members.count == 1 else {
            let names = members.map(\.identifier.description).joined(separator: ", ")
            throw PluginError(.refused, "\(name) has several plug-ins: name one of \(names)")
        }
        return first
    }

    /// Changes what is kept about one plug-in. Writes nothing if nothing has changed.
    func change(
        _ name: String, _ body: (InstalledPlugin, inout PluginState) throws(PluginError) -> Void
    ) async throws(PluginError) {
        try await alone { () throws(PluginError) in try await changeAlone(name, body) }
    }

    private func changeAlone(
        _ name: String, _ body: (InstalledPlugin, inout PluginState) throws(PluginError) -> Void
    ) async throws(PluginError) {
        let plugin = try await find(name)
        var state = plugin.state
        try body(plugin, &state)
        let package = plugin.identifier.package
        guard let record = try await record(package) else {
            // Compiled in, and so far without anything said of it.
            var fresh = PackageState(
                title: plugin.title, installedBy: "", highest: plugin.descriptor.version, members: [])
            fresh.plugins[plugin.identifier.name] = state
            let record = PluginPackageRecord(
                id: package, version: plugin.descriptor.version.description, digest: [], installed: clock(), isPresent: true,
                state: try fresh.encoded())
            do { try await store.installPackage(record, octets: []) } catch { throw PluginError(.storage, error.reason) }
            return
        }
        var stored: PackageState
        do throws(PluginError) { stored = try PackageState(octets: record.state) } catch {
            // Of what is compiled in only the administrator's words are lost: this is the first of new ones.
            guard plugin.isBuiltIn, !PackageRemains(record.state, error).isNewer else { throw error }
            stored = PackageState(title: plugin.title, installedBy: "", highest: plugin.descriptor.version, members: [])
        }
        stored.plugins[plugin.identifier.name] = state
        try await write(stored, of: package)
    }

    func record(_ package: String) async throws(PluginError) -> PluginPackageRecord? {
        do { return try await store.packages().first { $0.id == package } } catch { throw PluginError(.storage, error.reason) }
    }

    func write(_ state: PackageState, of package: String) async throws(PluginError) {
        let octets = try state.encoded()
        let isKnown: Bool
        do { isKnown = try await store.setPackageState(package, to: octets) } catch { throw PluginError(.storage, error.reason) }
        guard isKnown else { throw PluginError(.refused, "\(package) is not installed") }
    }
}
