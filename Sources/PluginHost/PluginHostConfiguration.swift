import Foundation
import Identity
import PluginAPI
import PluginEngine

/// What the server's configuration says of plug-ins.
public struct PluginHostConfiguration: Sendable {
    public var serverVersion: PluginVersion
    public var domain: MailDomain
    /// What a call may use where the administrator set nothing for the plug-in.
    public var defaultLimits: CallLimits
    /// Calls at once per plug-in.
    public var concurrency: Int
    /// Calls per plug-in that wait for a place; more are refused (`busy`).
    public var queueLength: Int
    /// So many failures among a plug-in's last 100 calls suspend it.
    public var errorBudget: Int
    /// Threads that run sandboxed code.
    public var threads: Int
    /// Octets of keys and values that one plug-in may keep; not more than the store's own quota.
    public var valueBytes: Int64 = 64 << 20
    /// For a call that is cancelled at its deadline to say that it never had its turn.
    var lastWord = Duration.milliseconds(500)
    /// What runs when the administrator has said nothing else: package identifiers or `package/name`. nil: every installed
    /// package. What is compiled in runs only if it is named here or loaded by the administrator.
    ///
    /// The administrator's last `load` or `unload` of a plug-in is kept in the store and wins over this list.
    public var loadAtStart: [String]?

    public init(
        serverVersion: PluginVersion, domain: MailDomain, defaultLimits: CallLimits = CallLimits(), concurrency: Int = 4,
        queueLength: Int = 256, errorBudget: Int = 20, threads: Int = 2, loadAtStart: [String]? = nil
    ) {
        self.serverVersion = serverVersion
        self.domain = domain
        self.defaultLimits = defaultLimits
        self.concurrency = concurrency
        self.queueLength = queueLength
        self.errorBudget = errorBudget
        self.threads = threads
        self.loadAtStart = loadAtStart
    }
}

/// A plug-in that is compiled into the server. It uses what third parties have, yet runs unconfined in the server's process.
public struct BuiltInPlugin: Sendable {
    public let descriptor: PluginDescriptor
    /// What it has been granted as long as the administrator has said nothing of it.
    public let grants: Set<PluginCapability>
    /// Makes an instance from the effective settings; throws ``PluginError`` `.invalid` when they make no sense.
    public let make: @Sendable (_ settings: [String: String]) throws(PluginError) -> any Plugin

    public init(
        descriptor: PluginDescriptor, grants: Set<PluginCapability> = [],
        make: @escaping @Sendable (_ settings: [String: String]) throws(PluginError) -> any Plugin
    ) {
        self.descriptor = descriptor
        self.grants = grants
        self.make = make
    }
}

/// What the server does for plug-ins.
public struct HostServices: Sendable {
    public let lookUp: @Sendable (Address) async throws(PluginError) -> AddressStanding
    /// nil: the server keeps no files.
    public let files: (any HostFiles)?

    public init(
        lookUp: @escaping @Sendable (Address) async throws(PluginError) -> AddressStanding, files: (any HostFiles)? = nil
    ) {
        self.lookUp = lookUp
        self.files = files
    }
}
