import Foundation
import Identity
import Logging
import MailStore

/// One worker: the jobs leased for one destination.
extension DeliveryAgent {
    func deliver(_ jobs: [LeasedJob], to destination: MailDomain) async {
        let now = clock.now()
        let live = jobs.filter { now < $0.job.expires }
        await expire(jobs.filter { now >= $0.job.expires })
        let limits = configuration.batch.within(await peer.limits(of: destination))
        var batches = ArraySlice(BatchPlanner.batches(live, limits: limits))
        var leasedAt = now
        while let batch = batches.popFirst() {
            guard await send(batch, to: destination) else { break }
            if batches.isEmpty { break }
            guard mayContinue(destination) else { break }
            if clock.now().timeIntervalSince(leasedAt) > configuration.lease / 3 {
                leasedAt = clock.now()
                await extend(batches.flatMap { $0 })
            }
        }
        await release(batches.flatMap { $0 })
        finished(destination)
    }

    private func extend(_ jobs: [LeasedJob]) async {
        let until = clock.now().addingTimeInterval(configuration.lease)
        for job in jobs {
            // Losing one only means that another worker has it: settling then changes nothing.
            try? await store.extendLease(job.lease, until: until)
        }
    }

    /// Sends one batch and settles each of its jobs. False when the peer is not worth another call now.
    private func send(_ batch: [LeasedJob], to destination: MailDomain) async -> Bool {
        metrics.record(.attempt(destination, messages: batch.count))
        do throws(DeliveryError) {
            let results = try await peer.deliver(batch, to: destination, now: clock.now())
            report(.reached, of: destination)
            for (index, job) in batch.enumerated() {
                let result = index < results.count ? results[index] : .deferred(reason: "the peer did not answer for it")
                await settle(job, result)
            }
            return true
        } catch {
            return await failed(batch, error, destination)
        }
    }

    private func failed(_ batch: [LeasedJob], _ error: DeliveryError, _ destination: MailDomain) async -> Bool {
        if Task.isCancelled || error.code == .closed {
            report(.unclear, of: destination)
            await release(batch)
            return false
        }
        report(error.isConnectionFailure ? .notReached : error.code == .fault ? .reached : .unclear, of: destination)
        // A call refused for good: find the message that is to blame.
        if !error.isTransient, error.code == .fault, batch.count > 1 {
            let half = batch.count / 2
            guard await send(Array(batch[..<half]), to: destination) else {
                await release(Array(batch[half...]))
                return false
            }
            return await send(Array(batch[half...]), to: destination)
        }
        logger.info(
            "not delivered", metadata: ["destination": "\(destination)", "jobs": "\(batch.count)", "reason": "\(error.reason)"])
        for job in batch { await failed(job, error) }
        return error.code == .fault && !error.isTransient
    }

    private func failed(_ job: LeasedJob, _ error: DeliveryError) async {
        let verdict = configuration.schedule.verdict(
            on: error, attempts: job.job.attempts + 1, created: job.job.created, expires: job.job.expires, now: clock.now(),
            random: random())
        switch verdict {
        case .retry(let date):
            metrics.record(.deferred(job.job.destination, code: error.code.rawValue))
            await postpone(job, until: date, reason: error.reason, settled: nil, bounce: nil)
        case .giveUp where clock.now() >= job.job.expires:
            await expire(job)
        case .giveUp:
            await giveUp(job, error.code == .fault ? .refused : .undeliverable, reason: error.reason)
        }
    }
}
