import Foundation
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// A person or role as a message names it: the address decides, the name is only shown.
public struct Mailbox: Sendable, Hashable {
    public var address: Address
    /// Display name chosen by the author; at most 256 Unicode scalars; proves nothing.
    public var name: String?

    public init(_ address: Address, name: String? = nil) {
        self.address = address
        self.name = name
    }
}

/// What the author asks of delivery. A constraint that a server cannot keep is refused, never ignored.
public enum DeliveryConstraint: String, Sendable, CaseIterable {
    case instant, deleteIfUndeliverable, encrypted, direct
}

/// What a message says of a file that stays on the sender's server.
public struct AttachmentReference: Sendable, Hashable {
    public var name: String
    public var mediaType: String
    /// Bytes.
    public var size: UInt64
    /// SHA-256 of the file, 32 bytes.
    public var digest: [UInt8]
    public var description: String?

    public init(name: String, mediaType: String, size: UInt64, digest: [UInt8], description: String? = nil) {
        self.name = name
        self.mediaType = mediaType
        self.size = size
        self.digest = digest
        self.description = description
    }
}

/// A business form carried by a message: any XML, kept as its own exclusive canonical form.
public struct Form: Sendable, Hashable {
    public var type: String
    public var version: String
    /// Where a client may find the plug-in that shows the form. Never fetched without the user's consent.
    public var locator: String?
    /// Canonical octets of the one element inside.
    public var content: [UInt8]

    public init(type: String, version: String, locator: String? = nil, content: [UInt8]) {
        self.type = type
        self.version = version
        self.locator = locator
        self.content = content
    }
}

/// What a bounce says of the message that could not be delivered; bound to its id and digest.
public struct BounceNotice: Sendable, Hashable {
    public var messageID: MessageID
    public var digest: [UInt8]
    public var recipients: [RecipientStatus]

    public init(messageID: MessageID, digest: [UInt8], recipients: [RecipientStatus]) {
        self.messageID = messageID
        self.digest = digest
        self.recipients = recipients
    }
}

/// What the author writes (docs/protocol.md, "Message"). Bcc recipients never appear in it.
public struct Message: Sendable, Hashable {
    public var id: MessageID
    public var from: Mailbox
    public var to: [Mailbox]
    public var cc: [Mailbox]
    public var subject: String
    public var date: Date
    public var inReplyTo: MessageID?
    public var replaces: MessageID?
    public var constraints: Set<DeliveryConstraint>
    public var text: String
    public var html: String?
    public var attachments: [AttachmentReference]
    public var forms: [Form]
    public var bounce: BounceNotice?

    public init(
        id: MessageID, from: Mailbox, to: [Mailbox], cc: [Mailbox] = [], subject: String, date: Date, text: String
    ) {
        self.id = id
        self.from = from
        self.to = to
        self.cc = cc
        self.subject = subject
        self.date = date
        self.text = text
        inReplyTo = nil
        replaces = nil
        constraints = []
        html = nil
        attachments = []
        forms = []
        bounce = nil
    }
}

/// Limits of a message's parts, apart from its size in bytes.
public struct MessageLimits: Sendable {
    public var maxRecipients = 200
    /// Unicode scalars: a letter with a thousand marks is one `Character`.
    public var maxSubject = 998
    public var maxAttachments = 64
    public var maxForms = 16
    public static let standard = MessageLimits()
    public init() {}
}
