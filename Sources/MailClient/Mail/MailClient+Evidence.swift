import Foundation
import Identity
import MailModel

extension MailClient {
    /// Gathers all that proves who sent a message, to whom, when, and what the domains said of it.
    /// - Parameter hidesBcc: leaves out receipts that name recipients who are in neither To nor Cc.
    public func evidence(
        _ location: MessageLocation, hidesBcc: Bool = false
    ) async throws(MailClientError) -> GatheredEvidence {
        let stored = try await retrieve(location, withReceipt: true)
        var receipts = stored.receipt.map { [$0] } ?? []
        var blindCopies: [Address] = []
        if stored.message.message.from.address == account.address {
            for proof in try await status(location.id).proofs where !receipts.contains(proof.receipt.octets) {
                receipts.append(proof.receipt.octets)
            }
            for receipt in receipts {
                for address in stored.message.unnamed(in: receipt) where !blindCopies.contains(address) {
                    blindCopies.append(address)
                }
            }
            if hidesBcc { receipts.removeAll { !stored.message.unnamed(in: $0).isEmpty } }
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
        for mail in stored.passedOn {
            // What cannot be had is missing in the bundle, and the report says so: the rest is proved all the same.
            guard let domain = mail.postmark?.postmark.domain, !domains.contains(domain),
                let known = try? await trust.knowledge(of: domain)
            else { continue }
            domains.append(domain)
            bundle.metadata.append(known.metadata.octets)
            for anchor in known.anchors where !anchors.contains(anchor) { anchors.append(anchor) }
        }
        bundle.certificates = anchors.map(\.certificate.der)
        let report = await EvidenceVerifier(anchors: anchors, now: clock()).verify(bundle)
        return GatheredEvidence(bundle: bundle, report: report, blindCopies: blindCopies)
    }
}

/// A bundle to hand over.
public struct GatheredEvidence: Sendable {
    public let bundle: EvidenceBundle
    /// How it is judged now by the anchors we know.
    public let report: EvidenceReport
    /// Recipients whom the author named to nobody else, as the receipts tell.
    public let blindCopies: [Address]
}
