import Foundation
import Identity
import SOAP
import XMLCore

/// What a list shows of a message.
public struct MessageHeader: Sendable, Hashable {
    public var uid: UInt64
    public var id: MessageID
    public var from: Address
    public var name: String?
    public var to: [Address]
    public var subject: String
    public var date: Date
    /// Bytes of the message's octets.
    public var size: Int
    /// seen, answered, flagged; form, instant, encrypted, attachments, bounce.
    public var flags: Set<String>

    public init(
        uid: UInt64, id: MessageID, from: Address, name: String?, to: [Address], subject: String, date: Date, size: Int,
        flags: Set<String>
    ) {
        self.uid = uid
        self.id = id
        self.from = from
        self.name = name
        self.to = to
        self.subject = subject
        self.date = date
        self.size = size
        self.flags = flags
    }

    init(parsing element: XMLElement) throws(MailModelError) {
        guard let uid = UInt64(try element.requiredAttribute("uid")),
            let size = Int(try element.requiredAttribute("size")),
            let date = DateTime.parse(try element.requiredAttribute("date"))
        else { throw MailModelError(.invalidValue, "a Header has no valid uid, size or date") }
        self.uid = uid
        self.size = size
        self.date = date
        id = try parseMessageID(element.requiredAttribute("id"))
        from = try parseAddress(element.requiredAttribute("from"))
        name = element.attribute("name")
        to = []
        for part in (element.attribute("to") ?? "").split(separator: " ") { to.append(try parseAddress(String(part))) }
        subject = try element.requiredAttribute("subject")
        flags = Set((element.attribute("flags") ?? "").split(separator: " ").map(String.init))
    }

    func write(into writer: inout XMLWriter) {
        writer.start(MailXML.wrapper("Header"))
        writer.attribute("date", DateTime.format(date))
        if !flags.isEmpty { writer.attribute("flags", flags.sorted().joined(separator: " ")) }
        writer.attribute("from", from.description)
        writer.attribute("id", id.description)
        if let name { writer.attribute("name", name) }
        writer.attribute("size", String(size))
        writer.attribute("subject", subject)
        if !to.isEmpty { writer.attribute("to", to.map(\.description).joined(separator: " ")) }
        writer.attribute("uid", String(uid))
        writer.end()
    }
}

/// List: headers of a folder, a page at a time; with `wait` the reply comes when something new arrives.
public enum ListOperation: OperationCodec {
    public static let operation = MailOperation.list

    public struct Request: Payload {
        public static let localName = "List"
        public static let maxLimit = 500
        public var folder: String
        /// Only messages with a higher uid, oldest first: what is new since the last list.
        public var after: UInt64?
        /// Only messages with a lower uid, newest first: the next page back.
        public var before: UInt64?
        /// 1 to 500.
        public var limit: Int
        /// Seconds to wait for news where there is nothing to list; 0 to 60.
        public var wait: Int

        public init(folder: String = "Inbox", after: UInt64? = nil, before: UInt64? = nil, limit: Int = 50, wait: Int = 0) {
            self.folder = folder
            self.after = after
            self.before = before
            self.limit = limit
            self.wait = wait
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Folder", "After", "Before", "Limit", "Wait"])
            folder = try element.optionalText("Folder") ?? "Inbox"
            after = try Request.number(element.optionalText("After"))
            before = try Request.number(element.optionalText("Before"))
            limit = Int(try Request.number(element.optionalText("Limit")) ?? 50)
            wait = Int(try Request.number(element.optionalText("Wait")) ?? 0)
            guard after == nil || before == nil else { throw MailModelError(.malformed, "After and Before exclude each other") }
            guard (1...Request.maxLimit).contains(limit), (0...60).contains(wait) else {
                throw MailModelError(.limitExceeded, "Limit is 1 to \(Request.maxLimit), Wait 0 to 60 seconds")
            }
        }

        private static func number(_ text: String?) throws(MailModelError) -> UInt64? {
            guard let text else { return nil }
            guard let value = UInt64(text), value <= UInt64(Int64.max) else {
                throw MailModelError(.invalidValue, "\"\(text.prefix(20))\" is no number")
            }
            return value
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("Folder", folder)
            if let after { writer.wrapped("After", String(after)) }
            if let before { writer.wrapped("Before", String(before)) }
            writer.wrapped("Limit", String(limit))
            if wait > 0 { writer.wrapped("Wait", String(wait)) }
        }
    }

    public struct Response: Payload {
        public static let localName = "ListResponse"
        public var headers: [MessageHeader]
        /// Highest uid of the folder: pass it as `after` to get only what is new.
        public var cursor: UInt64
        public var more: Bool

        public init(headers: [MessageHeader], cursor: UInt64, more: Bool) {
            self.headers = headers
            self.cursor = cursor
            self.more = more
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            headers = []
            for child in element.all(MailXML.name("Header")) { headers.append(try MessageHeader(parsing: child)) }
            guard let cursor = UInt64(try element.requiredText("Cursor")) else {
                throw MailModelError(.invalidValue, "Cursor is no number")
            }
            self.cursor = cursor
            more = try element.optionalText("More") == "true"
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for header in headers { header.write(into: &writer) }
            writer.wrapped("Cursor", String(cursor))
            if more { writer.wrapped("More", "true") }
        }
    }
}

/// Retrieve: one message with the proof of its origin.
public enum RetrieveOperation: OperationCodec {
    public static let operation = MailOperation.retrieve

    public struct Request: Payload {
        public static let localName = "Retrieve"
        public var messageID: MessageID
        /// Also answer the receipt that this domain gave for the delivery: part of an evidence bundle.
        public var withReceipt: Bool
        /// The entry of this folder; nil: the one received, else the one sent (a mail to oneself has both).
        public var folder: String?
        /// Exactly the entry with this uid, which must be of `messageID`: two authors may have used one id.
        public var uid: UInt64?

        public init(messageID: MessageID, withReceipt: Bool = false, folder: String? = nil, uid: UInt64? = nil) {
            self.messageID = messageID
            self.folder = folder
            self.uid = uid
            self.withReceipt = withReceipt
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Id", "Uid", "In", "WithReceipt"])
            folder = try element.optionalText("In")
            uid = try element.optionalText("Uid").map { (text) throws(MailModelError) in try parseUID(text) }
            messageID = try element.requiredMessageID("Id")
            withReceipt = try element.optionalText("WithReceipt") == "true"
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("Id", messageID.description)
            if let uid { writer.wrapped("Uid", String(uid)) }
            if let folder { writer.wrapped("In", folder) }
            if withReceipt { writer.wrapped("WithReceipt", "true") }
        }
    }

    public struct Response: Payload {
        public static let localName = "RetrieveResponse"
        public var message: [UInt8]
        /// Absent for the author's own copy in Sent.
        public var postmark: [UInt8]?
        public var receipt: [UInt8]?
        public var folder: String
        public var flags: Set<String>

        public init(message: [UInt8], postmark: [UInt8]?, receipt: [UInt8]?, folder: String, flags: Set<String>) {
            self.message = message
            self.postmark = postmark
            self.receipt = receipt
            self.folder = folder
            self.flags = flags
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            message = try mailModel { () throws(XMLError) in
                try element.only(MailXML.name("Message")).canonicalBytes()
            }
            postmark = element.first(MailXML.name("Postmark"))?.canonicalBytes()
            receipt = element.first(MailXML.name("Receipt"))?.canonicalBytes()
            folder = try element.requiredText("Folder")
            flags = Set((try element.optionalText("Flags") ?? "").split(separator: " ").map(String.init))
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            try writer.embed(canonical: message)
            if let postmark { try writer.embed(canonical: postmark) }
            writer.wrapped("Folder", folder)
            if !flags.isEmpty { writer.wrapped("Flags", flags.sorted().joined(separator: " ")) }
            if let receipt { try writer.embed(canonical: receipt) }
        }
    }
}
