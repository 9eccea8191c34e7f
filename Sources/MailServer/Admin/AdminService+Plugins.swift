import Foundation
import Identity
import PluginAPI
import PluginHost

/// Plug-ins. Each act changes the store first; a running server then follows it, and says in the reply what came of it.
extension AdminService {
    func dispatchPlugins(_ request: AdminRequest, _ caller: AdminCaller) async throws -> AdminReply {
        switch request.command {
        case .pluginInstall: return try await installPackage(request, caller)
        case .pluginRemove: return try await removePackage(request)
        case .pluginList: return try await listPlugins()
        case .pluginInfo: return try await showPlugin(request)
        case .pluginReload: return try await followed("the plug-ins are as the store says", plugin: nil)
        case .publisherAdd, .publisherList, .publisherRemove, .publisherRevoke:
            return try await dispatchPublishers(request, caller)
        default: return try await changePlugin(request)
        }
    }

    var plugins: PluginManager { PluginAssembly.manager(configuration, store: store, logger: logger, clock: clock) }

    // MARK: Packages

    private func installPackage(_ request: AdminRequest, _ caller: AdminCaller) async throws -> AdminReply {
        guard let octets = Data(base64Encoded: try required(.package, of: request)) else {
            throw AdminError(.invalidArgument, "the package is not base64")
        }
        let grants = try request[.capabilities].map { try AdminService.capabilities($0) }
        let report = try await plugins.install(
            Array(octets), grants: grants, allowDowngrade: try flag(.downgrade, of: request, preset: false), by: "\(caller)")
        return try await followed(report.summary, plugin: report.package)
    }

    private func removePackage(_ request: AdminRequest) async throws -> AdminReply {
        let package = try required(.plugin, of: request)
        let purge = try flag(.purge, of: request, preset: false)
        try await plugins.remove(package, deletingValues: purge)
        return try await followed(
            "removed \(package)" + (purge ? " and all that it kept" : "; what it kept stays until `plugin remove --purge`"), plugin: nil)
    }

    // MARK: Changes

    private func changePlugin(_ request: AdminRequest) async throws -> AdminReply {
        let plugin = try required(.plugin, of: request)
        let manager = plugins
        let done: String
        switch request.command {
        case .pluginLoad:
            try await manager.setLoaded(plugin, true)
            done = "\(plugin) is to be loaded"
        case .pluginUnload:
            try await manager.setLoaded(plugin, false)
            done = "\(plugin) is unloaded"
        case .pluginEnable:
            try await manager.setEnabled(plugin, true)
            done = "\(plugin) is enabled"
        case .pluginDisable:
            try await manager.setEnabled(plugin, false)
            done = "\(plugin) is disabled"
        case .pluginPriority: done = try await setPriority(request, plugin, manager)
        case .pluginPolicy: done = try await setPolicy(request, plugin, manager)
        case .pluginLimits: done = try await setLimits(request, plugin, manager)
        case .pluginSet:
            let name = try required(.name, of: request)
            try await manager.setSetting(plugin, name, request[.value])
            done = request[.value] == nil ? "\(name) has its preset again" : "\(name) is set"
        case .pluginGrant, .pluginRevoke:
            let capabilities = try AdminService.capabilities(required(.capabilities, of: request))
            let isGrant = request.command == .pluginGrant
            if isGrant { try await manager.grant(plugin, capabilities) } else { try await manager.revoke(plugin, capabilities) }
            let names = capabilities.sorted().map(\.rawValue).joined(separator: ", ")
            done = "\(plugin) \(isGrant ? "may use" : "may no longer use") \(names)"
        default: throw AdminError(.badRequest, "\(request.command.rawValue) is not an act on a plug-in")
        }
        return try await followed(done, plugin: plugin)
    }

    private func setPriority(_ request: AdminRequest, _ plugin: String, _ manager: PluginManager) async throws -> String {
        guard let role = PluginRole(rawValue: try required(.role, of: request)) else {
            throw AdminError(
                .invalidArgument, "there is no such role",
                hint: "roles: " + PluginRole.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard let priority = Int(try required(.value, of: request)), (0...1_000).contains(priority) else {
            throw AdminError(.invalidArgument, "a priority is a number from 0 (first) to 1000 (last)")
        }
        try await manager.setPriority(plugin, role: role, to: priority)
        return "\(plugin) has priority \(priority) at \(role.rawValue)"
    }

    private func setPolicy(_ request: AdminRequest, _ plugin: String, _ manager: PluginManager) async throws -> String {
        let text = try required(.value, of: request)
        guard text == "preset" || FailurePolicy(rawValue: text) != nil else {
            throw AdminError(.invalidArgument, "a policy is open (mail passes), closed (mail waits) or preset (the publisher's)")
        }
        try await manager.setPolicy(plugin, FailurePolicy(rawValue: text))
        return "while \(plugin) cannot work: \(text == "open" ? "mail passes" : text == "closed" ? "mail waits" : "as its publisher says")"
    }

    private func setLimits(_ request: AdminRequest, _ plugin: String, _ manager: PluginManager) async throws -> String {
        func number<Value: LosslessStringConvertible>(_ argument: AdminArgument, _: Value.Type) throws -> Value?? {
            guard let text = request[argument] else { return .none }
            if text == "-" { return .some(nil) }
            guard let value = Value(text) else { throw AdminError(.invalidArgument, "\(argument.rawValue) is a number") }
            return .some(value)
        }
        guard var limits = try await plugins.list().first(where: { AdminService.names(plugin, $0) })?.limits else {
            throw AdminService.noPlugin(plugin)
        }
        if let seconds = try number(.seconds, Double.self) { limits.seconds = seconds }
        if let memory = try number(.memory, Int.self) { limits.memoryMegabytes = memory }
        if let calls = try number(.calls, Int.self) { limits.concurrency = calls }
        try await manager.setLimits(plugin, limits)
        return "the limits of \(plugin) are set"
    }

    static func names(_ text: String, _ status: PluginStatus) -> Bool {
        text == status.identifier.description || text == status.identifier.package
    }

    static func noPlugin(_ name: String) -> AdminError {
        AdminError(.unknownPlugin, "there is no plug-in \(name.prefix(150))", hint: "`wsemaild plugin list` shows them")
    }

    private static func capabilities(_ text: String) throws -> Set<PluginCapability> {
        Set(
            try text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }.map { name in
                guard let capability = PluginCapability(rawValue: name) else {
                    throw AdminError(
                        .invalidArgument, "there is no capability \"\(name.prefix(40))\"",
                        hint: "capabilities: " + PluginCapability.allCases.map(\.rawValue).joined(separator: ", "))
                }
                return capability
            })
    }

    /// Lets the running server follow the store. A plug-in that did not come up as wanted is an answer, not an error: the change
    /// itself stands.
    private func followed(_ done: String, plugin: String?) async throws -> AdminReply {
        guard let reconcile = hooks.reconcilePlugins else {
            let then = configuration.runsPlugins ? "the server takes it up when it starts" : "nothing runs while plugins = off is set"
            return AdminReply("\(done); \(then)")
        }
        let touched = try await reconcile().filter { status in plugin.map { AdminService.names($0, status) } ?? true }
        let problems = touched.compactMap { status -> String? in
            switch status.state {
            case .failed(let reason), .suspended(let reason): "\(status.identifier): \(reason)"
            default: nil
            }
        }
        var reply = AdminReply(done)
        if !problems.isEmpty { reply.message += ". But it does not work: " + problems.joined(separator: "; ") }
        reply.details["problems_count"] = String(problems.count)
        return reply
    }
}
