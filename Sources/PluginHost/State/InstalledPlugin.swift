import Foundation
import PluginAPI
import PluginPackage

/// One plug-in as the store and the configuration have it.
struct InstalledPlugin: Sendable {
    enum Source: Sendable {
        case builtIn(BuiltInPlugin)
        /// - `verified`: when its certificates were judged.
        case package(digest: [UInt8], verified: Date)
    }

    let descriptor: PluginDescriptor
    let source: Source
    let title: String
    let publisher: PublisherIdentity?
    let installed: Date?
    /// False once its package was removed.
    let isPresent: Bool
    /// False for kinds that servers do not run.
    let runsHere: Bool
    let state: PluginState
    let suspension: Suspension?
    /// What is kept about it is damaged: it is out, and mail waits for it.
    var damage: PluginError?

    var identifier: PluginIdentifier { descriptor.identifier }
    var isBuiltIn: Bool { if case .builtIn = source { true } else { false } }
    var granted: Set<PluginCapability> { state.granted.intersection(descriptor.capabilities) }
    var policy: FailurePolicy { damage == nil ? state.policy ?? descriptor.failurePolicy : .closed }
    var roles: [PluginRole: Int] {
        Dictionary(uniqueKeysWithValues: descriptor.roles.map { ($0.key, state.priorities[$0.key.rawValue] ?? $0.value) })
    }

    /// What the administrator set, over the presets; what is not declared any more is left out.
    var settings: [String: String] {
        var settings: [String: String] = [:]
        for declaration in descriptor.settings where !declaration.name.hasSuffix(".*") {
            settings[declaration.name] = declaration.preset
        }
        for (name, value) in state.settings where descriptor.settings.contains(where: { $0.covers(name) }) { settings[name] = value }
        return settings
    }

    func isLoaded(_ configuration: PluginHostConfiguration) -> Bool {
        if let isLoaded = state.isLoaded { return isLoaded }
        guard let list = configuration.loadAtStart else {
            // Of what is compiled in, only what needs nobody's grant runs unasked.
            guard case .builtIn(let builtIn) = source else { return true }
            return !builtIn.grants.isEmpty
        }
        return list.contains(identifier.package) || list.contains(identifier.description)
    }

    /// Why it is not to run at all; nil: it is to run.
    func idleState(_ configuration: PluginHostConfiguration) -> PluginStatus.State? {
        if !isPresent { return .removed }
        if !runsHere { return .notRunning }
        if !isLoaded(configuration) { return .unloaded }
        return state.isEnabled ? nil : .disabled
    }

    func key(_ configuration: PluginHostConfiguration) -> InstanceKey {
        var digest: [UInt8] = []
        if case .package(let octets, _) = source { digest = octets }
        return InstanceKey(
            identifier: identifier, version: descriptor.version, package: digest, settings: settings, granted: granted,
            limits: EffectiveLimits(state.limits, configuration))
    }

    func status(_ runState: PluginStatus.State, _ configuration: PluginHostConfiguration) -> PluginStatus {
        PluginStatus(
            identifier: identifier, version: descriptor.version, summary: descriptor.summary, title: title, identity: publisher,
            installed: installed, state: runState, roles: roles, extensions: descriptor.extensions,
            declared: descriptor.capabilities, granted: granted, policy: policy, limits: state.limits,
            effectiveLimits: EffectiveLimits(state.limits, configuration), settings: settings)
    }
}
