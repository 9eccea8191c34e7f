import Foundation
import Identity
import XMLCore

/// Answers of the attachment plug-in, each the one element that a successful call gets.
public enum AttachmentAnswer {
    /// What every answer about one attachment says: who vouches for it, for whom, and for which octets.
    public struct Facts: Sendable, Hashable {
        public var guid: String
        public var messageID: MessageID
        /// The owner: the author of the message.
        public var from: Address
        /// The caller, for whom alone the answer is.
        public var to: Address
        public var name: String
        public var mediaType: String
        /// Octets.
        public var size: UInt64
        /// SHA-256 of the file.
        public var digest: [UInt8]
        /// When the message was handed in.
        public var created: Date
        public var expires: Date?
        /// Fetches that are left; nil: without limit.
        public var remaining: UInt64?

        public init(
            guid: String, messageID: MessageID, from: Address, to: Address, name: String, mediaType: String, size: UInt64,
            digest: [UInt8], created: Date, expires: Date? = nil, remaining: UInt64? = nil
        ) {
            self.guid = guid
            self.messageID = messageID
            self.from = from
            self.to = to
            self.name = name
            self.mediaType = mediaType
            self.size = size
            self.digest = digest
            self.created = created
            self.expires = expires
            self.remaining = remaining
        }

        static let attributes: Set<String> = [
            "guid", "messageId", "from", "to", "name", "mediaType", "size", "sha256", "created", "expires", "remaining",
        ]

        init(parsing element: XMLElement) throws(MailModelError) {
            self.init(
                guid: try element.attachmentGUID(), messageID: try parseMessageID(element.requiredAttribute("messageId")),
                from: try parseAddress(element.requiredAttribute("from")), to: try parseAddress(element.requiredAttribute("to")),
                name: try element.attachmentText("name"), mediaType: try element.attachmentText("mediaType"),
                size: try element.attachmentNumber("size"), digest: try element.attachmentDigest(),
                created: try element.attachmentDate("created"), expires: try element.attachmentDateIfAny("expires"),
                remaining: try element.attachmentNumberIfAny("remaining"))
        }

        func write(into writer: inout XMLWriter) {
            writer.attribute("guid", guid)
            writer.attribute("messageId", messageID.description)
            writer.attribute("from", from.description)
            writer.attribute("to", to.description)
            writer.attribute("name", name)
            writer.attribute("mediaType", mediaType)
            writer.attachment("size", size)
            writer.attachment(digest: digest)
            writer.attachment("created", date: created)
            writer.attachment("expires", date: expires)
            writer.attachment("remaining", remaining)
        }
    }

    /// To ``AttachmentCall/Upload``.
    public enum Upload: AttachmentElement {
        /// The file is here already.
        case complete
        /// Send its octets from `offset` on to `/wsemail/uploads/<id>`.
        case open(id: String, ticket: [UInt8], offset: UInt64, expires: Date)

        public static let localName = "UploadAnswer"

        public init(parsing element: XMLElement) throws(MailModelError) {
            switch try element.requiredAttribute("state") {
            case "complete":
                try element.attachmentShape(["state"])
                self = .complete
            case "open":
                try element.attachmentShape(["state", "id", "ticket", "offset", "expires"])
                let id = try element.attachmentText("id")
                guard !id.isEmpty, id.utf8.allSatisfy(Upload.isSegment) else {
                    throw MailModelError(.invalidValue, "id is no segment of a path")
                }
                self = .open(
                    id: id, ticket: try element.attachmentTicket(), offset: try element.attachmentNumber("offset"),
                    expires: try element.attachmentDate("expires"))
            default: throw MailModelError(.invalidValue, "state has a value that is not known")
            }
        }

        /// RFC 3986 §2.3 without ".", so that no segment means another folder.
        private static func isSegment(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D || byte == 0x5F
        }

        public func writeContent(into writer: inout XMLWriter) {
            switch self {
            case .complete: writer.attribute("state", "complete")
            case .open(let id, let ticket, let offset, let expires):
                writer.attribute("state", "open")
                writer.attribute("id", id)
                writer.attribute("ticket", AttachmentsXML.ticketText(ticket))
                writer.attachment("offset", offset)
                writer.attachment("expires", date: expires)
            }
        }
    }

    /// To ``AttachmentCall/Get``.
    public struct Get: AttachmentElement {
        public static let localName = "GetAnswer"

        public enum Source: Sendable, Hashable {
            /// The file itself, at most ``AttachmentsXML/maxInline``.
            case data([UInt8])
            /// Where to fetch it by HTTPS, with what, under which id to resume, until when.
            case download(path: String, ticket: [UInt8], ticketID: String, expires: Date)
        }

        public var facts: Facts
        /// The how manyeth fetch of the attachment this is, counted over all readers.
        public var fetch: UInt64
        public var source: Source

        public init(_ facts: Facts, fetch: UInt64, source: Source) {
            self.facts = facts
            self.fetch = fetch
            self.source = source
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(Facts.attributes.union(["fetch"]), children: ["Data", "Download"])
            facts = try Facts(parsing: element)
            fetch = try element.attachmentNumber("fetch")
            let children = Array(element.children.prefix(2))
            guard children.count == 1 else { throw MailModelError(.malformed, "GetAnswer holds Data or Download") }
            source = try Self.source(children[0])
        }

        private static func source(_ child: XMLElement) throws(MailModelError) -> Source {
            guard child.localName == "Download" else {
                try child.allowOnly(attributes: [])
                return .data(try mailModel { () throws(XMLError) in try child.base64Bytes(limit: AttachmentsXML.maxInline) })
            }
            try child.attachmentShape(["path", "ticket", "ticketId", "expires"])
            let path = try child.attachmentText("path")
            // An absolute path, not the name of another server (RFC 3986 §4.2: "//host").
            guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.contains("..") else {
                throw MailModelError(.invalidValue, "path is no absolute path")
            }
            return .download(
                path: path, ticket: try child.attachmentTicket(), ticketID: try child.attachmentGUID("ticketId"),
                expires: try child.attachmentDate("expires"))
        }

        public func writeContent(into writer: inout XMLWriter) {
            facts.write(into: &writer)
            writer.attachment("fetch", fetch)
            switch source {
            case .data(let octets):
                writer.start(AttachmentsXML.tag("Data"))
                writer.base64(octets)
            case .download(let path, let ticket, let ticketID, let expires):
                writer.start(AttachmentsXML.tag("Download"))
                writer.attribute("path", path)
                writer.attribute("ticket", AttachmentsXML.ticketText(ticket))
                writer.attribute("ticketId", ticketID)
                writer.attachment("expires", date: expires)
            }
            writer.end()
        }
    }

    /// Another version of an attachment, in a message that replaces the one of this, or that this one replaces.
    public struct Version: Sendable, Hashable {
        public var messageID: MessageID
        public var name: String
        public var guid: String
        public var digest: [UInt8]
        public var size: UInt64
        public var created: Date

        public init(messageID: MessageID, name: String, guid: String, digest: [UInt8], size: UInt64, created: Date) {
            self.messageID = messageID
            self.name = name
            self.guid = guid
            self.digest = digest
            self.size = size
            self.created = created
        }

        init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["messageId", "name", "guid", "sha256", "size", "created"])
            self.init(
                messageID: try parseMessageID(element.requiredAttribute("messageId")), name: try element.attachmentText("name"),
                guid: try element.attachmentGUID(), digest: try element.attachmentDigest(),
                size: try element.attachmentNumber("size"), created: try element.attachmentDate("created"))
        }

        func write(_ localName: String, into writer: inout XMLWriter) {
            writer.start(AttachmentsXML.tag(localName))
            writer.attribute("messageId", messageID.description)
            writer.attribute("name", name)
            writer.attribute("guid", guid)
            writer.attachment(digest: digest)
            writer.attachment("size", size)
            writer.attachment("created", date: created)
            writer.end()
        }

        static func all(_ localName: String, in element: XMLElement) throws(MailModelError) -> [Version] {
            var versions: [Version] = []
            for child in element.all(AttachmentsXML.name(localName)) {
                guard versions.count < AttachmentsXML.maxEvents else {
                    throw MailModelError(.limitExceeded, "more than \(AttachmentsXML.maxEvents) \(localName)")
                }
                versions.append(try Version(parsing: child))
            }
            return versions
        }
    }

    /// To ``AttachmentCall/Describe``.
    public struct Describe: AttachmentElement {
        public static let localName = "DescribeAnswer"
        public var facts: Facts
        public var onForward: AttachmentKeep.OnForward
        /// Newer versions, the next one first.
        public var replacements: [Version]
        /// Older versions, the one before first.
        public var replaces: [Version]

        public init(
            _ facts: Facts, onForward: AttachmentKeep.OnForward, replacements: [Version] = [], replaces: [Version] = []
        ) {
            self.facts = facts
            self.onForward = onForward
            self.replacements = replacements
            self.replaces = replaces
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(Facts.attributes.union(["onForward"]), children: ["Replacement", "Replaces"])
            facts = try Facts(parsing: element)
            onForward = try element.attachmentWord("onForward")
            replacements = try Version.all("Replacement", in: element)
            replaces = try Version.all("Replaces", in: element)
        }

        public func writeContent(into writer: inout XMLWriter) {
            facts.write(into: &writer)
            writer.attribute("onForward", onForward.rawValue)
            for version in replacements { version.write("Replacement", into: &writer) }
            for version in replaces { version.write("Replaces", into: &writer) }
        }
    }
}
