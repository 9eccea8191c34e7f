import Foundation

/// Plug-ins: whether those that are installed can do their work.
extension ServerChecks {
    private struct Row {
        let plugin: String
        let state: String
        let isClosed: Bool
        let isPackage: Bool
        let reason: String
    }

    /// - Parameter list: the reply to `plugin list`.
    func pluginFindings(_ list: AdminReply) -> [CheckFinding] {
        if let error = list.error { return [.fail("plugins", "the plug-ins cannot be listed: \(error.reason)", error.hint)] }
        let unknown = ServerChecks.unknownNames(configuration, list)
        guard unknown.isEmpty else {
            return [
                .fail(
                    "plugins", "the configuration names plug-ins that are not installed: \(unknown.joined(separator: ", "))",
                    "correct plugins in \(configurationPath); `wsemaild plugin list` shows what there is")
            ]
        }
        let rows = ServerChecks.wanted(list)
        guard !rows.isEmpty else { return [] }
        if !configuration.runsPlugins {
            let names = rows.map(\.plugin).joined(separator: ", ")
            return [
                ServerChecks.finding(
                    rows, "plug-ins are installed and do not run, mail passes without them: \(names)",
                    "set plugins = all in \(configurationPath), or unload or remove them")
            ]
        }
        var found: [CheckFinding] = []
        let packages = rows.filter(\.isPackage)
        let library = configuration.pluginEngineLibrary
        // A mere name is looked for by the system.
        if !packages.isEmpty, library.contains("/"), !FileManager.default.fileExists(atPath: library) {
            found.append(
                ServerChecks.finding(
                    packages, "\(library) is missing: WebAssembly plug-ins cannot run",
                    "install it (docs/admin.md, Plug-ins), or set plugin_engine_library in \(configurationPath)"))
        }
        for row in rows where row.state == "suspended" || row.state == "failed" {
            let advice =
                row.state == "suspended"
                ? "when its trouble is over: wsemaild plugin enable \(row.plugin)" : "wsemaild plugin info \(row.plugin) tells more"
            found.append(ServerChecks.finding([row], "\(row.plugin) is \(row.state): \(row.reason)", advice))
        }
        return found.isEmpty ? [.ok("plugins", "\(rows.count) installed, none out of work")] : found
    }

    /// What the setting `plugins` names and nobody has installed: most likely a typing error, by which a plug-in is out.
    private static func unknownNames(_ configuration: ServerConfiguration, _ list: AdminReply) -> [String] {
        PluginAssembly.unknownNames(configuration, installed: list.rows.compactMap { list.value("plugin", in: $0) })
    }

    /// Fails where mail waits for one of them, or passes one that it must not pass.
    private static func finding(_ rows: [Row], _ what: String, _ advice: String) -> CheckFinding {
        rows.contains(where: \.isClosed) ? .fail("plugins", what, advice) : .warn("plugins", what, advice)
    }

    /// Those that the administrator wants to run here.
    private static func wanted(_ list: AdminReply) -> [Row] {
        list.rows.compactMap { cells in
            let row = Dictionary(zip(list.columns, cells), uniquingKeysWith: { first, _ in first })
            guard let plugin = row["plugin"], let state = row["state"], row["roles"]?.isEmpty == false,
                ["active", "not running", "suspended", "failed"].contains(state)
            else { return nil }
            return Row(
                plugin: plugin, state: state, isClosed: row["policy"] == "closed", isPackage: row["publisher"] != "compiled in",
                reason: row["reason"] ?? "")
        }
    }
}
