import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    private static let effects = PluginEffects(
        writes: [Sample.write("seen", "1")],
        messages: [Sample.notice(50, to: [Sample.carol]), Sample.notice(51, to: [], remote: [Sample.dave])])

    static let effectCases: [ContractCase] = [
        ContractCase("effects commit with the acceptance, and once") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob, Sample.carol)
            var acceptance = Sample.submission(1, local: [Sample.bob])
            acceptance.effects = effects
            acceptance.effects.checks = [Sample.check("seen", nil)]
            let entries = try await store.mustAccept(acceptance)
            #expect(entries.map(\.account) == [Sample.bob, Sample.carol])
            #expect(try await store.ids(Sample.carol) == [Sample.id(50)])
            let jobs = try await store.jobs(destination: nil, after: nil, limit: 9, now: Sample.now)
            #expect(jobs.map(\.messageID) == [Sample.id(51)] && jobs.map(\.origin) == [.server])
            let version = try #require(try await store.text("seen")).version
            // The check does not hold any more, but it is the same message.
            #expect(try await store.accept(acceptance, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            acceptance.effects = PluginEffects(writes: [Sample.write("seen", "2")], messages: [Sample.notice(52, to: [Sample.carol])])
            #expect(try await store.accept(acceptance, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            #expect(try await store.text("seen")?.version == version)
            #expect(try await store.ids(Sample.carol) == [Sample.id(50)])
            acceptance = Sample.submission(1, body: "another", local: [Sample.bob])
            acceptance.effects = PluginEffects(writes: [Sample.write("seen", "3")])
            #expect(try await store.accept(acceptance, now: Sample.now) == .conflict)
            #expect(try await store.text("seen")?.version == version)
        },
        ContractCase("an acceptance on outdated values changes nothing") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob, Sample.carol)
            try await store.put("seen", "0")
            var acceptance = Sample.submission(1, local: [Sample.bob], remote: [Sample.dave], sentCopy: true)
            acceptance.effects = effects
            acceptance.effects.checks = [Sample.check("seen", nil)]
            #expect(try await store.accept(acceptance, now: Sample.now) == .changed)
            let statistics = try await store.statistics(now: Sample.now)
            #expect(statistics.messages == 0 && statistics.intents == 0 && statistics.queueDepth == 0)
            #expect(try await store.text("seen")?.text == "0")
            acceptance.effects.checks = [Sample.check("seen", try await store.text("seen")?.version)]
            try await store.mustAccept(acceptance)
            #expect(try await store.text("seen")?.text == "1")
        },
        ContractCase("verdicts that changed keep the effects out, too") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.carol)
            var acceptance = Sample.submission(1, local: [Sample.bob])
            acceptance.effects = effects
            #expect(try await store.accept(acceptance, now: Sample.now) == .changed)
            #expect(try await store.text("seen") == nil)
            #expect(try await store.ids(Sample.carol) == [])
        },
        ContractCase("messages of plug-ins leave out who is not there, whatever the quota") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob, quota: 1)
            try await store.createAccounts(Sample.carol)
            try await store.disableAccount(Sample.carol, now: Sample.now)
            let absent = [Sample.carol, Sample.alice]
            let messages = [
                Sample.notice(1, to: [Sample.bob] + absent), Sample.notice(2, to: absent),
                Sample.notice(3, to: absent, remote: [Sample.dave]),
            ]
            #expect(try await store.commit(PluginEffects(messages: messages), now: Sample.now))
            #expect(try await store.ids(Sample.bob) == [Sample.id(1)])
            let statistics = try await store.statistics(now: Sample.now)
            #expect(statistics.messages == 2 && statistics.intents == 2 && statistics.queueDepth == 1)
            #expect(try await store.status(of: Sample.id(2), from: .server) == nil)
            #expect(try await store.status(of: Sample.id(1), from: .server)?.recipients.map(\.recipient) == [Sample.bob])
        },
        ContractCase("a plug-in's message may wait for its final delivery here") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            var notice = Sample.waiting(1, for: [Sample.bob])
            notice.origin = .server
            notice.receipt = []
            #expect(try await store.commit(PluginEffects(messages: [notice]), now: Sample.now))
            let job = try #require(try await store.leaseOwn().first)
            #expect(job.job.origin == .server && job.job.recipients == [Sample.bob])
            let settlement = LocalSettlement(
                deliveries: [MailboxDelivery(account: Sample.bob)], outcomes: [.init(recipient: Sample.bob, state: .delivered)])
            try await store.mustSettle(job, settlement)
            let stored = try await store.retrieve(Sample.bob, .uid(1))
            #expect(stored.postmark == Sample.postmark && stored.receipt == nil)
        },
        ContractCase("messages of plug-ins are the server's own, plain, and have ids of their own") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            func refuse(_ message: Acceptance) async {
                await expectError(.invalid) {
                    let effects = PluginEffects(writes: [Sample.write("a", "b")], messages: [message])
                    _ = try await store.commit(effects, now: Sample.now)
                }
            }
            await refuse(Sample.submission(1, local: [Sample.bob]))
            var message = Sample.notice(1, to: [Sample.bob])
            message.receipt = [1]
            await refuse(message)
            message = Sample.notice(1, to: [Sample.bob])
            message.sentCopy = true
            await refuse(message)
            message = Sample.notice(1, to: [Sample.bob])
            message.effects = PluginEffects(writes: [Sample.write("x", "y")])
            await refuse(message)
            #expect(try await store.ids(Sample.bob) == [])
            #expect(try await store.text("a") == nil)
            #expect(try await store.text("x") == nil)
            #expect(try await store.commit(PluginEffects(messages: [Sample.notice(1, to: [Sample.bob])]), now: Sample.now))
            // The same again is the same; another one under its id is not passed over in silence.
            #expect(try await store.commit(PluginEffects(messages: [Sample.notice(1, to: [Sample.bob])]), now: Sample.now))
            #expect(try await store.ids(Sample.bob) == [Sample.id(1)])
            message = Sample.bounce(1, to: Sample.bob)
            await refuse(message)
            #expect(try await store.text("a") == nil)
        },
        ContractCase("settled recipients are recorded and covered by the receipt") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            var acceptance = Sample.submission(1, local: [Sample.bob])
            acceptance.settled = [
                RecipientOutcome(recipient: Sample.carol, state: .accepted, reason: "passed on"),
                RecipientOutcome(recipient: Sample.dave, state: .delivered),
            ]
            #expect(try await store.mustAccept(acceptance).map(\.account) == [Sample.bob])
            let status = try #require(try await store.status(of: Sample.id(1), from: acceptance.origin))
            #expect(status.recipients.map(\.state) == [.delivered, .accepted, .delivered])
            #expect(status.recipients.map(\.reason) == [nil, "passed on", nil])
            #expect(try await store.accept(acceptance, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            let all = Sample.submission(1, local: [Sample.bob, Sample.carol], remote: [Sample.dave])
            #expect(try await store.accept(all, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            #expect(try await store.examine(Sample.request(all)) == .duplicate(receipt: Sample.receipt))
            #expect(try await store.statistics(now: Sample.now).queueDepth == 0)
        },
        ContractCase("an acceptance of settled recipients alone keeps no octets") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            var acceptance = Sample.delivery(1, to: [])
            acceptance.local = []
            acceptance.settled = [RecipientOutcome(recipient: Sample.bob, state: .accepted)]
            acceptance.effects = PluginEffects(messages: [Sample.notice(2, to: [], remote: [Sample.dave])])
            #expect(try await store.mustAccept(acceptance) == [])
            #expect(try await store.statistics(now: Sample.now).messages == 1)
            #expect(try await store.status(of: Sample.id(1), from: acceptance.origin)?.receipts == [Sample.receipt])
            #expect(try await store.accept(acceptance, now: Sample.now) == .duplicate(receipt: Sample.receipt))
        },
        ContractCase("settled recipients occur once, are new and wait for nothing") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            var acceptance = Sample.delivery(1, to: [Sample.bob])
            acceptance.settled = [RecipientOutcome(recipient: Sample.bob, state: .accepted)]
            let twice = acceptance
            await expectError(.invalid) { _ = try await store.accept(twice, now: Sample.now) }
            acceptance.settled = [RecipientOutcome(recipient: Sample.carol, state: .queued)]
            let waiting = acceptance
            await expectError(.invalid) { _ = try await store.accept(waiting, now: Sample.now) }
            try await store.mustAccept(Sample.delivery(1, to: [Sample.bob]))
            acceptance.local = []
            acceptance.settled = [Sample.bob, Sample.carol].map { RecipientOutcome(recipient: $0, state: .accepted) }
            #expect(try await store.accept(acceptance, now: Sample.now) == .changed)
            acceptance.settled.removeFirst()
            acceptance.repeated = [Sample.bob]
            try await store.mustAccept(acceptance)
        },
        ContractCase("a stale neighbour in the same commit harms nobody") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            let acceptances = (1...5).map { number in
                var acceptance = Sample.submission(number, local: [Sample.bob])
                acceptance.effects = PluginEffects(
                    checks: number == 5 ? [] : [Sample.check("first", nil)], writes: [Sample.write("first", "\(number)")])
                return acceptance
            }
            let results = try await store.accept(acceptances, now: Sample.now).map { try $0.get() }
            #expect(results[1...3] == [.changed, .changed, .changed])
            #expect(Set(try await store.ids(Sample.bob)) == [Sample.id(1), Sample.id(5)])
            #expect(try await store.text("first")?.text == "5")
        },
    ]
}
