import Foundation
import Identity

/// What a message brings along and a list shows; fixed when the message was written.
public struct MessageTraits: OptionSet, Sendable, Hashable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static let form = MessageTraits(rawValue: 1)
    public static let instant = MessageTraits(rawValue: 2)
    public static let encrypted = MessageTraits(rawValue: 4)
    public static let attachments = MessageTraits(rawValue: 8)
    /// A bounce written by a server.
    public static let bounce = MessageTraits(rawValue: 16)
}

/// The header fields a list shows. The store neither interprets nor checks them; addresses are in canonical spelling.
public struct MessageSummary: Sendable, Hashable {
    /// The author's address.
    public let from: String
    public let to: [String]
    public let cc: [String]
    public let subject: String
    /// The author's date.
    public let date: Date
    /// The message id that this one answers.
    public let inReplyTo: String?
    public let traits: MessageTraits

    public init(
        from: String, to: [String], cc: [String] = [], subject: String, date: Date, inReplyTo: String? = nil,
        traits: MessageTraits = []
    ) {
        self.from = from
        self.to = to
        self.cc = cc
        self.subject = subject
        self.date = date
        self.inReplyTo = inReplyTo
        self.traits = traits
    }
}

/// A message as it is stored: its canonical octets, once, whoever else has it too.
public struct MessageRecord: Sendable, Hashable {
    /// `urn:uuid:…`, chosen by the author: unique only together with its origin.
    public let id: String
    /// SHA-256 of `octets`; the caller vouches for it.
    public let digest: [UInt8]
    public let octets: [UInt8]
    public let summary: MessageSummary

    public init(id: String, digest: [UInt8], octets: [UInt8], summary: MessageSummary) {
        self.id = id
        self.digest = digest
        self.octets = octets
        self.summary = summary
    }
}

/// From whom this server got a message. Message ids are told apart by origin: nobody can occupy another's ids.
public enum Origin: Sendable, Hashable {
    /// A user of this server, logged in as this address.
    case submission(by: Address)
    /// Another domain's server.
    case peer(MailDomain)
    /// A user of another domain, with a token of theirs. Each has message ids of their own: by a token nobody can take the id of
    /// another's message before it arrives.
    case visitor(Address)
    /// This server itself (bounces, notices): not subject to quotas.
    case server
}
