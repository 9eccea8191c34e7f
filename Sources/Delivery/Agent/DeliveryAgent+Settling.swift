import Foundation
import Identity
import Logging
import MailStore

/// How a job ends, or is put back.
extension DeliveryAgent {
    // MARK: Answers

    func settle(_ job: LeasedJob, _ result: ItemResult) async {
        switch result {
        case .answered(let report): await settle(job, report)
        case .refused(let reason): await giveUp(job, .refused, reason: reason)
        case .deferred(let reason):
            metrics.record(.deferred(job.job.destination, code: "deferred"))
            await postpone(job, until: nextAttempt(job), reason: reason, settled: nil, bounce: nil)
        }
    }

    private func settle(_ job: LeasedJob, _ report: DeliveryReport) async {
        let mine = Set(job.job.recipients)
        let outcomes = report.outcomes.filter { mine.contains($0.recipient) && Self.isFinal($0.state) }
        let settled = DeliveryReport(outcomes: outcomes, peerReceipt: report.peerReceipt)
        let waiting = mine.subtracting(outcomes.map(\.recipient))
        let bounce: Acceptance?
        do throws(DeliveryError) {
            bounce = try await self.bounce(for: job, outcomes, cause: .refused)
        } catch {
            return await postponeUntold(job, error)
        }
        if waiting.isEmpty {
            await complete(job, settled, bounce: bounce)
        } else {
            let reason = report.outcomes.first { waiting.contains($0.recipient) }?.reason
            await postpone(
                job, until: nextAttempt(job), reason: reason ?? "the peer deferred \(waiting.count) recipients",
                settled: outcomes.isEmpty ? nil : settled, bounce: bounce)
        }
    }

    private static func isFinal(_ state: RecipientState) -> Bool {
        switch state {
        case .accepted, .delivered, .refused: true
        // A peer cannot say more than that; anything else is tried again.
        case .queued, .bounced, .expired, .unknown: false
        }
    }

    private func nextAttempt(_ job: LeasedJob) -> Date {
        let delay = configuration.schedule.delay(afterAttempts: job.job.attempts + 1, random: random())
        return min(clock.now().addingTimeInterval(delay), job.job.expires)
    }

    // MARK: Giving up

    func giveUp(_ job: LeasedJob, _ cause: BounceCause, reason: String) async {
        let state: RecipientState =
            switch cause {
            case .refused: .refused
            case .undeliverable: .bounced
            case .expired: .expired
            case .unknown: .unknown
            }
        let outcomes = job.job.recipients.map { RecipientOutcome(recipient: $0, state: state, reason: reason) }
        do throws(DeliveryError) {
            let bounce = try await composer.bounce(for: job, outcomes: outcomes, cause: cause, now: clock.now())
            await complete(job, DeliveryReport(outcomes: outcomes), bounce: bounce)
        } catch {
            await postponeUntold(job, error)
        }
    }

    func expire(_ jobs: [LeasedJob]) async {
        var failure: DeliveryError?
        for job in jobs { failure = await expire(job, unreachable: failure) }
    }

    /// A job whose time is over: what the peer knows decides (design §4). Unreachable is "unknown", never "bounced".
    ///
    /// - Parameter unreachable: how the job before failed at the same peer: it is not asked again right away.
    /// - Returns: the failure, if the peer could not be reached.
    @discardableResult
    func expire(_ job: LeasedJob, unreachable: DeliveryError? = nil) async -> DeliveryError? {
        let last = job.job.reason ?? "not attempted"
        do throws(DeliveryError) {
            if let unreachable { throw unreachable }
            switch try await peer.status(of: job, now: clock.now()) {
            case .never:
                await giveUp(job, .expired, reason: "not delivered in time: \(last)")
            case .arrived(let report):
                await settleExpired(job, report, last: last)
            }
            return nil
        } catch {
            if Task.isCancelled || error.code == .closed {
                await release([job])
                return nil
            }
            await giveUp(job, .unknown, reason: "the peer could not be asked whether it arrived: \(error.reason)")
            return error.isConnectionFailure ? error : nil
        }
    }

    /// As an answer to Deliver, except that what is still open has expired.
    private func settleExpired(_ job: LeasedJob, _ report: DeliveryReport, last: String) async {
        var outcomes = report.outcomes.filter { job.job.recipients.contains($0.recipient) && Self.isFinal($0.state) }
        let named = Set(outcomes.map(\.recipient))
        for recipient in job.job.recipients where !named.contains(recipient) {
            outcomes.append(
                RecipientOutcome(recipient: recipient, state: .expired, reason: "not delivered in time: \(last)"))
        }
        do throws(DeliveryError) {
            let bounce = try await self.bounce(for: job, outcomes, cause: .expired)
            await complete(job, DeliveryReport(outcomes: outcomes, peerReceipt: report.peerReceipt), bounce: bounce)
        } catch {
            await postponeUntold(job, error)
        }
    }

    /// A bounce for those outcomes that are bad news.
    private func bounce(
        for job: LeasedJob, _ outcomes: [RecipientOutcome], cause: BounceCause
    ) async throws(DeliveryError) -> Acceptance? {
        let bad = outcomes.filter { $0.state == .refused || $0.state == .expired }
        guard !bad.isEmpty else { return nil }
        return try await composer.bounce(for: job, outcomes: bad, cause: cause, now: clock.now())
    }

    // MARK: Store

    /// The author could not be told: the job stays, so that he will be.
    private func postponeUntold(_ job: LeasedJob, _ error: DeliveryError) async {
        logger.error("A bounce could not be written", metadata: ["job": "\(job.job.id)", "error": "\(error)"])
        let until = clock.now().addingTimeInterval(configuration.schedule.first)
        await postpone(job, until: until, reason: "the author could not be told: \(error.reason)", settled: nil, bounce: nil)
    }

    func complete(_ job: LeasedJob, _ report: DeliveryReport, bounce: Acceptance?) async {
        let done = await persist(job) { () throws(StoreError) in
            _ = try await self.store.complete(job.lease, report, bounce: bounce, now: self.clock.now())
        }
        guard done else { return }
        count(report)
        log(job, report)
        if bounce != nil { metrics.record(.bounced) }
    }

    func postpone(
        _ job: LeasedJob, until: Date, reason: String, settled: DeliveryReport?, bounce: Acceptance?
    ) async {
        let done = await persist(job) { () throws(StoreError) in
            _ = try await self.store.postpone(
                job.lease, until: until, reason: reason, settled: settled, bounce: bounce, now: self.clock.now())
        }
        guard done else { return }
        if let settled { count(settled) }
        if bounce != nil { metrics.record(.bounced) }
    }

    /// One line for each job that is over. Whom it was for stands in `status`; what it said stands nowhere.
    private func log(_ job: LeasedJob, _ report: DeliveryReport) {
        let outcomes = Dictionary(grouping: report.outcomes, by: \.state).map { "\($0.value.count) \($0.key.rawValue)" }
        logger.info(
            "delivery done",
            metadata: [
                "job": "\(job.job.id)", "message": "\(job.job.messageID)", "destination": "\(job.job.destination)",
                "bytes": "\(job.job.size)", "recipients": "\(outcomes.sorted().joined(separator: ", "))",
            ])
    }

    private func count(_ report: DeliveryReport) {
        for (state, outcomes) in Dictionary(grouping: report.outcomes, by: \.state) {
            let settlement = DeliveryMetrics.Settlement(rawValue: state.rawValue) ?? .refused
            metrics.record(.settled(settlement, recipients: outcomes.count))
        }
    }

    /// Tries a write a few times; the same call repeated is right (MailStore). What fails in the end comes back with the lease.
    private func persist(
        _ job: LeasedJob, _ write: @Sendable () async throws(StoreError) -> Void
    ) async -> Bool {
        for attempt in 0..<5 {
            do throws(StoreError) {
                try await write()
                return true
            } catch {
                switch error.code {
                case .unknownJob where attempt > 0:
                    // The write before went through although its commit reported a failure.
                    return true
                case .leaseLost, .unknownJob:
                    logger.info("A job was settled by somebody else", metadata: ["job": "\(job.job.id)"])
                    return false
                default: break
                }
                metrics.record(.storeFailure)
                logger.error(
                    "A job could not be settled", metadata: ["job": "\(job.job.id)", "error": "\(error)"])
                guard error.isTransient else { return false }
                await clock.sleep(clock.now().addingTimeInterval(configuration.storePause))
            }
        }
        return false
    }
}
