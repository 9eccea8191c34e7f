import Delivery
import Foundation
import Identity
import MailModel
import MailStore
import SQLiteStore
import Testing

@testable import MailServer

/// The 1st, 2nd, … storage operation of a whole delivery with plug-ins fails, until one runs through.
@Suite("Failing storage of deliveries with plug-ins", .timeLimit(.minutes(3))) struct PluginStorageTests {
    @Test(arguments: FailingStorageTests.Side.allCases)
    func `whichever operation fails, mail and what plug-ins did are there once`(_ side: FailingStorageTests.Side) async throws {
        let plan = FaultPlan()
        let clock = HastyClock()
        var options = LocalTwo.Options()
        options.clock = clock.now
        options.capicom.deliveryClock = clock.deliveryClock
        options.scopio.deliveryClock = clock.deliveryClock
        options.change = Site.withPlugins
        let check: FaultInjector = { try plan.check($0) }
        if side == .author { options.capicomFaults = check } else { options.scopioFaults = check }
        let two = try await LocalTwo.start(options)
        let role = try await Site.installPlugins(two.capicom.site, two.scopio.site)
        let ledger = Ledger()
        let (bob, carol) = try (two.scopio.site.address("bob"), two.capicom.site.address("carol"))
        var seen: [String: Int64] = [:]
        var number = 0
        var hit: StorageOperation?
        repeat {
            number += 1
            // New sessions each time, of the user and of the servers: opening them is part of the delivery.
            await two.capicom.server.peers.drop(two.scopio.site.domain)
            await two.scopio.server.peers.drop(two.capicom.site.domain)
            let alice = try MailUser("alice", of: two.capicom.site, clock: clock.now)
            let letter = try Letter(from: alice.address, to: [bob, carol], bcc: [role.address], now: clock.now())
            ledger.begin(letter)
            plan.arm(at: number)
            try await alice.deliver(letter, keys: two.keys, ledger: ledger)
            try await Site.drain(two.capicom.site, two.scopio.site) { site in
                let store = site.domain == two.capicom.site.domain ? two.capicom.store : two.scopio.store
                return try await store.statistics(now: clock.now()).queueDepth
            }
            hit = plan.disarm()
            for (user, server, copies) in [("bob", two.scopio, 1), ("dave", two.scopio, 1), ("carol", two.capicom, 2)] {
                let new = try await server.inbox(user, after: seen[user] ?? 0)
                #expect(new.count == copies, "operation \(number), \(hit.map { "\($0)" } ?? "none"): \(user)")
                seen[user] = new.map(\.uid).max() ?? seen[user]
            }
            await alice.close()
        } while hit != nil && number < 1_000
        print("failing storage with plug-ins (\(side)): \(number - 1) operations failed, one after the other; \(ledger.failures)")
        #expect(hit == nil && number > 20)
        #expect(ledger.acknowledged.count == number)
        try await two.remove {
            let found = try await PluginVerdict.check(ledger, role, at: two.sites)
            #expect(found.passedOn == 2 * number)
        }
    }
}
