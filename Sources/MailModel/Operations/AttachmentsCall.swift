import Foundation
import Identity
import XMLCore

/// A request to the attachment plug-in. Who may ask what is the plug-in's to decide; a request says only what is wanted.
public enum AttachmentCall: Sendable, Hashable {
    case upload(Upload)
    case get(Get)
    case describe(Describe)
    case list(List)
    case log(Log)
    case revoke(Revoke)
    case share(Share)
    case answer(Answer)

    /// - Throws: `malformed` also for an element that is no request; `invalidValue`, `limitExceeded`.
    public static func parse(_ octets: [UInt8]) throws(MailModelError) -> AttachmentCall {
        let root = try mailModel { () throws(XMLError) in try XMLDocument.parse(octets).root }
        guard root.namespace == AttachmentsXML.namespace else {
            throw MailModelError(.malformed, "\(root.localName) is not of the namespace \(AttachmentsXML.namespace)")
        }
        switch root.localName {
        case Upload.localName: return .upload(try Upload(parsing: root))
        case Get.localName: return .get(try Get(parsing: root))
        case Describe.localName: return .describe(try Describe(parsing: root))
        case List.localName: return .list(try List(parsing: root))
        case Log.localName: return .log(try Log(parsing: root))
        case Revoke.localName: return .revoke(try Revoke(parsing: root))
        case Share.localName: return .share(try Share(parsing: root))
        case Answer.localName: return .answer(try Answer(parsing: root))
        default: throw MailModelError(.malformed, "\(root.localName) is no request about attachments")
        }
    }

    /// The request in exclusive canonical form.
    public func octets() -> [UInt8] {
        switch self {
        case .upload(let call): call.octets()
        case .get(let call): call.octets()
        case .describe(let call): call.octets()
        case .list(let call): call.octets()
        case .log(let call): call.octets()
        case .revoke(let call): call.octets()
        case .share(let call): call.octets()
        case .answer(let call): call.octets()
        }
    }

    /// A place for a file that a message will refer to; the file itself goes by HTTPS. Users of the domain only.
    public struct Upload: AttachmentElement {
        public static let localName = "Upload"
        /// SHA-256 of the file.
        public var digest: [UInt8]
        /// Octets.
        public var size: UInt64

        public init(digest: [UInt8], size: UInt64) {
            self.digest = digest
            self.size = size
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["sha256", "size"])
            self.init(digest: try element.attachmentDigest(), size: try element.attachmentNumber("size"))
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attachment(digest: digest)
            writer.attachment("size", size)
        }
    }

    /// The file itself, or a ticket to fetch it by HTTPS with.
    public struct Get: AttachmentElement {
        public static let localName = "Get"
        public var guid: String
        /// The id of an earlier ticket, to go on with the fetch that it began: not counted again.
        public var resume: String?
        /// Asks for the file in the answer; a larger one comes as a ticket all the same.
        public var inline: Bool

        public init(guid: String, resume: String? = nil, inline: Bool = false) {
            self.guid = guid
            self.resume = resume
            self.inline = inline
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["guid", "resume", "inline"])
            self.init(
                guid: try element.attachmentGUID(), resume: try element.attachmentGUIDIfAny("resume"),
                inline: try element.attachmentFlag("inline"))
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("guid", guid)
            writer.attachment("resume", resume)
            if inline { writer.attribute("inline", "true") }
        }
    }

    /// What is known of an attachment; fetches nothing and is not counted.
    public struct Describe: AttachmentElement {
        public static let localName = "Describe"
        public var guid: String

        public init(guid: String) { self.guid = guid }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["guid"])
            guid = try element.attachmentGUID()
        }

        public func writeContent(into writer: inout XMLWriter) { writer.attribute("guid", guid) }
    }

    /// The caller's own attachments, newest first; those of one message in the order of their GUIDs.
    public struct List: AttachmentElement {
        public static let localName = "List"
        public var messageID: MessageID?
        /// The GUID of the last one of the page before.
        public var after: String?
        /// 1 to 200; 50 if nothing is said.
        public var limit: Int?

        public init(messageID: MessageID? = nil, after: String? = nil, limit: Int? = nil) {
            self.messageID = messageID
            self.after = after
            self.limit = limit
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["messageId", "after", "limit"])
            messageID = try element.attribute("messageId").map { (text) throws(MailModelError) in try parseMessageID(text) }
            after = try element.attachmentGUIDIfAny("after")
            limit = element.attribute("limit") == nil ? nil : try element.attachmentCount("limit", upTo: AttachmentsXML.maxPage)
            if limit == 0 { throw MailModelError(.invalidValue, "limit is at least 1") }
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attachment("messageId", messageID?.description)
            writer.attachment("after", after)
            writer.attachment("limit", limit.map { UInt64(max($0, 0)) })
        }
    }

    /// What happened to an attachment; for its owner.
    public struct Log: AttachmentElement {
        public static let localName = "Log"
        public var guid: String

        public init(guid: String) { self.guid = guid }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["guid"])
            guid = try element.attachmentGUID()
        }

        public func writeContent(into writer: inout XMLWriter) { writer.attribute("guid", guid) }
    }

    /// Takes an attachment back, from all or from some readers, also what they are fetching at the moment; for its owner.
    public struct Revoke: AttachmentElement {
        public static let localName = "Revoke"
        public var guid: String
        /// None: all, for good.
        public var readers: [Address]

        public init(guid: String, readers: [Address] = []) {
            self.guid = guid
            self.readers = readers
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["guid"], children: ["Reader"])
            self.init(guid: try element.attachmentGUID(), readers: try element.attachmentReaders())
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("guid", guid)
            writer.attachment(readers: readers)
        }
    }

    /// Asks that others may read it too; for its readers.
    public struct Share: AttachmentElement {
        public static let localName = "Share"
        public var guid: String
        /// 1 to 200.
        public var readers: [Address]

        public init(guid: String, readers: [Address]) {
            self.guid = guid
            self.readers = readers
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["guid"], children: ["Reader"])
            self.init(guid: try element.attachmentGUID(), readers: try element.attachmentReaders())
            guard !readers.isEmpty else { throw MailModelError(.malformed, "Share names at least one Reader") }
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("guid", guid)
            writer.attachment(readers: readers)
        }
    }

    /// The owner's decision about a ``Share`` that was asked.
    public struct Answer: AttachmentElement {
        public static let localName = "Answer"
        public var guid: String
        /// As `ShareAnswer` named it.
        public var request: String
        public var grant: Bool

        public init(guid: String, request: String, grant: Bool) {
            self.guid = guid
            self.request = request
            self.grant = grant
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.attachmentShape(["guid", "request", "grant"])
            guard element.attribute("grant") != nil else { throw MailModelError(.malformed, "Answer has no attribute grant") }
            self.init(
                guid: try element.attachmentGUID(), request: try element.attachmentGUID("request"),
                grant: try element.attachmentFlag("grant"))
        }

        public func writeContent(into writer: inout XMLWriter) {
            writer.attribute("guid", guid)
            writer.attribute("request", request)
            writer.attribute("grant", grant ? "true" : "false")
        }
    }
}

/// What a sender may say of the files of a message: the element of a Send's `Option` `urn:wsemail:2:attachments`.
public struct AttachmentKeep: AttachmentElement {
    public static let localName = "Keep"

    /// What becomes of a reader's wish to pass the attachment on.
    public enum OnForward: String, Sendable, Hashable, CaseIterable, Codable {
        /// The sender is asked.
        case ask
        case allow, forbid
    }

    public var expires: Date?
    /// Fetches by all readers together; at least 1.
    public var maxFetches: UInt64?
    public var onForward: OnForward?
    /// The one file that is meant; nil: all that no other Keep names.
    public var digest: [UInt8]?

    public init(expires: Date? = nil, maxFetches: UInt64? = nil, onForward: OnForward? = nil, digest: [UInt8]? = nil) {
        self.expires = expires
        self.maxFetches = maxFetches
        self.onForward = onForward
        self.digest = digest
    }

    public init(parsing element: XMLElement) throws(MailModelError) {
        try element.attachmentShape(["expires", "maxFetches", "onForward", "sha256"])
        expires = try element.attachmentDateIfAny("expires")
        maxFetches = try element.attachmentNumberIfAny("maxFetches")
        guard maxFetches.map({ (1...1_000_000_000).contains($0) }) ?? true else {
            throw MailModelError(.invalidValue, "maxFetches is 1 to 1,000,000,000")
        }
        onForward = element.attribute("onForward") == nil ? nil : try element.attachmentWord("onForward") as OnForward
        digest = element.attribute("sha256") == nil ? nil : try element.attachmentDigest()
    }

    public func writeContent(into writer: inout XMLWriter) {
        writer.attachment("expires", date: expires)
        writer.attachment("maxFetches", maxFetches)
        writer.attachment("onForward", onForward?.rawValue)
        if let digest { writer.attachment(digest: digest) }
    }
}
