import PluginAPI
import PluginPackage

/// What an installation did.
public struct InstallReport: Sendable {
    /// The package's identifier.
    public let package: String
    public let version: PluginVersion
    /// nil: it was not installed before.
    public let previous: PluginVersion?
    public let publisher: PublisherIdentity
    public let plugins: [PluginIdentifier]
    /// By plug-in; empty sets are left out.
    public let granted: [PluginIdentifier: Set<PluginCapability>]
    /// Those that the configuration does not load: `load` them.
    public let notLoaded: [PluginIdentifier]
    /// The same file was installed already: nothing has changed.
    public let isUnchanged: Bool

    /// For the administrator.
    public var summary: String {
        guard !isUnchanged else { return "\(package) \(version) is installed already" }
        var text =
            previous.map { "\(package) \(version) is installed instead of \($0)" }
            ?? "\(package) \(version) of \(publisher.name) is installed"
        if !notLoaded.isEmpty {
            text += "; the configuration does not load \(notLoaded.map(\.description).joined(separator: ", ")): load it when you want it"
        }
        return text
    }
}
