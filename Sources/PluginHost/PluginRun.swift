import Foundation
import Identity
import MailStore
import PluginAPI
import Synchronization

/// A message that a plug-in wants sent.
public struct PluginMessage: Sendable, Hashable {
    public let plugin: PluginIdentifier
    public let message: OutgoingMessage
    /// For whom it acted: the author when `message.sender` is `.principal`.
    public let principal: Address?
}

/// A plug-in that saw an event.
public struct PluginTrace: Sendable, Hashable {
    public let identifier: PluginIdentifier
    public let version: PluginVersion
    /// Of the pipeline.
    public let generation: UInt64
}

/// What one event's plug-ins read, wrote and sent, and which ones saw it.
///
/// Hand events in FULL (content, octets, identity, token): the pipeline takes out what a plug-in has not been granted. The
/// effects of a call that failed are dropped, those of the others stay. After an outcome of `unavailable` or `later` throw the
/// run away; after `changed` from the store begin with a new one.
public final class PluginRun: Sendable {
    /// Whose mailbox the plug-ins act for: the recipient of a delivery, the author of a submission, the caller of an extension;
    /// nil for a caller without a mailbox here.
    public let principal: Address?
    /// The time that plug-ins see, at each repetition of the event the same.
    public let now: Date
    private let state = Mutex(State())

    struct ValueKey: Hashable {
        let plugin: PluginIdentifier
        let key: [UInt8]
    }

    /// A value as a call sees it.
    struct Known {
        var value: [UInt8]?
    }

    private struct State {
        var checks: [PluginValueCheck] = []
        var writes: [PluginValueWrite] = []
        var messages: [PluginMessage] = []
        var trace: [PluginTrace] = []
        /// What calls of this run have read or written: later calls of the same plug-in see the same.
        var known: [ValueKey: Known] = [:]
    }

    public init(principal: Address?, now: Date) {
        self.principal = principal
        self.now = now
    }

    /// What the plug-ins have read: each key once.
    public var checks: [PluginValueCheck] { state.withLock { $0.checks } }
    public var writes: [PluginValueWrite] { state.withLock { $0.writes } }
    public var messages: [PluginMessage] { state.withLock { $0.messages } }
    /// In order of their calls, those included that failed.
    public var trace: [PluginTrace] { state.withLock { $0.trace } }

    func saw(_ trace: PluginTrace) { state.withLock { $0.trace.append(trace) } }

    func known(_ key: [UInt8], of plugin: PluginIdentifier) -> Known? {
        state.withLock { $0.known[ValueKey(plugin: plugin, key: key)] }
    }

    /// Takes over what a call that ended well has done.
    func merge(_ effects: CallEffects, of plugin: PluginIdentifier) {
        guard !effects.isEmpty else { return }
        let name = plugin.description
        state.withLock { state in
            for (key, read) in effects.reads {
                let id = ValueKey(plugin: plugin, key: key)
                // Two calls of one run at the same time may both have read it: the first check is the stricter one to keep.
                guard state.known[id] == nil else { continue }
                state.known[id] = Known(value: read?.value)
                state.checks.append(PluginValueCheck(plugin: name, key: key, version: read?.version))
            }
            for (key, value) in effects.writes {
                state.known[ValueKey(plugin: plugin, key: key)] = Known(value: value)
                state.writes.append(PluginValueWrite(plugin: name, key: key, value: value))
            }
            // Two calls may have read the same value: both checks must hold, and they hold together or not at all.
            state.checks += effects.hostChecks.filter { !state.checks.contains($0) }
            state.writes += effects.hostWrites
            state.messages += effects.messages.map { PluginMessage(plugin: plugin, message: $0, principal: principal) }
        }
    }
}
