import Foundation
import PluginAPI
import PluginPackage

/// What an administrator sees of one plug-in.
public struct PluginStatus: Sendable {
    public let identifier: PluginIdentifier
    public let version: PluginVersion
    public let summary: String
    /// The package's title.
    public let title: String
    /// The publisher's name; nil: compiled into the server.
    public var publisher: String? { identity?.name }
    public let identity: PublisherIdentity?
    public let installed: Date?
    public var state: State
    /// Roles with the priorities in force.
    public let roles: [PluginRole: Int]
    public let extensions: [ExtensionDeclaration]
    public let declared: Set<PluginCapability>
    /// Of those declared.
    public let granted: Set<PluginCapability>
    public let policy: FailurePolicy
    /// What the administrator set.
    public let limits: PluginLimits
    /// What is in force.
    public let effectiveLimits: EffectiveLimits
    /// What the administrator set, over the manifest's presets.
    public let settings: [String: String]
    /// Since the server started; zero where it does not run.
    public var metrics = PluginMetrics()
    /// Its key-value store.
    public var storage = PluginStorage()
    /// What it says of itself; nil when it does not run.
    public var health: PluginHealth?

    /// Whether a plug-in runs, and if not, why.
    public enum State: Sendable, Hashable, CustomStringConvertible {
        case active
        case disabled
        case unloaded
        /// It kept failing. Enable it to try again.
        case suspended(String)
        /// It could not be loaded.
        case failed(String)
        /// The server does not run, or the plug-in is of a kind that servers do not run.
        case notRunning
        /// Its package was removed; the row is kept so that no older version comes back unseen.
        case removed

        public var description: String {
            switch self {
            case .active: "active"
            case .disabled: "disabled"
            case .unloaded: "unloaded"
            case .suspended(let reason): "suspended: \(reason)"
            case .failed(let reason): "failed: \(reason)"
            case .notRunning: "not running"
            case .removed: "removed"
            }
        }
    }
}

/// What a plug-in's key-value store holds.
public struct PluginStorage: Sendable, Hashable {
    /// Values.
    public var count = 0
    /// Octets of keys and values.
    public var bytes: Int64 = 0

    public init() {}
}

/// Counters of one plug-in since the server started, over all its versions.
public struct PluginMetrics: Sendable, Hashable {
    /// Calls that ended, failed ones included.
    public var calls: UInt64 = 0
    /// Failed calls; an extension's refusal is none.
    public var failures: UInt64 { failuresByCode.values.reduce(0, +) }
    public var failuresByCode: [PluginError.Code: UInt64] = [:]
    /// Those of the failures that ran out of time.
    public var timeouts: UInt64 { failuresByCode[.timedOut] ?? 0 }
    /// Calls under way, those included that were given up and have not ended.
    public var inFlight = 0
    /// Wall-clock time of all calls, waiting included.
    public var totalMicroseconds: UInt64 = 0

    public init() {}
}
