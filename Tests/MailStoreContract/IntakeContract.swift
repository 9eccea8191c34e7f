import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    static let intakeCases: [ContractCase] = [
        ContractCase("one acceptance makes mailbox entries, Sent copy, job, status and receipt") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            let acceptance = Sample.submission(
                1, local: [Sample.bob], remote: [Sample.dave, Sample.frank], sentCopy: true)
            let entries = try await store.mustAccept(acceptance)
            #expect(
                entries == [
                    CreatedEntry(account: Sample.alice, folder: .sent, uid: 1),
                    CreatedEntry(account: Sample.bob, folder: .inbox, uid: 1),
                ])
            let received = try await store.retrieve(Sample.bob, .uid(1))
            #expect(received.octets == acceptance.message.octets && received.postmark == Sample.postmark)
            #expect(received.receipt == Sample.receipt && received.entry.summary == acceptance.message.summary)
            #expect(received.entry.digest == acceptance.message.digest && received.entry.received == Sample.now)
            let sent = try await store.retrieve(Sample.alice, .message(Sample.id(1)))
            #expect(sent.entry.folder == .sent && sent.postmark == nil && sent.receipt == Sample.receipt)
            #expect(sent.entry.flags == .seen)
            let jobs = try await store.jobs(destination: nil, after: nil, limit: 10, now: Sample.now)
            #expect(jobs.map(\.destination.description) == ["scopio.test", "third.test"])
            #expect(jobs.map(\.recipients) == [[Sample.dave], [Sample.frank]])
            let status = try #require(try await store.status(of: Sample.id(1), from: .submission(by: Sample.alice)))
            #expect(status.receipts == [Sample.receipt] && status.accepted == Sample.now)
            #expect(status.recipients.map(\.state) == [.delivered, .queued, .queued])
            #expect(try await store.status(of: Sample.id(1), from: .submission(by: Sample.bob)) == nil)
            #expect(try await store.statistics(now: Sample.now).messages == 1)
        },
        ContractCase("what was accepted is there after a restart") { context in
            try await context.store.createAccounts(Sample.alice, Sample.bob)
            try await context.store.mustAccept(Sample.submission(1, local: [Sample.bob], remote: [Sample.dave], sentCopy: true))
            let context = try await context.reopened()
            #expect(try await context.store.ids(Sample.bob) == [Sample.id(1)])
            #expect(try await context.store.ids(Sample.alice, .sent) == [Sample.id(1)])
            #expect(try await context.store.leaseAll().count == 1)
            await context.store.close()
        },
        ContractCase("a repeated acceptance returns the first receipt and changes nothing") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            let acceptance = Sample.submission(1, local: [Sample.bob], remote: [Sample.dave], sentCopy: true, receipt: [1])
            try await store.mustAccept(acceptance)
            var again = acceptance
            again.receipt = [2]
            #expect(try await store.accept(again, now: Sample.now) == .duplicate(receipt: [1]))
            #expect(try await store.examine(Sample.request(again)) == .duplicate(receipt: [1]))
            let fewer = Sample.submission(1, local: [Sample.bob], receipt: [3])
            #expect(try await store.accept(fewer, now: Sample.now) == .duplicate(receipt: [1]))
            #expect(try await store.ids(Sample.bob).count == 1)
            #expect(try await store.ids(Sample.alice, .sent).count == 1)
            #expect(try await store.statistics(now: Sample.now).queueDepth == 1)
        },
        ContractCase("two equal acceptances in one call are one") { context in
            try await context.store.createAccounts(Sample.bob)
            let delivery = Sample.delivery(1, to: [Sample.bob])
            let results = await context.store.accept([delivery, delivery], now: Sample.now)
            #expect(try results[1].get() == .duplicate(receipt: Sample.receipt))
            #expect(try await context.store.ids(Sample.bob).count == 1)
        },
        ContractCase("another message under the same id is a conflict, for its origin only") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            try await store.mustAccept(Sample.delivery(1, to: [Sample.bob]))
            let other = Sample.delivery(1, to: [Sample.bob], body: "other")
            #expect(try await store.accept(other, now: Sample.now) == .conflict)
            #expect(try await store.examine(Sample.request(other)) == .conflict)
            try await store.mustAccept(Sample.submission(1, body: "mine", local: [Sample.bob]))
            #expect(try await store.ids(Sample.bob) == [Sample.id(1), Sample.id(1)])
            let oldest = try await store.retrieve(Sample.bob, .message(Sample.id(1)))
            #expect(oldest.octets == Sample.message(1).octets)
        },
        ContractCase("a second postmark for the same message reaches only the new recipient") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob, Sample.carol)
            try await store.mustAccept(Sample.delivery(1, to: [Sample.bob]))
            let both = Sample.delivery(1, to: [Sample.bob, Sample.carol])
            #expect(try await store.accept(both, now: Sample.now) == .changed)
            let verdict = try await store.examine(Sample.request(both))
            #expect(verdict.verdict(of: Sample.bob) == .handled(.delivered))
            #expect(verdict.verdict(of: Sample.carol) == .deliverable)
            var second = Sample.delivery(1, to: [Sample.carol])
            second.repeated = [Sample.bob]
            second.receipt = [2]
            try await store.mustAccept(second)
            #expect(try await store.ids(Sample.bob).count == 1)
            #expect(try await store.ids(Sample.carol).count == 1)
            // A receipt that covers all of them is found again; the narrower question gets the oldest that fits.
            #expect(try await store.accept(both, now: Sample.now) == .duplicate(receipt: [2]))
            let first = Sample.delivery(1, to: [Sample.bob])
            #expect(try await store.accept(first, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            #expect(try await store.statistics(now: Sample.now).messages == 1)
        },
        ContractCase("a Bcc recipient has a postmark of his own") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob, Sample.carol)
            var acceptance = Sample.delivery(1, to: [Sample.bob])
            acceptance.local.append(LocalDelivery(recipients: [Sample.carol], postmark: [7]))
            try await store.mustAccept(acceptance)
            #expect(try await store.retrieve(Sample.bob, .uid(1)).postmark == Sample.postmark)
            #expect(try await store.retrieve(Sample.carol, .uid(1)).postmark == [7])
        },
        ContractCase("a permanent refusal is remembered, a temporary one is judged anew") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            var acceptance = Sample.delivery(1, to: [Sample.bob])
            acceptance.refused = [Refusal(recipient: Sample.alice, reason: "no such user", isTemporary: false)]
            try await store.mustAccept(acceptance)
            try await store.createAccounts(Sample.alice, Sample.carol)
            #expect(try await store.accept(acceptance, now: Sample.now) == .duplicate(receipt: Sample.receipt))
            let status = try #require(try await store.status(of: Sample.id(1), from: acceptance.origin))
            #expect(status.recipients.map(\.state) == [.refused, .delivered])
            #expect(status.recipients.first?.reason == "no such user")
            acceptance = Sample.delivery(2, to: [Sample.bob])
            acceptance.refused = [Refusal(recipient: Sample.carol, reason: "full", isTemporary: true)]
            try await store.mustAccept(acceptance)
            let retry = Sample.delivery(2, to: [Sample.bob, Sample.carol])
            let verdict = try await store.examine(Sample.request(retry))
            #expect(verdict.verdict(of: Sample.bob) == .handled(.delivered))
            #expect(verdict.verdict(of: Sample.carol) == .deliverable)
        },
        ContractCase("an acceptance on outdated verdicts changes nothing") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            let toUnknown = Sample.submission(1, local: [Sample.bob, Sample.carol], remote: [Sample.dave], sentCopy: true)
            #expect(try await store.examine(Sample.request(toUnknown)).verdict(of: Sample.carol) == .unknown)
            #expect(try await store.accept(toUnknown, now: Sample.now) == .changed)
            var wronglyRepeated = Sample.submission(2, local: [Sample.bob])
            wronglyRepeated.repeated = [Sample.carol]
            #expect(try await store.accept(wronglyRepeated, now: Sample.now) == .changed)
            try await store.disableAccount(Sample.alice, now: Sample.now)
            let fromDisabled = Sample.submission(3, local: [Sample.bob])
            #expect(try await store.accept(fromDisabled, now: Sample.now) == .changed)
            let statistics = try await store.statistics(now: Sample.now)
            #expect(statistics.messages == 0 && statistics.intents == 0 && statistics.queueDepth == 0)
        },
        ContractCase("a full mailbox still sends, but without a copy") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, quota: 10)
            let withCopy = Sample.submission(1, remote: [Sample.dave], sentCopy: true)
            guard case .open(let examination) = try await store.examine(Sample.request(withCopy)) else {
                Issue.record("not open")
                return
            }
            #expect(examination.submitter == .overQuota)
            #expect(try await store.accept(withCopy, now: Sample.now) == .changed)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave]))
        },
        ContractCase("one bad item of several fails alone") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            let bad = Sample.delivery(2, to: [Sample.bob, Sample.bob])
            let results = await store.accept(
                [Sample.delivery(1, to: [Sample.bob]), bad, Sample.delivery(3, to: [Sample.bob])], now: Sample.now)
            #expect(throws: StoreError.self) { try results[1].get() }
            #expect(try await store.ids(Sample.bob) == [Sample.id(3), Sample.id(1)])
            await expectError(.invalid) {
                var unsigned = Sample.delivery(4, to: [Sample.bob])
                unsigned.receipt = []
                _ = try await store.accept(unsigned, now: Sample.now)
            }
        },
        ContractCase("many acceptances at once are each there exactly once") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...100 {
                    for _ in 1...2 {
                        group.addTask {
                            _ = try await store.accept(
                                Sample.submission(number, local: [Sample.bob], remote: [Sample.dave]), now: Sample.now)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(Set(try await store.ids(Sample.bob)) == Set((1...100).map(Sample.id)))
            #expect(try await store.ids(Sample.bob).count == 100)
            #expect(try await store.statistics(now: Sample.now).queueDepth == 100)
        },
        ContractCase("mail for an unknown folder goes to the inbox") { context in
            try await context.store.createAccounts(Sample.bob)
            var delivery = Sample.delivery(1, to: [Sample.bob])
            delivery.local[0] = LocalDelivery(
                recipients: [Sample.bob], postmark: Sample.postmark, folder: FolderName(rawValue: "Orders"), flags: .flagged)
            #expect(try await context.store.mustAccept(delivery).first?.folder == .inbox)
            try await context.store.createFolder(FolderName(rawValue: "Orders"), of: Sample.bob)
            delivery.message = Sample.message(2)
            #expect(try await context.store.mustAccept(delivery).first?.folder.rawValue == "Orders")
        },
    ]
}
