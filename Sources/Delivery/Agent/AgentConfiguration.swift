import Foundation
import Identity

/// Limits and times of a ``DeliveryAgent``.
public struct AgentConfiguration: Sendable {
    public var schedule = RetrySchedule()
    public var breaker = CircuitBreaker.Settings()
    public var batch = BatchLimits()
    /// Deliver calls to one destination at once.
    public var maxCallsPerDestination = 4
    /// Deliver calls in all at once.
    public var maxCalls = 64
    /// Seconds that a leased job is ours without renewal; above the time of one call.
    public var lease: TimeInterval = 300
    /// Seconds for running calls to end after the signal to shut down; then they are cancelled and their jobs given back.
    public var shutdownGrace: TimeInterval = 20
    /// Seconds to wait after the store failed.
    public var storePause: TimeInterval = 2
    /// This server's own domains: jobs for them wait for their final delivery here and are left to those who do it.
    public var localDomains: Set<MailDomain> = []

    public init() {}
}
