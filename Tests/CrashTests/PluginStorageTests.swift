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
        let carol = try two.capicom.site.address("carol")
        // Sessions stay open: what fails while they are opened is the business of `FailingStorageTests`.
        let alice = try MailUser("alice", of: two.capicom.site, clock: clock.now)
        let away = try MailUser("bob", of: two.scopio.site, clock: clock.now)
        var seen: [String: Int64] = [:]
        var number = 0
        var hit: StorageOperation?
        var failed: [String] = []
        repeat {
            number += 1
            let letter = try Letter(from: alice.address, to: [away.address, carol], bcc: [role.address], now: clock.now())
            ledger.begin(letter)
            plan.arm(at: number)
            try await away.setVacation("\(number)")
            try await alice.deliver(letter, keys: two.keys, ledger: ledger)
            try await Site.drain(two.capicom.site, two.scopio.site) { site in
                let store = site.domain == two.capicom.site.domain ? two.capicom.store : two.scopio.store
                return try await store.statistics(now: clock.now()).queueDepth
            }
            hit = plan.disarm()
            if let hit { failed.append("\(hit)") }
            // The letter; passed on by the role; both; bob's answer.
            let expected = [("bob", two.scopio, 1), ("dave", two.scopio, 1), ("carol", two.capicom, 2), ("alice", two.capicom, 1)]
            for (user, server, copies) in expected {
                let new = try await server.inbox(user, after: seen[user] ?? 0)
                #expect(new.count == copies, "operation \(number), \(hit.map { "\($0)" } ?? "none"): \(user)")
                seen[user] = new.map(\.uid).max() ?? seen[user]
            }
        } while hit != nil && number < 1_000
        await alice.close()
        await away.close()
        print("failing storage with plug-ins (\(side)): \(number - 1) operations failed, one after the other; \(ledger.failures)")
        #expect(hit == nil && number > 20)
        #expect(ledger.acknowledged.count == number)
        #expect(failed.contains { $0.contains("INTO plugin_values") }, "no value of a plug-in failed")
        try await two.remove {
            let found = try await PluginVerdict.check(ledger, role, at: two.sites)
            #expect(found.passedOn == 2 * number)
            #expect(found.answers.count == number && found.answers.values.allSatisfy { $0 == 1 }, "\(found.answers)")
        }
    }
}
