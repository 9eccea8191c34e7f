import PluginAPI

/// The plug-ins that are compiled into the server. They use nothing but the API that third parties have.
public enum BuiltIns {
    /// Makes a compiled-in plug-in from the administrator's settings. Throws ``PluginError`` `.invalid` for settings that cannot work.
    public typealias Factory = @Sendable ([String: String]) throws(PluginError) -> any Plugin

    /// - `grants`: what it has been granted as long as the administrator has said nothing of it.
    public typealias BuiltIn = (descriptor: PluginDescriptor, grants: Set<PluginCapability>, make: Factory)

    /// Every one of them. None is missing: that their names are good is tested.
    public static var all: [BuiltIn] { [try? bridge, try? attachments].compactMap { $0 } }

    /// The package of all of them.
    static let package = "org.wsemail.builtin"

    /// Hands events to a program of this machine: ``SubprocessBridge``. Off until the administrator loads it and sets `command`.
    public static var bridge: BuiltIn {
        get throws(PluginError) {
            let make: Factory = { settings throws(PluginError) in SubprocessBridge(try BridgeSettings(settings)) }
            return (try SubprocessBridge.descriptor, [], make)
        }
    }

    /// Keeps attachments on the sender's server: ``Attachments``. It reaches nothing but its own values and the files that users
    /// hand in, so it has all that it asks for.
    public static var attachments: BuiltIn {
        get throws(PluginError) {
            let make: Factory = { settings throws(PluginError) in Attachments(try AttachmentSettings(settings)) }
            return (try Attachments.descriptor, Attachments.capabilities, make)
        }
    }
}
