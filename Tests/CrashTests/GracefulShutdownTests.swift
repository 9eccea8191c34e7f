import Foundation
import Identity
import MailModel
import MailStore
import Testing

@testable import MailServer

/// SIGTERM: what was acknowledged is kept, nobody holds the server up, and the rest is delivered after the next start.
@Suite("Graceful shutdown", .serialized, .timeLimit(.minutes(2))) struct GracefulShutdownTests {
    /// Far below what service managers wait (90 s for systemd).
    private static let bound = Duration.seconds(15)

    @Test func endsWithStatusZeroWhileClientsSendAndTheNextStartDeliversTheRest() async throws {
        let two = try await TwoProcesses.start()
        try await two.run {
            let ledger = Ledger()
            let users = try [MailUser("alice", of: two.capicom.site), MailUser("bob", of: two.scopio.site)]
            let others = try [two.scopio.site.address("dave"), two.capicom.site.address("carol")]
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for user in users {
                    group.addTask {
                        while !isOver.isSet {
                            let letter = try Letter(from: user.address, to: others)
                            ledger.begin(letter)
                            try await user.deliver(letter, keys: two.keys, ledger: ledger)
                        }
                    }
                }
                for round in 0..<6 {
                    let server = round % 2 == 0 ? two.capicom : two.scopio
                    let before = ledger.acknowledged.count
                    while ledger.acknowledged.count < before + 5 { try await Task.sleep(for: .milliseconds(5)) }
                    let asked = ContinuousClock.now
                    #expect(await server.terminate() == 0, "\(server.logTail)")
                    let took = ContinuousClock.now - asked
                    print("graceful shutdown under load took \(took)")
                    #expect(took < Self.bound)
                    try await Self.expectKept(ledger, server.site)
                    try server.restart()
                    try await server.untilReady()
                }
                isOver.set()
                try await group.waitForAll()
            }
            for user in users {
                for letter in ledger.acknowledged where letter.author == user.address {
                    let status = try await user.status(of: letter.id, reaching: "delivered")
                    #expect(try await Verdict.isDelivered(letter, status, keys: two.keys), "\(status.lines)")
                }
                await user.close()
            }
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            try await Verdict.check(ledger, at: two.sites)
        }
    }

    /// Everything of this domain's users that was acknowledged is in the closed database.
    private static func expectKept(_ ledger: Ledger, _ site: Site) async throws {
        try await site.withStore { store in
            for letter in ledger.acknowledged where letter.author.domain == site.domain {
                let status = try await store.status(of: letter.id.description, from: .submission(by: letter.author))
                #expect(Set(status?.recipients.map(\.recipient) ?? []) == letter.recipients)
            }
        }
    }

    @Test func whoWaitsForNewsIsReleasedAtOnce() async throws {
        let two = try await TwoProcesses.start()
        try await two.run {
            let alice = try MailUser("alice", of: two.capicom.site)
            let carol = try MailUser("carol", of: two.capicom.site)
            // Sessions first: what is measured is the shutdown.
            _ = try await alice.list()
            _ = try await carol.list()
            try await withThrowingTaskGroup(of: ContinuousClock.Instant.self) { group in
                group.addTask {
                    // An answer (an empty page) or a closed connection: both release the client.
                    _ = try? await alice.list(wait: 60)
                    return .now
                }
                // A second caller's answered calls show that the first one's has been read.
                for _ in 0..<20 { _ = try await carol.list() }
                let begin = ContinuousClock.now
                #expect(await two.capicom.terminate() == 0)
                let ended = ContinuousClock.now
                let released = try await group.next() ?? ended
                print("shutdown beside a waiting list: client released after \(released - begin), process after \(ended - begin)")
                #expect(released > begin, "the list did not wait")
                #expect(released - begin < .seconds(5))
                #expect(ended - begin < .seconds(10))
            }
            await alice.close()
            await carol.close()
        }
    }

    @Test func aRequestThatIsNeverCompleteHoldsItUpForSecondsOnly() async throws {
        let two = try await TwoProcesses.start()
        try await two.run {
            let alice = try MailUser("alice", of: two.capicom.site)
            let request = try HalfRequest(port: two.capicom.site.configuration.listenPort, leash: two.leash)
            // Answered calls of another show that the half one has been read by now.
            for _ in 0..<50 { _ = try await alice.list() }
            let begin = ContinuousClock.now
            #expect(await two.capicom.terminate() == 0)
            let took = ContinuousClock.now - begin
            print("shutdown beside half a request took \(took)")
            #expect(took < Self.bound)
            request.close()
            await alice.close()
        }
    }

    @Test func connectionsThatSayNothingDoNotHoldItUp() async throws {
        let two = try await TwoProcesses.start()
        try await two.run {
            let alice = try MailUser("alice", of: two.capicom.site)
            _ = try await alice.list()
            // One after its TLS handshake (the caller's own, kept), one before.
            let silent = try RawConnection(port: two.capicom.site.configuration.listenPort)
            let begin = ContinuousClock.now
            #expect(await two.capicom.terminate() == 0)
            let took = ContinuousClock.now - begin
            print("shutdown beside idle connections took \(took)")
            #expect(took < Self.bound)
            silent.close()
            await alice.close()
        }
    }
}
