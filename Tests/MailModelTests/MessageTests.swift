import Foundation
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import MailModel

@Suite struct MessageTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test func everyPartSurvivesTheWire() throws {
        let sealed = try fixture.message { message in
            message.cc = [Mailbox(fixture.alice)]
            message.inReplyTo = .random()
            message.replaces = .random()
            message.constraints = [.instant, .encrypted]
            message.html = "<p>&amp;</p>"
            message.attachments = [
                AttachmentReference(
                    name: "a \"b\".pdf", mediaType: "application/pdf", size: 12, digest: [UInt8](repeating: 3, count: 32),
                    description: "one")
            ]
            message.forms = [Form(type: "urn:form", version: "1", content: Array("<f xmlns=\"urn:f\"><g>1</g></f>".utf8))]
            message.bounce = BounceNotice(
                messageID: .random(), digest: [UInt8](repeating: 4, count: 32),
                recipients: [RecipientStatus(fixture.bob, .refused, code: "UnknownRecipient", reason: "no such <mailbox>")])
        }
        let read = try SealedMessage(octets: sealed.octets)
        #expect(read.message == sealed.message)
        #expect(read.digest == sealed.digest)
    }

    @Test func theOctetsAreCanonicalAndStandAlone() throws {
        let sealed = try fixture.message()
        let document = try XMLDocument.parse(sealed.octets)
        #expect(document.root.canonicalBytes() == sealed.octets)
    }

    @Test func embeddingKeepsTheOctetsAndTheDigest() throws {
        let sealed = try fixture.message()
        var writer = XMLWriter()
        try SendOperation.Request(message: sealed, bcc: [fixture.bob]).write(into: &writer)
        let root = try XMLDocument.parse(writer.bytes).root
        let read = try SendOperation.Request.parse(root)
        #expect(read.message.octets == sealed.octets)
        #expect(read.message.digest == sealed.digest)
        #expect(read.bcc == [fixture.bob])
    }

    @Test func octetsThatAreNotCanonicalAreRefused() throws {
        let text = String(decoding: try fixture.message().octets, as: UTF8.self)
        for spoilt in [" " + text, text.replacingOccurrences(of: "<Id>", with: "<Id >"), text + "\n", "<?xml version=\"1.0\"?>" + text] {
            #expect(throws: MailModelError.self) { try SealedMessage(octets: Array(spoilt.utf8)) }
        }
    }

    @Test(arguments: [
        ("an unknown child", messageText(extra: "<Priority/>")), ("a Bcc", messageText(extra: "<Bcc>a@b.test</Bcc>")),
        ("a foreign child", messageText(extra: "<x xmlns=\"urn:x\"/>")), ("text beside children", messageText(extra: "hidden")),
        ("an attribute", messageText().replacingOccurrences(of: "<Message ", with: "<Message hidden=\"x\" ")),
        ("two ids", messageText(extra: "<Id>urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c9</Id>")),
        ("two From", messageText(extra: "<From>a@b.test</From>")), ("two bodies", messageText(extra: "<Body><Text/></Body>")),
        ("no text", messageText(body: "<Body/>")), ("two texts", messageText(body: "<Body><Text/><Text/></Body>")),
        ("an element in the text", messageText(body: "<Body><Text><b/></Text></Body>")),
        ("two forms in one", messageText(extra: "<Form type=\"a\" version=\"1\"><a/><b/></Form>")),
        ("an empty form", messageText(extra: "<Form type=\"a\" version=\"1\"/>")),
        ("a form without version", messageText(extra: "<Form type=\"a\"><a/></Form>")),
    ])
    func whatTheSchemaDoesNotNameIsRefused(name: String, text: String) {
        #expect(throws: MailModelError.self, "\(name)") { try parse(text) }
    }

    @Test(arguments: [
        messageText(id: "hello"), messageText(id: "urn:uuid:6ba7b810"), messageText(id: ""), messageText(from: ""),
        messageText(from: "alice"), messageText(from: "a@b@c.test"), messageText(to: "<To>bob@[127.0.0.1]</To>"),
        messageText(date: "yesterday"), messageText(date: "2027-01-15T08:00:00"), messageText(date: "0001-01-01T00:00:00+14:00"),
        messageText(extra: "<Constraint>shred</Constraint>"), messageText(extra: "<InReplyTo>x</InReplyTo>"),
        messageText(subject: "a\nb"), messageText(subject: "a&#13;b"), messageText(subject: "a\u{2029}b"),
    ])
    func badValuesAreRefused(text: String) {
        #expect(throws: MailModelError.self) { try parse(text) }
    }

    @Test func limitsHoldJustInsideAndOutside() throws {
        #expect(try parse(messageText(subject: String(repeating: "x", count: 998))).subject.count == 998)
        #expect(throws: MailModelError.self) { try parse(messageText(subject: String(repeating: "x", count: 999))) }
        let many = { (count: Int) in (0..<count).map { "<To>u\($0)@scopio.test</To>" }.joined() }
        #expect(try parse(messageText(to: many(MessageLimits.standard.maxRecipients))).to.count == MessageLimits.standard.maxRecipients)
        #expect(throws: MailModelError.self) { try parse(messageText(to: many(MessageLimits.standard.maxRecipients + 1))) }
        let named = { (count: Int) in
            messageText().replacingOccurrences(of: "<From>", with: "<From name=\"\(String(repeating: "n", count: count))\">")
        }
        #expect(try parse(named(256)).from.name?.count == 256)
        #expect(throws: MailModelError.self) { try parse(named(257)) }
    }

    /// A letter with any number of marks is one `Character`.
    @Test func combiningMarksCountTowardsTheLimits() {
        let marks = String(repeating: "\u{301}", count: 10_000)
        #expect(throws: MailModelError.self) { try parse(messageText(subject: "x" + marks)) }
        let named = messageText().replacingOccurrences(of: "<From>", with: "<From name=\"n\(marks)\">")
        #expect(throws: MailModelError.self) { try parse(named) }
    }

    /// What is judged is the text that the canonical form, and so every signature, has.
    @Test(arguments: [
        "alice<!-- x -->@capicom.test", "<![CDATA[alice]]>@capicom.test", "&#97;lice@capicom.test", "ALICE@Capicom.TEST",
    ])
    func spellingsOfOneAddressAreOne(from: String) throws {
        let element = try XMLDocument.parse(Array(messageText(from: from).utf8)).root
        let sealed = try SealedMessage(element: element)
        #expect(sealed.message.from.address.description == "alice@capicom.test")
        #expect(try SealedMessage(octets: sealed.octets).message == sealed.message)
    }

    @Test func aCommentDoesNotEndAnAddress() throws {
        let message = try parse(messageText(from: "alice@capicom.test<!-- -->.evil.test"))
        #expect(message.from.address.domain.ascii == "capicom.test.evil.test")
    }

    @Test func theAuthorsSignatureCoversTheWholeMessage() throws {
        let key = SigningKey.generateP256()
        let hint = KeyHint.thumbprintSHA256([UInt8](repeating: 1, count: 32))
        let sealed = try SealedMessage(fixture.message().message, author: SignatureSigner(key: key, keyInfo: hint))
        let verified = try sealed.verifyAuthor { (_) throws(SignatureError) in key.publicKey }
        #expect(verified?.elements.count == 1)
        let text = String(decoding: sealed.octets, as: UTF8.self)
        for (old, new) in [
            ("Line one", "Line 0ne"), ("bob@scopio", "eve@scopio"),
            ("<Subject>", "<Replaces>urn:uuid:6ba7b810-9dad-41d1-80b4-00c04fd430c8</Replaces><Subject>"),
        ] {
            let changed = try SealedMessage(octets: Array(text.replacingOccurrences(of: old, with: new).utf8))
            #expect(throws: SignatureError.self) { try changed.verifyAuthor { (_) throws(SignatureError) in key.publicKey } }
        }
        #expect(throws: SignatureError.self) {
            try sealed.verifyAuthor { (_) throws(SignatureError) in SigningKey.generateP256().publicKey }
        }
    }

    @Test func aMessageWithoutAuthorsSignatureSaysSo() throws {
        #expect(try fixture.message().verifyAuthor { (_) throws(SignatureError) in SigningKey.generateP256().publicKey } == nil)
    }
}
