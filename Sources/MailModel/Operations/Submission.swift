import Crypto
import Identity
import SOAP
import XMLCore

/// Send: a user hands a message to their own server, which answers with its signed Receipt.
public enum SendOperation: OperationCodec {
    public static let operation = MailOperation.send

    public struct Request: Payload {
        public static let localName = "Send"
        public var message: SealedMessage
        /// Blind copies: known to the author's server only.
        public var bcc: [Address]
        /// Files that the message refers to: each is the content of an `AttachmentReference`, and none is there twice.
        public var blobs: [[UInt8]]

        public init(message: SealedMessage, bcc: [Address] = [], blobs: [[UInt8]] = []) {
            self.message = message
            self.bcc = bcc
            self.blobs = blobs
        }

        /// - Throws: `malformed`, `invalidValue` (also for a blob that the message does not refer to), `limitExceeded`.
        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Message", "Bcc", "Blob"])
            let messageElement = try mailModel { () throws(XMLError) in try element.only(MailXML.name("Message")) }
            message = try SealedMessage(element: messageElement)
            bcc = []
            for child in element.all(MailXML.name("Bcc")) {
                bcc.append(try parseAddress(mailModel { () throws(XMLError) in try child.simpleText() }))
            }
            blobs = try Request.blobs(in: element, of: message.message)
        }

        /// Only what the author's message vouches for is taken in: its digests name every blob, with its size.
        private static func blobs(in element: XMLElement, of message: Message) throws(MailModelError) -> [[UInt8]] {
            let children = element.all(MailXML.name("Blob"))
            guard !children.isEmpty else { return [] }
            guard children.count <= MessageLimits.standard.maxAttachments else {
                throw MailModelError(.limitExceeded, "more than \(MessageLimits.standard.maxAttachments) blobs")
            }
            var sizes: [[UInt8]: Set<UInt64>] = [:]
            for reference in message.attachments { sizes[reference.digest, default: []].insert(reference.size) }
            var blobs: [[UInt8]] = []
            for child in children {
                try child.allowOnly(attributes: [])
                let blob = try mailModel { () throws(XMLError) in try child.base64Bytes(limit: XMLLimits.standard.maxBytes) }
                let digest = Array(SHA256.hash(data: blob))
                // Taken out once found: a second blob of the same content has no reference left.
                guard let claimed = sizes.removeValue(forKey: digest), claimed == [UInt64(blob.count)] else {
                    throw MailModelError(.invalidValue, "a Blob is not, or not once, what an Attachment of the message refers to")
                }
                blobs.append(blob)
            }
            return blobs
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            try writer.embed(canonical: message.octets)
            for address in bcc { writer.wrapped("Bcc", address.description) }
            for blob in blobs {
                writer.start(MailXML.wrapper("Blob"))
                writer.base64(blob)
                writer.end()
            }
        }
    }

    public struct Response: Payload {
        public static let localName = "SendResponse"
        public var receipt: [UInt8]

        public init(receipt: [UInt8]) { self.receipt = receipt }

        public init(parsing element: XMLElement) throws(MailModelError) {
            receipt = try mailModel { () throws(XMLError) in
                try element.only(MailXML.name("Receipt")).canonicalBytes()
            }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            try writer.embed(canonical: receipt)
        }
    }
}

/// Status: what became of a message that the caller submitted, with the receipts of the receiving domains.
public enum StatusOperation: OperationCodec {
    public static let operation = MailOperation.status

    public struct Request: Payload {
        public static let localName = "Status"
        public var messageID: MessageID

        public init(messageID: MessageID) { self.messageID = messageID }

        public init(parsing element: XMLElement) throws(MailModelError) {
            messageID = try element.requiredMessageID("Id")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("Id", messageID.description)
        }
    }

    /// One recipient's line.
    public struct Line: Sendable, Hashable {
        public var address: Address
        /// queued, delivered, refused, bounced, expired or unknown.
        public var state: String
        public var time: String
        public var attempts: Int
        public var reason: String?

        public init(address: Address, state: String, time: String, attempts: Int, reason: String?) {
            self.address = address
            self.state = state
            self.time = time
            self.attempts = attempts
            self.reason = reason
        }
    }

    public struct Response: Payload {
        public static let localName = "StatusResponse"
        public var lines: [Line]
        /// Receipts of the receiving domains, each a signed document.
        public var receipts: [[UInt8]]

        public init(lines: [Line], receipts: [[UInt8]]) {
            self.lines = lines
            self.receipts = receipts
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            lines = []
            for child in element.all(MailXML.name("Recipient")) {
                lines.append(
                    Line(
                        address: try parseAddress(mailModel { () throws(XMLError) in try child.simpleText() }),
                        state: try child.requiredAttribute("state"), time: try child.requiredAttribute("time"),
                        attempts: Int(child.attribute("attempts") ?? "0") ?? 0, reason: child.attribute("reason")))
            }
            receipts = element.all(MailXML.name("Receipt")).map { $0.canonicalBytes() }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for line in lines {
                writer.start(MailXML.wrapper("Recipient"))
                if line.attempts > 0 { writer.attribute("attempts", String(line.attempts)) }
                if let reason = line.reason { writer.attribute("reason", reason) }
                writer.attribute("state", line.state)
                writer.attribute("time", line.time)
                writer.text(line.address.description)
                writer.end()
            }
            for receipt in receipts { try writer.embed(canonical: receipt) }
        }
    }
}
