import Foundation
import Identity
import MailModel

/// A message with the Postmark that came with it, and our judgement of both.
public struct JudgedMail: Sendable {
    public let message: SealedMessage
    public let postmark: SealedPostmark?
    public let verdict: SignatureVerdict
    public let author: AuthorVerdict

    /// Neither the domain's nor the author's signature is to be doubted.
    public var isBelieved: Bool { verdict.isBelieved && author.isBelieved }

    /// Files that a plug-in of the sender's server took out, as that domain says. Empty where its word is not verified.
    public var removed: [Postmark.Removed] {
        guard case .verified = verdict, let postmark else { return [] }
        return postmark.postmark.removed
    }

    /// Why not to believe it; nil where there is no reason.
    public var doubt: String? {
        guard !isBelieved else { return nil }
        return verdict.isBelieved ? author.words : verdict.words
    }
}
