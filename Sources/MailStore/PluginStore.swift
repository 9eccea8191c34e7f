import Foundation
import Identity

/// A value of a plug-in's private store, with what tells a change.
public struct PluginValue: Sendable, Hashable {
    public let value: [UInt8]
    /// Grows with every transaction that writes values, in the whole store (values written together share one); a key that is
    /// removed and written again never repeats one.
    public let version: Int64

    public init(value: [UInt8], version: Int64) {
        self.value = value
        self.version = version
    }
}

/// What a run of plug-ins has read: it holds if the value is still the same.
public struct PluginValueCheck: Sendable, Hashable {
    public let plugin: String
    public let key: [UInt8]
    /// nil: there was no value.
    public let version: Int64?

    public init(plugin: String, key: [UInt8], version: Int64?) {
        self.plugin = plugin
        self.key = key
        self.version = version
    }
}

/// A value to write, or to remove (nil). Keys have 1 to 512 octets, values at most 64 KiB, empty ones included (`invalid`).
public struct PluginValueWrite: Sendable, Hashable {
    public let plugin: String
    public let key: [UInt8]
    public let value: [UInt8]?

    public init(plugin: String, key: [UInt8], value: [UInt8]?) {
        self.plugin = plugin
        self.key = key
        self.value = value
    }
}

/// What plug-ins did while they judged: takes hold with the acceptance, settlement or answer it belongs to, or not at all.
///
/// At most 10,000 checks, writes and messages together (`invalid`). `quotaExceeded`, and nothing takes hold, when writes grow a
/// plug-in's values beyond its quota; writes that shrink them always pass.
public struct PluginEffects: Sendable, Hashable {
    /// All must hold when the transaction runs; otherwise nothing of it takes hold and the outcome is `changed`.
    public var checks: [PluginValueCheck]
    /// In this order; the last write of a key counts.
    public var writes: [PluginValueWrite]
    /// Messages of `Origin.server` without receipt, Sent copy and effects of their own (`invalid`), to local mailboxes and to
    /// other domains; or to this one, as jobs for `settleLocal`. Local recipients without an enabled account are left out
    /// silently, and so is a message without any recipient left; quotas do not apply. A message that the server sent before
    /// is not sent again; another message under its id is `invalid`.
    public var messages: [Acceptance]

    public init(checks: [PluginValueCheck] = [], writes: [PluginValueWrite] = [], messages: [Acceptance] = []) {
        self.checks = checks
        self.writes = writes
        self.messages = messages
    }

    public var isEmpty: Bool { checks.isEmpty && writes.isEmpty && messages.isEmpty }
}

/// An installed package of plug-ins. Its octets are read apart.
public struct PluginPackageRecord: Sendable, Hashable {
    /// The package identifier.
    public let id: String
    public let version: String
    /// SHA-256 of the package's octets; empty for what is compiled in.
    public let digest: [UInt8]
    public let installed: Date
    /// False once removed: the row stays, so that an older version does not come back unseen.
    public let isPresent: Bool
    /// What the plug-in host keeps about it; at most 256 KiB. The store does not read it.
    public let state: [UInt8]

    public init(id: String, version: String, digest: [UInt8], installed: Date, isPresent: Bool, state: [UInt8]) {
        self.id = id
        self.version = version
        self.digest = digest
        self.installed = installed
        self.isPresent = isPresent
        self.state = state
    }
}

/// What plug-ins and their host keep.
public protocol PluginStore: Sendable {
    /// Stores a package, or replaces the one of the same id, with its state, in one transaction. `record.isPresent` is taken
    /// as true. At most 32 MiB, its state at most 256 KiB, an id has 1 to 512 octets (`invalid`).
    func installPackage(_ record: PluginPackageRecord, octets: [UInt8]) async throws(StoreError)

    /// All packages ever installed, by id.
    func packages() async throws(StoreError) -> [PluginPackageRecord]

    /// The octets of a package that is present, or nil.
    func packageOctets(_ id: String) async throws(StoreError) -> [UInt8]?

    /// Replaces a package's state, also that of a removed one. Returns false if there is no row of that id.
    func setPackageState(_ id: String, to state: [UInt8]) async throws(StoreError) -> Bool

    /// Deletes a package's octets; its row stays. With `deletingValues` also all values of plug-ins named `id/…`, even if the
    /// package was removed before. Returns false if it was not present.
    func removePackage(_ id: String, deletingValues: Bool) async throws(StoreError) -> Bool

    /// One value, or nil.
    func pluginValue(_ key: [UInt8], of plugin: String) async throws(StoreError) -> PluginValue?

    /// Up to `limit` keys that begin with `prefix`, in byte order, those after `cursor` (which need not exist). A page costs the
    /// same wherever it begins.
    func pluginKeys(
        prefix: [UInt8], after cursor: [UInt8]?, limit: Int, of plugin: String
    ) async throws(StoreError) -> [[UInt8]]

    /// How many values a plug-in has, and the octets of their keys and values together; does not count them anew.
    func pluginUsage(_ plugin: String) async throws(StoreError) -> (count: Int, bytes: Int64)

    /// Makes effects durable that belong to no acceptance (an extension's). Returns false, and changes nothing, if a check
    /// does not hold. Effects that are checks alone are a read. Throws `quotaExceeded` when a plug-in's values would take more
    /// than its quota (`SQLiteConfiguration.pluginValueBytes`).
    func commit(_ effects: PluginEffects, now: Date) async throws(StoreError) -> Bool

    /// What local delivery depends on, for each address: verdicts as `examine` gives them, without an intent.
    func mailboxVerdicts(_ addresses: [Address], size: Int) async throws(StoreError) -> [Address: RecipientVerdict]
}
