import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing

@testable import MailServer

/// Calls that come twice, at once, in another order, or whose answer is lost: acknowledged once, delivered once.
@Suite("Repeated and reordered calls", .timeLimit(.minutes(2))) struct RepeatedCallTests {
    private func letters(_ count: Int, _ two: LocalTwo, _ ledger: Ledger) throws -> [Letter] {
        try (0..<count).map { _ in
            let letter = try Letter(
                from: two.capicom.site.address("alice"),
                to: [two.scopio.site.address("bob"), two.scopio.site.address("dave")])
            ledger.begin(letter)
            return letter
        }
    }

    private func deliver(
        _ items: [DeliverOperation.Item], by caller: SecureCaller, to site: Site
    ) async throws -> [[UInt8]] {
        let request = DeliverOperation.Request(items: items)
        let reply = try await caller.call(.deliver, at: site.destination) { try request.write(into: &$0) }
        return try DeliverOperation.Response.parse(reply.payload).results.map { result in
            guard case .receipt(let octets) = result else { throw ProcessFailure(description: "\(result)") }
            return octets
        }
    }

    private func expectOnce(_ letters: [Letter], _ two: LocalTwo) async throws {
        for user in ["bob", "dave"] {
            let found = try await two.scopio.inbox(user).map(\.messageID)
            #expect(found.sorted() == letters.map(\.id.description).sorted())
        }
    }

    @Test func theSameBatchTwiceAtOnceGetsTheSameReceiptsAndOneDelivery() async throws {
        let two = try await LocalTwo.start()
        let letters = try letters(12, two, Ledger())
        let items = try letters.map { try two.capicom.item($0, to: two.scopio.site.domain) }
        let callers = [
            try await two.capicom.peerCaller(to: two.scopio.site), try await two.capicom.peerCaller(to: two.scopio.site),
        ]
        for caller in callers { try await caller.open(at: two.scopio.site.destination) }
        async let first = deliver(items, by: callers[0], to: two.scopio.site)
        async let second = deliver(items, by: callers[1], to: two.scopio.site)
        let receipts = try await (first, second)
        #expect(receipts.0 == receipts.1)
        #expect(Set(receipts.0).count == items.count)
        try await expectOnce(letters, two)
        for caller in callers { await caller.close() }
        try await two.remove()
    }

    @Test func overlappingBatchesInAnyOrderDeliverEachMessageOnce() async throws {
        let two = try await LocalTwo.start()
        let letters = try letters(10, two, Ledger())
        let items = try letters.map { try two.capicom.item($0, to: two.scopio.site.domain) }
        let caller = try await two.capicom.peerCaller(to: two.scopio.site)
        let receipts = try await withThrowingTaskGroup(of: [(Int, [UInt8])].self) { group in
            for start in 0..<10 {
                // Each a rotated and reversed half of all: every message comes five times, each time with other neighbours.
                let order = (0..<5).map { (start + 2 * $0) % 10 }.reversed()
                group.addTask {
                    let receipts = try await deliver(order.map { items[$0] }, by: caller, to: two.scopio.site)
                    return Array(zip(order, receipts))
                }
            }
            var receipts: [Int: Set<[UInt8]>] = [:]
            for try await pairs in group {
                for (index, receipt) in pairs { receipts[index, default: []].insert(receipt) }
            }
            return receipts
        }
        #expect(receipts.count == 10 && receipts.values.allSatisfy { $0.count == 1 })
        try await expectOnce(letters, two)
        await caller.close()
        try await two.remove()
    }

    @Test func theSameSendFromTwoConnectionsAtOnceIsOneMessage() async throws {
        let two = try await LocalTwo.start()
        let ledger = Ledger()
        let users = try (0..<4).map { _ in try MailUser("alice", of: two.capicom.site) }
        for user in users { _ = try await user.list() }
        for letter in try letters(5, two, ledger) {
            let receipts = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for user in users { group.addTask { try await user.send(letter, keys: two.keys).octets } }
                return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
            }
            #expect(receipts.count == 1)
            ledger.acknowledge(letter.id)
            #expect(try await two.capicom.status(of: letter, reaching: .delivered) == [.delivered, .delivered])
        }
        for user in users { await user.close() }
        try await two.finish(ledger)
    }

    @Test(arguments: [
        [BadNetwork.Trick.loseReply, .loseReply, .loseReply], [.double, .double, .loseReply, .double],
    ])
    func aSendWhoseRepliesAreLostOrThatIsDoubledIsAcknowledgedOnce(_ tricks: [BadNetwork.Trick]) async throws {
        let two = try await LocalTwo.start()
        let ledger = Ledger()
        let network = Mutex<BadNetwork?>(nil)
        let alice = try MailUser(
            "alice", of: two.capicom.site,
            wrap: { inner in
                let bad = BadNetwork(inner, .send, tricks: tricks)
                network.withLock { $0 = bad }
                return bad
            })
        for letter in try letters(4, two, ledger) {
            try await alice.deliver(letter, keys: two.keys, ledger: ledger)
            #expect(try await two.capicom.status(of: letter, reaching: .delivered) == [.delivered, .delivered])
        }
        #expect(network.withLock { $0?.played } == tricks.count)
        #expect(ledger.acknowledged.count == 4)
        await alice.close()
        try await two.finish(ledger)
    }

    @Test func aCallThatIsOvertakenByTheNextIsServedToo() async throws {
        let two = try await LocalTwo.start()
        let ledger = Ledger()
        let alice = try MailUser("alice", of: two.capicom.site, wrap: { BadNetwork($0, .send, tricks: [.overtake, .overtake]) })
        _ = try await alice.list()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for letter in try letters(3, two, ledger) {
                group.addTask { try await alice.deliver(letter, keys: two.keys, ledger: ledger) }
            }
            try await group.waitForAll()
        }
        for letter in ledger.acknowledged {
            #expect(try await two.capicom.status(of: letter, reaching: .delivered) == [.delivered, .delivered])
        }
        #expect(ledger.acknowledged.count == 3)
        await alice.close()
        try await two.finish(ledger)
    }

    @Test func betweenServersLostAndDoubledDeliversEndAsOneDelivery() async throws {
        let clock = HastyClock()
        let network = Mutex<BadNetwork?>(nil)
        var options = LocalTwo.Options()
        options.clock = clock.now
        options.capicom.deliveryClock = clock.deliveryClock
        options.capicom.transport = { inner in
            let bad = BadNetwork(inner, .deliver, tricks: [.loseReply, .double, .loseReply, .loseReply, .double])
            network.withLock { $0 = bad }
            return bad
        }
        let two = try await LocalTwo.start(options)
        let ledger = Ledger()
        let alice = try MailUser("alice", of: two.capicom.site, clock: clock.now)
        for letter in try letters(6, two, ledger) {
            try await alice.deliver(letter, keys: two.keys, ledger: ledger)
            #expect(try await two.capicom.status(of: letter, reaching: .delivered) == [.delivered, .delivered])
        }
        #expect(network.withLock { $0?.played } == 5)
        await alice.close()
        try await two.finish(ledger)
    }
}
