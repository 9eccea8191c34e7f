import Foundation
import Identity
import Logging
import MailModel
import MailStore
import PluginAPI
import PluginHost

/// Settles one job of this server's own domain.
struct FinalSettler: Sendable {
    let core: ServerCore

    /// Runs the plug-ins for a job and commits what they decided. Never throws: what cannot be settled now is put off.
    func settle(_ leased: LeasedJob) async {
        do {
            for _ in 0..<SubmissionService.attempts where try await attempt(leased) { return }
            try await putOff(leased, reason: "the mailbox keeps changing")
        } catch let error as StoreError where error.code == .leaseLost || error.code == .unknownJob {
            core.logger.debug("a local delivery was settled elsewhere", metadata: ["job": "\(leased.job.id)"])
        } catch {
            await failed(leased, error)
        }
    }

    /// One run of the plug-ins and its commit. False if the store had changed meanwhile.
    private func attempt(_ leased: LeasedJob) async throws -> Bool {
        let now = core.now()
        guard let recipient = leased.job.recipients.first else {
            throw StoreError(.corrupt, "job \(leased.job.id) has no recipient")
        }
        let pipeline = core.pipeline
        let run = PluginRun(principal: recipient, now: now)
        let settlement = try await decide(leased, recipient, pipeline, run, now: now)
        switch try await core.store.settleLocal(leased.lease, settlement, now: now) {
        case .changed: return false
        case .settled:
            log(leased, recipient, settlement, pipeline, run)
            return true
        }
    }

    private func decide(
        _ leased: LeasedJob, _ recipient: Address, _ pipeline: PluginPipeline, _ run: PluginRun, now: Date
    ) async throws -> LocalSettlement {
        let size = leased.octets.count + leased.postmark.count
        let verdict = try await core.store.mailboxVerdicts([recipient], size: size)[recipient] ?? .unknown
        if now >= leased.job.expires {
            // Why it was put off is the administrator's to know: it may tell of the plug-ins' inside.
            let reason = verdict == .overQuota ? "the mailbox is full" : "it could not be delivered in time"
            return try refusal(leased, recipient, .expired, reason, now: now)
        }
        switch verdict {
        case .deliverable, .handled:
            let mail = try Mail(leased)
            let event = mail.event(for: recipient)
            return try await settlement(of: pipeline.deliver(event, in: run), leased, mail, recipient, run, now: now)
        case .unknown:
            switch await pipeline.resolve(recipient, in: run) {
            case .unknown: return try refusal(leased, recipient, .refused, "there is no such mailbox", now: now)
            case .resolved(let targets, let plugin):
                return try redirect(leased, try Mail(leased), recipient, to: targets, by: plugin, run, now: now)
            case .unavailable(let reason, let plugin): return later(leased, "\(plugin): \(reason)", now: now)
            }
        case .disabled: return try refusal(leased, recipient, .refused, "the mailbox is disabled", now: now)
        case .overQuota: return later(leased, "the mailbox is full", now: now)
        }
    }

    private func settlement(
        of outcome: DeliveryOutcome, _ leased: LeasedJob, _ mail: Mail, _ recipient: Address, _ run: PluginRun, now: Date
    ) throws -> LocalSettlement {
        let delivered = [RecipientOutcome(recipient: recipient, state: .delivered)]
        switch outcome {
        case .deliver(let folder, let flags):
            return LocalSettlement(
                deliveries: [delivery(to: recipient, folder: folder, flags: flags)], outcomes: delivered,
                effects: try effects(of: run, mail, now: now))
        case .consumed: return LocalSettlement(outcomes: delivered, effects: try effects(of: run, mail, now: now))
        case .redirect(let targets, let plugin):
            return try redirect(leased, mail, recipient, to: targets, by: plugin, run, now: now)
        case .refused(let reason, _):
            var settlement = try refusal(leased, recipient, .refused, PluginText.line(reason), now: now)
            let ran = try effects(of: run, mail, now: now)
            settlement.effects.checks += ran.checks
            settlement.effects.writes += ran.writes
            settlement.effects.messages += ran.messages
            return settlement
        case .later(let seconds, let reason, let plugin):
            return later(leased, "\(plugin): \(reason)", seconds: Double(seconds), now: now)
        case .unavailable(let reason, let plugin): return later(leased, "\(plugin): \(reason)", now: now)
        }
    }

    private func delivery(to recipient: Address, folder: String?, flags: Set<DeliveryFlag>) -> MailboxDelivery {
        var entryFlags: EntryFlags = []
        if flags.contains(.seen) { entryFlags.insert(.seen) }
        if flags.contains(.flagged) { entryFlags.insert(.flagged) }
        return MailboxDelivery(
            account: recipient, folder: folder.map { FolderName(rawValue: $0) } ?? .inbox, flags: entryFlags)
    }

    private func effects(of run: PluginRun, _ mail: Mail, now: Date) throws -> PluginEffects {
        try mailer.effects(of: run, hops: mail.postmark.postmark.hops, now: now)
    }

    private var mailer: PluginMailer { PluginMailer(signer: core.signer, configuration: core.configuration) }
    private var bounces: BounceWriter {
        BounceWriter(signer: core.signer, lifetime: Double(core.configuration.queueDays) * 86_400)
    }

    // MARK: What becomes of it

    private func redirect(
        _ leased: LeasedJob, _ mail: Mail, _ recipient: Address, to targets: [Address], by plugin: PluginIdentifier,
        _ run: PluginRun, now: Date
    ) throws -> LocalSettlement {
        var effects = try effects(of: run, mail, now: now)
        do {
            effects.messages.append(try mailer.redirect(mail.message, mail.postmark, by: recipient, to: targets, now: now))
        } catch let obstacle as PluginMailer.Obstacle {
            core.logger.warning(
                "a message cannot be passed on", metadata: ["message": "\(mail.message.message.id)", "plugin": "\(plugin)"])
            let reason = obstacle == .hops ? "it was passed on in a circle" : "it is too large to be passed on"
            return try refusal(leased, recipient, .refused, reason, now: now)
        } catch let error as MailModelError where error.code == .limitExceeded {
            // By its own account others have passed it on as often as may be: that is no reason to try again.
            return try refusal(leased, recipient, .refused, "it was passed on too often", now: now)
        }
        return LocalSettlement(
            outcomes: [RecipientOutcome(recipient: recipient, state: .accepted, reason: "passed on to others by a plug-in")],
            effects: effects)
    }

    private func refusal(
        _ leased: LeasedJob, _ recipient: Address, _ state: RecipientState, _ reason: String, now: Date
    ) throws -> LocalSettlement {
        let outcome = RecipientOutcome(recipient: recipient, state: state, reason: reason)
        let bounce = try bounces.bounce(leased, failed: [outcome], now: now)
        return LocalSettlement(outcomes: [outcome], effects: PluginEffects(messages: bounce.map { [$0] } ?? []))
    }

    /// Nothing of this run takes hold.
    private func later(_ leased: LeasedJob, _ reason: String, seconds: Double? = nil, now: Date) -> LocalSettlement {
        let configuration = core.configuration
        let backoff = Double(configuration.retryFirstSeconds) * pow(2, Double(min(leased.job.attempts, 20)))
        let wait = seconds ?? min(backoff, Double(configuration.retryMaxSeconds))
        return LocalSettlement(
            postponement: .init(until: now.addingTimeInterval(wait), reason: PluginText.line(reason)))
    }

    private func putOff(_ leased: LeasedJob, reason: String) async throws {
        let now = core.now()
        _ = try await core.store.settleLocal(leased.lease, later(leased, reason, now: now), now: now)
    }

    private func failed(_ leased: LeasedJob, _ error: any Error) async {
        core.logger.error(
            "local delivery failed; it is tried again",
            metadata: ["job": "\(leased.job.id)", "message": "\(leased.job.messageID)", "reason": "\(PlainReason.of(error))"])
        // If even this fails, the lease ends by itself.
        try? await putOff(leased, reason: PlainReason.of(error))
    }

    private func log(
        _ leased: LeasedJob, _ recipient: Address, _ settlement: LocalSettlement, _ pipeline: PluginPipeline, _ run: PluginRun
    ) {
        var metadata: Logger.Metadata = [
            "message": "\(leased.job.messageID)", "to": "\(recipient)", "generation": "\(pipeline.generation)",
            "plugins": "\(run.trace.map { "\($0.identifier)@\($0.version)" }.joined(separator: " "))",
            "outcome": "\(settlement.outcomes.first?.state.rawValue ?? "put off")",
        ]
        if let reason = settlement.postponement?.reason ?? settlement.outcomes.first?.reason { metadata["reason"] = "\(reason)" }
        core.logger.info("final delivery", metadata: metadata)
    }
}

extension FinalSettler {
    /// A job's message and Postmark, which were believed when they were taken.
    struct Mail: Sendable {
        let message: SealedMessage
        let postmark: SealedPostmark

        init(_ leased: LeasedJob) throws {
            message = try SealedMessage(octets: leased.octets)
            postmark = try SealedPostmark(octets: leased.postmark)
        }

        func event(for recipient: Address) -> DeliveryEvent {
            let facts = postmark.postmark
            return DeliveryEvent(
                eventID: "\(Hex.encode(message.digest))/\(recipient)",
                message: MessageFacts(message, isAutomatic: facts.isAutomatic), recipient: recipient, hops: facts.hops,
                domain: facts.sender.domain, postmark: postmark.octets)
        }
    }
}
