import Delivery
import Foundation
import Identity
import MailStore
import NIOConcurrencyHelpers

/// A peer whose answers a test decides, and that counts the calls.
public final class FakePeer: PeerProtocol {
    public struct Call: Sendable {
        public let destination: MailDomain
        public let jobs: [Int64]
    }

    public typealias Behaviour = @Sendable ([LeasedJob], MailDomain) async throws(DeliveryError) -> [ItemResult]

    private let behaviour: Behaviour
    private let knowledge: @Sendable (LeasedJob) async throws(DeliveryError) -> PeerKnowledge
    private let limit: BatchLimits?
    private let log = NIOLockedValueBox<(calls: [Call], running: Int, most: Int, asked: Int)>(([], 0, 0, 0))

    public init(
        limits: BatchLimits? = nil,
        _ behaviour: @escaping Behaviour = { jobs, _ in jobs.map { FakePeer.delivered($0) } },
        status: @escaping @Sendable (LeasedJob) async throws(DeliveryError) -> PeerKnowledge = { _ in .never }
    ) {
        self.limit = limits
        self.knowledge = status
        self.behaviour = behaviour
    }

    public var calls: [Call] { log.withLockedValue { $0.calls } }
    /// The most calls that were out at once.
    public var mostAtOnce: Int { log.withLockedValue { $0.most } }
    public var running: Int { log.withLockedValue { $0.running } }
    public var statusQuestions: Int { log.withLockedValue { $0.asked } }

    public static func delivered(_ job: LeasedJob) -> ItemResult {
        .answered(report(job, .delivered))
    }

    public static func report(_ job: LeasedJob, _ state: RecipientState, reason: String? = nil) -> DeliveryReport {
        DeliveryReport(
            outcomes: job.job.recipients.map { RecipientOutcome(recipient: $0, state: state, reason: reason) },
            peerReceipt: Array("receipt".utf8))
    }

    public func deliver(
        _ jobs: [LeasedJob], to destination: MailDomain, now: Date
    ) async throws(DeliveryError) -> [ItemResult] {
        log.withLockedValue { log in
            log.calls.append(Call(destination: destination, jobs: jobs.map(\.job.id)))
            log.running += 1
            log.most = max(log.most, log.running)
        }
        defer { log.withLockedValue { $0.running -= 1 } }
        return try await behaviour(jobs, destination)
    }

    public func status(of job: LeasedJob, now: Date) async throws(DeliveryError) -> PeerKnowledge {
        log.withLockedValue { $0.asked += 1 }
        return try await knowledge(job)
    }

    public func limits(of destination: MailDomain) async -> BatchLimits? { limit }
}

/// Writes bounces that only name their cause and recipients.
public final class FakeBounceComposer: BounceComposer {
    public struct Bounce: Sendable {
        public let job: Int64
        public let recipients: [Address]
        public let cause: BounceCause
    }

    private let log = NIOLockedValueBox<[Bounce]>([])
    private let failures: NIOLockedValueBox<Int>

    /// - Parameter failures: so many first attempts fail.
    public init(failures: Int = 0) {
        self.failures = NIOLockedValueBox(failures)
    }

    public var bounces: [Bounce] { log.withLockedValue { $0 } }

    public func bounce(
        for job: LeasedJob, outcomes: [RecipientOutcome], cause: BounceCause, now: Date
    ) async throws(DeliveryError) -> Acceptance? {
        let fails = failures.withLockedValue { left in
            defer { left = max(0, left - 1) }
            return left > 0
        }
        if fails { throw DeliveryError(.internal, "no bounce today") }
        log.withLockedValue { $0.append(Bounce(job: job.job.id, recipients: outcomes.map(\.recipient), cause: cause)) }
        return Acceptance(
            origin: .server,
            message: MessageRecord(
                id: "urn:bounce:\(job.job.id)", digest: [], octets: [],
                summary: MessageSummary(from: "postmaster@capicom.test", to: [], subject: "bounce", date: now)),
            receipt: [])
    }
}

/// Holds callers until a test opens it.
public final class Gate: Sendable {
    private let state = NIOLockedValueBox<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    public init() {}

    public func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLockedValue { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    public func open() {
        let waiters = state.withLockedValue { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        waiters.forEach { $0.resume() }
    }
}
