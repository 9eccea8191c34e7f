import Crypto
import Foundation
import Identity
import MailStore
import Testing

@testable import MailServer

@Suite("Administration of the queue")
struct AdminQueueTests {
    /// A bench with one job for scopio.test and one for other.test, both by alice.
    private func bench() async throws -> AdminBench {
        let bench = try AdminBench()
        await bench.addUser("alice")
        for (number, peer) in ["scopio.test", "other.test"].enumerated() {
            let octets = Array("<Message>\(number)</Message>".utf8)
            let outcome = try await bench.store.accept(
                Acceptance(
                    origin: .submission(by: try Address("alice@capicom.test")),
                    message: MessageRecord(
                        id: MessageID.random().description, digest: Array(SHA256.hash(data: octets)), octets: octets,
                        summary: MessageSummary(
                            from: "alice@capicom.test", to: ["bob@\(peer)"], subject: "private words", date: AdminBench.now)),
                    remote: [
                        RemoteDelivery(
                            destination: try MailDomain(peer), recipients: [try Address("bob@\(peer)")], postmark: [1, 2],
                            expires: AdminBench.now.addingTimeInterval(86_400))
                    ], receipt: [3]),
                now: AdminBench.now)
            guard case .accepted = outcome else {
                Issue.record("not accepted: \(outcome)")
                continue
            }
        }
        return bench
    }

    private func numbers(_ bench: AdminBench) async -> [String] {
        let list = await bench.perform(.queueList)
        return list.rows.compactMap { list.value("id", in: $0) }
    }

    @Test func jobsAreListedAndShown() async throws {
        let bench = try await bench()
        let list = await bench.perform(.queueList)
        #expect(list.rows.compactMap { list.value("destination", in: $0) } == ["scopio.test", "other.test"])
        let one = await bench.perform(.queueList, [.domain: "other.test"])
        #expect(one.rows.count == 1)
        let number = try #require(one.value("id", in: one.rows[0]))
        let shown = await bench.perform(.queueShow, [.job: number])
        #expect(shown.rows == [["bob@other.test"]])
        #expect(shown.details["from"] == "alice@capicom.test" && shown.details["state"] == "due")
        // What the message says is nobody's business here.
        #expect(!"\(shown) \(list)".contains("private words"))
        let status = await bench.perform(.status)
        #expect(status.details["queue_count"] == "2" && status.rows.count == 2)
    }

    @Test func pagesFollowOneAnother() async throws {
        let bench = try await bench()
        let first = await bench.perform(.queueList, [.limit: "1"])
        let second = await bench.perform(.queueList, [.limit: "1", .after: try #require(first.details["next"])])
        #expect(first.rows != second.rows && second.rows.count == 1)
    }

    @Test func aRetryMakesJobsDueAndTellsDelivery() async throws {
        let bench = try await bench()
        let later = AdminBench.now.addingTimeInterval(3_600)
        for job in try await bench.store.leaseDue(
            now: AdminBench.now, limit: 10, leaseFor: 60, excluding: [], maxPerDestination: 10)
        {
            try await bench.store.postpone(
                job.lease, until: later, reason: "down", settled: nil, bounce: nil, now: AdminBench.now)
        }
        let list = await bench.perform(.queueList)
        #expect(list.rows.allSatisfy { list.value("state", in: $0) == "waiting" && list.value("reason", in: $0) == "down" })
        #expect(await bench.perform(.queueRetry, [.domain: "scopio.test"]).details["due_count"] == "1")
        #expect(await bench.perform(.queueRetry).ok)
        #expect(bench.events.all == ["retry scopio.test", "queue", "retry all", "queue"])
        let due = try await bench.store.leaseDue(
            now: AdminBench.now, limit: 10, leaseFor: 60, excluding: [], maxPerDestination: 10)
        #expect(due.count == 2)
    }

    @Test func aDroppedJobBounces() async throws {
        var bench = try await bench()
        let events = bench.events
        bench.hooks.bounce = { job, reason in
            events.add("bounce \(job.job.id): \(reason)")
            return Acceptance(
                origin: .server,
                message: MessageRecord(
                    id: "urn:uuid:1", digest: Array(SHA256.hash(data: [9])), octets: [9],
                    summary: MessageSummary(from: "postmaster@capicom.test", to: [], subject: "", date: AdminBench.now)),
                local: [LocalDelivery(recipients: [try Address("alice@capicom.test")], postmark: [8])], receipt: [])
        }
        let number = try #require(await numbers(bench).first)
        let reply = await bench.perform(.queueDrop, [.job: number, .reason: "closed for good"])
        #expect(reply.details["bounce"] == "yes")
        #expect(bench.events.all == ["bounce \(number): closed for good", "queue"])
        #expect(await numbers(bench).count == 1)
        #expect(try await bench.store.account(try Address("alice@capicom.test"))?.usedBytes ?? 0 > 0)
        #expect(await bench.perform(.queueDrop, [.job: number]).error?.code == .unknownJob)
    }

    @Test func withoutAWriterOfBouncesOnlyASilentDropWorks() async throws {
        let bench = try await bench()
        let number = try #require(await numbers(bench).first)
        #expect(await bench.perform(.queueDrop, [.job: number]).error?.code == .needsServer)
        let id = try #require(try await bench.store.job(Int64(number) ?? 0, now: AdminBench.now)).job.messageID
        #expect(await bench.perform(.queueDrop, [.job: number, .bounce: "no"]).ok)
        #expect(await numbers(bench).count == 1)
        let alice = Origin.submission(by: try Address("alice@capicom.test"))
        let outcome = try #require(try await bench.store.status(of: id, from: alice)?.recipients.first)
        #expect(outcome.state == .refused && outcome.reason == "dropped by the administrator")
    }

    @Test(arguments: ["0", "-1", "x", "99999999999999999999"])
    func jobsAreNamedByNumbers(_ job: String) async throws {
        #expect(await (try AdminBench()).perform(.queueShow, [.job: job]).error?.code == .invalidArgument)
    }

    @Test func aRetryOfNothingSaysSo() async throws {
        let bench = try await bench()
        let reply = await bench.perform(.queueRetry, [.domain: "foo.test"])
        #expect(reply.ok && reply.details["due_count"] == "0" && reply.message.contains("no mail waits for foo.test"))
        let empty = await (try AdminBench()).perform(.queueRetry)
        #expect(empty.message.contains("the queue is empty"))
    }

    @Test func unknownJobsAreNamed() async throws {
        let bench = try AdminBench()
        #expect(await bench.perform(.queueRetry, [.job: "7"]).error?.code == .unknownJob)
        #expect(await bench.perform(.queueRetry, [.job: "7", .domain: "a.test"]).error?.code == .invalidArgument)
    }
}
