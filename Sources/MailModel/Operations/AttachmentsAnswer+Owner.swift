import Foundation
import Identity
import XMLCore

extension AttachmentAnswer {
    /// One line of a list, as its owner sees it.
    public struct Listed: AttachmentElement {
        public static let localName = "Attachment"
        public var guid: String
        public var messageID: MessageID
        public var name: String
        public var mediaType: String
        /// Octets.
        public var size: UInt64
        public var digest: [UInt8]
        public var created: Date
        public var expires: Date?
        public var fetches: UInt64
        public var maxFetches: UInt64?
        public var onForward: AttachmentKeep.OnForward
        /// Taken back from all.
        public var isRevoked: Bool

        public init(
            guid: String, messageID: MessageID, name: String, mediaType: String, size: UInt64, digest: [UInt8], created: Date,
            expires: Date?, fetches: UInt64, maxFetches: UInt64?, onForward: AttachmentKeep.OnForward, isRevoked: Bool
        ) {
            self.guid = guid
            self.messageID = messageID
            self.name = name
            self.mediaType = mediaType
            self.size = size
            self.digest = digest
            self.created = created
            self.expires = expires
            self.fetches = fetches
            self.maxFetches = maxFetches
            self.onForward = onForward
            self.isRevoked = isRevoked
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape([
                "guid", "messageId", "name", "mediaType", "size", "sha256", "created", "expires", "fetches", "maxFetches",
                "onForward", "revoked",
            ])
            let revoked = element.attribute("revoked")
            guard revoked == nil || revoked == "all" else { throw MailModelError(.invalidValue, "revoked is all") }
            self.init(
                guid: try element.attachmentGUID(), messageID: try parseMessageID(element.requiredAttribute("messageId")),
                name: try element.attachmentText("name"), mediaType: try element.attachmentText("mediaType"),
                size: try element.attachmentNumber("size"), digest: try element.attachmentDigest(),
                created: try element.attachmentDate("created"), expires: try element.attachmentDateIfAny("expires"),
                fetches: try element.attachmentNumber("fetches"), maxFetches: try element.attachmentNumberIfAny("maxFetches"),
                onForward: try element.attachmentWord("onForward"), isRevoked: revoked != nil)
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("guid", guid)
            writer.attribute("messageId", messageID.description)
            writer.attribute("name", name)
            writer.attribute("mediaType", mediaType)
            writer.attachment("size", size)
            writer.attachment(digest: digest)
            writer.attachment("created", date: created)
            writer.attachment("expires", date: expires)
            writer.attachment("fetches", fetches)
            writer.attachment("maxFetches", maxFetches)
            writer.attribute("onForward", onForward.rawValue)
            if isRevoked { writer.attribute("revoked", "all") }
        }
    }

    /// To ``AttachmentCall/List``.
    public struct List: AttachmentElement {
        public static let localName = "ListAnswer"
        /// At most 200.
        public var attachments: [Listed]
        /// Whether there are others after the last one.
        public var more: Bool

        public init(attachments: [Listed], more: Bool) {
            self.attachments = attachments
            self.more = more
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["more"], children: [Listed.localName])
            more = try element.attachmentFlag("more")
            attachments = try element.attachmentParts(Listed.self, limit: AttachmentsXML.maxPage)
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("more", more ? "true" : "false")
            for attachment in attachments { attachment.write(into: &writer) }
        }
    }

    /// Something that happened to an attachment.
    public struct Event: AttachmentElement {
        public static let localName = "Event"

        public enum Kind: String, Sendable, Hashable, CaseIterable, Codable {
            /// A reader was given the file, or a ticket for it.
            case fetched
            /// A reader went on with a fetch.
            case resumed
            /// The owner took it back: from `who`, or from all.
            case revoked
            /// `who` may read it too, because `by` wished or allowed it.
            case granted
            /// `by` wished that `who` may read it.
            case asked
            /// The owner said no to that.
            case refused
            /// Its time was over, and the file was let go.
            case expired
        }

        public var time: Date
        public var kind: Kind
        public var who: Address?
        public var by: Address?

        public init(_ kind: Kind, time: Date, who: Address? = nil, by: Address? = nil) {
            self.time = time
            self.kind = kind
            self.who = who
            self.by = by
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["time", "kind", "who", "by"])
            time = try element.attachmentDate("time")
            kind = try element.attachmentWord("kind")
            who = try element.attribute("who").map { (text) throws(MailModelError) in try parseAddress(text) }
            by = try element.attribute("by").map { (text) throws(MailModelError) in try parseAddress(text) }
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attachment("time", date: time)
            writer.attribute("kind", kind.rawValue)
            writer.attachment("who", who?.description)
            writer.attachment("by", by?.description)
        }
    }

    /// To ``AttachmentCall/Log``: oldest first; of a long log the newest 1,000.
    public struct Log: AttachmentElement {
        public static let localName = "LogAnswer"
        public var events: [Event]

        public init(events: [Event]) { self.events = events }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape([], children: [Event.localName])
            events = try element.attachmentParts(Event.self, limit: AttachmentsXML.maxEvents)
        }

        public func writeContent(into writer: inout XMLWriter) {
            for event in events { event.write(into: &writer) }
        }
    }

    /// To ``AttachmentCall/Revoke``.
    public struct Revoke: AttachmentElement {
        public static let localName = "RevokeAnswer"
        /// Readers who could read it before and cannot any more.
        public var count: Int

        public init(count: Int) { self.count = count }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["count"])
            count = try element.attachmentCount("count")
        }

        public func writeContent(into writer: inout XMLWriter) { writer.attachment("count", UInt64(max(count, 0))) }
    }

    /// To ``AttachmentCall/Share``.
    public struct Share: AttachmentElement {
        public static let localName = "ShareAnswer"

        public enum State: String, Sendable, Hashable, CaseIterable {
            case granted
            /// The owner was written to.
            case asked
            case forbidden
        }

        public var state: State
        /// Where the owner was asked: the request's name in ``AttachmentCall/Answer``.
        public var request: String?

        public init(_ state: State, request: String? = nil) {
            self.state = state
            self.request = request
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["state", "request"])
            state = try element.attachmentWord("state")
            request = try element.attachmentGUIDIfAny("request")
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("state", state.rawValue)
            writer.attachment("request", request)
        }
    }

    /// To ``AttachmentCall/Answer``: it is done.
    public struct Answer: AttachmentElement {
        public static let localName = "AnswerAnswer"

        public init() {}

        public init(parsing element: XMLElement) throws(MailModelError) { try element.attachmentShape([]) }

        public func writeContent(into writer: inout XMLWriter) {}
    }
}
