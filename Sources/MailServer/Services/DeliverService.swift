import Foundation
import Identity
import MailModel
import MailStore
import PluginHost
import SOAP

/// Deliver and PeerStatus: what another domain's server may ask. Each item of a batch is judged by itself.
struct DeliverService: Sendable {
    let core: ServerCore

    struct Candidate {
        let index: Int
        let message: SealedMessage
        let postmark: SealedPostmark
        let intent: IntentRequest
        /// Rounds in which the mailboxes changed meanwhile.
        var attempts = 0
    }

    /// Octets of messages passed on that one round holds, beside the last item's: more waits for the next round.
    static let passedOnAtOnce = 64 << 20

    /// Takes messages of a peer. Results come in the order of the items; each accepted one is durable before the reply.
    func deliver(_ request: DeliverOperation.Request, from peer: MailDomain) async throws -> DeliverOperation.Response {
        let now = core.now()
        var results = [DeliverOperation.Result?](repeating: nil, count: request.items.count)
        var open: [Candidate] = []
        for (index, item) in request.items.enumerated() {
            do {
                open.append(try await examine(item, at: index, from: peer, now: now))
            } catch {
                let fault = SOAPFault.from(error)
                core.logger.info(
                    "message refused",
                    metadata: ["peer": "\(peer)", "code": "\(fault.subcode.rawValue)", "reason": "\(PlainReason.of(error))"])
                results[index] = .init(fault)
            }
        }
        while !open.isEmpty {
            open = await accept(open, from: peer, now: now, results: &results)
        }
        return DeliverOperation.Response(
            results: results.map { $0 ?? .init(SOAPFault(.internal, "the item was passed over; try again")) })
    }

    /// All that can be said of an item without the recipients' mailboxes.
    private func examine(
        _ item: DeliverOperation.Item, at index: Int, from peer: MailDomain, now: Date
    ) async throws -> Candidate {
        guard item.message.count <= core.configuration.maxMessageBytes else {
            throw SOAPFault(.tooLarge, "the message is larger than \(core.configuration.maxMessageBytes) bytes")
        }
        let message = try SealedMessage(octets: item.message)
        let postmark = try SealedPostmark(octets: item.postmark)
        let facts = postmark.postmark
        guard facts.domain == peer else {
            throw SOAPFault(.invalidPostmark, "the Postmark is of \(facts.domain), the caller is \(peer)")
        }
        guard facts.destination == core.domain else {
            throw SOAPFault(.wrongDestination, "the Postmark is for \(facts.destination), this is \(core.domain)")
        }
        guard facts.hops <= core.configuration.maxHops else {
            throw SOAPFault(.loop, "the message passed \(facts.hops) servers: it goes in circles")
        }
        guard facts.time < now.addingTimeInterval(ServerCore.clockTolerance),
            facts.time > now.addingTimeInterval(-ServerCore.maxMessageAge)
        else { throw SOAPFault(.expiredMessage, "the Postmark is of the future or more than 29 days old") }
        if let constraint = message.message.constraints.first {
            throw SOAPFault(.unsupportedConstraint, "this server cannot keep the constraint \"\(constraint.rawValue)\"")
        }
        // A date of the far future would stay on top of every list.
        guard message.message.date < facts.time.addingTimeInterval(ServerCore.clockTolerance) else {
            throw SOAPFault(.expiredMessage, "the message's Date is later than its Postmark")
        }
        try await postmark.verify(for: message, keys: core.trust, at: now)
        let intent = IntentRequest(
            origin: .peer(peer), messageID: message.message.id.description, digest: message.digest,
            size: message.octets.count + postmark.octets.count, local: facts.recipients)
        return Candidate(index: index, message: message, postmark: postmark, intent: intent)
    }

    /// One round of examine and accept. Returns the items that need another: those for which this one had no room, and those
    /// whose verdicts changed in between. Each round answers an item or uses up an attempt of one.
    func accept(
        _ candidates: [Candidate], from peer: MailDomain, now: Date, results: inout [DeliverOperation.Result?]
    ) async -> [Candidate] {
        var ready: [(Candidate, Acceptance)] = []
        var left: [Candidate] = []
        var passedOn = 0
        let pipeline = core.pipeline
        do {
            let verdicts = try await core.store.examine(candidates.map(\.intent))
            for (candidate, verdict) in zip(candidates, verdicts) {
                guard passedOn <= DeliverService.passedOnAtOnce else {
                    left.append(candidate)
                    continue
                }
                switch verdict {
                case .duplicate(let receipt): results[candidate.index] = .receipt(receipt)
                case .conflict: results[candidate.index] = .init(SubmissionService.idConflict)
                case .open(let examination):
                    do {
                        let acceptance = try await acceptance(of: candidate, from: peer, examination, pipeline, now: now)
                        passedOn += acceptance.effects.messages.reduce(0) { $0 + $1.message.octets.count }
                        ready.append((candidate, acceptance))
                    } catch { results[candidate.index] = .init(SOAPFault.from(error)) }
                }
            }
        } catch {
            for candidate in candidates { results[candidate.index] = .init(SOAPFault.from(error)) }
            return []
        }
        let outcomes = await core.store.accept(ready.map(\.1), now: now)
        for (item, outcome) in zip(ready, outcomes) {
            var candidate = item.0
            let acceptance = item.1
            switch outcome {
            case .success(.accepted):
                results[candidate.index] = .receipt(acceptance.receipt)
                log(candidate, from: peer, acceptance)
            case .success(.duplicate(let receipt)): results[candidate.index] = .receipt(receipt)
            case .success(.conflict): results[candidate.index] = .init(SubmissionService.idConflict)
            case .success(.changed):
                candidate.attempts += 1
                guard candidate.attempts < SubmissionService.attempts else {
                    results[candidate.index] = .init(SOAPFault(.busy, "the mailboxes keep changing; try again"))
                    continue
                }
                left.append(candidate)
            case .failure(let error): results[candidate.index] = .init(SOAPFault(error))
            }
        }
        return left
    }

    private func log(_ candidate: Candidate, from peer: MailDomain, _ acceptance: Acceptance) {
        let recipients = acceptance.local.flatMap(\.recipients) + acceptance.remote.flatMap(\.recipients)
        core.logger.info(
            "message received",
            metadata: [
                "message": "\(candidate.message.message.id)", "peer": "\(peer)", "from": "\(candidate.message.message.from.address)",
                "to": "\(recipients.map(\.description).joined(separator: ", "))",
                "bytes": "\(candidate.message.octets.count)", "refused": "\(acceptance.refused.count)",
            ])
    }

    private func acceptance(
        of candidate: Candidate, from peer: MailDomain, _ examination: IntentExamination, _ pipeline: PluginPipeline, now: Date
    ) async throws -> Acceptance {
        let run = PluginRun(principal: nil, now: now)
        let mailer = PluginMailer(signer: core.signer, configuration: core.configuration)
        let facts = candidate.postmark.postmark
        let routing = await LocalRouting.ask(
            pipeline, about: examination, message: candidate.message.message, method: facts.method, size: candidate.intent.size,
            hops: facts.hops,
            mailer: mailer, in: run)
        let verdicts = RecipientVerdicts(facts.recipients, examination, routing)
        let receipt = try Receipt(
            messageID: candidate.message.message.id, digest: candidate.message.digest,
            postmarkDigest: candidate.postmark.digest, signer: core.signer, audience: peer,
            recipients: verdicts.statuses(), time: now
        ).sealed(by: core.signer)
        let recipients = facts.recipients.filter { verdicts.open.contains($0) }
        let expires = now.addingTimeInterval(Double(core.configuration.queueDays) * 86_400)
        let (local, waiting, passedOn) = try routing.deliveries(
            to: recipients, of: candidate.message, postmark: candidate.postmark.octets, expires: expires, mailer: mailer, now: now)
        var acceptance = Acceptance(
            origin: candidate.intent.origin, message: MessageRecord(candidate.message), local: local, remote: waiting,
            refused: verdicts.refusals, repeated: verdicts.repeated, receipt: receipt)
        acceptance.settled = verdicts.settled
        acceptance.effects = try mailer.effects(of: run, hops: facts.hops, now: now)
        acceptance.effects.messages += passedOn
        return acceptance
    }

    /// The receipts this server gave for a message of the asking domain.
    func status(_ request: PeerStatusOperation.Request, from peer: MailDomain) async throws -> PeerStatusOperation.Response {
        let status = try await core.store.status(of: request.messageID.description, from: .peer(peer))
        guard let status, status.digest == request.digest else { return PeerStatusOperation.Response(receipts: []) }
        return PeerStatusOperation.Response(receipts: status.receipts)
    }
}

extension DeliverOperation.Result {
    init(_ fault: SOAPFault) {
        self = .fault(code: fault.subcode.rawValue, isTransient: fault.isTransient, reason: fault.reason)
    }
}
