import Foundation
import Identity
import SOAP
import XMLCore

/// Deliver: a server hands messages with their Postmarks to the server of their destination, several a call. Each
/// item gets its own answer: a bad one never fails its neighbours.
public enum DeliverOperation: OperationCodec {
    public static let operation = MailOperation.deliver

    /// Items a call may carry.
    public static let maxItems = 100

    /// One item as it was received: each part is judged by itself later.
    public struct Item: Sendable {
        public var message: [UInt8]
        public var postmark: [UInt8]

        public init(message: [UInt8], postmark: [UInt8]) {
            self.message = message
            self.postmark = postmark
        }
    }

    public struct Request: Payload {
        public static let localName = "Deliver"
        public var items: [Item]

        public init(items: [Item]) { self.items = items }

        public init(parsing element: XMLElement) throws(MailModelError) {
            try element.allowOnly(["Item"])
            items = []
            for child in element.all(MailXML.name("Item")) {
                items.append(
                    Item(
                        message: child.first(MailXML.name("Message"))?.canonicalBytes() ?? [],
                        postmark: child.first(MailXML.name("Postmark"))?.canonicalBytes() ?? []))
            }
            guard (1...DeliverOperation.maxItems).contains(items.count) else {
                throw MailModelError(.limitExceeded, "Deliver takes 1 to \(DeliverOperation.maxItems) items")
            }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for item in items {
                writer.start(MailXML.wrapper("Item"))
                try writer.embed(canonical: item.message)
                try writer.embed(canonical: item.postmark)
                writer.end()
            }
        }
    }

    /// The answer to the item at the same position.
    public enum Result: Sendable {
        /// Signed Receipt.
        case receipt([UInt8])
        case fault(code: String, isTransient: Bool, reason: String)
    }

    public struct Response: Payload {
        public static let localName = "DeliverResponse"
        public var results: [Result]

        public init(results: [Result]) { self.results = results }

        public init(parsing element: XMLElement) throws(MailModelError) {
            results = []
            for child in element.all(MailXML.name("Result")) {
                if let receipt = child.first(MailXML.name("Receipt")) {
                    results.append(.receipt(receipt.canonicalBytes()))
                } else {
                    let fault = try mailModel { () throws(XMLError) in try child.only(MailXML.name("Fault")) }
                    results.append(
                        .fault(
                            code: try fault.requiredAttribute("code"),
                            isTransient: fault.attribute("transient") == "true", reason: fault.text))
                }
            }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for result in results {
                writer.start(MailXML.wrapper("Result"))
                switch result {
                case .receipt(let octets): try writer.embed(canonical: octets)
                case .fault(let code, let isTransient, let reason):
                    writer.start(MailXML.wrapper("Fault"))
                    writer.attribute("code", code)
                    if isTransient { writer.attribute("transient", "true") }
                    writer.text(reason)
                    writer.end()
                }
                writer.end()
            }
        }
    }
}

/// PeerStatus: before a queue entry expires, its server asks the destination what it knows of the message.
public enum PeerStatusOperation: OperationCodec {
    public static let operation = MailOperation.peerStatus

    public struct Request: Payload {
        public static let localName = "PeerStatus"
        public var messageID: MessageID
        public var digest: [UInt8]

        public init(messageID: MessageID, digest: [UInt8]) {
            self.messageID = messageID
            self.digest = digest
        }

        public init(parsing element: XMLElement) throws(MailModelError) {
            messageID = try element.requiredMessageID("MessageId")
            digest = try element.requiredDigest("MessageDigest")
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            writer.wrapped("MessageId", messageID.description)
            writer.wrapped("MessageDigest", Base64.encodeToString(digest))
        }
    }

    public struct Response: Payload {
        public static let localName = "PeerStatusResponse"
        /// The receipts given for the message to the asking domain; empty: it never arrived.
        public var receipts: [[UInt8]]

        public init(receipts: [[UInt8]]) { self.receipts = receipts }

        public init(parsing element: XMLElement) throws(MailModelError) {
            receipts = element.all(MailXML.name("Receipt")).map { $0.canonicalBytes() }
        }

        public func writeContent(into writer: inout XMLWriter) throws {
            for receipt in receipts { try writer.embed(canonical: receipt) }
        }
    }
}
