import Foundation
import PluginAPI

extension PluginHost {
    /// Brings what runs in line with the store. Safe to call at any time; one runs at a time. Does not wait for calls that are
    /// under way.
    /// - Returns: all plug-ins, those included that do not run.
    /// - Throws: ``PluginError`` `.storage`: nothing has changed; `.unavailable` after the shutdown.
    public func reconcile() async throws(PluginError) -> [PluginStatus] {
        await gate.enter()
        defer { gate.leave() }
        guard !state.withLock({ $0.isShutDown }) else { throw PluginError(.unavailable, "the plug-in host is shut down") }
        let running = state.withLock { $0.leases }
        for instance in running.values.map(\.instance) {
            if let suspension = instance.unrecordedSuspension { await instance.record(suspension) }
        }
        // Only of these can the store say that the administrator has cleared the suspension: they had it before it was read.
        let suspended = Set(running.values.filter { $0.instance.isSuspensionRecorded }.map { ObjectIdentifier($0.instance) })
        let inventory = try await Inventory.read(parts.store, builtIns: builtIns, logger: parts.logger)
        let trust = try await PublisherRecords(store: parts.store).trust()
        let plan = await build(inventory, trust, running.filter { !suspended.contains(ObjectIdentifier($0.value.instance)) })
        take(plan, insteadOf: running)
        var statuses: [PluginStatus] = []
        for status in plan.statuses { statuses.append(await completed(status, askingHealth: false)) }
        return statuses
    }

    /// What a reconciliation comes to.
    struct Plan {
        var statuses: [PluginStatus] = []
        var queues: [PluginRole: [PipelineEntry]] = [:]
        var extensions: [String: PipelineSnapshot.Route] = [:]
        var leases: [PluginIdentifier: PluginLease] = [:]
        /// Extension identifiers by their owners.
        var claims: [String: PluginIdentifier] = [:]
    }

    private func build(
        _ inventory: Inventory, _ trust: PackageTrust, _ running: [PluginIdentifier: PluginLease]
    ) async -> Plan {
        var shelf = state.withLock { $0.shelf }
        shelf.begin(trust)
        var plan = Plan()
        for plugin in inventory.plugins {
            if let idle = plugin.idleState(parts.configuration) {
                plan.statuses.append(plugin.status(idle, parts.configuration))
                continue
            }
            do throws(PluginError) {
                try plan.claim(plugin)
                if let damage = plugin.damage { throw damage }
                if let suspension = plugin.suspension { throw PluginError(.suspended, suspension.reason) }
                let lease = try await lease(for: plugin, running[plugin.identifier], &shelf)
                if let suspension = lease.instance.suspension {
                    plan.leases[plugin.identifier] = lease
                    throw PluginError(.suspended, suspension.reason)
                }
                plan.add(plugin, .running(lease))
                plan.leases[plugin.identifier] = lease
                plan.statuses.append(plugin.status(.active, parts.configuration))
            } catch {
                plan.add(plugin, .out(error))
                let state: PluginStatus.State = error.code == .suspended ? .suspended(error.reason) : .failed(error.reason)
                plan.statuses.append(plugin.status(state, parts.configuration))
                report(plugin, state)
            }
        }
        shelf.end()
        state.withLock { [shelf] in $0.shelf = shelf }
        return plan
    }

    /// The instance that runs already, if nothing about it has changed, or a new one.
    private func lease(
        for plugin: InstalledPlugin, _ running: PluginLease?, _ shelf: inout PackageShelf
    ) async throws(PluginError) -> PluginLease {
        var member: ReadPackage.Member?
        let isCurrent = running?.instance.key == plugin.key(parts.configuration)
        if case .package(let digest, let verified) = plugin.source {
            let id = plugin.identifier.package
            // Also for one that runs: its publisher may have been revoked.
            try await shelf.check(id, digest: digest, verified: verified)
            if !isCurrent {
                let package = try await shelf.package(id, digest: digest, verified: verified)
                if let minimum = package.minimumServer, minimum > parts.configuration.serverVersion {
                    throw PluginError(.refused, "it needs version \(minimum) of the server")
                }
                member = package.members.first { $0.descriptor.identifier == plugin.identifier }
            }
        }
        if let running, isCurrent { return running }
        let meter = state.withLock { state in
            let meter = state.meters[plugin.identifier] ?? PluginMeter()
            state.meters[plugin.identifier] = meter
            return meter
        }
        let instance = try await loader.load(plugin, member, meter: meter)
        parts.logger.notice("\(plugin.identifier) \(plugin.descriptor.version) is started")
        return PluginLease(instance)
    }

    /// Says it once, not at every reconciliation.
    private func report(_ plugin: InstalledPlugin, _ new: PluginStatus.State) {
        let old = state.withLock { state in
            state.statuses.first { $0.identifier == plugin.identifier && $0.version == plugin.descriptor.version }?.state
        }
        guard old != new else { return }
        let consequence = plugin.policy == .closed ? "mail waits for it" : "mail passes without it"
        parts.logger.error("\(plugin.identifier) does not run (\(consequence)): \(new)")
    }

    /// Publishes the new pipeline, then lets the old instances end.
    private func take(_ plan: Plan, insteadOf running: [PluginIdentifier: PluginLease]) {
        let generation = state.withLock { state in
            state.generation += 1
            state.statuses = plan.statuses
            state.leases = plan.leases
            return state.generation
        }
        publish(
            PluginPipeline(
                snapshot: PipelineSnapshot(generation: generation, queues: plan.queues, extensions: plan.extensions)))
        let kept = Set(plan.leases.values.map { ObjectIdentifier($0) })
        retire(running.values.filter { !kept.contains(ObjectIdentifier($0)) })
    }
}

extension PluginHost.Plan {
    /// Two plug-ins cannot own one extension identifier: the one that was installed earlier does.
    mutating func claim(_ plugin: InstalledPlugin) throws(PluginError) {
        for declaration in plugin.descriptor.extensions {
            if let owner = claims[declaration.identifier], owner != plugin.identifier {
                throw PluginError(.refused, "\(declaration.identifier) belongs to \(owner), which was installed earlier")
            }
        }
        for declaration in plugin.descriptor.extensions { claims[declaration.identifier] = plugin.identifier }
    }

    mutating func add(_ plugin: InstalledPlugin, _ target: PipelineEntry.Target) {
        for (role, priority) in plugin.roles {
            let entry = PipelineEntry(
                identifier: plugin.identifier, policy: plugin.policy, priority: priority, target: target,
                isCustodian: plugin.descriptor.capabilities.contains(.blobs))
            queues[role, default: []].append(entry)
            guard role == .extension else { continue }
            for declaration in plugin.descriptor.extensions where claims[declaration.identifier] == plugin.identifier {
                extensions[declaration.identifier] = PipelineSnapshot.Route(callers: declaration.callers, entry: entry)
            }
        }
    }
}
