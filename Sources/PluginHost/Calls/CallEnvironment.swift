import Foundation
import Identity
import Logging
import MailStore
import PluginAPI
import Synchronization

/// What a call has done so far.
struct CallEffects: Sendable {
    /// In the order of first reading; nil: there was no value.
    var reads: [(key: [UInt8], value: PluginValue?)] = []
    /// In order; a key may occur twice.
    var writes: [(key: [UInt8], value: [UInt8]?)] = []
    var messages: [OutgoingMessage] = []
    /// Of the host's own values, on behalf of the call.
    var hostChecks: [PluginValueCheck] = []
    var hostWrites: [PluginValueWrite] = []

    var isEmpty: Bool {
        reads.isEmpty && writes.isEmpty && messages.isEmpty && hostChecks.isEmpty && hostWrites.isEmpty
    }
}

/// Bounds of one call: together they keep what a call makes the host hold below some 20 MiB.
enum CallBounds {
    static let key = 1...512
    static let value = 65_536
    static let listed = 1...1_000
    static let messages = 10
    /// Different keys read, and writes.
    static let keys = 1_000
    /// Octets of the values read and written.
    static let valueBytes = 16 << 20
    static let logLines = 100
    static let logLength = 1_000
    /// Values of the host's own that are written on behalf of a call.
    static let hostWrites = 4_000
}

/// One call's ``PluginEnvironment``: checks capabilities and bounds, reads optimistically, buffers effects.
///
/// Reading looks, in this order, at what this call has written, at what calls of the same run have read or written, at the
/// store. What comes from the store is recorded with its version, to be checked when the effects commit.
final class CallEnvironment: PluginEnvironment {
    let plugin: PluginIdentifier
    let settings: [String: String]
    /// Monotonic end of the call.
    let deadline: ContinuousClock.Instant
    private let granted: Set<PluginCapability>
    let run: PluginRun
    let parts: HostParts
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var effects = CallEffects()
        var known: [[UInt8]: [UInt8]?] = [:]
        var bytes = 0
        var logLines = 0
        var isOver = false
        var phase = Phase.other
        /// Waits for the server's files that are under way.
        var fileWaits = 0
    }

    init(_ instance: PluginInstance, run: PluginRun, deadline: ContinuousClock.Instant) {
        plugin = instance.identifier
        settings = instance.key.settings
        granted = instance.key.granted
        self.deadline = deadline
        self.run = run
        parts = instance.parts
        logger = instance.logger
    }

    /// Ends the call: whatever the plug-in does later (a call that was given up may go on) reaches nothing any more.
    func finish() -> CallEffects {
        state.withLock { state in
            state.isOver = true
            defer { state = State(isOver: true) }
            return state.effects
        }
    }

    func need(_ capability: PluginCapability) throws(PluginError) {
        guard granted.contains(capability) else {
            throw PluginError(.notGranted, "\(plugin) has not been granted \"\(capability.rawValue)\"")
        }
        guard !state.withLock({ $0.isOver }) else { throw PluginError(.timedOut, "the call has ended") }
    }

    /// Whether it waits for the server's files: then it is not the plug-in that takes long.
    var isWaitingForFiles: Bool { state.withLock { $0.fileWaits > 0 } }

    func waitsForFiles(_ change: Int) { state.withLock { $0.fileWaits += change } }

    var phase: Phase { state.withLock { $0.phase } }

    func begin(_ phase: Phase) { state.withLock { $0.phase = phase } }

    /// Notes what was read of the host's own values, to be checked when the effects commit.
    func check(_ read: PluginValue?, for key: [UInt8], in namespace: String) throws(PluginError) {
        state.withLock { state in
            guard !state.effects.hostChecks.contains(where: { $0.plugin == namespace && $0.key == key }) else { return }
            state.effects.hostChecks.append(PluginValueCheck(plugin: namespace, key: key, version: read?.version))
        }
    }

    /// Writes (nil: removes) one of the host's own values when the effects commit.
    func write(_ value: [UInt8]?, for key: [UInt8], in namespace: String) throws(PluginError) {
        let fits = state.withLock { state in
            guard !state.isOver, state.effects.hostWrites.count < CallBounds.hostWrites else { return false }
            state.effects.hostWrites.append(PluginValueWrite(plugin: namespace, key: key, value: value))
            return true
        }
        guard fits else { throw PluginError(.limitExceeded, "a call keeps, offers and lets go of too many files") }
    }

    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError) {
        try need(.log)
        let line = state.withLock { state in
            state.logLines += 1
            return state.logLines
        }
        guard line <= CallBounds.logLines else { return }
        let level: Logger.Level =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        let text = line == CallBounds.logLines ? "(more lines of this call are left out)" : text
        logger.log(level: level, "\(plugin): \(VerdictRules.line(String(text.prefix(CallBounds.logLength))))")
    }

    func now() throws(PluginError) -> Date {
        try need(.clock)
        return run.now
    }

    func value(for key: [UInt8]) async throws(PluginError) -> [UInt8]? {
        if let known = try knownValue(for: key) { return known.value }
        let read: PluginValue?
        do { read = try await parts.store.pluginValue(key, of: plugin.description) } catch {
            throw PluginError(.storage, error.reason)
        }
        return try record(read, for: key)
    }

    /// A value that needs no reading. Checks everything that ``value(for:)`` checks.
    func knownValue(for key: [UInt8]) throws(PluginError) -> PluginRun.Known? {
        try need(.keyValue)
        try check(key)
        if let own = state.withLock({ $0.known[key] }) { return PluginRun.Known(value: own) }
        return run.known(key, of: plugin)
    }

    private func record(_ read: PluginValue?, for key: [UInt8]) throws(PluginError) -> [UInt8]? {
        let result: Result<[UInt8]?, PluginError> = state.withLock { state in
            // Another task of the same call was quicker: both see the same.
            if let known = state.known[key] { return .success(known) }
            state.bytes += key.count + (read?.value.count ?? 0)
            guard state.effects.reads.count < CallBounds.keys, state.bytes <= CallBounds.valueBytes else {
                return .failure(PluginError(.limitExceeded, "a call reads at most 1,000 values and 16 MiB"))
            }
            state.known[key] = .some(read?.value)
            state.effects.reads.append((key, read))
            return .success(read?.value)
        }
        return try result.get()
    }

    func setValue(_ value: [UInt8]?, for key: [UInt8]) async throws(PluginError) { try write(value, for: key) }

    func write(_ value: [UInt8]?, for key: [UInt8]) throws(PluginError) {
        try need(.keyValue)
        try check(key)
        guard value?.count ?? 0 <= CallBounds.value else { throw PluginError(.limitExceeded, "a value has at most 64 KiB") }
        let fits = state.withLock { state in
            state.bytes += key.count + (value?.count ?? 0)
            guard state.effects.writes.count < CallBounds.keys, state.bytes <= CallBounds.valueBytes else { return false }
            state.known[key] = .some(value)
            state.effects.writes.append((key, value))
            return true
        }
        guard fits else { throw PluginError(.limitExceeded, "a call writes at most 1,000 values and 16 MiB") }
    }

    /// Whether the plug-in's store has room for what this call and others of its run have written.
    ///
    /// The store has the last word, when the effects commit. But there a full store would fail the delivery itself, again and
    /// again, whatever the plug-in's policy; here it fails the call.
    /// - Throws: ``PluginError`` `.limitExceeded`, `.storage`.
    func requireRoom() async throws(PluginError) {
        let own = state.withLock { $0.effects.writes }
        let name = plugin.description
        guard !own.isEmpty, !HostValues.isUnmetered(name) else { return }
        var last: [[UInt8]: Int] = [:]
        for write in run.writes where write.plugin == name { last[write.key] = write.value.map { write.key.count + $0.count } ?? 0 }
        for (key, value) in own { last[key] = value.map { key.count + $0.count } ?? 0 }
        do throws(StoreError) {
            let kept = try await parts.store.pluginUsage(name).bytes
            // What is replaced is looked up only where it matters.
            guard kept + Int64(last.values.reduce(0, +)) > parts.configuration.valueBytes else { return }
            var growth: Int64 = 0
            for (key, size) in last {
                let old = try await parts.store.pluginValue(key, of: name).map { key.count + $0.value.count } ?? 0
                growth += Int64(size - old)
            }
            if growth <= 0 || kept + growth <= parts.configuration.valueBytes { return }
        } catch {
            throw PluginError(.storage, error.reason)
        }
        throw PluginError(.limitExceeded, "it keeps as much as it may: \(parts.configuration.valueBytes >> 20) MiB")
    }

    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) async throws(PluginError) -> [[UInt8]] {
        try need(.keyValue)
        guard CallBounds.listed.contains(limit) else { throw PluginError(.limitExceeded, "1 to 1,000 keys at a time") }
        guard prefix.count <= CallBounds.key.upperBound, cursor?.count ?? 0 <= CallBounds.key.upperBound else {
            throw PluginError(.invalid, "a key has 1 to 512 octets")
        }
        do {
            return try await parts.store.pluginKeys(prefix: prefix, after: cursor, limit: limit, of: plugin.description)
        } catch {
            throw PluginError(.storage, error.reason)
        }
    }

    func send(_ message: OutgoingMessage) async throws(PluginError) { try post(message) }

    func post(_ message: OutgoingMessage) throws(PluginError) {
        try need(.send)
        try message.check()
        if message.sender == .principal, run.principal == nil {
            throw PluginError(.invalid, "there is no mailbox to send for: send as the service")
        }
        let fits = state.withLock { state in
            guard state.effects.messages.count < CallBounds.messages else { return false }
            state.effects.messages.append(message)
            return true
        }
        guard fits else { throw PluginError(.limitExceeded, "a call sends at most 10 messages") }
    }

    func lookUp(_ address: Address) async throws(PluginError) -> AddressStanding {
        try need(.lookUp)
        return try await parts.services.lookUp(address)
    }

    private func check(_ key: [UInt8]) throws(PluginError) {
        guard CallBounds.key.contains(key.count) else { throw PluginError(.invalid, "a key has 1 to 512 octets") }
    }
}
