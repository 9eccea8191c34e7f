import Foundation
import Identity
import MailModel

/// Whether a message is what its sending domain signed, in words that people understand.
public enum SignatureVerdict: Sendable, Hashable {
    /// The sending domain vouches for author and content, and named us as a recipient.
    case verified(domain: MailDomain, method: Postmark.AuthenticationMethod, time: Date)
    /// The reader's own copy in Sent: nobody else's word is involved.
    case ownCopy(Address)
    /// Not to be believed.
    case notVerified(reason: String)

    public var isBelieved: Bool {
        switch self {
        case .verified, .ownCopy: true
        case .notVerified: false
        }
    }

    /// "signed by capicom.test, verified", "your own copy", or "NOT VERIFIED: …".
    public var words: String {
        switch self {
        case .verified(let domain, _, _): "signed by \(domain), verified"
        case .ownCopy: "your own copy"
        case .notVerified(let reason): "NOT VERIFIED: \(reason)"
        }
    }

    /// How the author proved to their domain who they are.
    public var methodWords: String? {
        guard case .verified(let domain, let method, _) = self else { return nil }
        switch method {
        case .x509: return "the author proved to \(domain) who they are with a key"
        case .password: return "the author proved to \(domain) who they are with a password"
        case .token: return "handed in at \(domain) by the author, who showed a token of their own domain"
        case .server: return "written by the server of \(domain) itself"
        case .plugin: return "written by a plug-in of \(domain)"
        }
    }
}

/// The author's own signature inside a message.
public enum AuthorVerdict: Sendable, Hashable {
    /// There is none: most messages have only their domain's.
    case absent
    case verified(Address)
    case notVerified(reason: String)

    public var isBelieved: Bool {
        if case .notVerified = self { return false }
        return true
    }

    /// "signed by alice@capicom.test in person, verified"; nil where there is no signature.
    public var words: String? {
        switch self {
        case .absent: nil
        case .verified(let address): "signed by \(address) in person, verified"
        case .notVerified(let reason): "AUTHOR'S SIGNATURE NOT VERIFIED: \(reason)"
        }
    }
}
