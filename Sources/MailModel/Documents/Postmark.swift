import Crypto
import Foundation
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// The sending domain's signed statement that it accepted a message from an authenticated author for named recipients
/// of one destination domain (docs/protocol.md, "Postmark"). Naming the destination and the recipients stops a signed
/// message from being delivered elsewhere.
public struct Postmark: Sendable, Hashable {
    /// How the author proved who they are.
    public enum AuthenticationMethod: String, Sendable {
        case password, x509, token
        /// The server itself is the author: a bounce or notice.
        case server
        /// A plug-in of the server wrote it on behalf of sender: an automatic answer, or a message passed on.
        case plugin
    }

    /// An attachment kept on the sending server.
    public struct Attachment: Sendable, Hashable {
        public var guid: String
        public var digest: [UInt8]
        public init(guid: String, digest: [UInt8]) {
            self.guid = guid
            self.digest = digest
        }
    }

    /// An attachment that a plug-in of the sending server took out.
    public struct Removed: Sendable, Hashable {
        /// The file's name in the message.
        public var name: String
        /// SHA-256 of the file, 32 bytes, as the message refers to it.
        public var digest: [UInt8]
        /// Who did it: the plug-in's identifier, `package/name`, 1 to 200 bytes.
        public var plugin: String

        public init(name: String, digest: [UInt8], plugin: String) {
            self.name = name
            self.digest = digest
            self.plugin = plugin
        }
    }

    public var messageID: MessageID
    /// SHA-256 of the message's octets.
    public var digest: [UInt8]
    /// The domain that signs.
    public var domain: MailDomain
    public var destination: MailDomain
    /// Envelope recipients, all of `destination`. A Bcc recipient stands alone in a Postmark of its own.
    public var recipients: [Address]
    public var sender: Address
    public var method: AuthenticationMethod
    public var time: Date
    /// Servers that have passed the message on; a limit on it ends loops.
    public var hops: Int
    public var attachments: [Attachment]
    /// Attachments that are in the message but were taken out on their way.
    public var removed: [Removed]
    /// SHA-256 of the signing certificate.
    public var certificate: [UInt8]

    static let id = "p"

    /// The author handed the message in at the domain it is for, with a token of their own domain: the domain that signs vouches
    /// to its own users, and to nobody else, that it saw that token.
    public var isDirect: Bool { method == .token && destination == domain && sender.domain != domain }

    public init(
        message: SealedMessage, signer: DomainSigner, destination: MailDomain, recipients: [Address], sender: Address,
        method: AuthenticationMethod, time: Date, hops: Int = 0
    ) {
        messageID = message.message.id
        digest = message.digest
        domain = signer.domain
        self.destination = destination
        self.recipients = recipients
        self.sender = sender
        self.method = method
        self.time = time
        self.hops = hops
        attachments = []
        removed = []
        certificate = signer.thumbprint
    }

    /// The signed document: self-contained, canonical, enveloped signature by the sending domain.
    public func sealed(by signer: DomainSigner) throws -> [UInt8] {
        var writer = XMLWriter(reserving: 1024)
        writer.start(MailXML.document("Postmark"), selfContained: true)
        writer.attribute("Id", Postmark.id)
        writer.element(MailXML.document("MessageId"), messageID.description)
        writer.element(MailXML.document("MessageDigest"), Base64.encodeToString(digest))
        writer.element(MailXML.document("Domain"), domain.description)
        writer.element(MailXML.document("Destination"), destination.description)
        for recipient in recipients { writer.element(MailXML.document("Recipient"), recipient.description) }
        writer.start(MailXML.document("Sender"))
        writer.attribute("method", method.rawValue)
        writer.text(sender.description)
        writer.end()
        writer.element(MailXML.document("Time"), DateTime.format(time))
        writer.element(MailXML.document("Hops"), String(hops))
        for attachment in attachments {
            writer.start(MailXML.document("Attachment"))
            writer.attribute("guid", attachment.guid)
            writer.attribute("sha256", Base64.encodeToString(attachment.digest))
            writer.end()
        }
        for item in removed {
            writer.start(MailXML.document("Removed"))
            writer.attribute("by", item.plugin)
            writer.attribute("sha256", Base64.encodeToString(item.digest))
            writer.text(item.name)
            writer.end()
        }
        writer.element(MailXML.document("Certificate"), Base64.encodeToString(certificate))
        writer.end()
        return try signer.sign(writer.bytes, id: Postmark.id)
    }
}

/// A Postmark with its octets and parsed document, not yet believed.
public struct SealedPostmark: Sendable {
    public let postmark: Postmark
    public let octets: [UInt8]
    /// SHA-256 of `octets`.
    public var digest: [UInt8] { Array(SHA256.hash(data: octets)) }
    let document: XMLDocument

    /// Reads a stored or received Postmark as a document of its own.
    public init(octets: [UInt8]) throws(MailModelError) {
        document = try mailModel { () throws(XMLError) in try XMLDocument.parse(octets) }
        postmark = try Postmark(parsing: document.root)
        self.octets = octets
    }

    /// Takes the Postmark out of a call: its canonical form becomes a document of its own.
    public init(element: XMLElement) throws(MailModelError) {
        try self.init(octets: element.canonicalBytes())
    }

    /// Believes the Postmark: signed by a certificate that speaks for its own domain at its own time, about exactly
    /// this message, whose author is of that domain.
    /// - Parameter date: when the certificate must be valid; nil: at the Postmark's own time. A server that takes mail says
    ///   now: a key revoked since must not bring new mail under an old date.
    /// - Parameter home: the reader's own domain, where its word about mail that was handed in directly (``Postmark/isDirect``)
    ///   counts. Nil: such a Postmark does not count: no domain may vouch for authors of another one to strangers.
    public func verify(
        for message: SealedMessage, keys: some DomainKeyResolver, at date: Date? = nil, home: MailDomain? = nil
    ) async throws {
        guard postmark.messageID == message.message.id, postmark.digest == message.digest else {
            throw MailModelError(.badSignature, "the Postmark is about another message")
        }
        guard postmark.sender == message.message.from.address,
            postmark.sender.domain == postmark.domain || (postmark.isDirect && postmark.domain == home)
        else {
            throw MailModelError(.wrongIssuer, "\(postmark.domain) may not vouch for \(message.message.from.address)")
        }
        guard postmark.recipients.allSatisfy({ $0.domain == postmark.destination }) else {
            throw MailModelError(.invalidValue, "a recipient is not of the destination \(postmark.destination)")
        }
        try await verifyDomainDocument(
            document, of: postmark.domain, certificate: postmark.certificate, at: date ?? postmark.time, keys: keys)
    }
}

extension Postmark {
    private static let parts: Set<String> = [
        "MessageId", "MessageDigest", "Domain", "Destination", "Recipient", "Sender", "Time", "Hops", "Attachment",
        "Removed", "Certificate",
    ]
    /// More recipients of one destination than any client may name.
    private static let maxRecipients = 1_000

    init(parsing element: XMLElement) throws(MailModelError) {
        guard element.isNamed(MailXML.name("Postmark")) else {
            throw MailModelError(.malformed, "expected Postmark, found \(element.localName)")
        }
        try element.allowOnly(Postmark.parts, foreign: [Names.signature])
        try element.allowOnlyElements(attributes: ["Id"])
        messageID = try element.requiredMessageID("MessageId")
        digest = try element.requiredDigest("MessageDigest")
        domain = try parseDomain(element.requiredText("Domain"))
        destination = try parseDomain(element.requiredText("Destination"))
        recipients = []
        for child in element.all(MailXML.name("Recipient")) {
            recipients.append(try parseAddress(mailModel { () throws(XMLError) in try child.simpleText() }))
        }
        guard (1...Postmark.maxRecipients).contains(recipients.count) else {
            throw MailModelError(.limitExceeded, "a Postmark names 1 to \(Postmark.maxRecipients) recipients")
        }
        guard Set(recipients).count == recipients.count else {
            throw MailModelError(.invalidValue, "a Postmark names a recipient twice")
        }
        let senderElement = try mailModel { () throws(XMLError) in try element.only(MailXML.name("Sender")) }
        sender = try element.requiredAddress("Sender")
        guard let method = AuthenticationMethod(rawValue: try senderElement.requiredAttribute("method")) else {
            throw MailModelError(.invalidValue, "unknown authentication method")
        }
        self.method = method
        guard let time = DateTime.parse(try element.requiredText("Time")),
            let hops = Int(try element.requiredText("Hops")), hops >= 0
        else { throw MailModelError(.invalidValue, "Time or Hops does not parse") }
        self.time = time
        self.hops = hops
        attachments = []
        for child in element.all(MailXML.name("Attachment")) {
            guard let digest = Base64.decode(try child.requiredAttribute("sha256")), digest.count == 32 else {
                throw MailModelError(.invalidValue, "an Attachment has no valid digest")
            }
            attachments.append(Attachment(guid: try child.requiredAttribute("guid"), digest: digest))
        }
        guard attachments.count <= MessageLimits.standard.maxAttachments else {
            throw MailModelError(.limitExceeded, "a Postmark names more attachments than a message has")
        }
        removed = []
        for child in element.all(MailXML.name("Removed")) { removed.append(try Removed(parsing: child)) }
        guard removed.count <= MessageLimits.standard.maxAttachments else {
            throw MailModelError(.limitExceeded, "a Postmark names more removed files than a message has")
        }
        certificate = try element.requiredDigest("Certificate")
    }
}

extension Postmark.Removed {
    init(parsing element: XMLElement) throws(MailModelError) {
        try element.allowOnly(attributes: ["by", "sha256"])
        name = try mailModel { () throws(XMLError) in try element.simpleText() }
        plugin = try element.requiredAttribute("by")
        guard (1...200).contains(plugin.utf8.count),
            let digest = Base64.decode(try element.requiredAttribute("sha256")), digest.count == 32
        else { throw MailModelError(.invalidValue, "a Removed has no valid plug-in or digest") }
        self.digest = digest
    }
}
