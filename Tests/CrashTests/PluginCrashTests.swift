import Foundation
import Identity
import MailModel
import MailStore
import Testing

@testable import MailServer

/// Two real servers with plug-ins die again and again at any instant while people write to each other and to a role: what
/// plug-ins wrote and sent is there exactly when the mail is (design §5.1).
@Suite("Crashes with plug-ins", .serialized, .timeLimit(.minutes(5))) struct PluginCrashTests {
    private let killing = Killing(share: 0.5)

    @Test func `values and messages of plug-ins commit with the mail, whatever is killed when`() async throws {
        let begin = ContinuousClock.now
        let two = try await TwoProcesses.start(change: Site.withPlugins)
        print("crash test with plug-ins: \(killing)")
        let ledger = Ledger()
        try await two.run {
            let role = try await Site.installPlugins(two.capicom.site, two.scopio.site)
            let users = try [
                MailUser("alice", of: two.capicom.site), MailUser("carol", of: two.capicom.site),
                MailUser("bob", of: two.scopio.site), MailUser("dave", of: two.scopio.site),
            ]
            for user in users where user.address.domain == two.scopio.site.domain { try await user.setVacation("Gone fishing") }
            let killed = try await killing.send(users, to: users.map(\.address) + [role.address], two, ledger)
            #expect(ledger.complaints == [])
            let drained = ContinuousClock.now
            try await Site.drain(two.scopio.site, two.capicom.site) { try await $0.admin(.queueList).rows.count }
            let drain = ContinuousClock.now - drained
            for user in users { await user.close() }
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            let found = try await PluginVerdict.check(ledger, role, at: two.sites)
            print(
                "crash test with plug-ins: \(killed.kills) kills (\(killed.early) of them during the start), \(found.letters) messages, "
                    + "\(ledger.acknowledged.count) acknowledged, \(found.entries) entries, \(found.passedOn) passed on by the role, "
                    + "\(found.marks) marks; start \(killed.startMilliseconds) ms (median), drain \(drain), all "
                    + "\(ContinuousClock.now - begin); failed attempts: \(ledger.failures)")
            #expect(killed.kills == 2 * killing.kills)
            #expect(ledger.acknowledged.count > killing.kills)
            #expect(found.passedOn > killing.kills / 2)
            // Both are away: everybody else is answered once by each.
            #expect(found.answers.count == 6 && found.answers.values.allSatisfy { $0 == 1 }, "\(found.answers)")
        }
    }
}
