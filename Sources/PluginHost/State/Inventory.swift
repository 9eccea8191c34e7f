import Foundation
import Logging
import MailStore
import PluginAPI

/// All plug-ins that the store and the server's code know.
struct Inventory: Sendable {
    /// What is compiled in first, then in the order of installation: the earlier keeps an extension identifier.
    let plugins: [InstalledPlugin]

    /// - Throws: ``PluginError`` `.storage`. A package whose state is damaged is logged and left out.
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
            var state: PackageState?
            do throws(PluginError) {
                state = try record.map { record throws(PluginError) in try PackageState(octets: record.state) }
            } catch {
                logger.error("what was said of \(identifier) is lost: \(error.reason)")
            }
            plugins.append(
                InstalledPlugin(
                    descriptor: builtIn.descriptor, source: .builtIn(builtIn), title: "compiled into the server", publisher: nil,
                    installed: nil, isPresent: true, runsHere: true, state: state?.plugins[identifier.name] ?? PluginState(),
                    suspension: suspensions[identifier.description]))
        }
        for record in records.sorted(by: { ($0.installed, $0.id) < ($1.installed, $1.id) }) where !compiled.contains(record.id) {
            // What was compiled in once and is not any more: nothing to run, nothing to show.
            guard !record.digest.isEmpty else { continue }
            do throws(PluginError) {
                plugins += try Self.plugins(of: record, suspensions)
            } catch {
                logger.error("the package \(record.id) is left out: \(error.reason)")
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
}
