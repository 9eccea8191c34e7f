import Foundation
import Identity
import MailModel
import MailStore
import SOAP

/// Send: accepts a user's message, delivers what is local and queues the rest in one transaction (design §5.1, T1).
struct SubmissionService: Sendable {
    let core: ServerCore

    /// - Returns: the signed Receipt, after everything it says is durable.
    func send(
        _ request: SendOperation.Request, by author: Address, method: Postmark.AuthenticationMethod
    ) async throws -> SendOperation.Response {
        let now = core.now()
        try check(request, author: author, now: now)
        let plan = DeliveryPlan(request: request, home: core.domain)
        // The store judges again inside its transaction; a mailbox may have changed since the verdict was read.
        for _ in 0..<4 {
            let intent = IntentRequest(
                origin: .submission(by: author), messageID: request.message.message.id.description,
                digest: request.message.digest, size: request.message.octets.count + DeliveryPlan.postmarkSize,
                local: plan.local, remote: plan.remote, wantsSentCopy: true)
            switch try await core.store.examine(intent) {
            case .duplicate(let receipt): return SendOperation.Response(receipt: receipt)
            case .conflict: throw SubmissionService.idConflict
            case .open(let examination):
                let acceptance = try accept(request, by: author, method: method, plan: plan, examination, now: now)
                switch try await core.store.accept(acceptance, now: now) {
                case .accepted:
                    log(request, by: author, acceptance)
                    return SendOperation.Response(receipt: acceptance.receipt)
                case .duplicate(let receipt): return SendOperation.Response(receipt: receipt)
                case .conflict: throw SubmissionService.idConflict
                case .changed: continue
                }
            }
        }
        throw SOAPFault(.busy, "the recipients' mailboxes keep changing; try again")
    }

    static let idConflict = SOAPFault(.idConflict, "this message id was used for another message; give the message a new id")

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

    private func check(_ request: SendOperation.Request, author: Address, now: Date) throws(SOAPFault) {
        let message = request.message.message
        guard message.from.address == author else {
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
        guard message.attachments.isEmpty, message.bounce == nil else {
            throw SOAPFault(.invalidMessage, "this server takes no attachment references or bounces from users")
        }
    }

    private func accept(
        _ request: SendOperation.Request, by author: Address, method: Postmark.AuthenticationMethod, plan: DeliveryPlan,
        _ examination: IntentExamination, now: Date
    ) throws -> Acceptance {
        try requireSubmitter(examination.submitter)
        let verdicts = RecipientVerdicts(plan.groups.flatMap(\.recipients), examination)
        if verdicts.open.isEmpty, verdicts.repeated.isEmpty, let refusal = verdicts.refusals.first {
            throw SOAPFault(
                refusal.isTemporary ? .quotaExceeded : .unknownRecipient, "\(refusal.recipient): \(refusal.reason)")
        }
        var acceptance = Acceptance(
            origin: .submission(by: author), message: MessageRecord(request.message), refused: verdicts.refusals,
            repeated: verdicts.repeated, sentCopy: true, receipt: [])
        let expires = now.addingTimeInterval(Double(core.configuration.queueDays) * 86_400)
        for group in plan.groups {
            let recipients = group.recipients.filter { verdicts.open.contains($0) }
            guard !recipients.isEmpty else { continue }
            let postmark = try Postmark(
                message: request.message, signer: core.signer, destination: group.domain, recipients: recipients,
                sender: author, method: method, time: now
            ).sealed(by: core.signer)
            if group.domain == core.domain {
                acceptance.local.append(LocalDelivery(recipients: recipients, postmark: postmark))
            } else {
                acceptance.remote.append(
                    RemoteDelivery(
                        destination: group.domain, recipients: recipients, postmark: postmark, expires: expires))
            }
        }
        acceptance.receipt = try Receipt(
            messageID: request.message.message.id, digest: request.message.digest, postmarkDigest: nil,
            signer: core.signer, audience: core.domain, recipients: verdicts.statuses(home: core.domain), time: now
        ).sealed(by: core.signer)
        return acceptance
    }

    private func requireSubmitter(_ verdict: RecipientVerdict) throws(SOAPFault) {
        switch verdict {
        case .deliverable, .handled: break
        case .overQuota: throw SOAPFault(.quotaExceeded, "your mailbox is full: delete mail, then send again")
        case .unknown, .disabled: throw SOAPFault(.forbidden, "your account may not send")
        }
    }
}
