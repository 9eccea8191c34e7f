import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import PluginHost
import SOAP

/// Send: accepts a user's message, delivers what is local and queues the rest in one transaction (design §5.1, T1).
///
/// ```
/// check ── examine ──▶ sending plug-ins ──▶ resolvers ──▶ Postmarks, Receipt ──▶ accept
///             ▲                                                                   │
///             └────────────── the store or a plug-in's values changed ◀───────────┘
/// ```
struct SubmissionService: Sendable {
    let core: ServerCore
    private var mailer: PluginMailer { PluginMailer(signer: core.signer, configuration: core.configuration) }

    /// Who hands a message in, and how they proved it.
    struct Submitter: Sendable {
        let address: Address
        let method: Postmark.AuthenticationMethod
        let identity: CallerIdentity
    }

    /// How often plug-ins and verdicts are asked again when the store has changed meanwhile.
    static let attempts = 8

    /// - Returns: the signed Receipt, after everything it says is durable.
    func send(_ request: SendOperation.Request, by submitter: Submitter) async throws -> SendOperation.Response {
        let now = core.now()
        try check(request, author: submitter.address, now: now)
        // Held until the message is accepted or refused.
        var files: SubmissionFiles?
        defer { files?.release() }
        // The store judges again inside its transaction; a mailbox may have changed since the verdict was read.
        for _ in 0..<SubmissionService.attempts {
            let plan = DeliveryPlan(request: request, home: core.domain)
            let original: IntentExamination
            switch try await core.store.examine(intent(request, by: submitter.address, plan)) {
            case .duplicate(let receipt): return SendOperation.Response(receipt: receipt)
            case .conflict: throw SubmissionService.idConflict
            case .open(let examination): original = examination
            }
            try requireSubmitter(original.submitter)
            let pipeline = core.pipeline
            let present = try await prepare(request, submitter.address, pipeline, kept: files, now: now)
            files = present
            let run = PluginRun(principal: submitter.address, now: now)
            let decision = try await decide(request, submitter, original, present, pipeline, run)
            let acceptance = try await acceptance(of: request, by: submitter, plan, original, decision, pipeline, run, now: now)
            switch try await core.store.accept(acceptance, now: now) {
            case .accepted:
                log(request, by: submitter.address, acceptance)
                return SendOperation.Response(receipt: acceptance.receipt)
            case .duplicate(let receipt): return SendOperation.Response(receipt: receipt)
            case .conflict: throw SubmissionService.idConflict
            case .changed: continue
            }
        }
        throw SOAPFault(.busy, "the recipients' mailboxes keep changing; try again")
    }

    static let idConflict = SOAPFault(.idConflict, "this message id was used for another message; give the message a new id")

    private func intent(_ request: SendOperation.Request, by author: Address, _ plan: DeliveryPlan) -> IntentRequest {
        IntentRequest(
            origin: .submission(by: author), messageID: request.message.message.id.description, digest: request.message.digest,
            size: request.message.octets.count + DeliveryPlan.postmarkSize, local: plan.local, remote: plan.remote,
            wantsSentCopy: true)
    }

    private func log(_ request: SendOperation.Request, by author: Address, _ acceptance: Acceptance) {
        let recipients = acceptance.local.flatMap(\.recipients) + acceptance.remote.flatMap(\.recipients)
        core.logger.info(
            "message accepted",
            metadata: [
                "message": "\(request.message.message.id)", "from": "\(author)",
                "to": "\(recipients.map(\.description).joined(separator: ", "))", "bytes": "\(request.message.octets.count)",
                "refused": "\(acceptance.refused.count)",
            ])
    }

    func check(_ request: SendOperation.Request, author: Address, now: Date) throws(SOAPFault) {
        let message = request.message.message
        guard message.from.address == author else {  // model: from
            throw SOAPFault(.forbidden, "From is \(message.from.address), but you are \(author)")
        }
        guard request.message.octets.count <= core.configuration.maxMessageBytes else {
            throw SOAPFault(.tooLarge, "the message is larger than \(core.configuration.maxMessageBytes) bytes")
        }
        let count = message.to.count + message.cc.count + request.bcc.count
        guard count > 0 else { throw SOAPFault(.invalidMessage, "the message has no recipient") }
        guard count <= core.configuration.maxRecipients else {
            throw SOAPFault(.tooMany, "more than \(core.configuration.maxRecipients) recipients")
        }
        guard message.date < now.addingTimeInterval(ServerCore.clockTolerance),
            message.date > now.addingTimeInterval(-ServerCore.maxMessageAge)
        else { throw SOAPFault(.expiredMessage, "the message's Date is in the future or more than 29 days old") }
        if let constraint = message.constraints.first {
            throw SOAPFault(.unsupportedConstraint, "this server cannot keep the constraint \"\(constraint.rawValue)\"")
        }
        guard message.bounce == nil else { throw SOAPFault(.invalidMessage, "this server takes no bounces from users") }
    }

    private func requireSubmitter(_ verdict: RecipientVerdict) throws(SOAPFault) {
        switch verdict {
        case .deliverable, .handled: break
        case .overQuota: throw SOAPFault(.quotaExceeded, "your mailbox is full: delete mail, then send again")
        case .unknown, .disabled: throw SOAPFault(.forbidden, "your account may not send")
        }
    }
}

// MARK: - Plug-ins

extension SubmissionService {
    /// What the sending plug-ins decided.
    private struct Decision {
        var replaced: [Address: [Address]] = [:]
        var removed: [Postmark.Removed] = []
        /// Files that a plug-in has taken into its custody.
        var kept: [Postmark.Attachment] = []
    }

    private func prepare(
        _ request: SendOperation.Request, _ author: Address, _ pipeline: PluginPipeline, kept: SubmissionFiles?, now: Date
    ) async throws(SOAPFault) -> SubmissionFiles {
        if let unknown = request.options.first(where: { !pipeline.takesOption($0.identifier) }) {
            throw SOAPFault(
                .unsupportedConstraint, "no plug-in of this server takes the option \(PluginText.line(unknown.identifier))")
        }
        if let kept { return kept }
        guard pipeline.hasSending else { return .none }
        return try await SubmissionFiles.prepare(request, of: author, in: core.files, now: now)
    }

    private func decide(
        _ request: SendOperation.Request, _ submitter: Submitter, _ examination: IntentExamination, _ files: SubmissionFiles,
        _ pipeline: PluginPipeline, _ run: PluginRun
    ) async throws(SOAPFault) -> Decision {
        var decision = Decision()
        let message = request.message.message
        if pipeline.hasSending {
            let event = SubmissionEvent(
                message: MessageFacts(request.message, isAutomatic: false),
                recipients: (message.to + message.cc).map(\.address) + request.bcc, identity: submitter.identity,
                files: files.present,
                options: request.options.map { SubmissionOption(identifier: $0.identifier, content: $0.content) })
            switch await pipeline.submit(event, in: run) {
            case .accepted(let replaced, let dropped, let kept):
                // What an earlier acceptance of this message has dealt with stays as it is.
                decision.replaced = replaced.filter { isOpen($0.key, examination) }
                decision.removed = removals(of: dropped, from: message)
                decision.kept = kept.map { Postmark.Attachment(guid: $0.guid, digest: $0.digest) }
            case .refused(let reason, let isTransient, let plugin):
                core.logger.info("refused by a plug-in", metadata: ["message": "\(message.id)", "plugin": "\(plugin)"])
                throw SOAPFault(isTransient ? .pluginUnavailable : .refusedByPolicy, PluginText.line(reason))
            case .unavailable(let reason, let plugin):
                core.logger.warning("a plug-in is out", metadata: ["plugin": "\(plugin)", "reason": "\(PluginText.line(reason))"])
                throw SOAPFault(.pluginUnavailable, "a check that this server must make cannot be made now; try again later")
            }
        }
        let settled = Set(decision.removed.map(\.digest) + decision.kept.map(\.digest))
        if let open = message.attachments.first(where: { !settled.contains($0.digest) }) {
            let name = PluginText.line(open.name, limit: 100)
            throw SOAPFault(
                .invalidMessage,
                !pipeline.keepsFiles || files.present.contains(open.digest)
                    ? "this server keeps no attachments now; ask its administrator"
                    : "the file \(name) is not here: upload it first, or send it along")
        }
        return decision
    }

    private func isOpen(_ recipient: Address, _ examination: IntentExamination) -> Bool {
        if case .handled = examination.verdicts[recipient] { return false }
        return true
    }

    private func removals(of dropped: [DroppedAttachment], from message: Message) -> [Postmark.Removed] {
        dropped.flatMap { drop in
            message.attachments.filter { $0.digest == drop.digest }.map {
                Postmark.Removed(name: $0.name, digest: $0.digest, plugin: drop.plugin.description)
            }
        }
    }

    private func acceptance(
        of request: SendOperation.Request, by submitter: Submitter, _ plan: DeliveryPlan, _ original: IntentExamination,
        _ decision: Decision, _ pipeline: PluginPipeline, _ run: PluginRun, now: Date
    ) async throws -> Acceptance {
        var (plan, examination) = (plan, original)
        if !decision.replaced.isEmpty {
            plan = DeliveryPlan(request: request, home: core.domain, replaced: decision.replaced)
            guard !plan.groups.isEmpty else { throw SOAPFault(.refusedByPolicy, "a plug-in left the message without recipients") }
            if case .open(let again) = try await core.store.examine(intent(request, by: submitter.address, plan)) {
                examination = again
            } else {
                // Every target has it already: the redirected recipients still need their state.
                examination = IntentExamination(
                    verdicts: Dictionary(uniqueKeysWithValues: (plan.local + plan.remote).map { ($0, .handled(.accepted)) }),
                    submitter: original.submitter)
            }
        }
        let routing = await LocalRouting.ask(
            pipeline, about: examination, message: request.message.message, method: submitter.method,
            size: request.message.octets.count + DeliveryPlan.postmarkSize, hops: 0, mailer: mailer, in: run)
        let verdicts = RecipientVerdicts(plan.groups.flatMap(\.recipients), examination, routing)
        if let fault = verdicts.fault { throw fault }
        var acceptance = Acceptance(
            origin: .submission(by: submitter.address), message: MessageRecord(request.message), refused: verdicts.refusals,
            repeated: verdicts.repeated, sentCopy: true, receipt: [])
        let targets = Set(plan.groups.flatMap(\.recipients))
        let redirected = decision.replaced.keys.filter { !targets.contains($0) }.sorted().map {
            RecipientOutcome(recipient: $0, state: .accepted, reason: "passed on to others by a plug-in")
        }
        acceptance.settled = redirected + verdicts.settled
        acceptance.effects = try mailer.effects(of: run, hops: 0, now: now)
        try addDeliveries(to: &acceptance, request, submitter, plan, verdicts, routing, decision, now: now)
        let statuses =
            verdicts.statuses()
            + redirected.map { MailModel.RecipientStatus($0.recipient, .accepted, code: "Redirected", reason: $0.reason) }
        acceptance.receipt = try Receipt(
            messageID: request.message.message.id, digest: request.message.digest, postmarkDigest: nil,
            signer: core.signer, audience: core.domain, recipients: statuses, time: now
        ).sealed(by: core.signer)
        return acceptance
    }

    private func addDeliveries(
        to acceptance: inout Acceptance, _ request: SendOperation.Request, _ submitter: Submitter, _ plan: DeliveryPlan,
        _ verdicts: RecipientVerdicts, _ routing: LocalRouting, _ decision: Decision, now: Date
    ) throws {
        let expires = now.addingTimeInterval(Double(core.configuration.queueDays) * 86_400)
        for group in plan.groups {
            let recipients = group.recipients.filter { verdicts.open.contains($0) }
            guard !recipients.isEmpty else { continue }
            var postmark = Postmark(
                message: request.message, signer: core.signer, destination: group.domain, recipients: recipients,
                sender: submitter.address, method: submitter.method, time: now)
            postmark.removed = decision.removed
            postmark.attachments = decision.kept
            let octets = try postmark.sealed(by: core.signer)
            if group.domain == core.domain {
                let (local, waiting, passedOn) = try routing.deliveries(
                    to: recipients, of: request.message, postmark: octets, expires: expires, mailer: mailer, now: now)
                acceptance.local += local
                acceptance.remote += waiting
                acceptance.effects.messages += passedOn
            } else {
                acceptance.remote.append(
                    RemoteDelivery(destination: group.domain, recipients: recipients, postmark: octets, expires: expires))
            }
        }
    }
}
