import PluginAPI
import PluginEngine

/// Bounds that the administrator set for one plug-in; nil: the configuration's.
public struct PluginLimits: Sendable, Hashable, Codable {
    public static let secondsBounds = 0.01...60
    public static let megabytesBounds = 1...1024
    public static let concurrencyBounds = 1...64

    /// Wall-clock seconds of a call, waiting included.
    public var seconds: Double?
    /// MiB of linear memory of a call; compiled-in plug-ins have no such bound.
    public var memoryMegabytes: Int?
    /// Calls at once.
    public var concurrency: Int?

    public init(seconds: Double? = nil, memoryMegabytes: Int? = nil, concurrency: Int? = nil) {
        self.seconds = seconds
        self.memoryMegabytes = memoryMegabytes
        self.concurrency = concurrency
    }

    /// - Throws: ``PluginError`` `.invalid` naming the bounds.
    func check() throws(PluginError) {
        if let seconds, !Self.secondsBounds.contains(seconds) {
            throw PluginError(.invalid, "the time limit is 0.01 to 60 seconds, not \(seconds)")
        }
        if let memoryMegabytes, !Self.megabytesBounds.contains(memoryMegabytes) {
            throw PluginError(.invalid, "the memory limit is 1 to 1024 MiB, not \(memoryMegabytes)")
        }
        if let concurrency, !Self.concurrencyBounds.contains(concurrency) {
            throw PluginError(.invalid, "calls at once are 1 to 64, not \(concurrency)")
        }
    }
}

/// The bounds in force for one plug-in.
public struct EffectiveLimits: Sendable, Hashable {
    public var call: CallLimits
    /// Calls at once.
    public var concurrency: Int

    public var seconds: Double { call.seconds }
    /// Bytes.
    public var memory: Int { call.memory }

    init(_ own: PluginLimits, _ configuration: PluginHostConfiguration) {
        call = configuration.defaultLimits
        if let seconds = own.seconds { call.seconds = seconds }
        if let megabytes = own.memoryMegabytes { call.memory = megabytes << 20 }
        concurrency = own.concurrency ?? configuration.concurrency
    }
}
