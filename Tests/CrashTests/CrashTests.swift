import Foundation
import Identity
import MailModel
import Testing

@testable import MailServer

/// Two real servers die again and again at any instant while people write to each other.
@Suite("Crashes", .serialized, .timeLimit(.minutes(5))) struct CrashTests {
    private let killing = Killing()

    @Test func everyAcknowledgedMessageArrivesExactlyOnceWhateverIsKilledWhen() async throws {
        let begin = ContinuousClock.now
        let two = try await TwoProcesses.start()
        print("crash test: \(killing)")
        let ledger = Ledger()
        try await two.run {
            let users = try [
                MailUser("alice", of: two.capicom.site), MailUser("carol", of: two.capicom.site),
                MailUser("bob", of: two.scopio.site), MailUser("dave", of: two.scopio.site),
            ]
            let killed = try await killing.send(users, to: users.map(\.address), two, ledger)
            #expect(ledger.complaints == [])
            let drained = ContinuousClock.now
            try await Self.drain(users, ledger, two.keys)
            for user in users { await user.close() }
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            try await Verdict.check(ledger, at: two.sites)
            print(
                "crash test: \(killed.kills) kills (\(killed.early) of them during the start), \(ledger.letters.count) messages, "
                    + "\(ledger.acknowledged.count) acknowledged; start \(killed.startMilliseconds) ms (median), drain "
                    + "\(ContinuousClock.now - drained), all \(ContinuousClock.now - begin); failed attempts: \(ledger.failures)")
            #expect(killed.kills == 2 * killing.kills)
            #expect(ledger.acknowledged.count > 100)
        }
    }

    /// Waits until everything acknowledged is in its recipients' mailboxes and its authors' statuses say so.
    private static func drain(_ users: [MailUser], _ ledger: Ledger, _ keys: SiteKeys) async throws {
        let acknowledged = ledger.acknowledged
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in users {
                group.addTask {
                    let mine = acknowledged.filter { $0.recipients.contains(user.address) }
                    let isThere = try await user.receives(Set(mine.map(\.id)))
                    #expect(isThere, "acknowledged messages are missing in the mailbox of \(user.address)")
                    for letter in acknowledged where letter.author == user.address {
                        let status = try await user.status(of: letter.id, reaching: "delivered")
                        let isDelivered = try await Verdict.isDelivered(letter, status, keys: keys)
                        #expect(isDelivered, "\(letter.id): \(status.lines)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
