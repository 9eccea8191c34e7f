import Foundation
import Identity
import MailStore
import Synchronization

/// A store in memory, by the words of ``PluginStore`` and ``DomainStateStore``.
final class MemoryPluginStore: PluginStore, DomainStateStore {
    struct Key: Hashable {
        let plugin: String
        let key: [UInt8]
    }

    private struct State {
        var packages: [String: PluginPackageRecord] = [:]
        var octets: [String: [UInt8]] = [:]
        var values: [Key: PluginValue] = [:]
        var version: Int64 = 0
        var settings: [String: [String: [UInt8]]] = [:]
        var counters: [String: Int64] = [:]
        var isBroken = false
        var stall: Latch?
    }
    private let state = Mutex(State())

    /// While set, values are read when it opens.
    var stall: Latch? {
        get { state.withLock { $0.stall } }
        set { state.withLock { $0.stall = newValue } }
    }

    /// While true every call fails.
    var isBroken: Bool {
        get { state.withLock { $0.isBroken } }
        set { state.withLock { $0.isBroken = newValue } }
    }

    private func locked<T: Sendable>(_ body: (inout State) throws(StoreError) -> sending T) throws(StoreError) -> T {
        let result = state.withLock { state -> Result<T, StoreError> in
            guard !state.isBroken else { return .failure(StoreError(.ioFailure, "the disk is gone")) }
            do throws(StoreError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    func installPackage(_ record: PluginPackageRecord, octets: [UInt8]) async throws(StoreError) {
        try locked { state in
            state.packages[record.id] = PluginPackageRecord(
                id: record.id, version: record.version, digest: record.digest, installed: record.installed, isPresent: true,
                state: record.state)
            state.octets[record.id] = octets
        }
    }

    func packages() async throws(StoreError) -> [PluginPackageRecord] {
        try locked { $0.packages.values.sorted { $0.id < $1.id } }
    }

    func packageOctets(_ id: String) async throws(StoreError) -> [UInt8]? { try locked { $0.octets[id] } }

    func setPackageState(_ id: String, to octets: [UInt8]) async throws(StoreError) -> Bool {
        try locked { state in
            guard let old = state.packages[id] else { return false }
            state.packages[id] = PluginPackageRecord(
                id: id, version: old.version, digest: old.digest, installed: old.installed, isPresent: old.isPresent, state: octets)
            return true
        }
    }

    func removePackage(_ id: String, deletingValues: Bool) async throws(StoreError) -> Bool {
        try locked { state in
            if deletingValues { state.values = state.values.filter { !$0.key.plugin.hasPrefix(id + "/") } }
            guard let old = state.packages[id], state.octets.removeValue(forKey: id) != nil else { return false }
            state.packages[id] = PluginPackageRecord(
                id: id, version: old.version, digest: old.digest, installed: old.installed, isPresent: false, state: old.state)
            return true
        }
    }

    func pluginValue(_ key: [UInt8], of plugin: String) async throws(StoreError) -> PluginValue? {
        await stall?.wait()
        return try locked { $0.values[Key(plugin: plugin, key: key)] }
    }

    func pluginKeys(
        prefix: [UInt8], after cursor: [UInt8]?, limit: Int, of plugin: String
    ) async throws(StoreError) -> [[UInt8]] {
        try locked { state in
            let keys = state.values.keys.filter { $0.plugin == plugin && $0.key.starts(with: prefix) }.map(\.key)
                .filter { key in cursor.map { $0.lexicographicallyPrecedes(key) } ?? true }
            return Array(keys.sorted { $0.lexicographicallyPrecedes($1) }.prefix(limit))
        }
    }

    func pluginUsage(_ plugin: String) async throws(StoreError) -> (count: Int, bytes: Int64) {
        try locked { state in
            let values = state.values.filter { $0.key.plugin == plugin }
            return (values.count, values.reduce(0) { $0 + Int64($1.key.key.count + $1.value.value.count) })
        }
    }

    func commit(_ effects: PluginEffects, now: Date) async throws(StoreError) -> Bool {
        try locked { state in
            for check in effects.checks where state.values[Key(plugin: check.plugin, key: check.key)]?.version != check.version {
                return false
            }
            for write in effects.writes {
                state.version += 1
                let value = write.value.map { PluginValue(value: $0, version: state.version) }
                state.values[Key(plugin: write.plugin, key: write.key)] = value
            }
            return true
        }
    }

    func mailboxVerdicts(_ addresses: [Address], size: Int) async throws(StoreError) -> [Address: RecipientVerdict] { [:] }

    func nextCounter(_ name: String) async throws(StoreError) -> Int64 {
        try locked { state in
            state.counters[name, default: 0] += 1
            return state.counters[name] ?? 0
        }
    }

    func counter(_ name: String) async throws(StoreError) -> Int64 { try locked { $0.counters[name] ?? 0 } }

    func setting(_ key: String, in namespace: String) async throws(StoreError) -> [UInt8]? {
        try locked { $0.settings[namespace]?[key] }
    }

    func settings(in namespace: String) async throws(StoreError) -> [String: [UInt8]] {
        try locked { $0.settings[namespace] ?? [:] }
    }

    func setSetting(_ key: String, in namespace: String, to value: [UInt8]?) async throws(StoreError) {
        try locked { $0.settings[namespace, default: [:]][key] = value }
    }
}
