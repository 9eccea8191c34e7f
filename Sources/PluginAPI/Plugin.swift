import Identity

/// Code that a server runs on its messages or requests. A plug-in plays one or more roles (``SendingProcessor``,
/// ``DeliveryProcessor``, ``ExtensionProcessor``, ``RecipientResolver``); what it may reach is its ``PluginEnvironment``.
///
/// One instance serves many calls at once. What must survive a call goes into the key-value store of the environment:
/// a call may be repeated (after a conflict, a crash or a postponement), and only the effects of one run are committed.
public protocol Plugin: Sendable {
    /// Called once, before the first call. A plug-in that throws is not loaded, and the administrator sees why.
    func start(_ context: PluginContext) async throws

    /// Called once, after the last call has ended.
    func stop() async

    /// Whether it works; asked by `wsemaild plugin info`. Answer within a second.
    func health() async -> PluginHealth
}

extension Plugin {
    public func start(_ context: PluginContext) async throws {}
    public func stop() async {}
    public func health() async -> PluginHealth { .healthy }
}

/// What a plug-in says of itself.
public enum PluginHealth: Sendable, Hashable {
    case healthy
    /// It works with a restriction that the administrator should know of.
    case degraded(String)
    case failed(String)
}

/// What a plug-in knows of itself before any call.
public struct PluginContext: Sendable {
    public let plugin: PluginIdentifier
    public let version: PluginVersion
    /// What the administrator set, over the manifest's presets.
    public let settings: [String: String]

    public init(plugin: PluginIdentifier, version: PluginVersion, settings: [String: String]) {
        self.plugin = plugin
        self.version = version
        self.settings = settings
    }
}

/// Acts when a user hands a message in, before anything is stored (design §6). Runs inside the sender's call: be quick.
public protocol SendingProcessor: Plugin {
    func process(_ submission: SubmissionEvent, _ environment: any PluginEnvironment) async throws -> SendingVerdict
}

/// Acts at final delivery to one recipient of this domain. Its effects commit with the delivery.
public protocol DeliveryProcessor: Plugin {
    func process(_ delivery: DeliveryEvent, _ environment: any PluginEnvironment) async throws -> DeliveryVerdict
}

/// Owns extension identifiers: gets any XML from a caller and answers any XML.
public protocol ExtensionProcessor: Plugin {
    /// - Returns: one XML element, UTF-8, without declaration. Throw a ``PluginFault`` to refuse with a reason.
    func answer(_ call: ExtensionEvent, _ environment: any PluginEnvironment) async throws -> [UInt8]
}

/// Answers who an unknown local address stands for, before it is refused.
public protocol RecipientResolver: Plugin {
    /// - Returns: whom mail for the address goes to, here or elsewhere; nil if this plug-in does not know the address.
    func resolve(_ address: Address, _ environment: any PluginEnvironment) async throws -> [Address]?
}

/// Does what time demands and no event causes: lets go of what has expired, say. No role: any plug-in may be one.
public protocol Housekeeper: Plugin {
    /// Called at the server's start and every hour, under the limits of a call, acting for nobody. Its effects commit when it
    /// returns; if a value that it has read was changed meanwhile they do not, and it is called again.
    /// - Returns: whether there is more to do, so that it is called again at once (at most 2,000 times, for a minute). Keep one call small.
    func tidy(_ environment: any PluginEnvironment) async throws -> Bool
}

/// Learns that an account is about to be removed, so that whoever gets its address next has nothing of it.
public protocol AccountObserver: Plugin {
    /// Called before the account goes, when nobody can log in to it any more, under the limits of a call, acting for nobody. Its
    /// effects commit when it returns; if a value that it has read was changed meanwhile they do not, and it is called again.
    /// While it fails the account is not removed; it may be called again for the same.
    /// - Returns: whether there is more to do, so that it is called again at once. Keep one call small.
    func accountRemoved(_ address: Address, _ environment: any PluginEnvironment) async throws -> Bool
}

/// The roles of design §6.
public enum PluginRole: String, Sendable, Hashable, CaseIterable, Codable, Comparable {
    case sending, delivery
    case `extension`
    case resolver

    public static func < (left: PluginRole, right: PluginRole) -> Bool { left.rawValue < right.rawValue }
}
