import Foundation
import Identity
import MailStore

/// The peer as the agent sees it: MailModel's operations over the network, or a test's imagination.
public protocol PeerProtocol: Sendable {
    /// Hands messages over in one Deliver call.
    ///
    /// - Returns: one result per job, in order. A job that the peer did not answer for is deferred.
    /// - Throws: when the call as a whole failed. A permanent error of a call with several jobs makes the agent try its
    ///   halves, so that one bad message never takes its neighbours along.
    func deliver(
        _ jobs: [LeasedJob], to destination: MailDomain, now: Date
    ) async throws(DeliveryError) -> [ItemResult]

    /// Asks what the peer knows of a message, before it is given up.
    func status(of job: LeasedJob, now: Date) async throws(DeliveryError) -> PeerKnowledge

    /// What the peer's metadata allows in a call; nil when it is not known yet.
    func limits(of destination: MailDomain) async -> BatchLimits?
}

/// What became of one message of a Deliver call.
public enum ItemResult: Sendable, Hashable {
    /// The peer answered for these recipients (`accepted`, `delivered` or `refused`), with its receipt. Recipients of the job
    /// not named here, or named as `queued`, are tried again.
    case answered(DeliveryReport)
    /// Refused for good, for all recipients.
    case refused(reason: String)
    /// Not now.
    case deferred(reason: String)
}

/// What a peer says about a message that we gave it, or tried to.
public enum PeerKnowledge: Sendable, Hashable {
    /// It never arrived.
    case never
    /// It arrived: as in ``ItemResult/answered(_:)``.
    case arrived(DeliveryReport)
}

/// Why an author is told.
public enum BounceCause: Sendable, Hashable {
    /// The peer refused.
    case refused
    /// It could not be delivered in time, and the peer says that it never arrived (or never was asked).
    case expired
    /// Its time is over and the peer cannot be asked: nobody here knows whether it arrived.
    case unknown
    /// The domain has no mail service, or another permanent failure of ours to hand it over.
    case undeliverable
}

/// Writes the message that tells an author what became of a message.
public protocol BounceComposer: Sendable {
    /// The bounce for the recipients in `outcomes`, addressed to the local author; it is stored in the same transaction that
    /// settles the job. Nil when none is due: a bounce is never bounced, nor is what no local user sent.
    func bounce(
        for job: LeasedJob, outcomes: [RecipientOutcome], cause: BounceCause, now: Date
    ) async throws(DeliveryError) -> Acceptance?
}
