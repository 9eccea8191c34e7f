import PluginAPI

/// The plug-ins that are compiled into the server. They use nothing but the API that third parties have.
public enum BuiltIns {
    /// Makes a compiled-in plug-in from the administrator's settings. Throws ``PluginError`` `.invalid` for settings that cannot work.
    public typealias Factory = @Sendable ([String: String]) throws(PluginError) -> any Plugin

    public typealias BuiltIn = (descriptor: PluginDescriptor, make: Factory)

    /// Every one of them. None is missing: that their names are good is tested.
    public static var all: [BuiltIn] { [try? bridge].compactMap { $0 } }

    /// The package of all of them.
    static let package = "org.wsemail.builtin"

    /// Hands events to a program of this machine: ``SubprocessBridge``. Off until the administrator loads it and sets `command`.
    public static var bridge: BuiltIn {
        get throws(PluginError) {
            let make: Factory = { settings throws(PluginError) in SubprocessBridge(try BridgeSettings(settings)) }
            return (try SubprocessBridge.descriptor, make)
        }
    }
}
