import Delivery
import Foundation
import Identity
import Logging
import MailModel
import MailStore
import SOAPClient
import WSSecurity

/// The network side of delivery: hands messages to other domains' servers and believes only what they sign.
struct PeerGateway: PeerProtocol {
    private let core: ServerCore
    let pool: PeerConnectionPool

    init(core: ServerCore, publisher: MetadataPublisher, resolver: any ServiceResolver, transport: any HTTPTransport) {
        self.core = core
        let locator = ServiceLocator(
            resolver: resolver, policy: AddressPolicy(allowPrivateTargets: core.configuration.allowPrivateTargets),
            roots: ServiceLocator.anchors(of: core.trust.trust))
        pool = PeerConnectionPool(
            locator: locator, transport: transport,
            credentials: .certificate(core.keys.signing, metadata: { try await publisher.octets() }),
            trust: AnchoredReplyTrust(core.trust.trust, book: core.trust), clock: core.clock)
    }

    func deliver(
        _ jobs: [LeasedJob], to destination: MailDomain, now: Date
    ) async throws(DeliveryError) -> [ItemResult] {
        let request = DeliverOperation.Request(
            items: jobs.map { DeliverOperation.Item(message: $0.octets, postmark: $0.postmark) })
        let reply = try await pool.call(.deliver, of: destination) { try request.write(into: &$0) }
        let response: DeliverOperation.Response
        do { response = try .parse(reply.payload) } catch {
            throw DeliveryError(.untrusted, "the reply to Deliver does not follow the schema: \(error.reason)")
        }
        var results: [ItemResult] = []
        for (job, result) in zip(jobs, response.results) {
            switch result {
            case .receipt(let octets): results.append(await judge(octets, for: job, destination))
            case .fault(let code, let isTransient, let reason):
                let text = PeerGateway.quoted("\(destination) answered \(code): \(reason)")
                results.append(isTransient ? .deferred(reason: text) : .refused(reason: text))
            }
        }
        return results
    }

    /// Octets of a receipt: it is kept, and handed to the author with every Status.
    private static let maxReceipt = 256 << 10

    /// What a peer says goes into the store, a bounce and every Status: not more than a few lines of it.
    private static func quoted(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(500)))
    }

    /// A Receipt counts when the destination signed it, for us, about exactly this message.
    private func judge(_ octets: [UInt8], for job: LeasedJob, _ destination: MailDomain) async -> ItemResult {
        do {
            return .answered(try await report(octets, for: job, from: destination))
        } catch {
            core.logger.warning("receipt not believed", metadata: ["peer": "\(destination)", "reason": "\(PlainReason.of(error))"])
            return .deferred(reason: "the receipt of \(destination) does not verify")
        }
    }

    private func report(
        _ octets: [UInt8], for job: LeasedJob, from destination: MailDomain
    ) async throws -> DeliveryReport {
        guard octets.count <= PeerGateway.maxReceipt else { throw MailModelError(.limitExceeded, "the receipt is too long") }
        let sealed = try SealedReceipt(octets: octets)
        let receipt = sealed.receipt
        guard receipt.domain == destination, receipt.audience == core.domain,
            receipt.messageID.description == job.job.messageID, receipt.digest == job.job.digest
        else { throw MailModelError(.wrongIssuer, "the receipt is about something else") }
        try await sealed.verify(keys: core.trust)
        return DeliveryReport(
            outcomes: receipt.recipients.map { status in
                RecipientOutcome(
                    recipient: status.address, state: RecipientState(status),
                    reason: status.reason.map { PeerGateway.quoted("\(destination): \($0)") })
            },
            peerReceipt: octets)
    }

    func status(of job: LeasedJob, now: Date) async throws(DeliveryError) -> PeerKnowledge {
        let destination = job.job.destination
        let id: MessageID
        do { id = try MessageID(job.job.messageID) } catch { throw DeliveryError(.internal, error.reason) }
        let request = PeerStatusOperation.Request(messageID: id, digest: job.job.digest)
        let reply = try await pool.call(.peerStatus, of: destination) { try request.write(into: &$0) }
        do {
            let response = try PeerStatusOperation.Response.parse(reply.payload)
            guard !response.receipts.isEmpty else { return .never }
            var outcomes: [Address: RecipientOutcome] = [:]
            for octets in response.receipts {
                for outcome in try await report(octets, for: job, from: destination).outcomes {
                    outcomes[outcome.recipient] = outcome
                }
            }
            return .arrived(DeliveryReport(outcomes: Array(outcomes.values), peerReceipt: response.receipts.last))
        } catch {
            throw DeliveryError(.untrusted, "the reply to PeerStatus is not believed: \(PlainReason.of(error))")
        }
    }

    func limits(of destination: MailDomain) async -> BatchLimits? {
        guard let limits = try? await core.trust.metadata(of: destination)?.metadata.limits else { return nil }
        return BatchLimits(count: limits.maximumBatch, bytes: limits.maximumMessageSize)
    }
}

extension RecipientState {
    /// What a peer's receipt means for the queue. A full mailbox is tried again.
    init(_ status: MailModel.RecipientStatus) {
        switch status.state {
        case .accepted: self = .accepted
        case .delivered, .read: self = .delivered
        case .refused: self = status.code == "QuotaExceeded" ? .queued : .refused
        case .unknown: self = .queued
        }
    }
}

extension BounceWriter: BounceComposer {
    func bounce(
        for job: LeasedJob, outcomes: [RecipientOutcome], cause: BounceCause, now: Date
    ) async throws(DeliveryError) -> Acceptance? {
        do { return try bounce(job, failed: outcomes, now: now) } catch {
            throw DeliveryError(.internal, "the bounce could not be written: \(PlainReason.of(error))", isTransient: true)
        }
    }
}
