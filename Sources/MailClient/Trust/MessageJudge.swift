import Foundation
import Identity
import MailModel

/// Says of a message in the reader's mailbox whether to believe it.
struct MessageJudge: Sendable {
    let reader: Address
    let trust: TrustBook

    /// - Parameter postmark: nil where the mailbox has none.
    func verdict(on message: SealedMessage, _ postmark: SealedPostmark?) async -> SignatureVerdict {
        let author = message.message.from.address
        guard let postmark else {
            guard author == reader else {
                return .notVerified(reason: "no domain vouches for it (it has no Postmark)")
            }
            return .ownCopy(author)
        }
        let facts = postmark.postmark
        // A Postmark names whom it is for: without that, a signed message could be shown to people it was not sent to.
        guard facts.recipients.contains(reader) else {
            return .notVerified(reason: "its Postmark is for somebody else")
        }
        do {
            try await postmark.verify(for: message, keys: trust)
        } catch {
            return .notVerified(reason: MailClientError(error).reason)
        }
        return .verified(domain: facts.domain, method: facts.method, time: facts.time)
    }

    /// - Parameter date: when it was sent, as far as somebody vouches for that.
    func author(of message: SealedMessage, at date: Date) async -> AuthorVerdict {
        await AuthorSignature.verdict(of: message) { certificate, address in
            try await trust.knowledge(of: address.domain).user(certificate, address: address, at: date)
        }
    }
}
