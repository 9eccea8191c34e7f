import Foundation
import Identity
import MailModel
import MailStore
import SOAP

/// Send by a user of another domain, with a token of their own server: mail for mailboxes here, handed in without that server
/// (paper §2). It takes the way of mail from that domain, under a Postmark of this server's own: method `token`, signed by the
/// domain that it is for, and so worth something to this domain's users only.
struct DirectSubmission: Sendable {
    let core: ServerCore

    /// - Returns: this domain's Receipt for the author's domain.
    func send(_ request: SendOperation.Request, by author: Address) async throws -> SendOperation.Response {
        let now = core.now()
        // Their own server's rules are for its own users.
        guard author.domain != core.domain else { throw SOAPFault(.forbidden, "users of \(core.domain) send in a session") }
        try SubmissionService(core: core).check(request, author: author, now: now)
        let message = request.message.message
        guard message.attachments.isEmpty, request.blobs.isEmpty, request.options.isEmpty else {
            throw SOAPFault(.forbidden, "files stay with your own server: send a message with attachments through it")
        }
        guard request.bcc.isEmpty else {
            throw SOAPFault(.forbidden, "blind copies go through your own server")
        }
        let plan = DeliveryPlan(request: request, home: core.domain)
        if let other = plan.remote.first {
            throw SOAPFault(.forbidden, "\(other) is not of \(core.domain): send to others through your own server")
        }
        // Without blind copies all recipients share one Postmark, and one receipt speaks of all.
        guard let group = plan.groups.first else { throw SOAPFault(.invalidMessage, "the message has no recipient") }
        return SendOperation.Response(receipt: try await accept(request.message, for: group, by: author, now: now))
    }

    private func accept(
        _ message: SealedMessage, for group: DeliveryPlan.Group, by author: Address, now: Date
    ) async throws -> [UInt8] {
        let postmark = try Postmark(
            message: message, signer: core.signer, destination: core.domain, recipients: group.recipients, sender: author,
            method: .token, time: now
        ).sealed(by: core.signer)
        let sealed = try SealedPostmark(octets: postmark)
        func intent(of origin: Origin) -> IntentRequest {
            IntentRequest(
                origin: origin, messageID: message.message.id.description, digest: message.digest,
                size: message.octets.count + postmark.count, local: group.recipients)
        }
        // It has come by way of the author's server: here it is only acknowledged.
        if case .duplicate(let receipt) = try await core.store.examine(intent(of: .peer(author.domain))) { return receipt }
        let candidate = DeliverService.Candidate(index: 0, message: message, postmark: sealed, intent: intent(of: .visitor(author)))
        var results: [DeliverOperation.Result?] = [nil]
        var open = [candidate]
        let service = DeliverService(core: core)
        while !open.isEmpty { open = await service.accept(open, from: author.domain, now: now, results: &results) }
        switch results[0] {
        case .receipt(let receipt): return receipt
        case .fault(let code, _, let reason):
            throw SOAPFault(FaultSubcode(rawValue: code) ?? .internal, reason)
        case nil: throw SOAPFault(.internal, "the message was passed over; try again")
        }
    }
}
