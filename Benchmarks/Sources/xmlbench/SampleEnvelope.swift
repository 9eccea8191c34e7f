import XMLCore
import XMLSecurity

/// The envelope that is measured: about 4 KB, signed by P-256 over Body, Timestamp and MessageID.
enum SampleEnvelope {
    static let soap = "http://www.w3.org/2003/05/soap-envelope"
    static let wsa = "http://www.w3.org/2005/08/addressing"
    static let wsemail = "urn:wsemail:2"

    private static let envelope = XMLTag("s", soap, "Envelope")
    private static let header = XMLTag("s", soap, "Header")
    private static let body = XMLTag("s", soap, "Body")
    private static let action = XMLTag("wsa", wsa, "Action")
    private static let to = XMLTag("wsa", wsa, "To")
    private static let messageID = XMLTag("wsa", wsa, "MessageID")
    private static let security = XMLTag("wsse", SecurityNamespace.wsse, "Security")
    private static let timestamp = XMLTag("wsu", SecurityNamespace.wsu, "Timestamp")
    private static let created = XMLTag("wsu", SecurityNamespace.wsu, "Created")
    private static let expires = XMLTag("wsu", SecurityNamespace.wsu, "Expires")
    private static let id = XMLTag("wsu", SecurityNamespace.wsu, "Id")
    private static let send = XMLTag("w", wsemail, "Send")
    private static let recipient = XMLTag("w", wsemail, "Recipient")
    private static let message = XMLTag("", wsemail, "Message")
    private static let from = XMLTag("", wsemail, "From")
    private static let subject = XMLTag("", wsemail, "Subject")
    private static let text = XMLTag("", wsemail, "Text")

    /// 1 KB of mail.
    private static let mail = String(
        repeating: "The quick brown fox jumps over the lazy dog & the <dog> does not mind at all.\n", count: 13)

    static func signed(by signer: SignatureSigner) throws(SignatureError) -> [UInt8] {
        var writer = XMLWriter(reserving: 6000)
        writer.start(envelope)
        writer.start(header)
        writer.element(action, "urn:wsemail:2:Send")
        writer.element(to, "https://mail.capicom.test/wsemail")
        writer.start(messageID, selfContained: true)
        writer.attribute(id, "id-4b1f2f6a-messageid")
        writer.text("urn:uuid:4b1f2f6a-97b0-4c6f-8a52-6f1c31a3a9b7")
        let messageRange = writer.end()
        writer.start(security)
        writer.start(timestamp, selfContained: true)
        writer.attribute(id, "id-4b1f2f6a-timestamp")
        writer.element(created, "2025-11-23T19:12:00Z")
        writer.element(expires, "2025-11-23T19:17:00Z")
        let timestampRange = writer.end()
        let securityEnd = writer.bytes.count
        writer.end()
        writer.end()
        let bodyRange = writeBody(into: &writer)
        writer.end()
        let signature = try signer.sign(
            parts: [
                ("id-4b1f2f6a-body", bodyRange), ("id-4b1f2f6a-timestamp", timestampRange),
                ("id-4b1f2f6a-messageid", messageRange),
            ], of: writer.bytes)
        writer.insert(signature, at: securityEnd)
        return writer.bytes
    }

    private static func writeBody(into writer: inout XMLWriter) -> Range<Int> {
        writer.start(body, selfContained: true)
        writer.attribute(id, "id-4b1f2f6a-body")
        writer.start(send)
        writer.element(recipient, "bob@scopio.test")
        writer.start(message)
        writer.attribute("id", "urn:uuid:5d8c5c2c-2f4e-4a91-9d4b-4ad0dbe0b5ad")
        writer.element(from, "alice@capicom.test")
        writer.element(subject, "Lunch on Friday?")
        writer.element(text, mail)
        writer.end()
        writer.end()
        return writer.end()
    }

    /// Parses and verifies, as a server does.
    static func verify(_ envelope: [UInt8], _ verifier: SignatureVerifier, _ key: VerificationKey) throws -> Int {
        let root = try XMLDocument.parse(envelope).root
        let header = try root.only(XMLName(soap, "Header"))
        let signature = try header.only(security.name).only(XMLName(SecurityNamespace.ds, "Signature"))
        let verified = try verifier.verify(signature, in: root) { _ throws(SignatureError) in key }
        return verified.elements.count
    }
}
