import Crypto
import Foundation
import Identity
import SOAP
import XMLCore
import XMLSecurity

/// A domain's signed statement of what became of one message for each recipient it answers for
/// (docs/protocol.md, "Receipt").
public struct Receipt: Sendable, Hashable {
    public var messageID: MessageID
    /// SHA-256 of the message's octets.
    public var digest: [UInt8]
    /// SHA-256 of the Postmark answered; nil in the receipt for a submission.
    public var postmarkDigest: [UInt8]?
    /// The domain that signs.
    public var domain: MailDomain
    /// The domain the receipt is for.
    public var audience: MailDomain
    public var recipients: [RecipientStatus]
    public var time: Date
    /// SHA-256 of the signing certificate.
    public var certificate: [UInt8]

    static let id = "r"

    public init(
        messageID: MessageID, digest: [UInt8], postmarkDigest: [UInt8]?, signer: DomainSigner, audience: MailDomain,
        recipients: [RecipientStatus], time: Date
    ) {
        self.messageID = messageID
        self.digest = digest
        self.postmarkDigest = postmarkDigest
        domain = signer.domain
        self.audience = audience
        self.recipients = recipients
        self.time = time
        certificate = signer.thumbprint
    }

    /// The signed document: self-contained, canonical, enveloped signature by the receiving domain.
    public func sealed(by signer: DomainSigner) throws -> [UInt8] {
        var writer = XMLWriter(reserving: 1024)
        writer.start(MailXML.document("Receipt"), selfContained: true)
        writer.attribute("Id", Receipt.id)
        writer.element(MailXML.document("MessageId"), messageID.description)
        writer.element(MailXML.document("MessageDigest"), Base64.encodeToString(digest))
        if let postmarkDigest { writer.element(MailXML.document("PostmarkDigest"), Base64.encodeToString(postmarkDigest)) }
        writer.element(MailXML.document("Domain"), domain.description)
        writer.element(MailXML.document("For"), audience.description)
        for status in recipients { status.write(into: &writer) }
        writer.element(MailXML.document("Time"), DateTime.format(time))
        writer.element(MailXML.document("Certificate"), Base64.encodeToString(certificate))
        writer.end()
        return try signer.sign(writer.bytes, id: Receipt.id)
    }
}

/// A Receipt with its octets and parsed document, not yet believed.
public struct SealedReceipt: Sendable {
    public let receipt: Receipt
    public let octets: [UInt8]
    let document: XMLDocument

    public init(octets: [UInt8]) throws(MailModelError) {
        document = try mailModel { () throws(XMLError) in try XMLDocument.parse(octets) }
        receipt = try Receipt(parsing: document.root)
        self.octets = octets
    }

    public init(element: XMLElement) throws(MailModelError) {
        try self.init(octets: element.canonicalBytes())
    }

    /// Believes the Receipt: signed by a certificate of the domain that it names, which is the domain of every
    /// recipient it calls delivered or read.
    public func verify(keys: some DomainKeyResolver) async throws {
        for status in receipt.recipients where status.state == .delivered || status.state == .read {
            guard status.address.domain == receipt.domain else {
                throw MailModelError(.wrongIssuer, "\(receipt.domain) may not speak for \(status.address)")
            }
        }
        try await verifyDomainDocument(
            document, of: receipt.domain, certificate: receipt.certificate, at: receipt.time, keys: keys)
    }
}

extension Receipt {
    private static let parts: Set<String> = [
        "MessageId", "MessageDigest", "PostmarkDigest", "Domain", "For", "Recipient", "Time", "Certificate",
    ]

    init(parsing element: XMLElement) throws(MailModelError) {
        guard element.isNamed(MailXML.name("Receipt")) else {
            throw MailModelError(.malformed, "expected Receipt, found \(element.localName)")
        }
        try element.allowOnly(Receipt.parts, foreign: [Names.signature])
        try element.allowOnlyElements(attributes: ["Id"])
        messageID = try element.requiredMessageID("MessageId")
        digest = try element.requiredDigest("MessageDigest")
        postmarkDigest =
            element.first(MailXML.name("PostmarkDigest")) == nil ? nil : try element.requiredDigest("PostmarkDigest")
        domain = try parseDomain(element.requiredText("Domain"))
        audience = try parseDomain(element.requiredText("For"))
        recipients = try RecipientStatus.parseAll(in: element)
        guard let time = DateTime.parse(try element.requiredText("Time")) else {
            throw MailModelError(.invalidValue, "Time does not parse")
        }
        self.time = time
        certificate = try element.requiredDigest("Certificate")
    }
}
