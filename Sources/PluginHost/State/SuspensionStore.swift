import Foundation
import MailStore
import PluginAPI

/// Which plug-ins were taken out because they kept failing.
///
/// Apart from the packages' states, which the administrator's acts read and write back: a suspension in between would be lost.
struct SuspensionStore {
    static let namespace = "plugin suspensions"
    private let store: any DomainStateStore

    init(_ store: any DomainStateStore) { self.store = store }

    /// - Parameter suspension: nil: it may run again.
    /// - Throws: ``PluginError`` `.storage`.
    func set(_ suspension: Suspension?, for plugin: PluginIdentifier) async throws(PluginError) {
        do {
            let value = try suspension.map { Array(try JSONEncoder().encode($0)) }
            try await store.setSetting(plugin.description, in: Self.namespace, to: value)
        } catch {
            throw PluginError(.storage, "\(error)")
        }
    }

    /// By plug-in. Throws ``PluginError`` `.storage`.
    func all() async throws(PluginError) -> [String: Suspension] {
        let values: [String: [UInt8]]
        do { values = try await store.settings(in: Self.namespace) } catch { throw PluginError(.storage, error.reason) }
        return values.mapValues { value in
            let read = try? JSONDecoder().decode(Suspension.self, from: Data(value))
            return read ?? Suspension(reason: "it kept failing", since: Date(timeIntervalSince1970: 0))
        }
    }
}
