import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    private static let scopio = Sample.dave.domain
    private static let third = Sample.frank.domain

    /// Alice with so many messages queued for each of two domains.
    private static func fill(_ store: any MailStore, _ count: Int) async throws {
        try await store.createAccounts(Sample.alice)
        let acceptances = (1...count).map { Sample.submission($0, remote: [Sample.dave, Sample.frank]) }
        for result in await store.accept(acceptances, now: Sample.now) { _ = try result.get() }
    }

    static let queueCases: [ContractCase] = [
        ContractCase("a leased job carries all that delivery needs") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave, Sample.erin]))
            let job = try #require(try await store.leaseAll().first)
            #expect(job.octets == Sample.message(1).octets && job.postmark == Sample.postmark)
            #expect(job.summary == Sample.message(1).summary && job.job.recipients == [Sample.dave, Sample.erin])
            #expect(job.job.origin == .submission(by: Sample.alice) && job.job.destination == scopio)
            #expect(job.job.messageID == Sample.id(1) && job.job.digest == Sample.message(1).digest)
            #expect(job.job.attempts == 0 && job.job.created == Sample.now && job.job.expires == Sample.now + 86_400)
            #expect(try await store.job(job.lease.job, now: Sample.now)?.octets == job.octets)
            #expect(try await store.job(job.lease.job, now: Sample.now)?.job.isLeased == true)
            #expect(try await store.job(999, now: Sample.now) == nil)
        },
        ContractCase("leases respect limits and excluded destinations, and are given once") { context in
            let store = context.store
            try await fill(store, 5)
            var jobs = try await store.leaseDue(
                now: Sample.now, limit: 100, leaseFor: 60, excluding: [scopio], maxPerDestination: 2)
            #expect(jobs.map(\.job.destination) == [third, third])
            jobs = try await store.leaseDue(now: Sample.now, limit: 3, leaseFor: 60, excluding: [], maxPerDestination: 2)
            #expect(jobs.count == 3)
            jobs = try await store.leaseAll()
            #expect(jobs.count == 5)
            #expect(try await store.leaseAll().isEmpty)
            #expect(try await store.nextDue(excluding: []) == Sample.now + 60)
            #expect(try await store.leaseAll(now: Sample.now - 1).isEmpty)
        },
        ContractCase("a lease ends by itself; its holder still settles until another takes over") { context in
            let store = context.store
            try await fill(store, 1)
            let first = try await store.leaseAll()
            #expect(first.count == 2)
            let later = Sample.now + 61
            try await store.complete(first[0].lease, .all(first[0], .delivered), bounce: nil, now: later)
            let second = try await store.leaseAll(now: later)
            #expect(second.map(\.lease.job) == [first[1].lease.job])
            await expectError(.leaseLost) {
                try await store.complete(first[1].lease, .all(first[1], .delivered), bounce: nil, now: later)
            }
            await expectError(.unknownJob) {
                try await store.complete(first[0].lease, .all(first[0], .delivered), bounce: nil, now: later)
            }
            try await store.extendLease(second[0].lease, until: later + 1000)
            #expect(try await store.leaseAll(now: later + 100).isEmpty)
            try await store.release([second[0].lease], now: later)
            await expectError(.leaseLost) { try await store.extendLease(second[0].lease, until: later + 2000) }
            #expect(try await store.leaseAll(now: later).count == 1)
        },
        ContractCase("the leases of a process that died come back at once") { context in
            try await fill(context.store, 1)
            let lost = try await context.store.leaseAll()
            let context = try await context.reopened()
            #expect(try await context.store.leaseAll().count == 2)
            await expectError(.leaseLost) {
                try await context.store.complete(lost[0].lease, .all(lost[0], .delivered), bounce: nil, now: Sample.now)
            }
            await context.store.close()
        },
        ContractCase("a completed job leaves the peer's receipt in the status") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave, Sample.erin]))
            let job = try #require(try await store.leaseAll().first)
            let report = DeliveryReport(
                outcomes: [
                    RecipientOutcome(recipient: Sample.dave, state: .delivered),
                    RecipientOutcome(recipient: Sample.erin, state: .refused, reason: "no such user"),
                    RecipientOutcome(recipient: Sample.frank, state: .delivered),
                ], peerReceipt: [9])
            let later = Sample.now + 3
            try await store.complete(job.lease, report, bounce: nil, now: later)
            let status = try #require(try await store.status(of: Sample.id(1), from: .submission(by: Sample.alice)))
            #expect(
                status.recipients == [
                    RecipientStatus(recipient: Sample.dave, state: .delivered, at: later, reason: nil, peerReceipt: [9]),
                    RecipientStatus(
                        recipient: Sample.erin, state: .refused, at: later, reason: "no such user", peerReceipt: [9]),
                ])
            #expect(try await store.nextDue(excluding: []) == nil)
            #expect(try await store.statistics(now: Sample.now).queueDepth == 0)
        },
        ContractCase("a recipient without an outcome becomes unknown, not delivered") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave]))
            let job = try #require(try await store.leaseAll().first)
            try await store.complete(job.lease, DeliveryReport(outcomes: []), bounce: nil, now: Sample.now)
            let status = try await store.status(of: Sample.id(1), from: .submission(by: Sample.alice))
            #expect(status?.recipients.map(\.state) == [.unknown])
        },
        ContractCase("a bounce is delivered in the transaction that ends the job") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, quota: 1)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave]))
            let job = try #require(try await store.leaseAll().first)
            let report = DeliveryReport.all(job, .bounced)
            let bounce = Sample.bounce(100, to: Sample.alice)
            await expectError(.invalid) {
                try await store.complete(job.lease, report, bounce: Sample.submission(5, local: [Sample.alice]), now: Sample.now)
            }
            #expect(try await store.statistics(now: Sample.now).queueDepth == 1)
            let entries = try await store.complete(job.lease, report, bounce: bounce, now: Sample.now)
            #expect(entries == [CreatedEntry(account: Sample.alice, folder: .inbox, uid: 1)])
            let page = try await store.list(Sample.alice, folder: .inbox, from: .newest, limit: 5)
            #expect(page.entries.map(\.summary.traits) == [.bounce])
        },
        ContractCase("a bounce to an author who is gone ends the job all the same") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave]))
            let job = try #require(try await store.leaseAll().first)
            try await store.removeAccount(Sample.alice, now: Sample.now)
            let bounce = Sample.bounce(100, to: Sample.alice)
            #expect(try await store.complete(job.lease, .all(job, .bounced), bounce: bounce, now: Sample.now) == [])
            let statistics = try await store.statistics(now: Sample.now)
            #expect(statistics.queueDepth == 0 && statistics.messages == 0)
        },
        ContractCase("a postponed job comes back later with fewer recipients") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave, Sample.erin]))
            let job = try #require(try await store.leaseAll().first)
            let settled = DeliveryReport(
                outcomes: [RecipientOutcome(recipient: Sample.dave, state: .delivered)], peerReceipt: [5])
            try await store.postpone(
                job.lease, until: Sample.now + 100, reason: "erin is full", settled: settled, bounce: nil, now: Sample.now)
            #expect(try await store.leaseAll(now: Sample.now + 99).isEmpty)
            let again = try #require(try await store.leaseAll(now: Sample.now + 100).first)
            #expect(again.job.recipients == [Sample.erin] && again.job.attempts == 1 && again.job.reason == "erin is full")
            #expect(again.postmark == Sample.postmark)
            try await store.postpone(
                again.lease, until: Sample.now + 1_000_000, reason: "still", settled: nil, bounce: nil, now: Sample.now + 100)
            #expect(try await store.nextDue(excluding: []) == again.job.expires)
            let last = try #require(try await store.leaseAll(now: again.job.expires).first)
            try await store.postpone(
                last.lease, until: Sample.now, reason: "", settled: .all(last, .expired), bounce: Sample.bounce(9, to: Sample.alice),
                now: Sample.now)
            #expect(try await store.nextDue(excluding: []) == nil)
            let status = try await store.status(of: Sample.id(1), from: .submission(by: Sample.alice))
            #expect(status?.recipients.map(\.state) == [.delivered, .expired])
            #expect(try await store.ids(Sample.alice) == [Sample.id(9)])
        },
        ContractCase("jobs of one destination are leased by due time, and nobody else's") { context in
            let store = context.store
            try await fill(store, 3)
            #expect(try await store.nextDue(of: scopio) == Sample.now)
            #expect(try await store.nextDue(of: Sample.bob.domain) == nil)
            #expect(try await store.leaseDue(of: scopio, now: Sample.now - 1, limit: 9, leaseFor: 60).isEmpty)
            #expect(try await store.leaseDue(of: Sample.bob.domain, now: Sample.now, limit: 9, leaseFor: 60).isEmpty)
            #expect(try await store.leaseDue(of: scopio, now: Sample.now, limit: 0, leaseFor: 60).isEmpty)
            let first = try await store.leaseDue(of: scopio, now: Sample.now, limit: 1, leaseFor: 60)
            #expect(first.map(\.job.destination) == [scopio] && first.map(\.octets) == [Sample.message(1).octets])
            try await store.postpone(
                first[0].lease, until: Sample.now + 10, reason: "later", settled: nil, bounce: nil, now: Sample.now)
            let rest = try await store.leaseDue(of: scopio, now: Sample.now + 10, limit: 9, leaseFor: 60)
            #expect(rest.map(\.job.messageID) == [2, 3, 1].map(Sample.id))
            #expect(try await store.nextDue(of: scopio) == Sample.now + 70)
            #expect(try await store.nextDue(of: third) == Sample.now)
            #expect(try await store.leaseDue(of: scopio, now: Sample.now + 10, limit: 9, leaseFor: 60).isEmpty)
        },
        ContractCase("expired jobs are found whatever their destination and due time") { context in
            let store = context.store
            try await fill(store, 1)
            #expect(try await store.leaseExpired(now: Sample.now, limit: 10, leaseFor: 60, excluding: []).isEmpty)
            _ = try await store.postponeDestination(scopio, until: Sample.now + 90_000, reason: "down", now: Sample.now)
            let end = Sample.now + 86_400
            #expect(try await store.leaseExpired(now: end, limit: 10, leaseFor: 60, excluding: [scopio, third]).isEmpty)
            #expect(try await store.leaseExpired(now: end, limit: 10, leaseFor: 60, excluding: []).count == 2)
            #expect(try await store.leaseExpired(now: end, limit: 10, leaseFor: 60, excluding: []).isEmpty)
            let again = try await store.leaseExpired(now: end + 61, limit: 9, leaseFor: 60, excluding: [scopio])
            #expect(again.map(\.job.destination) == [third])
            #expect(try await store.leaseExpired(now: end + 61, limit: 1, leaseFor: 60, excluding: []).count == 1)
        },
        ContractCase("an administrator sees, retries and drops jobs") { context in
            let store = context.store
            try await fill(store, 3)
            let jobs = try await store.jobs(destination: scopio, after: nil, limit: 2, now: Sample.now)
            #expect(jobs.count == 2 && jobs.allSatisfy { $0.destination == scopio })
            #expect(try await store.jobs(destination: scopio, after: jobs[1].id, limit: 2, now: Sample.now).count == 1)
            let down = Sample.now + 500
            #expect(try await store.postponeDestination(scopio, until: down, reason: "down", now: Sample.now) == 3)
            let destinations = try await store.destinations(now: Sample.now)
            #expect(destinations.map(\.destination) == [scopio, third] && destinations.map(\.jobs) == [3, 3])
            #expect(destinations.map(\.due) == [down, Sample.now] && destinations.map(\.oldest) == [Sample.now, Sample.now])
            #expect(try await store.nextDue(excluding: [third]) == down)
            #expect(try await store.retryNow(.job(jobs[0].id), now: Sample.now) == 1)
            #expect(try await store.retryNow(.destination(third), now: Sample.now) == 0)
            #expect(try await store.retryNow(.all, now: Sample.now) == 2)
            let leased = try await store.leaseAll()
            #expect(leased.count == 6)
            #expect(try await store.retryNow(.all, now: Sample.now) == 0)
            #expect(try await store.destinations(now: Sample.now).map(\.leased) == [3, 3])
            try await store.dropJob(jobs[0].id, reason: "dropped", bounce: Sample.bounce(50, to: Sample.alice), now: Sample.now)
            await expectError(.unknownJob) {
                try await store.dropJob(jobs[0].id, reason: "dropped", bounce: nil, now: Sample.now)
            }
            #expect(try await store.ids(Sample.alice) == [Sample.id(50)])
            let status = try await store.status(of: jobs[0].messageID, from: .submission(by: Sample.alice))
            #expect(status?.recipients.first?.state == .bounced && status?.recipients.first?.reason == "dropped")
            // Nobody was told: "bounced" would say so.
            try await store.dropJob(jobs[1].id, reason: "silent", bounce: nil, now: Sample.now)
            let silent = try await store.status(of: jobs[1].messageID, from: .submission(by: Sample.alice))
            #expect(silent?.recipients.first?.state == .refused && silent?.recipients.first?.reason == "silent")
        },
        ContractCase("the worker is told of new and postponed jobs") { context in
            let store = context.store
            var changes = store.queueChanges().makeAsyncIterator()
            try await fill(store, 1)
            await changes.next()
            let job = try #require(try await store.leaseAll().first)
            try await store.postpone(
                job.lease, until: Sample.now + 5, reason: "x", settled: nil, bounce: nil, now: Sample.now)
            await changes.next()
        },
    ]

    static let statusCases: [ContractCase] = [
        ContractCase("later news replace the state, but never take a delivery back") { context in
            let store = context.store
            let alice = Origin.submission(by: Sample.alice)
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave]))
            func tell(_ state: RecipientState, _ receipt: [UInt8]?) async throws -> Int {
                try await store.updateStatus(
                    of: Sample.id(1), from: alice,
                    DeliveryReport(outcomes: [RecipientOutcome(recipient: Sample.dave, state: state)], peerReceipt: receipt),
                    now: Sample.now)
            }
            #expect(try await tell(.accepted, [1]) == 1)
            #expect(try await tell(.delivered, [2]) == 1)
            #expect(try await tell(.accepted, [3]) == 0)
            let status = try await store.status(of: Sample.id(1), from: alice)
            #expect(status?.recipients.map(\.state) == [.delivered] && status?.recipients.map(\.peerReceipt) == [[2]])
            let nobody = DeliveryReport(outcomes: [RecipientOutcome(recipient: Sample.frank, state: .delivered)])
            #expect(try await store.updateStatus(of: Sample.id(1), from: alice, nobody, now: Sample.now) == 0)
            #expect(try await store.updateStatus(of: Sample.id(2), from: alice, nobody, now: Sample.now) == 0)
            #expect(try await store.status(of: Sample.id(2), from: alice) == nil)
        }
    ]
}
