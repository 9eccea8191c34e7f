import Crypto
import Identity
import SOAP
import XMLCore

/// Send: a user hands a message to their own server, which answers with its signed Receipt.
public enum SendOperation: OperationCodec {
    public static let operation = MailOperation.send

    /// Octets of a file that may go along with a message; larger ones are uploaded before.
    public static let maxBlob = 16 << 20

    public struct Request: Payload {
        public static let localName = "Send"
        public var message: SealedMessage
        /// Blind copies: known to the author's server only.
        public var bcc: [Address]
        /// Files that the message refers to: each is the content of an `AttachmentReference`, and none is there twice.
        public var blobs: [[UInt8]]
        /// What is said to the server's plug-ins beside the message: at most 16, in this order. A server that knows nothing of an
        /// identifier refuses the message: none is ever ignored.
        public var options: [Option]

        public init(message: SealedMessage, bcc: [Address] = [], blobs: [[UInt8]] = [], options: [Option] = []) {
            self.message = message
            self.bcc = bcc
            self.blobs = blobs
            self.options = options
        }

        /// - Throws: `malformed`, `invalidValue` (also for a blob that the message does not refer to), `limitExceeded`.
        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Message", "Bcc", "Blob", "Option"])
            let messageElement = try mailModel { () throws(XMLError) in try element.only(MailXML.name("Message")) }
            message = try SealedMessage(element: messageElement)
            bcc = []
            for child in element.all(MailXML.name("Bcc")) {
                bcc.append(try parseAddress(mailModel { () throws(XMLError) in try child.simpleText() }))
            }
            blobs = try Request.blobs(in: element, of: message.message)
            options = try Option.all(in: element)
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
                let blob = try mailModel { () throws(XMLError) in try child.base64Bytes(limit: .max) }
                guard blob.count <= SendOperation.maxBlob else {
                    throw MailModelError(
                        .limitExceeded,
                        "a file of \(blob.count) octets is too large to go along with a message: at most \(SendOperation.maxBlob)")
                }
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
            for option in options { try option.write(into: &writer) }
        }
    }

    /// Something said to the plug-in that owns an extension's identifier, for this message.
    public struct Option: Sendable, Hashable {
        /// Options of one message.
        public static let maxCount = 16
        /// Octets of one option's content.
        public static let maxSize = 64 << 10

        /// See ``ExtensionOperation/isIdentifier(_:)``.
        public let identifier: String
        /// Exclusive canonical form of one element.
        public let content: [UInt8]

        /// - Throws: `invalidValue` for what cannot name an extension, `limitExceeded`.
        public init(identifier: String, content: [UInt8]) throws(MailModelError) {
            guard ExtensionOperation.isIdentifier(identifier) else {
                throw MailModelError(.invalidValue, "an option's identifier is an absolute URI of at most 200 characters")
            }
            guard content.count <= Option.maxSize else {
                throw MailModelError(.limitExceeded, "an option has at most \(Option.maxSize) octets")
            }
            self.identifier = identifier
            self.content = content
        }

        static func all(in element: XMLElement) throws(MailModelError) -> [Option] {
            var options: [Option] = []
            for child in element.children {
                guard child.isNamed(MailXML.name("Option")) else {
                    guard options.isEmpty else { throw MailModelError(.malformed, "after an Option only others may stand") }
                    continue
                }
                guard options.count < maxCount else { throw MailModelError(.limitExceeded, "more than \(maxCount) options") }
                try child.allowOnlyElements(attributes: ["identifier"])
                options.append(
                    try Option(
                        identifier: child.requiredAttribute("identifier"), content: ExtensionOperation.content(of: child)))
            }
            return options
        }

        func write(into writer: inout XMLWriter) throws {
            writer.start(MailXML.wrapper("Option"))
            writer.attribute("identifier", identifier)
            try writer.embed(canonical: content)
            writer.end()
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
