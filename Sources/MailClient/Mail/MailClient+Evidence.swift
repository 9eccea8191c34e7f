import Foundation
import Identity
import MailModel

extension MailClient {
    /// Gathers all that proves who sent a message, to whom, when, and what the domains said of it.
    /// - Returns: the bundle, and how it is judged now by the anchors we know.
    public func evidence(_ id: MessageID) async throws(MailClientError) -> (bundle: EvidenceBundle, report: EvidenceReport) {
        let stored = try await retrieve(id, withReceipt: true)
        var receipts = stored.receipt.map { [$0] } ?? []
        if stored.message.message.from.address == account.address {
            for proof in try await status(id).proofs where !receipts.contains(proof.receipt.octets) {
                receipts.append(proof.receipt.octets)
            }
        }
        var domains: [MailDomain] = [stored.message.message.from.address.domain]
        for octets in receipts {
            do {
                let domain = try SealedReceipt(octets: octets).receipt.domain
                if !domains.contains(domain) { domains.append(domain) }
            } catch {
                throw MailClientError(.untrustedServer, "a receipt cannot be read: \(error.reason)")
            }
        }
        var bundle = EvidenceBundle(message: stored.message.octets, exported: clock())
        bundle.postmark = stored.postmark?.octets
        bundle.receipts = receipts
        var anchors: [TrustAnchor] = []
        for domain in domains {
            do {
                let known = try await trust.knowledge(of: domain)
                bundle.metadata.append(known.metadata.octets)
                for anchor in known.anchors where !anchors.contains(anchor) { anchors.append(anchor) }
            } catch {
                let failure = MailClientError(error)
                throw MailClientError(
                    failure.code, "the proofs of \(domain) cannot be had: \(failure.reason)", advice: failure.advice,
                    fault: failure.fault, isTransient: failure.isTransient)
            }
        }
        bundle.certificates = anchors.map(\.certificate.der)
        let report = await EvidenceVerifier(anchors: anchors, now: clock()).verify(bundle)
        return (bundle, report)
    }
}
