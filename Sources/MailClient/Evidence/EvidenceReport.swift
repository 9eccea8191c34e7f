import Foundation
import Identity
import MailModel

/// What an evidence bundle proves, and what not.
public struct EvidenceReport: Sendable {
    /// One checked part.
    public struct Finding: Sendable, Hashable {
        /// What was checked: "Postmark", "Receipt of scopio.test", …
        public let part: String
        public let isVerified: Bool
        /// What it proves, or why it proves nothing.
        public let words: String

        init(_ part: String, _ isVerified: Bool, _ words: String) {
            self.part = part
            self.isVerified = isVerified
            self.words = words
        }
    }

    /// A message that was passed on.
    public struct Enclosure: Sendable {
        public let message: SealedMessage
        /// It was signed for the address that passed it on, and so was all around it.
        public let isVerified: Bool
    }

    /// A verified statement of a domain about recipients.
    public struct Statement: Sendable {
        public let domain: MailDomain
        public let time: Date
        public let recipients: [RecipientStatus]
    }

    /// Nil where the message itself cannot be read.
    public internal(set) var message: SealedMessage?
    /// The domain whose word we have that the author sent it; nil: nobody vouches.
    public internal(set) var vouchedBy: MailDomain?
    /// When the vouching domain took the message.
    public internal(set) var time: Date?
    /// Recipients that the Postmark names.
    public internal(set) var postmarkRecipients: [Address] = []
    public internal(set) var method: Postmark.AuthenticationMethod?
    public internal(set) var author = AuthorVerdict.absent
    /// Files that a plug-in of the vouching domain took out on their way, as its Postmark says.
    public internal(set) var removed: [Postmark.Removed] = []
    /// What the message passes on, the outermost first. Empty unless its Postmark says that a server wrote it to do so.
    public internal(set) var passedOn: [Enclosure] = []
    public internal(set) var statements: [Statement] = []
    public internal(set) var findings: [Finding] = []
    /// About what the message passes on, and nothing else.
    public internal(set) var enclosureFindings: [Finding] = []

    /// Every part of the message's own proof verifies, and a domain vouches for the author. What the message encloses has no say
    /// in that: else who sends one could enclose what does not verify, and deny to have sent it.
    public var isVerified: Bool { message != nil && vouchedBy != nil && findings.allSatisfy(\.isVerified) }

    /// So does all that the message passes on; also where it passes on nothing.
    public var enclosuresAreVerified: Bool {
        passedOn.allSatisfy(\.isVerified) && enclosureFindings.allSatisfy(\.isVerified)
    }

    /// The innermost message has a Form that looks like a message passed on, and is nothing but content: it was not judged.
    public var hasUncheckedForm: Bool { (passedOn.last?.message ?? message)?.message.hasRedirectedForm ?? false }
}
