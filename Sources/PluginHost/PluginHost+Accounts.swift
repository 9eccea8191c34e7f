import Identity
import MailStore
import PluginAPI

extension PluginHost {
    /// Calls of one plug-in for one account, and of these such whose effects did not commit, one after the other.
    static let removalCalls = 1_000_000
    static let removalConflicts = 100
    private static let holdPage = 100

    /// Lets plug-ins and the host let go of what belongs to an account, before it is removed: records of attachments, the custody
    /// of files, offers of them and to them. To be called when nobody can log in to the account any more. May be called again.
    /// - Throws: ``PluginError`` when it is not complete; then the account must stay.
    public func accountRemoved(_ address: Address) async throws(PluginError) {
        let (leases, generation) = state.withLock { ($0.leases, $0.generation) }
        for builtIn in builtIns where leases[builtIn.descriptor.identifier] == nil { try await requireNothingKept(by: builtIn) }
        for (_, lease) in leases.sorted(by: { $0.key < $1.key }) {
            guard let observer = lease.instance.plugin as? any AccountObserver else { continue }
            try await removed(address, observer, lease.instance, generation)
            withExtendedLifetime(lease) {}
        }
        do throws(StoreError) {
            try await removeHolds(of: address)
            try await removeTickets { $0.map { $0.owner == address || $0.reader == address } ?? false }
        } catch { throw PluginError(.storage, error.reason) }
    }

    /// What does not run cannot let go of anything, and would have it still when it runs again.
    private func requireNothingKept(by builtIn: BuiltInPlugin) async throws(PluginError) {
        let identifier = builtIn.descriptor.identifier
        let presets = Dictionary(builtIn.descriptor.settings.map { ($0.name, $0.preset) }) { first, _ in first }
        let plugin = try? builtIn.make(presets)
        guard plugin is any AccountObserver else { return }
        let kept: Int
        do throws(StoreError) { kept = try await parts.store.pluginUsage(identifier.description).count } catch {
            throw PluginError(.storage, error.reason)
        }
        guard kept == 0 else {
            throw PluginError(.unavailable, "\(identifier) does not run and may keep something of the account: enable it first")
        }
    }

    private func removed(
        _ address: Address, _ observer: any AccountObserver, _ instance: PluginInstance, _ generation: UInt64
    ) async throws(PluginError) {
        var conflicts = 0
        for _ in 0..<Self.removalCalls {
            let run = PluginRun(principal: nil, now: parts.clock())
            // The instance has logged a failure.
            let result = await instance.call(run, generation: generation) { environment in
                try await observer.accountRemoved(address, environment)
            }
            let hasMore = try Self.value(of: result, instance.identifier)
            let isDone: Bool
            do throws(StoreError) {
                isDone = try await parts.store.commit(PluginEffects(checks: run.checks, writes: run.writes), now: run.now)
            } catch { throw PluginError(.storage, error.reason) }
            conflicts = isDone ? 0 : conflicts + 1
            guard conflicts < Self.removalConflicts else { break }
            if isDone, !hasMore { return }
        }
        throw PluginError(.busy, "\(instance.identifier) could not let go of everything of the account: try again")
    }

    private static func value(of result: Result<Bool, CallFailure>, _ plugin: PluginIdentifier) throws(PluginError) -> Bool {
        switch result {
        case .success(let value): return value
        case .failure(.error(let error)): throw PluginError(error.code, "\(plugin): \(error.reason)")
        case .failure(.fault(let fault)): throw PluginError(.failed, "\(plugin): \(fault.reason)")
        case .failure(.shutDown): throw PluginError(.unavailable, "the server is shutting down")
        }
    }

    /// Whatever plug-ins have done, or could not do because they were damaged.
    private func removeHolds(of owner: Address) async throws(StoreError) {
        let prefix = Array(owner.description.utf8) + [0]
        var cursor: [UInt8]?
        while true {
            let keys = try await parts.store.pluginKeys(
                prefix: prefix, after: cursor, limit: Self.holdPage, of: HostValues.holds)
            guard !keys.isEmpty else { return }
            let writes = keys.map { PluginValueWrite(plugin: HostValues.holds, key: $0, value: nil) }
            _ = try await parts.store.commit(PluginEffects(writes: writes), now: parts.clock())
            cursor = keys.last
        }
    }
}
