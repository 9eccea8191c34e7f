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

        public init(message: SealedMessage, bcc: [Address] = []) {
            self.message = message
            self.bcc = bcc
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Message", "Bcc"])
            let messageElement = try mailModel { () throws(XMLError) in try element.only(MailXML.name("Message")) }
            message = try SealedMessage(element: messageElement)
            bcc = []
            for child in element.all(MailXML.name("Bcc")) {
                bcc.append(try parseAddress(mailModel { () throws(XMLError) in try child.simpleText() }))
            }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            try writer.embed(canonical: message.octets)
            for address in bcc { writer.wrapped("Bcc", address.description) }
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
