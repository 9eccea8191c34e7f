import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    private static let home = Sample.bob.domain

    /// One job here for bob and carol, leased.
    private static func waitingJob(_ store: any MailStore, quota: Int64? = nil) async throws -> LeasedJob {
        try await store.createAccounts(Sample.bob, Sample.carol, quota: quota)
        try await store.mustAccept(Sample.waiting(1, for: [Sample.bob, Sample.carol]))
        return try #require(try await store.leaseOwn().first)
    }

    private static func delivered(_ recipients: Address...) -> [RecipientOutcome] {
        recipients.map { RecipientOutcome(recipient: $0, state: .delivered) }
    }

    private static let both = LocalSettlement(
        deliveries: [MailboxDelivery(account: Sample.bob), MailboxDelivery(account: Sample.carol)],
        outcomes: delivered(Sample.bob, Sample.carol))

    private static func states(_ store: any MailStore) async throws -> [RecipientState]? {
        try await store.status(of: Sample.id(1), from: .peer(Sample.dave.domain))?.recipients.map(\.state)
    }

    static let settlementCases: [ContractCase] =
        waitingCases + deliveryCases + [
            ContractCase("a settlement that rests on outdated values or verdicts changes nothing") { context in
                let store = context.store
                let job = try await waitingJob(store)
                var settlement = both
                settlement.deliveries[0] = MailboxDelivery(account: Sample.bob, folder: FolderName(rawValue: "New"))
                settlement.effects = PluginEffects(
                    checks: [Sample.check("a", 1)], writes: [Sample.write("a", "x")],
                    messages: [Sample.notice(9, to: [], remote: [Sample.dave])])
                #expect(try await store.settleLocal(job.lease, settlement, now: Sample.now) == .changed)
                settlement.effects.checks = [Sample.check("a", nil)]
                try await store.disableAccount(Sample.carol, now: Sample.now)
                #expect(try await store.settleLocal(job.lease, settlement, now: Sample.now) == .changed)
                try await store.enableAccount(Sample.carol, now: Sample.now)
                try await store.setQuota(5, of: Sample.carol)
                #expect(try await store.settleLocal(job.lease, settlement, now: Sample.now) == .changed)
                try await store.removeAccount(Sample.carol, now: Sample.now)
                #expect(try await store.settleLocal(job.lease, settlement, now: Sample.now) == .changed)
                #expect(try await store.ids(Sample.bob) == [])
                #expect(try await store.folders(of: Sample.bob).count == 2)
                #expect(try await store.text("a") == nil)
                #expect(try await states(store) == [.queued, .queued])
                #expect(try await store.jobs(destination: nil, after: nil, limit: 9, now: Sample.now).count == 1)
                // The lease is still there.
                settlement.deliveries.removeLast()
                try await store.mustSettle(job, settlement)
                #expect(try await store.ids(Sample.bob, FolderName(rawValue: "New")) == [Sample.id(1)])
            },
            ContractCase("only the holder of the lease settles, and only once") { context in
                let store = context.store
                let job = try await waitingJob(store)
                let later = Sample.now + 61
                let second = try #require(try await store.leaseOwn(now: later).first)
                await expectError(.leaseLost) { _ = try await store.settleLocal(job.lease, both, now: later) }
                #expect(try await store.mustSettle(second, both, now: later).count == 2)
                await expectError(.unknownJob) { _ = try await store.settleLocal(second.lease, both, now: later) }
                #expect(try await store.ids(Sample.bob).count == 1)
            },
            ContractCase("of two that settle at once, one does") { context in
                let store = context.store
                let job = try await waitingJob(store)
                let count = await withTaskGroup(of: Bool.self) { group in
                    for _ in 1...8 {
                        group.addTask { (try? await store.settleLocal(job.lease, both, now: Sample.now)) != nil }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(count == 1)
                #expect(try await store.ids(Sample.bob).count == 1)
            },
            ContractCase("a settlement names an account once and folders as they may be called") { context in
                let store = context.store
                let job = try await waitingJob(store)
                for folder in ["", "a\nb", String(repeating: "x", count: 101)] {
                    await expectError(.invalid) {
                        let delivery = MailboxDelivery(account: Sample.bob, folder: FolderName(rawValue: folder))
                        _ = try await store.settleLocal(job.lease, LocalSettlement(deliveries: [delivery]), now: Sample.now)
                    }
                }
                await expectError(.invalid) {
                    let twice = [MailboxDelivery(account: Sample.bob), MailboxDelivery(account: Sample.bob, flags: .seen)]
                    _ = try await store.settleLocal(job.lease, LocalSettlement(deliveries: twice), now: Sample.now)
                }
                await expectError(.invalid) {
                    var settlement = both
                    settlement.effects.writes = [Sample.write("", "x")]
                    _ = try await store.settleLocal(job.lease, settlement, now: Sample.now)
                }
                #expect(try await store.ids(Sample.bob) == [])
                try await store.mustSettle(job, both)
            },
            ContractCase("verdicts on mailboxes are those of an examination") { context in
                let store = context.store
                try await store.createAccounts(Sample.alice, Sample.dave)
                try await store.createAccounts(Sample.bob, quota: 100)
                try await store.disableAccount(Sample.dave, now: Sample.now)
                let all = [Sample.alice, Sample.bob, Sample.carol, Sample.dave]
                #expect(
                    try await store.mailboxVerdicts(all, size: 101) == [
                        Sample.alice: .deliverable, Sample.bob: .overQuota, Sample.carol: .unknown, Sample.dave: .disabled,
                    ])
                #expect(try await store.mailboxVerdicts([Sample.bob, Sample.bob], size: 100) == [Sample.bob: .deliverable])
                #expect(try await store.mailboxVerdicts([], size: 1) == [:])
            },
        ]

    private static let waitingCases: [ContractCase] = [
        ContractCase("mail for this domain waits for its final delivery as a job") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            // Neither carol's account nor bob's quota matters before that.
            try await store.setQuota(1, of: Sample.bob)
            let acceptance = Sample.waiting(1, for: [Sample.bob, Sample.carol])
            var local = Sample.delivery(1, to: [Sample.bob, Sample.carol])
            #expect(try await store.examine(Sample.request(local)).verdict(of: Sample.bob) == .overQuota)
            #expect(try await store.examine(Sample.request(local)).verdict(of: Sample.carol) == .unknown)
            #expect(try await store.mustAccept(acceptance) == [])
            #expect(try await store.examine(Sample.request(local)) == .duplicate(receipt: Sample.receipt))
            let job = try #require(try await store.leaseOwn().first)
            #expect(job.job.destination == home && job.job.recipients == [Sample.bob, Sample.carol])
            #expect(try await states(store) == [.queued, .queued])
            local = Sample.delivery(1, to: [Sample.bob, Sample.alice])
            #expect(try await store.examine(Sample.request(local)).verdict(of: Sample.bob) == .handled(.queued))
            #expect(try await store.accept(local, now: Sample.now) == .changed)
            #expect(try await store.accept(Sample.waiting(1, for: [Sample.bob, Sample.alice]), now: Sample.now) == .changed)
            var more = Sample.waiting(1, for: [Sample.alice])
            more.repeated = [Sample.bob]
            try await store.mustAccept(more)
            #expect(try await store.leaseOwn().map(\.job.recipients) == [[Sample.alice]])
        },
        ContractCase("one acceptance delivers at once, queues for elsewhere and waits here") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob, Sample.carol)
            var acceptance = Sample.submission(1, local: [Sample.bob], remote: [Sample.dave], sentCopy: true)
            acceptance.remote += Sample.waiting(1, for: [Sample.carol]).remote
            try await store.mustAccept(acceptance)
            let job = try #require(try await store.leaseOwn().first)
            try await store.mustSettle(
                job, LocalSettlement(deliveries: [MailboxDelivery(account: Sample.carol)], outcomes: delivered(Sample.carol)))
            let status = try await store.status(of: Sample.id(1), from: acceptance.origin)
            #expect(status?.recipients.map(\.state) == [.delivered, .delivered, .queued])
            #expect(try await store.retrieve(Sample.carol, .uid(1)).receipt == Sample.receipt)
            #expect(try await store.statistics(now: Sample.now).messages == 1)
            #expect(try await store.leaseAll().map(\.job.recipients) == [[Sample.dave]])
        },
        ContractCase("a waiting job and a settled mailbox are there after a restart") { context in
            let job = try await waitingJob(context.store)
            var context = try await context.reopened()
            await expectError(.leaseLost) { _ = try await context.store.settleLocal(job.lease, both, now: Sample.now) }
            var settlement = both
            settlement.effects.writes = [Sample.write("a", "b")]
            try await context.store.mustSettle(try #require(try await context.store.leaseOwn().first), settlement)
            context = try await context.reopened()
            #expect(try await context.store.ids(Sample.bob) == [Sample.id(1)])
            #expect(try await context.store.text("a")?.text == "b")
            #expect(try await context.store.nextDue(of: home) == nil)
            await context.store.close()
        },
    ]

    private static let deliveryCases: [ContractCase] = [
        ContractCase("a settlement fills mailboxes with evidence, files, flags and charges") { context in
            let store = context.store
            let job = try await waitingJob(store)
            let later = Sample.now + 9
            let lists = FolderName(rawValue: "Lists")
            var settlement = both
            settlement.deliveries[1] = MailboxDelivery(account: Sample.carol, folder: lists, flags: [.seen, .flagged])
            #expect(
                try await store.mustSettle(job, settlement, now: later) == [
                    CreatedEntry(account: Sample.bob, folder: .inbox, uid: 1),
                    CreatedEntry(account: Sample.carol, folder: lists, uid: 1),
                ])
            let stored = try await store.retrieve(Sample.carol, .uid(1))
            #expect(stored.octets == job.octets && stored.postmark == Sample.postmark && stored.receipt == Sample.receipt)
            #expect(stored.entry.folder == lists && stored.entry.flags == [.seen, .flagged])
            // When this server accepted it, not when the plug-ins were done.
            #expect(stored.entry.received == Sample.now)
            #expect(try await store.folders(of: Sample.carol).map(\.name) == [.inbox, lists, .sent])
            let size = Int64(job.octets.count + Sample.postmark.count)
            #expect(try await store.account(Sample.bob)?.usedBytes == size)
            #expect(try await states(store) == [.delivered, .delivered])
            #expect(try await store.nextDue(of: home) == nil)
            #expect(try await store.check().problems == [])
            try await store.mustAccept(Sample.waiting(2, for: [Sample.carol]))
            let second = try #require(try await store.leaseOwn().first)
            settlement = LocalSettlement(
                deliveries: [MailboxDelivery(account: Sample.carol, folder: lists)], outcomes: delivered(Sample.carol))
            #expect(try await store.mustSettle(second, settlement).map(\.uid) == [2])
            #expect(try await store.ids(Sample.carol, lists) == [Sample.id(2), Sample.id(1)])
            #expect(try await store.folders(of: Sample.carol).count == 3)
            for account in [Sample.bob, Sample.carol] { try await store.delete(account, [.uid(1), .uid(2)]) }
            #expect(try await store.statistics(now: Sample.now).messages == 0)
        },
        ContractCase("an entry has the receipt that was given for its job") { context in
            let store = context.store
            let recipients = [Sample.alice, Sample.bob, Sample.carol]
            for (index, recipient) in recipients.enumerated() {
                try await store.createAccounts(recipient)
                var acceptance = Sample.waiting(1, for: [recipient])
                acceptance.repeated = Array(recipients[..<index])
                acceptance.receipt = [UInt8(index)]
                try await store.mustAccept(acceptance)
            }
            for (job, recipient) in zip(try await store.leaseOwn(), recipients) {
                try await store.mustSettle(
                    job, LocalSettlement(deliveries: [MailboxDelivery(account: recipient)], outcomes: delivered(recipient)))
            }
            for (index, recipient) in recipients.enumerated() {
                #expect(try await store.retrieve(recipient, .uid(1)).receipt == [UInt8(index)])
            }
        },
        ContractCase("a settlement without deliveries takes the octets along") { context in
            let store = context.store
            let job = try await waitingJob(store)
            let settlement = LocalSettlement(
                outcomes: [
                    RecipientOutcome(recipient: Sample.bob, state: .refused, reason: "no thanks"),
                    RecipientOutcome(recipient: Sample.frank, state: .delivered),
                ], effects: PluginEffects(messages: [Sample.notice(7, to: [], remote: [Sample.dave])]))
            #expect(try await store.mustSettle(job, settlement) == [])
            // Carol was not named, frank is none of the job's.
            let status = try await store.status(of: Sample.id(1), from: job.job.origin)
            #expect(status?.recipients.map(\.recipient) == [Sample.bob, Sample.carol])
            #expect(status?.recipients.map(\.state) == [.refused, .unknown])
            #expect(status?.recipients.first?.reason == "no thanks")
            #expect(try await store.leaseAll().map(\.job.messageID) == [Sample.id(7)])
            #expect(try await store.statistics(now: Sample.now).messages == 1)
        },
        ContractCase("those who are not named stay if the settlement says until when") { context in
            let store = context.store
            let job = try await waitingJob(store)
            var settlement = LocalSettlement(
                deliveries: [MailboxDelivery(account: Sample.bob)], outcomes: delivered(Sample.bob),
                effects: PluginEffects(writes: [Sample.write("a", "1")]),
                postponement: .init(until: Sample.now + 100, reason: "asked to wait"))
            try await store.mustSettle(job, settlement)
            #expect(try await states(store) == [.delivered, .queued])
            #expect(try await store.text("a")?.text == "1")
            #expect(try await store.nextDue(of: home) == Sample.now + 100)
            let again = try #require(try await store.leaseOwn(now: Sample.now + 100).first)
            #expect(again.job.recipients == [Sample.carol] && again.job.attempts == 1 && again.job.reason == "asked to wait")
            #expect(again.postmark == Sample.postmark && again.octets == job.octets)
            // Carol's address stands for bob now: he has the message.
            settlement.outcomes = delivered(Sample.carol)
            settlement.postponement = .init(until: Sample.now + 200, reason: "nobody is left")
            #expect(try await store.mustSettle(again, settlement) == [])
            #expect(try await store.ids(Sample.bob) == [Sample.id(1)])
            #expect(try await store.nextDue(of: home) == nil)
            #expect(try await states(store) == [.delivered, .delivered])
            // Another job with the same message is another delivery.
            try await store.mustAccept(Sample.waiting(1, for: [Sample.alice]))
            let other = try #require(try await store.leaseOwn().first)
            settlement.outcomes = delivered(Sample.alice)
            #expect(try await store.mustSettle(other, settlement).count == 1)
            #expect(try await store.ids(Sample.bob).count == 2)
            #expect(try await store.check().problems == [])
        },
        ContractCase("a job waits no longer than it lives") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            try await store.mustAccept(Sample.waiting(1, for: [Sample.bob], expires: Sample.now + 50))
            let job = try #require(try await store.leaseOwn().first)
            try await store.mustSettle(job, LocalSettlement(postponement: .init(until: Sample.now + 100, reason: "later")))
            #expect(try await store.nextDue(of: home) == Sample.now + 50)
        },
        ContractCase("effects and bounces commit with the settlement") { context in
            let store = context.store
            let job = try await waitingJob(store)
            try await store.createAccounts(Sample.alice, quota: 1)
            var settlement = both
            settlement.effects = PluginEffects(
                checks: [Sample.check("a", nil)], writes: [Sample.write("a", "1")],
                messages: [Sample.bounce(8, to: Sample.alice), Sample.notice(9, to: [Sample.bob], remote: [Sample.dave])])
            let entries = try await store.mustSettle(job, settlement)
            #expect(entries.map(\.account) == [Sample.bob, Sample.carol, Sample.alice, Sample.bob])
            #expect(try await store.ids(Sample.bob) == [Sample.id(9), Sample.id(1)])
            #expect(try await store.ids(Sample.alice) == [Sample.id(8)])
            #expect(try await store.leaseAll().map(\.job.recipients) == [[Sample.dave]])
        },
        ContractCase("who waits for a mailbox or the queue is told of a settlement") { context in
            let store = context.store
            let job = try await waitingJob(store)
            var mailbox = store.changes(of: Sample.carol).makeAsyncIterator()
            var queue = store.queueChanges().makeAsyncIterator()
            var settlement = LocalSettlement(
                deliveries: [MailboxDelivery(account: Sample.carol)], outcomes: delivered(Sample.carol),
                postponement: .init(until: Sample.now, reason: "again"))
            try await store.mustSettle(job, settlement)
            #expect(await mailbox.next()?.account == Sample.carol)
            await queue.next()
            let again = try #require(try await store.leaseOwn().first)
            settlement = LocalSettlement(effects: PluginEffects(messages: [Sample.notice(2, to: [], remote: [Sample.dave])]))
            try await store.mustSettle(again, settlement)
            await queue.next()
        },
    ]
}
