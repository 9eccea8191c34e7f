import Foundation
import Identity
import MailStore
import Testing

extension ContractCase {
    private static let orders = FolderName(rawValue: "Orders")

    /// Bob with so many messages.
    private static func fill(_ store: any MailStore, _ count: Int) async throws {
        try await store.createAccounts(Sample.bob)
        let deliveries = (1...count).map { Sample.delivery($0, to: [Sample.bob]) }
        for result in await store.accept(deliveries, now: Sample.now) { _ = try result.get() }
    }

    static let mailboxCases: [ContractCase] = [
        ContractCase("a list goes by pages from the newest, and from a uid onwards") { context in
            let store = context.store
            try await fill(store, 25)
            var page = try await store.list(Sample.bob, folder: .inbox, from: .newest, limit: 10)
            #expect(page.entries.map(\.uid) == (16...25).reversed() && page.hasMore && page.highestUID == 25)
            page = try await store.list(Sample.bob, folder: .inbox, from: .before(16), limit: 10)
            #expect(page.entries.map(\.uid) == (6...15).reversed() && page.hasMore)
            page = try await store.list(Sample.bob, folder: .inbox, from: .before(6), limit: 10)
            #expect(page.entries.map(\.uid) == (1...5).reversed() && !page.hasMore)
            page = try await store.list(Sample.bob, folder: .inbox, from: .after(20), limit: 3)
            #expect(page.entries.map(\.uid) == [21, 22, 23] && page.hasMore)
            page = try await store.list(Sample.bob, folder: .inbox, from: .after(23), limit: 3)
            #expect(page.entries.map(\.uid) == [24, 25] && !page.hasMore)
            page = try await store.list(Sample.bob, folder: .inbox, from: .after(25), limit: 3)
            #expect(page.entries.isEmpty && !page.hasMore && page.highestUID == 25)
            #expect(try await store.list(Sample.bob, folder: .sent, from: .newest, limit: 3).entries.isEmpty)
        },
        ContractCase("a list shows what the message said") { context in
            let store = context.store
            try await store.createAccounts(Sample.bob)
            var delivery = Sample.delivery(2, to: [Sample.bob])
            delivery.message = MessageRecord(
                id: Sample.id(2), digest: delivery.message.digest, octets: delivery.message.octets,
                summary: MessageSummary(
                    from: "zoë@scopio.test", to: [], cc: ["a@b.test", "c@d.test"], subject: "Ünïcode\n'; DROP TABLE x; --",
                    date: Date(timeIntervalSince1970: -1.5), inReplyTo: Sample.id(1), traits: [.form, .encrypted]))
            try await store.mustAccept(delivery)
            let entry = try #require(
                try await store.list(Sample.bob, folder: .inbox, from: .newest, limit: 1).entries.first)
            #expect(entry.summary == delivery.message.summary)
            #expect(entry.size == delivery.message.octets.count && entry.flags == [])
        },
        ContractCase("wrong names are told apart") { context in
            let store = context.store
            try await fill(store, 1)
            await expectError(.unknownAccount) {
                _ = try await store.list(Sample.carol, folder: .inbox, from: .newest, limit: 1)
            }
            await expectError(.unknownFolder) {
                _ = try await store.list(Sample.bob, folder: orders, from: .newest, limit: 1)
            }
            await expectError(.unknownMessage) { _ = try await store.retrieve(Sample.bob, .uid(2)) }
            await expectError(.unknownMessage) { _ = try await store.retrieve(Sample.bob, .message(Sample.id(9))) }
            await expectError(.unknownMessage) { _ = try await store.retrieve(Sample.bob, .message(Sample.id(1), in: .sent)) }
            await expectError(.unknownAccount) { _ = try await store.retrieve(Sample.carol, .uid(1)) }
        },
        ContractCase("nobody reaches into another's mailbox") { context in
            let store = context.store
            try await fill(store, 1)
            try await store.createAccounts(Sample.carol)
            await expectError(.unknownMessage) { _ = try await store.retrieve(Sample.carol, .uid(1)) }
            await expectError(.unknownMessage) { _ = try await store.retrieve(Sample.carol, .message(Sample.id(1))) }
            #expect(try await store.delete(Sample.carol, [.uid(1), .message(Sample.id(1))]) == 0)
            #expect(try await store.mark(Sample.carol, [.message(Sample.id(1))], add: .seen, remove: []) == 0)
            #expect(try await store.retrieve(Sample.bob, .uid(1)).entry.flags == [])
        },
        ContractCase("flags are added and removed, again and again") { context in
            let store = context.store
            try await fill(store, 2)
            let both: [EntryReference] = [.uid(1), .message(Sample.id(2)), .uid(2), .uid(77)]
            #expect(try await store.mark(Sample.bob, both, add: [.seen, .flagged], remove: []) == 2)
            #expect(try await store.mark(Sample.bob, both, add: [.seen, .flagged], remove: []) == 2)
            #expect(try await store.folders(of: Sample.bob).map(\.unseen) == [0, 0])
            try await store.mark(Sample.bob, [.uid(1)], add: .answered, remove: .seen)
            #expect(try await store.retrieve(Sample.bob, .uid(1)).entry.flags == [.flagged, .answered])
            #expect(try await store.retrieve(Sample.bob, .uid(2)).entry.flags == [.seen, .flagged])
            let inbox = try #require(try await store.folders(of: Sample.bob).first)
            #expect(inbox.name == .inbox && inbox.total == 2 && inbox.unseen == 1)
        },
        ContractCase("deleting is idempotent, and a late repetition does not bring mail back") { context in
            let store = context.store
            try await fill(store, 3)
            #expect(try await store.delete(Sample.bob, [.uid(2), .uid(2)]) == 1)
            #expect(try await store.delete(Sample.bob, [.uid(2)]) == 0)
            #expect(try await store.ids(Sample.bob) == [Sample.id(3), Sample.id(1)])
            let again = try await store.accept(Sample.delivery(2, to: [Sample.bob]), now: Sample.now)
            #expect(again == .duplicate(receipt: Sample.receipt))
            #expect(try await store.ids(Sample.bob) == [Sample.id(3), Sample.id(1)])
            try await store.mustAccept(Sample.delivery(4, to: [Sample.bob]))
            #expect(try await store.list(Sample.bob, folder: .inbox, from: .after(3), limit: 9).entries.map(\.uid) == [4])
            #expect(try await store.statistics(now: Sample.now).messages == 3)
        },
        ContractCase("octets are shared and go with the last who has them") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob, Sample.carol)
            try await store.mustAccept(
                Sample.submission(1, local: [Sample.alice, Sample.bob, Sample.carol], remote: [Sample.dave], sentCopy: true))
            #expect(try await store.statistics(now: Sample.now).messages == 1)
            #expect(try await store.delete(Sample.alice, [.message(Sample.id(1))]) == 2)
            try await store.delete(Sample.bob, [.uid(1)])
            try await store.delete(Sample.carol, [.uid(1)])
            #expect(try await store.statistics(now: Sample.now).messages == 1)
            let job = try #require(try await store.leaseAll().first)
            #expect(job.octets == Sample.message(1).octets)
            try await store.complete(job.lease, .all(job, .delivered), bounce: nil, now: Sample.now)
            #expect(try await store.statistics(now: Sample.now).messages == 0)
            let status = try await store.status(of: Sample.id(1), from: .submission(by: Sample.alice))
            #expect(status?.receipts == [Sample.receipt])
            #expect(try await store.check().problems == [])
        },
        ContractCase("moving gives new uids in the other folder") { context in
            let store = context.store
            try await fill(store, 3)
            await expectError(.unknownFolder) { try await store.move(Sample.bob, [.uid(1)], to: orders) }
            try await store.createFolder(orders, of: Sample.bob)
            await expectError(.alreadyExists) { try await store.createFolder(orders, of: Sample.bob) }
            await expectError(.invalid) { try await store.createFolder(FolderName(rawValue: ""), of: Sample.bob) }
            await expectError(.invalid) { try await store.createFolder(FolderName(rawValue: "a\u{7}"), of: Sample.bob) }
            #expect(try await store.move(Sample.bob, [.uid(3), .uid(1)], to: orders) == [4, 5])
            #expect(try await store.move(Sample.bob, [.uid(3), .uid(4)], to: orders) == [])
            #expect(try await store.ids(Sample.bob) == [Sample.id(2)])
            #expect(try await store.ids(Sample.bob, orders) == [Sample.id(3), Sample.id(1)])
            try await store.mustAccept(Sample.delivery(4, to: [Sample.bob]))
            #expect(try await store.retrieve(Sample.bob, .message(Sample.id(4))).entry.uid == 6)
            #expect(try await store.check().problems == [])
        },
        ContractCase("a message to oneself is told apart by folder") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice)
            try await store.mustAccept(Sample.submission(1, local: [Sample.alice], sentCopy: true))
            #expect(try await store.delete(Sample.alice, [.message(Sample.id(1), in: .inbox)]) == 1)
            #expect(try await store.ids(Sample.alice) == [])
            #expect(try await store.ids(Sample.alice, .sent) == [Sample.id(1)])
        },
        ContractCase("a waiting list is told after the commit, and only of its own mailbox") { context in
            let store = context.store
            try await store.createAccounts(Sample.alice, Sample.bob)
            let changes = store.changes(of: Sample.bob)
            try await store.mustAccept(Sample.submission(1, remote: [Sample.dave], sentCopy: true))
            try await store.mustAccept(Sample.delivery(2, to: [Sample.bob]))
            var iterator = changes.makeAsyncIterator()
            #expect(await iterator.next() == MailboxChange(account: Sample.bob))
            #expect(try await store.ids(Sample.bob) == [Sample.id(2)])
            try await store.delete(Sample.bob, [.uid(1)])
            #expect(await iterator.next() != nil)
            await store.close()
            #expect(await iterator.next() == nil)
        },
    ]
}

extension DeliveryReport {
    /// The same state for all recipients of a job.
    static func all(_ job: LeasedJob, _ state: RecipientState, receipt: [UInt8]? = nil) -> DeliveryReport {
        DeliveryReport(
            outcomes: job.job.recipients.map { RecipientOutcome(recipient: $0, state: state) }, peerReceipt: receipt)
    }
}
