import Foundation
import MailStore
import PluginAPI
import PluginEngine

extension PluginManager {
    /// Installs a package, or upgrades to it.
    ///
    /// - Parameters:
    ///   - grants: what its plug-ins may reach, of what they ask for. Must cover everything they ask for that was not asked for
    ///     by the version before; nil covers nothing.
    ///   - allowDowngrade: permits a version that is not higher than the highest ever installed.
    ///   - by: who does it, for the record.
    public func install(
        _ octets: [UInt8], grants: Set<PluginCapability>?, allowDowngrade: Bool, by: String
    ) async throws(PluginError) -> InstallReport {
        try await alone { () throws(PluginError) in
            let now = clock()
            let trust = try await PublisherRecords(store: store).trust()
            let package = try await source.read(octets, trust: trust, at: now)
            let earlier = try await self.earlier(package.identifier)
            try judge(package, earlier, allowDowngrade: allowDowngrade)
            if let earlier, earlier.record.isPresent, earlier.record.digest == package.digest {
                if let grants { try await add(grants, to: package, earlier) }
                return try await report(package, earlier, isUnchanged: true)
            }
            var state = try next(package, earlier, grants: grants)
            state.verified = now
            state.installedBy = by
            try await probe(package, state)
            let record = PluginPackageRecord(
                id: package.identifier, version: package.version.description, digest: package.digest,
                installed: earlier.flatMap { $0.record.isPresent ? $0.record.installed : nil } ?? now, isPresent: true,
                state: try state.encoded())
            do throws(StoreError) { try await store.installPackage(record, octets: octets) } catch {
                throw PluginError(.storage, error.reason)
            }
            // Another version deserves another try.
            for member in package.members { try await SuspensionStore(store).set(nil, for: member.descriptor.identifier) }
            logger.notice("\(package.identifier) \(package.version) is installed by \(by)")
            return try await report(package, earlier, isUnchanged: false)
        }
    }

    /// Removes a package. That it was there, and in which version, is remembered.
    /// - Parameter deletingValues: also what its plug-ins have stored; then another publisher may use its identifier.
    public func remove(_ package: String, deletingValues: Bool) async throws(PluginError) {
        try await alone { () throws(PluginError) in
            guard !isCompiledIn(package) else {
                throw PluginError(.refused, "\(package) is compiled into the server: unload it instead")
            }
            guard let earlier = try await remaining(package, deletingValues: deletingValues) else {
                throw PluginError(.refused, "there is no package \"\(package.prefix(100))\": `wsemaild plugin list` shows all")
            }
            do throws(StoreError) {
                _ = try await store.removePackage(package, deletingValues: deletingValues)
            } catch {
                throw PluginError(.storage, error.reason)
            }
            var state = earlier.state
            state.plugins = [:]
            if deletingValues { state.isPinned = false }
            try await write(state, of: package)
            for member in state.members { try await SuspensionStore(store).set(nil, for: member.descriptor.identifier) }
        }
    }

    // MARK: Judging

    struct Earlier {
        let record: PluginPackageRecord
        let state: PackageState
    }

    private func earlier(_ package: String) async throws(PluginError) -> Earlier? {
        guard let record = try await record(package) else { return nil }
        return Earlier(record: record, state: try PackageState(octets: record.state))
    }

    /// As `earlier`, also for a package whose state is damaged: nothing but its removal brings mail back.
    private func remaining(_ package: String, deletingValues: Bool) async throws(PluginError) -> Earlier? {
        guard let record = try await record(package) else { return nil }
        do throws(PluginError) {
            return Earlier(record: record, state: try PackageState(octets: record.state))
        } catch {
            let remains = PackageRemains(record.state, error)
            guard !remains.isNewer else { throw error }
            // Whose its values are must stay known, or go with them.
            guard deletingValues || remains.publisher != nil else {
                throw PluginError(
                    .refused, "whose package \(package) is has become unreadable: it can be removed together with its values only")
            }
            let recorded = try? PluginVersion(record.version)
            var state = PackageState(
                title: remains.title ?? package, installedBy: "", highest: remains.highest ?? recorded ?? PluginVersion(0, 0, 0),
                members: remains.members)
            state.publisher = remains.publisher
            return Earlier(record: record, state: state)
        }
    }

    private func isCompiledIn(_ package: String) -> Bool { builtIns.contains { $0.descriptor.identifier.package == package } }

    private func judge(_ package: ReadPackage, _ earlier: Earlier?, allowDowngrade: Bool) throws(PluginError) {
        let id = package.identifier
        guard !isCompiledIn(id) else { throw PluginError(.refused, "\(id) is compiled into the server: a package cannot replace it") }
        if let minimum = package.minimumServer, minimum > configuration.serverVersion {
            throw PluginError(.refused, "\(id) \(package.version) needs version \(minimum) of the server: upgrade the server first")
        }
        guard id != HostValues.package, id != HostValues.builtIns else {
            throw PluginError(.refused, "\(id) is a name of the server's own: no package can have it")
        }
        for member in package.members where member.module != nil {
            guard let forbidden = member.descriptor.capabilities.sorted().first(where: \.isForCompiledInOnly) else { continue }
            throw PluginError(.refused, "\(member.descriptor.identifier) asks for \"\(forbidden.rawValue)\", which no package can have")
        }
        guard let earlier else { return }
        if earlier.state.isPinned, let pinned = earlier.state.publisher,
            pinned.name != package.publisher.name || pinned.anchor != package.publisher.anchor
        {
            throw PluginError(
                .refused,
                "\(id) belongs to \"\(pinned.name)\", not to \"\(package.publisher.name)\" or under another root: to accept another "
                    + "publisher, remove the package with its values first")
        }
        let highest = earlier.state.highest
        let isSame = package.digest == earlier.record.digest && (earlier.record.isPresent || package.version == highest)
        // Back from a downgrade: the version that is there now is the one to compare with.
        let isReturn = package.version == highest && earlier.record.isPresent && earlier.record.version != highest.description
        guard package.version > highest || isSame || isReturn || allowDowngrade else {
            let word = package.version == highest ? "another file of version" : "older than version"
            throw PluginError(
                .refused, "this is \(word) \(highest) of \(id), which was installed before: repeat with --allow-downgrade if you mean it")
        }
    }

    // MARK: State

    /// What to keep about the package: the administrator's words about its plug-ins stay, as far as they still mean something.
    private func next(
        _ package: ReadPackage, _ earlier: Earlier?, grants: Set<PluginCapability>?
    ) throws(PluginError) -> PackageState {
        var state = PackageState(
            title: package.title, installedBy: "", highest: max(package.version, earlier?.state.highest ?? package.version),
            members: package.members.map { PackageState.Member(descriptor: $0.descriptor, runsHere: $0.module != nil) })
        state.publisher = package.publisher
        let before = earlier.flatMap { $0.record.isPresent ? $0.state : nil }
        var missing: Set<PluginCapability> = []
        var wanted: Set<PluginCapability> = []
        var roles: Set<PluginRole> = []
        for member in package.members where member.module != nil {
            let descriptor = member.descriptor
            let name = descriptor.identifier.name
            var plugin = before?.plugins[name] ?? PluginState()
            // What an earlier version asked for was judged then: granted, or taken back since.
            let known = before?.members.first { $0.descriptor.identifier == descriptor.identifier }?.descriptor
            let judged = known?.capabilities ?? []
            roles.formUnion(Set(descriptor.roles.keys).subtracting(known?.roles.keys.map { $0 } ?? []))
            plugin.granted = plugin.granted.union(grants ?? []).intersection(descriptor.capabilities)
            wanted.formUnion(descriptor.capabilities)
            missing.formUnion(descriptor.capabilities.subtracting(judged).subtracting(plugin.granted))
            plugin.priorities = plugin.priorities.filter { role, _ in descriptor.roles.keys.contains { $0.rawValue == role } }
            plugin.settings = plugin.settings.filter { name, _ in descriptor.settings.contains { $0.covers(name) } }
            state.plugins[name] = plugin
        }
        guard missing.isEmpty else {
            // At the first time all of it: nothing is kept of what was granted with a refused installation.
            let list = (before == nil ? wanted : missing).sorted().map(\.rawValue).joined(separator: ",")
            let subject = before == nil ? "\(package.identifier) asks for" : "version \(package.version) also asks for"
            throw PluginError(.refused, "\(subject) \(Self.names(missing)): repeat with --grant \(list) if it may have that")
        }
        // A role is power, too: who delivers may pass mail on to anywhere. It must not come unseen with an upgrade.
        guard before == nil || grants != nil || roles.isEmpty else {
            let list = roles.sorted().map(\.rawValue).joined(separator: ", ")
            throw PluginError(
                .refused,
                "version \(package.version) also takes part as \(list), which needs no capability: repeat with --grant \"\" if it may")
        }
        return state
    }

    /// The same file once more, with grants.
    private func add(_ grants: Set<PluginCapability>, to package: ReadPackage, _ earlier: Earlier) async throws(PluginError) {
        var state = earlier.state
        for member in package.members where member.module != nil {
            let name = member.descriptor.identifier.name
            state.plugins[name, default: PluginState()].granted.formUnion(grants.intersection(member.descriptor.capabilities))
        }
        try await write(state, of: package.identifier)
    }

    /// Compiles every module and asks it what it is, so that a bad one is refused now and not found out by mail.
    private func probe(_ package: ReadPackage, _ state: PackageState) async throws(PluginError) {
        let members = package.members.filter { $0.module != nil }
        guard !members.isEmpty else { return }
        let threads = PluginThreads(1)
        let (engine, configuration) = (engine, configuration)
        let result: Result<Void, PluginError>
        do throws(PluginError) {
            try await threads.run(until: nil) { () throws(PluginError) in
                let engine = try engine()
                defer { engine.shutDown() }
                for member in members { try Self.probe(member, state, configuration, engine, threads) }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await threads.shutDown()
        try result.get()
    }

    private static func probe(
        _ member: ReadPackage.Member, _ state: PackageState, _ configuration: PluginHostConfiguration, _ engine: any PluginEngine,
        _ threads: PluginThreads
    ) throws(PluginError) {
        let descriptor = member.descriptor
        let own = state.plugins[descriptor.identifier.name] ?? PluginState()
        let key = InstanceKey(
            identifier: descriptor.identifier, version: descriptor.version, package: [], settings: [:], granted: own.granted,
            limits: EffectiveLimits(own.limits, configuration))
        do throws(PluginError) {
            _ = try WasmPlugin.load(
                member.module ?? [], digest: member.moduleDigest, key: key, roles: descriptor.roles.keys, engine: engine,
                threads: threads)
        } catch {
            throw PluginError(error.code, "\(descriptor.identifier) cannot run here: \(error.reason)")
        }
    }

    private func report(
        _ package: ReadPackage, _ earlier: Earlier?, isUnchanged: Bool
    ) async throws(PluginError) -> InstallReport {
        let plugins = try await inventory().plugins.filter { $0.identifier.package == package.identifier }
        let granted = plugins.filter { !$0.granted.isEmpty }.map { ($0.identifier, $0.granted) }
        let previous = earlier.flatMap { $0.record.isPresent ? try? PluginVersion($0.record.version) : nil }
        return InstallReport(
            package: package.identifier, version: package.version, previous: previous, publisher: package.publisher,
            plugins: plugins.map(\.identifier), granted: Dictionary(uniqueKeysWithValues: granted),
            notLoaded: plugins.filter { $0.runsHere && !$0.isLoaded(configuration) }.map(\.identifier), isUnchanged: isUnchanged)
    }
}
