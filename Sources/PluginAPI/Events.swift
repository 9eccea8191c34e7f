import Foundation
import Identity

/// What every plug-in may know of a message; the rest needs a capability and is nil without it.
public struct MessageFacts: Sendable, Hashable {
    public struct Attachment: Sendable, Hashable {
        public let name: String
        public let mediaType: String
        /// Bytes.
        public let size: UInt64
        /// SHA-256 of the file.
        public let digest: [UInt8]

        public init(name: String, mediaType: String, size: UInt64, digest: [UInt8]) {
            self.name = name
            self.mediaType = mediaType
            self.size = size
            self.digest = digest
        }
    }

    /// Subject and bodies. (`content`)
    public struct Content: Sendable, Hashable {
        public let subject: String
        public let text: String
        public let html: String?

        public init(subject: String, text: String, html: String?) {
            self.subject = subject
            self.text = text
            self.html = html
        }
    }

    /// `urn:uuid:…`; unique only together with its author's domain.
    public let id: String
    public let from: Address
    public let to: [Address]
    public let cc: [Address]
    public let date: Date
    public let inReplyTo: String?
    /// The message id (`urn:uuid:…`) of an earlier message that its author means this one to replace.
    public let replaces: String?
    /// Octets of the message.
    public let size: Int
    /// Written by a program: a bounce, a notice, or another plug-in's message. Never answer it automatically.
    public let isAutomatic: Bool
    public let hasForm: Bool
    public let attachments: [Attachment]
    public var content: Content?
    /// The Message's octets. (`raw-xml`)
    public var octets: [UInt8]?

    public init(
        id: String, from: Address, to: [Address], cc: [Address], date: Date, inReplyTo: String?, replaces: String? = nil,
        size: Int, isAutomatic: Bool, hasForm: Bool, attachments: [Attachment], content: Content?, octets: [UInt8]?
    ) {
        self.id = id
        self.from = from
        self.to = to
        self.cc = cc
        self.date = date
        self.inReplyTo = inReplyTo
        self.replaces = replaces
        self.size = size
        self.isAutomatic = isAutomatic
        self.hasForm = hasForm
        self.attachments = attachments
        self.content = content
        self.octets = octets
    }
}

/// Who calls, as proven to the server. (`identity`; `token` needs `tokens`)
public struct CallerIdentity: Sendable, Hashable {
    /// A user's address, or the domain of a calling server.
    public let principal: String
    /// `password`, `x509`, `session` or `federated`; a session counts as what opened it.
    public let method: String
    /// The certificate (DER) or assertion (XML) that the caller presented. (`tokens`)
    public var token: [UInt8]?

    public init(principal: String, method: String, token: [UInt8]? = nil) {
        self.principal = principal
        self.method = method
        self.token = token
    }
}

/// Something that the author says to one plug-in, beside the message.
public struct SubmissionOption: Sendable, Hashable {
    /// Of an extension that the plug-in owns.
    public let identifier: String
    /// One XML element in exclusive canonical form.
    public let content: [UInt8]

    public init(identifier: String, content: [UInt8]) {
        self.identifier = identifier
        self.content = content
    }
}

/// A message that a user hands in.
public struct SubmissionEvent: Sendable, Hashable {
    public var message: MessageFacts
    /// To, Cc and Bcc together.
    public let recipients: [Address]
    public var identity: CallerIdentity?
    /// SHA-256 of those attachments whose octets the author handed in, now or before, and of the size that the message tells.
    /// (`files`, `blobs`)
    public var files: Set<[UInt8]>
    /// Those that are for this plug-in.
    public var options: [SubmissionOption]

    public init(
        message: MessageFacts, recipients: [Address], identity: CallerIdentity?, files: Set<[UInt8]> = [],
        options: [SubmissionOption] = []
    ) {
        self.message = message
        self.recipients = recipients
        self.identity = identity
        self.files = files
        self.options = options
    }
}

/// A message at its final delivery to one recipient.
public struct DeliveryEvent: Sendable, Hashable {
    /// The same at each repetition: for effects outside the server, which happen at least once.
    public let eventID: String
    public var message: MessageFacts
    /// Whose mailbox it is about to enter.
    public let recipient: Address
    /// Servers that have passed the message on.
    public let hops: Int
    /// The author's domain as its Postmark proved it.
    public let domain: MailDomain
    /// The Postmark's octets. (`raw-xml`)
    public var postmark: [UInt8]?

    public init(
        eventID: String, message: MessageFacts, recipient: Address, hops: Int, domain: MailDomain, postmark: [UInt8]?
    ) {
        self.eventID = eventID
        self.message = message
        self.recipient = recipient
        self.hops = hops
        self.domain = domain
        self.postmark = postmark
    }
}

/// A call to an extension.
public struct ExtensionEvent: Sendable, Hashable {
    public let identifier: String
    /// One XML element in exclusive canonical form.
    public let request: [UInt8]
    /// Always present for extensions: an extension without it could not tell one caller's data from another's.
    public let caller: CallerIdentity

    public init(identifier: String, request: [UInt8], caller: CallerIdentity) {
        self.identifier = identifier
        self.request = request
        self.caller = caller
    }
}
