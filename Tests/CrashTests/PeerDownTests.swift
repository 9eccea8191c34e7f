import Delivery
import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import SOAPClient
import Synchronization
import TestSupport
import Testing

@testable import MailServer

/// The destination is away for a while, or for good. Time passes only when the test says so.
@Suite("Peer down", .timeLimit(.minutes(2))) struct PeerDownTests {
    /// capicom runs; scopio exists and is started when the test wants it.
    private struct Bench {
        let clock: ManualClock
        let dns: TestDNS
        let capicom: LocalServer
        let scopio: Site
        let alice: MailUser
        let keys: SiteKeys
        let ledger = Ledger()

        static func start(
            resolver: (any ServiceResolver)? = nil, transport: (@Sendable (TLSTransport) -> any HTTPTransport)? = nil
        ) async throws -> Bench {
            // TLS reads the machine's clock: certificates must be valid by both.
            // A whole second: calls say when they were made to the millisecond, and none may seem older than the server.
            let clock = ManualClock(Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down)))
            let ports = ["capicom.test": try freePort(), "scopio.test": try freePort()]
            let dns = try testDNS(ports)
            let one = try await Site.make(
                "capicom.test", users: ["alice"], port: ports["capicom.test"] ?? 0, dns: [dns.forwarder], now: clock.now
            ) {
                $0.queueDays = 1
                $0.retryFirstSeconds = 30
                $0.retryMaxSeconds = 7_200
            }
            let two = try await Site.make(
                "scopio.test", users: ["bob"], port: ports["scopio.test"] ?? 0, dns: [dns.forwarder], now: clock.now)
            try await Site.introduce(one, two, now: clock.now)
            var seams = ServerSeams(resolver: resolver, deliveryClock: clock.deliveryClock)
            if let transport { seams.transport = transport }
            let capicom = try await LocalServer.start(one, seams: seams, clock: { clock.now })
            return Bench(
                clock: clock, dns: dns, capicom: capicom, scopio: two,
                alice: try MailUser("alice", of: one, clock: { clock.now }), keys: SiteKeys(one, two))
        }

        func startScopio() async throws -> LocalServer {
            try await LocalServer.start(
                scopio, seams: ServerSeams(deliveryClock: clock.deliveryClock), clock: { [clock] in clock.now })
        }

        func send() async throws -> Letter {
            let letter = try Letter(from: alice.address, to: [scopio.address("bob")], now: clock.now)
            ledger.begin(letter)
            try await alice.deliver(letter, keys: keys, ledger: ledger)
            return letter
        }

        func remove() async throws {
            await alice.close()
            try await capicom.stop()
            dns.stop()
            capicom.site.remove()
            scopio.remove()
        }

        /// The letter stands in the author's status with this state, and the queue is empty.
        func expect(_ letter: Letter, _ state: StoredState) async throws {
            #expect(try await capicom.status(of: letter, reaching: state) == [state])
            #expect(try await capicom.store.jobs(destination: nil, after: nil, limit: 2, now: clock.now).isEmpty)
        }

        /// Lets time pass, once the agent waits for something.
        func pass(_ seconds: TimeInterval) async {
            await clock.untilAsleep()
            clock.advance(by: seconds)
        }
    }

    @Test func mailWaitsUntilTheDestinationIsBackAndTheBreakerSparesItMeanwhile() async throws {
        let bench = try await Bench.start()
        let first = try await bench.send()
        #expect(try await bench.capicom.job(afterAttempts: 1...1) != nil)
        for attempts in 2...3 {
            await bench.pass(120)
            #expect(try await bench.capicom.job(afterAttempts: attempts...attempts) != nil)
        }
        // Three in a row: the breaker is open, and new mail is not even tried.
        let suspended = await bench.capicom.server.agent.suspended[bench.scopio.domain]
        guard case .open(let until) = suspended else {
            Issue.record("the breaker is \(String(describing: suspended))")
            return try await bench.remove()
        }
        let second = try await bench.send()
        await bench.clock.untilAsleep { $0 == until }
        let jobs = try await bench.capicom.store.jobs(destination: nil, after: nil, limit: 9, now: bench.clock.now)
        #expect(jobs.map(\.attempts) == [3, 0])

        let scopio = try await bench.startScopio()
        bench.clock.advance(by: until.timeIntervalSince(bench.clock.now))
        #expect(try await bench.capicom.status(of: second, reaching: .delivered) == [.delivered])
        await bench.pass(600)
        try await bench.expect(first, .delivered)
        #expect(try await scopio.inbox("bob").map(\.messageID) == [second, first].map(\.id.description))
        #expect(await bench.capicom.server.agent.suspended.isEmpty)
        // And the next goes through at once.
        let next = try await bench.send()
        try await bench.expect(next, .delivered)
        try await scopio.stop()
        try await bench.remove()
    }

    @Test func withoutDNSMailWaitsToo() async throws {
        let resolver = FakeResolver()
        let bench = try await Bench.start(resolver: resolver)
        resolver.set(bench.scopio.domain, .failure(DeliveryError(.dnsFailure, "no answer")))
        let letter = try await bench.send()
        let job = try #require(try await bench.capicom.job(afterAttempts: 1...1))
        #expect(job.reason?.lowercased().contains("no answer") == true, "\(job.reason ?? "nothing")")
        let status = try await bench.alice.status(of: letter.id)
        #expect(status.lines.map(\.state) == ["queued"])

        let scopio = try await bench.startScopio()
        resolver.set(
            bench.scopio.domain,
            .success([
                ServiceEndpoint(target: "localhost", port: bench.scopio.configuration.listenPort, addresses: ["127.0.0.1"])
            ]))
        await bench.pass(60)
        try await bench.expect(letter, .delivered)
        try await scopio.stop()
        try await bench.remove()
    }

    @Test func aRealDNSServerThatIsGoneIsATransientFailure() async throws {
        let bench = try await Bench.start()
        bench.dns.stop()
        let letter = try await bench.send()
        let job = try #require(try await bench.capicom.job(afterAttempts: 1...1))
        #expect(job.reason?.lowercased().contains("dns") == true, "\(job.reason ?? "nothing")")
        #expect(try await bench.alice.status(of: letter.id).lines.map(\.state) == ["queued"])
        try await bench.remove()
    }

    @Test func whatExpiresWhileTheDestinationIsAwayIsUnknownAndTheAuthorIsTold() async throws {
        let bench = try await Bench.start()
        let letter = try await bench.send()
        #expect(try await bench.capicom.job(afterAttempts: 1...1) != nil)
        await bench.pass(86_401)
        try await bench.expect(letter, .unknown)
        let notices = try await bench.capicom.inbox("alice")
        #expect(notices.map(\.summary.inReplyTo) == [letter.id.description])
        #expect(notices.first?.summary.traits.contains(.bounce) == true)
        let stored = try await bench.alice.call(RetrieveOperation.self, .init(messageID: try MessageID(notices[0].messageID)))
        let notice = try SealedMessage(octets: stored.message).message
        #expect(notice.text.contains("It may have arrived all the same"))
        #expect(notice.bounce?.recipients.map(\.state) == [.unknown])
        try await bench.remove()
    }

    @Test func whatArrivedAlthoughNoReplyCameBackIsFoundOutBeforeItExpires() async throws {
        let network = Mutex<BadNetwork?>(nil)
        let bench = try await Bench.start { inner in
            let bad = BadNetwork(inner, .deliver, tricks: Array(repeating: .loseReply, count: 100))
            network.withLock { $0 = bad }
            return bad
        }
        let scopio = try await bench.startScopio()
        let letter = try await bench.send()
        #expect(try await bench.capicom.job(afterAttempts: 1...1) != nil)
        await bench.pass(86_401)
        // Asked by PeerStatus, whose reply comes.
        try await bench.expect(letter, .delivered)
        #expect(try await bench.capicom.inbox("alice").isEmpty)
        #expect(try await scopio.inbox("bob").map(\.messageID) == [letter.id.description])
        let status = try await bench.alice.status(of: letter.id)
        #expect(try await Verdict.isDelivered(letter, status, keys: bench.keys))
        try await scopio.stop()
        try await bench.remove()
    }

    @Test func whatNeverArrivedInTimeExpiresAndTheAuthorIsTold() async throws {
        let resolver = FakeResolver()
        let bench = try await Bench.start(resolver: resolver)
        resolver.set(bench.scopio.domain, .failure(DeliveryError(.dnsFailure, "no answer")))
        let letter = try await bench.send()
        #expect(try await bench.capicom.job(afterAttempts: 1...1) != nil)
        // Back just in time to say that it knows nothing of it.
        let scopio = try await bench.startScopio()
        resolver.set(
            bench.scopio.domain,
            .success([
                ServiceEndpoint(target: "localhost", port: bench.scopio.configuration.listenPort, addresses: ["127.0.0.1"])
            ]))
        await bench.pass(86_401)
        try await bench.expect(letter, .expired)
        #expect(try await bench.capicom.inbox("alice").map(\.summary.inReplyTo) == [letter.id.description])
        #expect(try await scopio.inbox("bob").isEmpty)
        try await scopio.stop()
        try await bench.remove()
    }
}
