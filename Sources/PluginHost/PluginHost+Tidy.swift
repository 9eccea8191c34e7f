import Foundation
import MailStore
import PluginAPI

extension PluginHost {
    /// What one plug-in may take at a time of tidying.
    static let tidyTime = Duration.seconds(60)
    static let tidyCalls = 2_000
    private static let ticketPage = 100

    /// Lets every active plug-in that is a ``Housekeeper`` do its work, and removes tickets whose time is over. To be called at
    /// the server's start and every hour; returns when all is done. What fails is logged and tried again the next time.
    /// - Parameter effects: of a run, messages included. Without it messages are not sent.
    public func tidy(
        _ effects: @Sendable (PluginRun) throws -> PluginEffects = { PluginEffects(checks: $0.checks, writes: $0.writes) }
    ) async {
        let (leases, generation) = state.withLock { ($0.leases, $0.generation) }
        for (_, lease) in leases.sorted(by: { $0.key < $1.key }) {
            guard let keeper = lease.instance.plugin as? any Housekeeper else { continue }
            let end = ContinuousClock.now + Self.tidyTime
            for _ in 0..<Self.tidyCalls where ContinuousClock.now < end {
                let goesOn = await tidy(keeper, lease.instance, generation, effects)
                guard goesOn else { break }
            }
            withExtendedLifetime(lease) {}
        }
        await removeOldTickets()
    }

    /// One call. Returns whether to call again.
    private func tidy(
        _ keeper: any Housekeeper, _ instance: PluginInstance, _ generation: UInt64,
        _ effects: (PluginRun) throws -> PluginEffects
    ) async -> Bool {
        let run = PluginRun(principal: nil, now: parts.clock())
        // The instance has logged a failure.
        let result = await instance.call(run, generation: generation) { environment in try await keeper.tidy(environment) }
        guard case .success(let hasMore) = result else { return false }
        do {
            let effects = try effects(run)
            guard !effects.isEmpty else { return hasMore }
            let isDone = try await parts.store.commit(effects, now: run.now)
            return !isDone || hasMore
        } catch {
            parts.logger.error("what \(instance.identifier) tidied up could not be kept: \(error)")
            return false
        }
    }

    private func removeOldTickets() async {
        let now = parts.clock()
        do throws(StoreError) {
            try await removeTickets { ticket in ticket.map { $0.expiry <= now } ?? true }
        } catch {
            parts.logger.error("old tickets could not be removed: \(error.reason)")
        }
    }

    /// Removes the tickets that are over. Damaged ones are handed over as nil.
    func removeTickets(_ isOver: (HostValues.Ticket?) -> Bool) async throws(StoreError) {
        var cursor: [UInt8]?
        while true {
            let keys = try await parts.store.pluginKeys(
                prefix: [], after: cursor, limit: Self.ticketPage, of: HostValues.tickets)
            var effects = PluginEffects()
            for key in keys {
                let value = try await parts.store.pluginValue(key, of: HostValues.tickets)
                guard let value, isOver(HostValues.Ticket(value.value)) else { continue }
                // Written once and never changed: nothing to check.
                effects.writes.append(PluginValueWrite(plugin: HostValues.tickets, key: key, value: nil))
            }
            if !effects.isEmpty { _ = try await parts.store.commit(effects, now: parts.clock()) }
            guard keys.count == Self.ticketPage else { return }
            cursor = keys.last
        }
    }
}
