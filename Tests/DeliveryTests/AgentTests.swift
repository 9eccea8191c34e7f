import Delivery
import Foundation
import Identity
import Logging
import MailStore
import NIOConcurrencyHelpers
import ServiceLifecycle
import TestSupport
import Testing

/// The agent over a queue in memory, a peer that the test plays, and a clock that only the test moves.
@Suite(.timeLimit(.minutes(1))) struct AgentTests {
    let clock = ManualClock()
    let store = MemoryQueueStore()
    let composer = FakeBounceComposer()

    func agent(_ peer: FakePeer, _ change: (inout AgentConfiguration) -> Void = { _ in }) -> DeliveryAgent {
        var configuration = AgentConfiguration()
        change(&configuration)
        return DeliveryAgent(
            store: store, peer: peer, composer: composer, configuration: configuration, clock: clock.deliveryClock,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), random: { 0.5 })
    }

    /// Runs the agent while `body` plays.
    func running(_ agent: DeliveryAgent, _ body: @Sendable @escaping () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await agent.run() }
            try await body()
            group.cancelAll()
        }
    }

    func bob(_ domain: String = "scopio.test") throws -> Address { try Address("bob@\(domain)") }

    @Test func deliversWhatIsDue() async throws {
        let peer = FakePeer()
        store.enqueue(to: [try bob()], created: clock.now)
        try await running(agent(peer)) { [store] in
            await store.until { $0.settled.count == 1 }
        }
        #expect(store.settled[0].report.outcomes.map(\.state) == [.delivered])
        #expect(store.settled[0].report.peerReceipt == Array("receipt".utf8))
        #expect(store.waiting.isEmpty && composer.bounces.isEmpty)
    }

    @Test func wakesWhenSomethingIsEnqueued() async throws {
        let address = try bob()
        try await running(agent(FakePeer())) { [store, clock] in
            store.enqueue(to: [address], created: clock.now)
            await store.until { $0.settled.count == 1 }
            store.enqueue(to: [address], created: clock.now)
            await store.until { $0.settled.count == 2 }
        }
    }

    @Test func wakesWhenAJobBecomesDue() async throws {
        let due = clock.now.addingTimeInterval(90)
        store.enqueue(to: [try bob()], created: clock.now, due: due)
        let peer = FakePeer()
        try await running(agent(peer)) { [store, clock] in
            await clock.untilAsleep { $0 == due }
            #expect(peer.calls.isEmpty)
            clock.advance(by: 90)
            await store.until { $0.settled.count == 1 }
        }
    }

    @Test func sendsSeveralMessagesInOneCall() async throws {
        for _ in 0..<10 { store.enqueue(to: [try bob()], created: clock.now) }
        let peer = FakePeer()
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 10 } }
        #expect(peer.calls.map(\.jobs.count) == [10])
    }

    @Test func keepsToThePeersLimits() async throws {
        for _ in 0..<10 { store.enqueue(to: [try bob()], created: clock.now) }
        let peer = FakePeer(limits: BatchLimits(count: 4, bytes: 1 << 20))
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 10 } }
        #expect(peer.calls.map(\.jobs.count) == [4, 4, 2])
    }

    @Test func limitsCallsPerDestination() async throws {
        for _ in 0..<12 { store.enqueue(to: [try bob()], created: clock.now) }
        store.enqueue(to: [try bob("other.test")], created: clock.now)
        let gate = Gate()
        let peer = FakePeer { jobs, domain in
            if domain.ascii == "scopio.test" { await gate.pass() }
            return jobs.map { FakePeer.delivered($0) }
        }
        let agent = agent(peer) {
            $0.batch = BatchLimits(count: 1, bytes: 1 << 20)
            $0.maxCallsPerDestination = 2
        }
        try await running(agent) { [store] in
            // The other destination is served although this one is full.
            await store.until { $0.settled.contains { $0.job.destination.ascii == "other.test" } }
            gate.open()
            await store.until { $0.settled.count == 13 }
        }
        #expect(peer.mostAtOnce <= 3)
    }

    @Test func onePoisonedItemFailsAlone() async throws {
        for number in 0..<5 { store.enqueue(to: [try bob()], created: clock.now, subject: "\(number)") }
        let peer = FakePeer { jobs, _ in
            jobs.map { $0.summary.subject == "2" ? .refused(reason: "InvalidPostmark") : FakePeer.delivered($0) }
        }
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 5 } }
        #expect(peer.calls.count == 1)
        #expect(store.settled.filter { $0.report.outcomes[0].state == .delivered }.count == 4)
        #expect(composer.bounces.map(\.job) == [3] && composer.bounces[0].cause == .refused)
        #expect(store.bounces.count == 1)
    }

    @Test func aMessageThatSpoilsTheWholeCallIsFoundAndFailsAlone() async throws {
        for number in 0..<8 { store.enqueue(to: [try bob()], created: clock.now, subject: "\(number)") }
        let peer = FakePeer { (jobs, _) throws(DeliveryError) in
            if jobs.contains(where: { $0.summary.subject == "5" }) {
                throw DeliveryError(.fault, "MalformedEnvelope", isTransient: false)
            }
            return jobs.map { FakePeer.delivered($0) }
        }
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 8 } }
        #expect(store.settled.filter { $0.report.outcomes[0].state == .delivered }.count == 7)
        #expect(composer.bounces.map(\.job) == [6])
    }

    @Test func recipientsAreSettledOneByOne() async throws {
        let (a, b, c) = (try Address("a@scopio.test"), try Address("b@scopio.test"), try Address("c@scopio.test"))
        store.enqueue(to: [a, b, c], created: clock.now)
        let round = NIOLockedValueBox(0)
        let peer = FakePeer { jobs, _ in
            let isFirst = round.withLockedValue {
                $0 += 1; return $0 == 1
            }
            guard isFirst else { return jobs.map { FakePeer.delivered($0) } }
            return jobs.map { _ in
                .answered(
                    DeliveryReport(outcomes: [
                        RecipientOutcome(recipient: a, state: .delivered),
                        RecipientOutcome(recipient: b, state: .refused, reason: "UnknownRecipient"),
                        RecipientOutcome(recipient: c, state: .queued, reason: "QuotaExceeded"),
                    ]))
            }
        }
        try await running(agent(peer)) { [store, clock] in
            await store.until { $0.waiting.first?.attempts == 1 }
            #expect(store.waiting[0].recipients == [c] && store.waiting[0].reason == "QuotaExceeded")
            clock.advance(by: 30)
            await store.until { $0.waiting.isEmpty }
        }
        #expect(composer.bounces.map(\.recipients) == [[b]])
        #expect(store.settled.last?.report.outcomes.map(\.recipient) == [c])
    }

    @Test func aPeerCannotSettleRecipientsThatAreNotTheJobs() async throws {
        let other = try Address("eve@elsewhere.test")
        store.enqueue(to: [try bob()], created: clock.now)
        let peer = FakePeer { jobs, _ in
            jobs.map { _ in .answered(DeliveryReport(outcomes: [RecipientOutcome(recipient: other, state: .delivered)])) }
        }
        try await running(agent(peer)) { [store] in await store.until { $0.waiting.first?.attempts == 1 } }
        #expect(store.settled.isEmpty)
    }

    @Test func missingAnswersAreDeferred() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        store.enqueue(to: [try bob()], created: clock.now)
        let peer = FakePeer { jobs, _ in [FakePeer.delivered(jobs[0])] }
        try await running(agent(peer)) { [store] in
            await store.until { $0.settled.count == 1 && $0.waiting.first?.attempts == 1 }
        }
    }

    @Test func backsOffAndTriesAgain() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let peer = FakePeer { _, _ throws(DeliveryError) in throw DeliveryError(.fault, "Busy", isTransient: true) }
        let start = clock.now
        try await running(agent(peer)) { [store, clock] in
            var expected = start
            for (attempt, wait) in [30.0, 60, 120, 240].enumerated() {
                await store.until { $0.waiting.first?.attempts == attempt + 1 && $0.waiting.first?.isLeased == false }
                expected += wait
                #expect(store.waiting.first?.due == expected)
                clock.advance(by: wait)
            }
        }
        #expect(peer.calls.count >= 4 && composer.bounces.isEmpty)
    }

    @Test func theBreakerOpensProbesWithOneMessageAndCloses() async throws {
        let isUp = NIOLockedValueBox(false)
        let peer = FakePeer { (jobs, _) throws(DeliveryError) in
            guard isUp.withLockedValue({ $0 }) else { throw DeliveryError(.unreachable, "refused") }
            return jobs.map { FakePeer.delivered($0) }
        }
        let agent = agent(peer) {
            $0.batch = BatchLimits(count: 1, bytes: 1 << 20); $0.maxCallsPerDestination = 1
        }
        for _ in 0..<10 { store.enqueue(to: [try bob()], created: clock.now) }
        let domain = try MailDomain("scopio.test")
        let open = clock.now.addingTimeInterval(30)
        try await running(agent) { [store, clock] in
            await store.until { $0.waiting.filter { $0.attempts == 1 }.count == 3 }
            await clock.untilAsleep { $0 == open }
            #expect(await agent.suspended[domain] == .open(until: open))
            #expect(peer.calls.count == 3)
            isUp.withLockedValue { $0 = true }
            clock.advance(by: 30)
            await store.until { $0.settled.count == 10 }
        }
        #expect(peer.calls[3].jobs.count == 1)
        #expect(await agent.suspended.isEmpty)
    }

    @Test func domainsWithoutServiceBounceAtOnceWhenThatIsProved() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let peer = FakePeer { _, _ throws(DeliveryError) in throw DeliveryError(.noService, "NXDOMAIN", isTransient: false) }
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 1 } }
        #expect(composer.bounces.map(\.cause) == [.undeliverable])
        #expect(store.settled[0].report.outcomes[0].state == .bounced)
    }

    @Test func mailForOurselvesIsLeftAloneEvenWhenItHasExpired() async throws {
        let home = try MailDomain("home.test")
        let own = [
            store.enqueue(to: [try bob("home.test")], created: clock.now),
            store.enqueue(to: [try bob("home.test")], created: clock.now, expires: clock.now),
        ]
        store.enqueue(to: [try bob()], created: clock.now)
        store.enqueue(to: [try bob()], created: clock.now, expires: clock.now)
        let peer = FakePeer()
        try await running(agent(peer) { $0.localDomains = [home] }) { [store] in await store.until { $0.settled.count == 2 } }
        #expect(store.waiting.map(\.id) == own && store.waiting.allSatisfy { !$0.isLeased && $0.attempts == 0 })
        #expect(peer.calls.count == 1 && store.settled.allSatisfy { $0.job.destination != home })
    }

    @Test(arguments: [
        (PeerKnowledge?.some(.never), RecipientState.expired, BounceCause.expired), (nil, .unknown, .unknown),
    ])
    func expiredMailIsAskedFor(knowledge: PeerKnowledge?, state: RecipientState, cause: BounceCause) async throws {
        store.enqueue(to: [try bob()], created: clock.now, expires: clock.now, attempts: 9)
        let peer = FakePeer(
            status: { _ throws(DeliveryError) in
                guard let knowledge else { throw DeliveryError(.unreachable, "refused") }
                return knowledge
            })
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 1 } }
        #expect(peer.statusQuestions == 1 && peer.calls.isEmpty)
        #expect(store.settled[0].report.outcomes[0].state == state)
        #expect(composer.bounces.map(\.cause) == [cause])
    }

    @Test func expiredMailThatDidArriveIsNotBounced() async throws {
        store.enqueue(to: [try bob()], created: clock.now, expires: clock.now, attempts: 9)
        let peer = FakePeer(status: { .arrived(FakePeer.report($0, .delivered)) })
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 1 } }
        #expect(store.settled[0].report.outcomes[0].state == .delivered && composer.bounces.isEmpty)
    }

    @Test func anUnreachablePeerIsAskedOnceForAllThatExpires() async throws {
        for _ in 0..<5 { store.enqueue(to: [try bob()], created: clock.now, expires: clock.now, attempts: 9) }
        let peer = FakePeer(status: { _ throws(DeliveryError) in throw DeliveryError(.unreachable, "refused") })
        try await running(agent(peer)) { [store] in await store.until { $0.settled.count == 5 } }
        #expect(peer.statusQuestions == 1)
    }

    @Test func aLeaseOfACrashedWorkerIsTakenOver() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let lost = try await store.leaseDue(now: clock.now, limit: 1, leaseFor: 300, excluding: [], maxPerDestination: 1)
        let end = clock.now.addingTimeInterval(300)
        try await running(agent(FakePeer())) { [store, clock] in
            await clock.untilAsleep { $0 == end }
            #expect(store.settled.isEmpty)
            clock.advance(by: 300)
            await store.until { $0.settled.count == 1 }
        }
        await #expect(throws: StoreError.self) {
            _ = try await store.complete(lost[0].lease, DeliveryReport(outcomes: []), bounce: nil, now: clock.now)
        }
    }

    @Test func settlingIsTriedAgainWhenTheStoreFails() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let peer = FakePeer { [store] jobs, _ in
            store.fail([StoreError(.ioFailure, "disk")])
            return jobs.map { FakePeer.delivered($0) }
        }
        try await running(agent(peer)) { [store, clock] in
            let retry = clock.now.addingTimeInterval(2)
            await clock.untilAsleep { $0 == retry }
            clock.advance(by: 2)
            await store.until { $0.settled.count == 1 }
        }
        #expect(peer.calls.count == 1)
    }

    @Test func aStoreThatCannotBeReadIsAskedAgainLater() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        store.fail([StoreError(.busy, "locked")])
        try await running(agent(FakePeer())) { [store, clock] in
            let retry = clock.now.addingTimeInterval(2)
            await clock.untilAsleep { $0 == retry }
            clock.advance(by: 2)
            await store.until { $0.settled.count == 1 }
        }
    }

    @Test func aBounceThatCannotBeWrittenKeepsTheJob() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let composer = FakeBounceComposer(failures: 1)
        let peer = FakePeer { jobs, _ in jobs.map { _ in .refused(reason: "no") } }
        let agent = DeliveryAgent(
            store: store, peer: peer, composer: composer, clock: clock.deliveryClock,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), random: { 0.5 })
        try await running(agent) { [store, clock] in
            await store.until { $0.waiting.first?.attempts == 1 }
            clock.advance(by: 30)
            await store.until { $0.settled.count == 1 }
        }
        #expect(composer.bounces.count == 1)
    }

    @Test func gracefulShutdownFinishesWhatIsOut() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let (began, gate) = (Gate(), Gate())
        let peer = FakePeer { jobs, _ in
            began.open()
            await gate.pass()
            return jobs.map { FakePeer.delivered($0) }
        }
        let group = ServiceGroup(
            services: [agent(peer)], logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            await began.pass()
            await group.triggerGracefulShutdown()
            gate.open()
            try await tasks.waitForAll()
        }
        #expect(store.settled.count == 1 && store.waiting.isEmpty)
    }

    @Test func whatDoesNotEndInTimeIsGivenBack() async throws {
        store.enqueue(to: [try bob()], created: clock.now)
        let began = Gate()
        let peer = FakePeer { (_, _) throws(DeliveryError) in
            began.open()
            // A call that only cancellation ends.
            try? await Task.sleep(for: .seconds(3600))
            throw DeliveryError(.closed, "cancelled")
        }
        let group = ServiceGroup(
            services: [agent(peer)], logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let grace = clock.now.addingTimeInterval(20)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            await began.pass()
            await group.triggerGracefulShutdown()
            await clock.untilAsleep { $0 == grace }
            clock.advance(by: 20)
            try await tasks.waitForAll()
        }
        #expect(store.settled.isEmpty)
        #expect(store.waiting.map(\.isLeased) == [false] && store.waiting.map(\.attempts) == [0])
    }
}
