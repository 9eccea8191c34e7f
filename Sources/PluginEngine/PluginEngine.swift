import PluginAPI

/// Runs modules of sandboxed code. Everything here is synchronous and blocks its thread: the host calls it from threads of
/// its own.
public protocol PluginEngine: Sendable {
    /// Name, version and code generator, such as `wasmtime 50.0.1 cranelift`: part of the cache's key, shown to administrators.
    var identification: String { get }

    /// Compiles a module, or takes it from the engine's own cache.
    /// - Parameters:
    ///   - digest: SHA-256 of `module`.
    ///   - granted: the imports of these capabilities are allowed; any other import refuses the load.
    /// - Throws: ``PluginError`` `.invalidModule`, `.notGranted`, `.limitExceeded`, `.unavailable`.
    func compile(
        _ module: [UInt8], digest: [UInt8], granted: Set<PluginCapability>
    ) throws(PluginError) -> any PluginModule

    /// Lets go of its threads. No call may run.
    func shutDown()
}

/// A compiled module: each call gets a fresh instance, which is gone afterwards.
public protocol PluginModule: Sendable {
    /// Calls `describe` without any import at work. Throws as `handle` does.
    func describe(_ limits: CallLimits) throws(PluginError) -> [UInt8]

    /// Calls `handle(kind, event)`; nil when it answers 0. Throws ``PluginError`` `.timedOut`, `.failed` (trap, bad pointer),
    /// `.limitExceeded` (memory, answer).
    func handle(_ kind: CallKind, _ event: [UInt8], limits: CallLimits, host: any HostCalls) throws(PluginError) -> [UInt8]?
}

/// The first argument of `handle`.
public enum CallKind: Int32, Sendable, Hashable, CaseIterable {
    case sending = 1
    case delivery = 2
    case `extension` = 3
    case resolver = 4
}

/// What one call may use.
public struct CallLimits: Sendable, Hashable {
    /// Wall-clock seconds, waiting for host calls included.
    public var seconds: Double
    /// Linear memory in bytes.
    public var memory: Int
    /// Octets of the answer.
    public var answer: Int

    public init(seconds: Double = 1, memory: Int = 16 << 20, answer: Int = 1 << 20) {
        self.seconds = seconds
        self.memory = memory
        self.answer = answer
    }
}

/// The host's side of a module's imports during one call. An error that a method throws ends the call: the module is not told.
public protocol HostCalls: AnyObject {
    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError)
    /// Milliseconds since 1970.
    func now() throws(PluginError) -> Int64
    func value(for key: [UInt8]) throws(PluginError) -> [UInt8]?
    func setValue(_ value: [UInt8]?, for key: [UInt8]) throws(PluginError)
    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) throws(PluginError) -> [[UInt8]]
    /// - Parameter frame: fields `sender`, `to`…, `subject`, `text`, `inReplyTo`.
    func send(_ frame: [UInt8]) throws(PluginError)
    /// - Returns: 0 unknown, 1 mailbox, 2 foreign.
    func lookUp(_ address: String) throws(PluginError) -> Int32
}
