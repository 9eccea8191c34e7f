import Delivery
import Foundation
import Identity
import MailStore
import Testing

@Suite struct RetryScheduleTests {
    let schedule = RetrySchedule()
    let start = Date(timeIntervalSince1970: 1_800_000_000)

    @Test(arguments: [(1, 30.0), (2, 60), (3, 120), (8, 3840), (9, 7200), (10, 7200), (100_000, 7200), (0, 30), (-5, 30)])
    func doublesUpToTheLongest(attempts: Int, seconds: TimeInterval) {
        #expect(schedule.delay(afterAttempts: attempts, random: 0.5) == seconds)
    }

    @Test func jitterStaysWithinItsPart() {
        #expect(schedule.delay(afterAttempts: 3, random: 0) == 96)
        #expect(schedule.delay(afterAttempts: 3, random: 1) == 144)
        #expect(schedule.delay(afterAttempts: 3, random: 7) == 144)
    }

    func verdict(_ code: DeliveryError.Code, age: TimeInterval, transient: Bool? = nil) -> RetrySchedule.Verdict {
        schedule.verdict(
            on: DeliveryError(code, "", isTransient: transient), attempts: 1, created: start,
            expires: start.addingTimeInterval(5 * 86_400), now: start.addingTimeInterval(age), random: 0.5)
    }

    @Test func retriesTransientFailuresUntilExpiry() {
        #expect(verdict(.unreachable, age: 100) == .retry(at: start.addingTimeInterval(130)))
        #expect(verdict(.unreachable, age: 5 * 86_400 - 10) == .retry(at: start.addingTimeInterval(5 * 86_400)))
        #expect(verdict(.unreachable, age: 5 * 86_400) == .giveUp)
    }

    @Test func permanentFailuresAreGivenUpAtOnce() {
        #expect(verdict(.serviceDenied, age: 0) == .giveUp)
        #expect(verdict(.privateTarget, age: 0) == .giveUp)
        #expect(verdict(.noService, age: 0, transient: false) == .giveUp)
    }

    @Test func unprovedAbsenceIsDoubtedForAWhile() {
        #expect(verdict(.noService, age: 4 * 3600 - 1) != .giveUp)
        #expect(verdict(.noService, age: 4 * 3600) == .giveUp)
    }
}

@Suite struct CircuitBreakerTests {
    let start = Date(timeIntervalSince1970: 1_800_000_000)

    func opened() -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<3 { breaker.failed(now: start) }
        return breaker
    }

    @Test func opensAfterSoManyFailuresInARow() {
        var breaker = CircuitBreaker()
        breaker.failed(now: start)
        breaker.failed(now: start)
        #expect(breaker.state == .closed)
        breaker.failed(now: start)
        #expect(breaker.state == .open(until: start.addingTimeInterval(30)))
        #expect(breaker.request(now: start.addingTimeInterval(29)) == .wait(until: start.addingTimeInterval(30)))
    }

    @Test func aSuccessBetweenFailuresStartsTheCountAnew() {
        var breaker = CircuitBreaker()
        breaker.failed(now: start)
        breaker.failed(now: start)
        breaker.succeeded()
        breaker.failed(now: start)
        breaker.failed(now: start)
        #expect(breaker.state == .closed && !breaker.isPristine)
    }

    @Test func letsExactlyOneProbeThrough() {
        var breaker = opened()
        let later = start.addingTimeInterval(30)
        #expect(breaker.request(now: later) == .probe)
        #expect(breaker.request(now: later) == .waitForProbe)
        breaker.succeeded()
        #expect(breaker.request(now: later) == .pass && breaker.isPristine)
    }

    @Test func aFailedProbeDoublesThePauseUpToTheLongest() {
        var breaker = opened()
        var now = start
        var pauses: [TimeInterval] = []
        for _ in 0..<10 {
            guard case .open(let until) = breaker.state else { break }
            now = until
            #expect(breaker.request(now: now) == .probe)
            breaker.failed(now: now)
            if case .open(let next) = breaker.state { pauses.append(next.timeIntervalSince(now)) }
        }
        #expect(pauses.prefix(4) == [60, 120, 240, 480])
        #expect(pauses.last == 1800)
    }

    @Test func anAbandonedProbeIsGivenBack() {
        var breaker = opened()
        let later = start.addingTimeInterval(30)
        _ = breaker.request(now: later)
        breaker.abandoned(now: later)
        #expect(breaker.request(now: later) == .probe)
    }

    @Test func lateFailuresOfCallsBegunBeforeDoNotProlongThePause() {
        var breaker = opened()
        breaker.failed(now: start.addingTimeInterval(10))
        #expect(breaker.state == .open(until: start.addingTimeInterval(30)))
    }
}

@Suite struct DestinationLimiterTests {
    @Test func limitsEachDestinationAndAll() throws {
        let (a, b, c) = (try MailDomain("a.test"), try MailDomain("b.test"), try MailDomain("c.test"))
        var limiter = DestinationLimiter(maxPerDestination: 2, maxTotal: 3)
        let firstThree = [a, a, a].map { limiter.start($0) }
        #expect(firstThree == [true, true, false] && limiter.full == [a])
        let nextTwo = [b, c].map { limiter.start($0) }
        #expect(nextTwo == [true, false] && limiter.freeInTotal == 0 && limiter.free(b) == 0)
        limiter.finish(a)
        #expect(limiter.free(c) == 1)
        let last = limiter.start(c)
        #expect(last)
        limiter.finish(a)
        limiter.finish(a)
        #expect(limiter.total == 2)
    }
}

@Suite struct BatchPlannerTests {
    func jobs(_ sizes: [Int]) throws -> [LeasedJob] {
        let address = try Address("bob@scopio.test")
        let now = Date(timeIntervalSince1970: 0)
        return sizes.enumerated().map { index, size in
            LeasedJob(
                lease: QueueLease(job: Int64(index), token: 1),
                job: QueueJob(
                    id: Int64(index), destination: address.domain, origin: .server, messageID: "m", digest: [], recipients: [address],
                    created: now, expires: now, attempts: 0, due: now, isLeased: true, reason: nil, size: size),
                octets: [UInt8](repeating: 0, count: size), summary: MessageSummary(from: "a", to: [], subject: "", date: now),
                postmark: [])
        }
    }

    func plan(_ sizes: [Int], count: Int = 3, bytes: Int = 100) throws -> [[Int]] {
        BatchPlanner.batches(try jobs(sizes), limits: BatchLimits(count: count, bytes: bytes)).map { $0.map(\.octets.count) }
    }

    @Test func cutsByCountAndByBytes() throws {
        #expect(try plan([10, 10, 10, 10]) == [[10, 10, 10], [10]])
        #expect(try plan([60, 40, 1]) == [[60, 40], [1]])
        #expect(try plan([60, 41]) == [[60], [41]])
        #expect(try plan([]) == [])
    }

    @Test func aLargeMessageGoesAlone() throws {
        #expect(try plan([1, 500, 1]) == [[1], [500], [1]])
    }

    @Test func thePeersLimitsCount() {
        #expect(BatchLimits(count: 32, bytes: 100).within(BatchLimits(count: 5, bytes: 1000)) == BatchLimits(count: 5, bytes: 100))
        #expect(BatchLimits(count: 32, bytes: 100).within(BatchLimits(count: 0, bytes: 0)) == BatchLimits(count: 1, bytes: 1))
        #expect(BatchLimits(count: 32, bytes: 100).within(nil) == BatchLimits(count: 32, bytes: 100))
    }
}
