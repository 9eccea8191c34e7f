import Foundation
import GRDB
import Identity
import MailStore

/// What plug-ins did, inside a savepoint of the writer's transaction: first `holds`, then `apply`.
struct EffectsWriter {
    /// Checks, writes and messages of one transaction at most: other writes need not wait long.
    static let maximumCount = 10_000
    static let keyOctets = 1...512
    static let maximumValue = 65_536
    static let nameOctets = 1...512
    /// Beginnings of names whose values no quota bounds.
    static let unmetered = ["org.wsemail.host/", "org.wsemail.builtin/"]

    private struct Slot: Hashable {
        let plugin: String
        let key: [UInt8]
    }

    let connection: WriteConnection
    let effects: PluginEffects
    let configuration: SQLiteConfiguration
    let now: Date

    private var sql: SQLConnection { connection.sql }

    /// Throws `invalid` if no store could ever take these effects.
    init(connection: WriteConnection, effects: PluginEffects, configuration: SQLiteConfiguration, now: Date) throws(StoreError) {
        self.connection = connection
        self.effects = effects
        self.configuration = configuration
        self.now = now
        let count = effects.checks.count + effects.writes.count + effects.messages.count
        guard count <= Self.maximumCount else {
            throw StoreError(.invalid, "\(count) effects, at most \(Self.maximumCount) are allowed")
        }
        for write in effects.writes {
            guard Self.nameOctets.contains(write.plugin.utf8.count), Self.keyOctets.contains(write.key.count) else {
                throw StoreError(.invalid, "a key of a plug-in's value has 1 to 512 octets")
            }
            guard (write.value?.count ?? 0) <= Self.maximumValue else {
                throw StoreError(.invalid, "a plug-in's value has at most \(Self.maximumValue) octets")
            }
        }
        for message in effects.messages {
            guard message.origin == .server, message.receipt.isEmpty, !message.sentCopy, message.effects.isEmpty else {
                throw StoreError(.invalid, "a plug-in's message is the server's own, without receipt and effects")
            }
        }
    }

    /// Whether all that was read is as it was.
    func holds() throws -> Bool {
        try sql.holds(effects.checks)
    }

    /// Writes the values and accepts the messages; returns the mailbox entries these made.
    func apply() throws -> [CreatedEntry] {
        try writeValues()
        return try effects.messages.flatMap(send)
    }

    private func send(_ message: Acceptance) throws -> [CreatedEntry] {
        let writer = AcceptanceWriter(connection: connection, acceptance: message, configuration: configuration, now: now)
        switch try writer.run() {
        case .accepted(let entries): return entries
        case .duplicate: return []
        case .changed, .conflict:
            // The server gives the ids. Passing it over would lose a message.
            throw StoreError(.invalid, "a plug-in's message has the id of another")
        }
    }

    private func writeValues() throws {
        var last: [Slot: [UInt8]?] = [:]
        for write in effects.writes { last[Slot(plugin: write.plugin, key: write.key)] = .some(write.value) }
        guard !last.isEmpty else { return }
        // One version for all writes of a transaction: it only has to differ from those of other transactions.
        let version = try sql.nextCounter(Counter.pluginValues)
        for (plugin, slots) in Dictionary(grouping: last, by: \.key.plugin) {
            var count: Int64 = 0
            var growth: Int64 = 0
            for (slot, value) in slots {
                let change = try write(value, at: slot, version: version)
                count += change.count
                growth += change.octets
            }
            try charge(plugin, count: count, growth: growth)
        }
    }

    /// Replaces or removes one value; returns how the usage changes.
    private func write(_ value: [UInt8]?, at slot: Slot, version: Int64) throws -> (count: Int64, octets: Int64) {
        let key = slot.key.blob
        let old = try sql.first(
            "DELETE FROM plugin_values WHERE plugin = ? AND key = ? RETURNING length(key) + length(value)", slot.plugin, key
        ) { try $0.int(0) }
        let before: (count: Int64, octets: Int64) = (old == nil ? 0 : 1, old ?? 0)
        guard let value else { return (-before.count, -before.octets) }
        try sql.run("INSERT INTO plugin_values VALUES (?, ?, ?, ?)", slot.plugin, key, value.blob, version)
        return (1 - before.count, Int64(slot.key.count + value.count) - before.octets)
    }

    private func charge(_ plugin: String, count: Int64, growth: Int64) throws {
        guard count != 0 || growth != 0 else { return }
        let bytes = try sql.number(
            """
            INSERT INTO plugin_usage VALUES (?, ?, ?) ON CONFLICT (plugin) DO UPDATE
            SET count = count + excluded.count, bytes = bytes + excluded.bytes RETURNING bytes
            """, plugin, count, growth)
        // The host's own values and those of what is compiled in are bounded by what users may keep and send, not here.
        guard !Self.unmetered.contains(where: { plugin.hasPrefix($0) }) else { return }
        // Whoever has too much (the quota was lowered) may still remove something.
        guard growth <= 0 || bytes <= configuration.pluginValueBytes else {
            throw StoreError(
                .quotaExceeded, "the plug-in \(plugin) would keep \(bytes) octets, at most \(configuration.pluginValueBytes) are allowed")
        }
    }
}

extension SQLConnection {
    /// Whether plug-ins' values have the versions that were read.
    func holds(_ checks: [PluginValueCheck]) throws -> Bool {
        try checks.allSatisfy { check in
            let version = try first(
                "SELECT version FROM plugin_values WHERE plugin = ? AND key = ?", check.plugin, check.key.blob
            ) { try $0.int(0) }
            return version == check.version
        }
    }
}
