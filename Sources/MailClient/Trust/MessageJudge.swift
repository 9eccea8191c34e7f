import Foundation
import Identity
import MailModel

/// Says of a message in the reader's mailbox whether to believe it.
struct MessageJudge: Sendable {
    let reader: Address
    let trust: TrustBook
    let clock: @Sendable () -> Date

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
            try await postmark.verify(for: message, keys: trust, home: trust.home)
        } catch {
            return .notVerified(reason: MailClientError(error).reason)
        }
        return .verified(domain: facts.domain, method: facts.method, time: facts.time)
    }

    /// What a message passes on: each message in it counts if it was signed for the address that passed it on.
    /// - Throws: where it cannot be read; a message may claim to pass on anything.
    func passedOn(by message: Message, _ postmark: SealedPostmark?) async throws(MailModelError) -> [JudgedMail] {
        var judged: [JudgedMail] = []
        var holder = message.from.address
        for mail in try RedirectedMail.passedOn(by: message, postmark) {
            let verdict = await MessageJudge(reader: holder, trust: trust, clock: clock).verdict(on: mail.message, mail.postmark)
            let author = await author(of: mail.message, at: signingTime(mail.message, verdict))
            judged.append(JudgedMail(message: mail.message, postmark: mail.postmark, verdict: verdict, author: author))
            holder = mail.message.message.from.address
        }
        return judged
    }

    /// A message that a person passed on with its proof: as it was for them.
    func enclosed(in message: Message) async -> JudgedMail? {
        guard let mail = try? RedirectedMail.find(in: message) else { return nil }
        let holder = MessageJudge(reader: message.from.address, trust: trust, clock: clock)
        let verdict = await holder.verdict(on: mail.message, mail.postmark)
        let author = await author(of: mail.message, at: signingTime(mail.message, verdict))
        return JudgedMail(message: mail.message, postmark: mail.postmark, verdict: verdict, author: author)
    }

    /// When an author's signature was made: as the domain vouches, or as we said ourselves; else it is judged by now.
    func signingTime(_ message: SealedMessage, _ verdict: SignatureVerdict) -> Date {
        switch verdict {
        case .verified(_, _, let time): time
        case .ownCopy: message.message.date
        case .notVerified: clock()
        }
    }

    /// - Parameter date: when it was sent, as far as somebody vouches for that.
    func author(of message: SealedMessage, at date: Date) async -> AuthorVerdict {
        await AuthorSignature.verdict(of: message) { certificate, address in
            try await trust.knowledge(of: address.domain).user(certificate, address: address, at: date)
        }
    }
}
