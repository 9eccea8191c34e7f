import Delivery
import Foundation
import Identity
import MailModel
import MailStore
import SQLiteStore
import Testing

@testable import MailServer

/// The 1st, 2nd, … storage operation of a whole delivery fails, until one runs through.
@Suite("Failing storage of whole deliveries", .timeLimit(.minutes(3))) struct FailingStorageTests {
    enum Side: CaseIterable { case author, recipient }

    @Test(arguments: Side.allCases) func whicheverOperationFailsTheMessageArrivesOnce(_ side: Side) async throws {
        let plan = FaultPlan()
        let clock = HastyClock()
        var options = LocalTwo.Options()
        options.clock = clock.now
        options.capicom.deliveryClock = clock.deliveryClock
        options.scopio.deliveryClock = clock.deliveryClock
        let check: FaultInjector = { try plan.check($0) }
        if side == .author { options.capicomFaults = check } else { options.scopioFaults = check }
        let two = try await LocalTwo.start(options)
        let ledger = Ledger()
        let (bob, dave, carol) = try (
            two.scopio.site.address("bob"), two.scopio.site.address("dave"), two.capicom.site.address("carol")
        )
        var seen: [String: Int64] = [:]
        var number = 0
        var hit: StorageOperation?
        repeat {
            number += 1
            // New sessions each time, of the user and of the server: opening them is part of the delivery.
            await two.capicom.server.peers.drop(two.scopio.site.domain)
            let alice = try MailUser("alice", of: two.capicom.site, clock: clock.now)
            let letter = try Letter(from: alice.address, to: [bob, carol], bcc: [dave], now: clock.now())
            ledger.begin(letter)
            plan.arm(at: number)
            try await alice.deliver(letter, keys: two.keys, ledger: ledger)
            let states = try await two.capicom.status(of: letter, reaching: .delivered)
            hit = plan.disarm()
            let note: Comment = "operation \(number): \(hit.map { "\($0)" } ?? "none")"
            #expect(states == [.delivered, .delivered, .delivered], note)
            for (user, server) in [("bob", two.scopio), ("dave", two.scopio), ("carol", two.capicom)] {
                let new = try await server.inbox(user, after: seen[user] ?? 0)
                #expect(new.map(\.messageID) == [letter.id.description], note)
                seen[user] = new.map(\.uid).max() ?? seen[user]
            }
            await alice.close()
        } while hit != nil && number < 1_000
        print("failing storage (\(side)): \(number - 1) operations failed, one after the other; \(ledger.failures)")
        #expect(hit == nil && number > 20)
        #expect(ledger.acknowledged.count == number)
        try await two.finish(ledger)
    }
}
