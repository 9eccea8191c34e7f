import Foundation
import Logging
import PluginAPI
import PluginEngine

/// Makes and starts instances.
struct PluginLoader: Sendable {
    /// For a compiled-in plug-in to start.
    static let startSeconds = 10.0

    let parts: HostParts
    let engine: EngineBox
    /// For calls.
    let threads: PluginThreads
    /// For compiling, which must not hold up calls.
    let compiling: PluginThreads

    /// - Parameter member: for a plug-in of a package.
    /// - Throws: ``PluginError``: why it cannot run.
    func load(
        _ plugin: InstalledPlugin, _ member: ReadPackage.Member?, meter: PluginMeter
    ) async throws(PluginError) -> PluginInstance {
        let key = plugin.key(parts.configuration)
        let code: any Plugin
        switch plugin.source {
        case .builtIn(let builtIn):
            // Its code runs programs by itself: nothing else would notice that it may not.
            if plugin.descriptor.capabilities.contains(.subprocess), !key.granted.contains(.subprocess) {
                throw PluginError(.notGranted, "it runs programs: grant it \"subprocess\" first")
            }
            code = try builtIn.make(key.settings)
        case .package:
            guard let member, let module = member.module else { throw PluginError(.refused, "its package does not hold it") }
            code = try await compile(module, digest: member.moduleDigest, key, plugin.descriptor)
        }
        let instance = PluginInstance(key, code, meter: meter, parts: parts)
        if let role = instance.missing(of: plugin.descriptor.roles.keys.sorted()) {
            throw PluginError(.invalidModule, "it declares the role \(role.rawValue) and does not play it")
        }
        try await start(code, key)
        return instance
    }

    func compile(
        _ module: [UInt8], digest: [UInt8], _ key: InstanceKey, _ descriptor: PluginDescriptor
    ) async throws(PluginError) -> WasmPlugin {
        let (engine, threads) = (engine, threads)
        return try await compiling.run(until: nil) { () throws(PluginError) -> WasmPlugin in
            try WasmPlugin.load(
                module, digest: digest, key: key, roles: descriptor.roles.keys, engine: engine.get(), threads: threads)
        }
    }

    private func start(_ code: any Plugin, _ key: InstanceKey) async throws(PluginError) {
        let context = PluginContext(plugin: key.identifier, version: key.version, settings: key.settings)
        let started = await Bounded.run(Self.startSeconds) { () -> PluginError? in
            do {
                try await code.start(context)
                return nil
            } catch let error as PluginError {
                return error
            } catch {
                return PluginError(.failed, VerdictRules.line(String("\(error)".prefix(300))))
            }
        }
        guard let started else { throw PluginError(.timedOut, "it did not start within \(Int(Self.startSeconds)) seconds") }
        if let started { throw started }
    }
}
