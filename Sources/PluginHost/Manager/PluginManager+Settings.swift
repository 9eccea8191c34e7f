import PluginAPI

extension PluginManager {
    /// Characters of a setting's value.
    public static let settingLength = 8_192
    /// Settings of one plug-in.
    public static let settingCount = 200

    /// Whether the plug-in runs at all; wins over the configuration's list, also after a restart.
    ///
    /// Loading something compiled in that needs capabilities is refused until they are granted.
    public func setLoaded(_ plugin: String, _ isLoaded: Bool) async throws(PluginError) {
        try await change(plugin) { plugin, state throws(PluginError) in
            let missing = plugin.descriptor.capabilities.subtracting(plugin.granted)
            if isLoaded, plugin.isBuiltIn, !missing.isEmpty {
                throw PluginError(.refused, "it needs \(Self.names(missing)): grant that first")
            }
            state.isLoaded = isLoaded
        }
    }

    /// Whether a loaded plug-in takes part. Enabling also ends a suspension.
    public func setEnabled(_ plugin: String, _ isEnabled: Bool) async throws(PluginError) {
        try await change(plugin) { _, state in state.isEnabled = isEnabled }
        if isEnabled { try await SuspensionStore(store).set(nil, for: find(plugin).identifier) }
    }

    /// - Parameter priority: 0 (first) to 1000 (last).
    public func setPriority(_ plugin: String, role: PluginRole, to priority: Int) async throws(PluginError) {
        try await change(plugin) { plugin, state throws(PluginError) in
            guard (0...1000).contains(priority) else { throw PluginError(.invalid, "a priority is 0 (first) to 1000 (last)") }
            guard plugin.descriptor.roles[role] != nil else {
                let roles = plugin.descriptor.roles.keys.sorted().map(\.rawValue).joined(separator: ", ")
                throw PluginError(.refused, "\(plugin.identifier) does not have the role \(role.rawValue), only \(roles)")
            }
            state.priorities[role.rawValue] = priority
        }
    }

    /// - Parameter policy: nil: the publisher's.
    public func setPolicy(_ plugin: String, _ policy: FailurePolicy?) async throws(PluginError) {
        try await change(plugin) { _, state in state.policy = policy }
    }

    public func setLimits(_ plugin: String, _ limits: PluginLimits) async throws(PluginError) {
        try limits.check()
        try await change(plugin) { _, state in state.limits = limits }
    }

    /// - Parameter value: nil: the preset again.
    public func setSetting(_ plugin: String, _ name: String, _ value: String?) async throws(PluginError) {
        try await change(plugin) { plugin, state throws(PluginError) in
            guard let value else {
                state.settings[name] = nil
                return
            }
            guard plugin.descriptor.settings.contains(where: { $0.covers(name) }), Self.isSettingName(name) else {
                let names = plugin.descriptor.settings.map(\.name).joined(separator: ", ")
                throw PluginError(
                    .refused, "\(plugin.identifier) has no setting \"\(name.prefix(60))\"; it has \(names.isEmpty ? "none" : names)")
            }
            guard value.count <= Self.settingLength else {
                throw PluginError(.invalid, "a setting has at most \(Self.settingLength) characters")
            }
            try Self.tryOut(name, value, plugin)
            state.settings[name] = value
            guard state.settings.count <= Self.settingCount else {
                throw PluginError(.refused, "a plug-in has at most \(Self.settingCount) settings: reset some that are not needed")
            }
        }
    }

    /// What is compiled in says at once what it cannot work with, and goes on with what it had. (Where it does not work yet anyway,
    /// settings come one by one until it does.)
    private static func tryOut(_ name: String, _ value: String, _ plugin: InstalledPlugin) throws(PluginError) {
        guard case .builtIn(let builtIn) = plugin.source, (try? builtIn.make(plugin.settings)) != nil else { return }
        _ = try builtIn.make(plugin.settings.merging([name: value]) { $1 })
    }

    /// Grants what the plug-in asks for in its manifest.
    public func grant(_ plugin: String, _ capabilities: Set<PluginCapability>) async throws(PluginError) {
        try await change(plugin) { plugin, state throws(PluginError) in
            let strange = capabilities.subtracting(plugin.descriptor.capabilities)
            guard strange.isEmpty else {
                let asked = plugin.descriptor.capabilities
                throw PluginError(
                    .refused,
                    "\(plugin.identifier) does not ask for \(Self.names(strange)); it asks for \(asked.isEmpty ? "nothing" : Self.names(asked))"
                )
            }
            state.granted.formUnion(capabilities)
        }
    }

    /// Takes capabilities back. A sandboxed plug-in that calls what it may not any more cannot be loaded then.
    public func revoke(_ plugin: String, _ capabilities: Set<PluginCapability>) async throws(PluginError) {
        try await change(plugin) { _, state in state.granted.subtract(capabilities) }
    }

    static func names(_ capabilities: Set<PluginCapability>) -> String {
        capabilities.sorted().map(\.rawValue).joined(separator: ", ")
    }

    /// As ``SettingDeclaration/name``: 1 to 60 of a-z, 0-9, "-", "_" and ".".
    private static func isSettingName(_ name: String) -> Bool {
        (1...60).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F || byte == 0x2E
            }
    }
}
