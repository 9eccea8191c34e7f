import Foundation
import Logging
import MailStore
import PluginAPI

/// All plug-ins that the store and the server's code know.
struct Inventory: Sendable {
    /// What is compiled in first, then in the order of installation: the earlier keeps an extension identifier.
    let plugins: [InstalledPlugin]

    /// - Throws: ``PluginError`` `.storage`. Plug-ins of a package whose state is damaged are there, as such: mail must not pass them.
    static func read(
        _ store: any PluginStore & DomainStateStore, builtIns: [BuiltInPlugin], logger: Logger
    ) async throws(PluginError) -> Inventory {
        let records: [PluginPackageRecord]
        do { records = try await store.packages() } catch { throw PluginError(.storage, error.reason) }
        let suspensions = try await SuspensionStore(store).all()
        let compiled = Set(builtIns.map(\.descriptor.identifier.package))
        var plugins: [InstalledPlugin] = []
        for builtIn in builtIns {
            let identifier = builtIn.descriptor.identifier
            let record = records.first { $0.id == identifier.package }
            var state = PluginState(granted: builtIn.grants.intersection(builtIn.descriptor.capabilities))
            var damage: PluginError?
            if let record {
                do throws(PluginError) {
                    if let said = try PackageState(octets: record.state).plugins[identifier.name] { state = said }
                } catch {
                    logger.error("what was said of \(identifier) is damaged: \(error.reason)")
                    state = PackageRemains(record.state, error).state(of: identifier.name)
                    damage = error
                }
            }
            plugins.append(
                InstalledPlugin(
                    descriptor: builtIn.descriptor, source: .builtIn(builtIn), title: "compiled into the server", publisher: nil,
                    installed: nil, isPresent: true, runsHere: true, state: state,
                    suspension: suspensions[identifier.description], damage: damage))
        }
        for record in records.sorted(by: { ($0.installed, $0.id) < ($1.installed, $1.id) }) where !compiled.contains(record.id) {
            // What was compiled in once and is not any more: nothing to run, nothing to show.
            guard !record.digest.isEmpty else { continue }
            do throws(PluginError) {
                plugins += try Self.plugins(of: record, suspensions)
            } catch {
                logger.error("what is kept about the package \(record.id) is damaged: \(error.reason)")
                plugins += try Self.remains(of: record, suspensions, error)
            }
        }
        return Inventory(plugins: plugins)
    }

    private static func plugins(
        of record: PluginPackageRecord, _ suspensions: [String: Suspension]
    ) throws(PluginError) -> [InstalledPlugin] {
        let state = try PackageState(octets: record.state)
        return state.members.map { member in
            InstalledPlugin(
                descriptor: member.descriptor,
                source: .package(digest: record.digest, verified: state.verified ?? record.installed), title: state.title,
                publisher: state.publisher, installed: record.installed, isPresent: record.isPresent, runsHere: member.runsHere,
                state: state.plugins[member.descriptor.identifier.name] ?? PluginState(),
                suspension: suspensions[member.descriptor.identifier.description])
        }
    }

    private static func remains(
        of record: PluginPackageRecord, _ suspensions: [String: Suspension], _ damage: PluginError
    ) throws(PluginError) -> [InstalledPlugin] {
        let remains = PackageRemains(record.state, damage)
        var members = remains.members
        if remains.hasLost {
            members.append(PackageState.Member(descriptor: try PackageRemains.unknown(in: record.id), runsHere: true))
        }
        return members.map { member in
            InstalledPlugin(
                descriptor: member.descriptor,
                source: .package(digest: record.digest, verified: remains.verified ?? record.installed),
                title: remains.title ?? record.id, publisher: remains.publisher, installed: record.installed,
                isPresent: record.isPresent, runsHere: member.runsHere, state: remains.state(of: member.descriptor.identifier.name),
                suspension: suspensions[member.descriptor.identifier.description], damage: damage)
        }
    }
}
