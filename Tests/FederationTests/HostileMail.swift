import Foundation
import Identity
import MailModel
import SOAP
import XMLCore

/// Good envelopes of an authenticated user with bad mail in them.
enum HostileMail {
    static let attacks: [Attack] = authors + messages + texts + mailboxes

    private static let date = DateTime.format(Date())
    private static let nobody = "urn:uuid:00000000-0000-4000-8000-00000000dead"

    /// A Message as text, good by default.
    private static func message(
        id: String = MessageID.random().description, from: String = "alice@capicom.test", to: String = "alice@capicom.test",
        subject: String = "Hello", date: String = HostileMail.date, body: String = "<Body><Text>Hi</Text></Body>", extra: String = "",
        attributes: String = ""
    ) -> String {
        "<Message xmlns=\"urn:wsemail:2\"\(attributes)><Id>\(id)</Id><From>\(from)</From><To>\(to)</To>"
            + "<Subject>\(subject)</Subject><Date>\(date)</Date>\(body)\(extra)</Message>"
    }

    private static func send(_ name: String, _ outcome: Attack.Outcome, _ message: String, more: String = "") -> Attack {
        Attack.session("mail: " + name, outcome) {
            try $0.call(.send, "<w:Send>\(message)\(more)</w:Send>").sealed()
        }
    }

    private static func send(_ name: String, _ subcode: FaultSubcode, _ message: String, more: String = "") -> Attack {
        send(name, .fault(subcode), message, more: more)
    }

    private static let authors: [Attack] = [
        send("From is somebody else here", .forbidden, message(from: "carol@capicom.test")),
        send("From is somebody elsewhere", .forbidden, message(from: "bob@scopio.test")),
        send("From is the postmaster", .forbidden, message(from: "postmaster@capicom.test")),
        send("From is carol through a comment", .forbidden, message(from: "carol<!-- alice -->@capicom.test")),
        send("From is carol through a CDATA section", .forbidden, message(from: "<![CDATA[carol]]>@capicom.test")),
        send("From is carol through references", .forbidden, message(from: "&#99;&#x61;rol@capicom.test")),
        send("From goes on behind a comment", .forbidden, message(from: "alice@capicom.test<!-- -->.evil.test")),
        send("From in a list", .invalidMessage, message(from: "alice@capicom.test, carol@capicom.test")),
        send("From with an element inside", .invalidMessage, message(from: "alice@capicom.test<x/>")),
        send("From with a look-alike letter", .forbidden, message(from: "\u{0430}lice@capicom.test")),
        send("From with NUL-like space", .invalidMessage, message(from: "alice\u{200B}@capicom.test")),
        send("two From", .invalidMessage, message(extra: "<From>carol@capicom.test</From>")),
        send("no From", .invalidMessage, (try? message().removing("From")) ?? ""),
    ]

    private static let messages: [Attack] = [
        send("a Bcc inside the message", .invalidMessage, message(extra: "<Bcc>carol@capicom.test</Bcc>")),
        send("an unknown child", .invalidMessage, message(extra: "<Priority>high</Priority>")),
        send("a child of a foreign namespace", .invalidMessage, message(extra: "<x:y xmlns:x=\"urn:x\"/>")),
        send("text beside the children", .invalidMessage, message(extra: "hidden text")),
        send("an unknown attribute", .invalidMessage, message(attributes: " hidden=\"text\"")),
        send("an unknown child of the body", .invalidMessage, message(body: "<Body><Text/><Script/></Body>")),
        send("two bodies", .invalidMessage, message(extra: "<Body><Text/></Body>")),
        send("no text", .invalidMessage, message(body: "<Body/>")),
        send("an id that is no urn:uuid", .invalidMessage, message(id: "hello")),
        send("an id of another scheme", .invalidMessage, message(id: "urn:md5:00000000-0000-4000-8000-000000000000")),
        send("two ids", .invalidMessage, message(extra: "<Id>\(nobody)</Id>")),
        send("no recipient", .invalidMessage, (try? message().removing("To")) ?? ""),
        send("too many recipients", .tooMany, message(extra: (0..<100).map { "<Cc>u\($0)@capicom.test</Cc>" }.joined())),
        send("too many blind copies", .tooMany, message(), more: (0..<100).map { "<w:Bcc>u\($0)@capicom.test</w:Bcc>" }.joined()),
        send("a recipient nobody knows", .unknownRecipient, message(to: "nobody@capicom.test")),
        send("a recipient that is no address", .invalidMessage, message(to: "alice")),
        send("a recipient of two", .invalidMessage, message(to: "alice@capicom.test@scopio.test")),
        send("a recipient of an address literal", .invalidMessage, message(to: "root@[127.0.0.1]")),
        send("a recipient too long", .invalidMessage, message(to: String(repeating: "x", count: 65) + "@capicom.test")),
        send("a constraint nobody can keep", .unsupportedConstraint, message(extra: "<Constraint>encrypted</Constraint>")),
        send("a constraint nobody knows", .invalidMessage, message(extra: "<Constraint>shred</Constraint>")),
        send(
            "an attachment reference", .invalidMessage,
            message(
                extra:
                    "<Attachment name=\"a\" type=\"a/b\" size=\"1\" sha256=\"\(Base64.encodeToString([UInt8](repeating: 0, count: 32)))\"/>"
            )),
        send("a negative attachment", .invalidMessage, message(extra: "<Attachment name=\"a\" type=\"a/b\" size=\"-1\" sha256=\"\"/>")),
        send(
            "a bounce from a user", .invalidMessage,
            message(
                extra: "<Bounce><MessageId>\(nobody)</MessageId><MessageDigest>\(Base64.encodeToString([UInt8](repeating: 0, count: 32)))"
                    + "</MessageDigest><Recipient status=\"refused\">bob@scopio.test</Recipient></Bounce>")),
        send("an empty form", .invalidMessage, message(extra: "<Form type=\"t\" version=\"1\"/>")),
        send("two messages in one call", .invalidMessage, message() + message()),
        send("no message", .invalidMessage, ""),
        send("something else beside the message", .invalidMessage, message(), more: "<w:Postmark/>"),
        send("a message of the future", .expiredMessage, message(date: DateTime.format(Date().addingTimeInterval(3_600)))),
        send("a message of last year", .expiredMessage, message(date: DateTime.format(Date().addingTimeInterval(-31_536_000)))),
        send("a date without zone", .invalidMessage, message(date: "2026-01-01T00:00:00")),
        send("a date before the first", .invalidMessage, message(date: "0001-01-01T00:00:00+14:00")),
        send("a message too large", .tooLarge, message(body: "<Body><Text>\(String(repeating: "x", count: 600_000))</Text></Body>")),
        Attack.session("mail: an id used for another message", .idConflict) { arena in
            let id = MessageID.random()
            var first = arena.alice.message(to: [try Address("dave@capicom.test")], subject: "One")
            first.id = id
            try await arena.alice.send(first)
            return try arena.call(.send, "<w:Send>\(message(id: id.description, subject: "Two"))</w:Send>").sealed()
        },
    ]

    private static let texts: [Attack] = [
        send("a subject too long", .tooMany, message(subject: String(repeating: "x", count: 999))),
        send("a subject too long for its one letter", .tooMany, message(subject: "x" + String(repeating: "\u{301}", count: 100_000))),
        send("a subject of two lines", .invalidMessage, message(subject: "a\nBcc: carol@capicom.test")),
        send("a subject with CR and LF as references", .invalidMessage, message(subject: "a&#13;&#10;b")),
        send("a subject with a line separator", .invalidMessage, message(subject: "a\u{2028}b")),
        send("a subject with a next-line control", .invalidMessage, message(subject: "a\u{85}b")),
        send(
            "a name too long", .tooMany,
            message().replacingOccurrences(
                of: "<From>", with: "<From name=\"\(String(repeating: "n", count: 257))\">")),
        send(
            "a name too long for its one letter", .tooMany,
            message().replacingOccurrences(
                of: "<From>", with: "<From name=\"n\(String(repeating: "\u{301}", count: 20_000))\">")),
    ]

    private static func call(_ name: String, _ operation: MailOperation, _ subcode: FaultSubcode, _ payload: String) -> Attack {
        Attack.session("mailbox: " + name, subcode) { try $0.call(operation, payload).sealed() }
    }

    private static func ids(_ count: Int) -> String {
        (0..<count).map { _ in "<w:Id>\(MessageID.random())</w:Id>" }.joined()
    }

    private static let mailboxes: [Attack] = [
        call("a cursor that is no number", .list, .invalidMessage, "<w:List><w:After>x</w:After></w:List>"),
        call("a negative cursor", .list, .invalidMessage, "<w:List><w:After>-1</w:After></w:List>"),
        call("a cursor beyond 63 bits", .list, .invalidMessage, "<w:List><w:Before>9223372036854775808</w:Before></w:List>"),
        call("two cursors", .list, .invalidMessage, "<w:List><w:After>1</w:After><w:Before>2</w:Before></w:List>"),
        call("a limit of 501", .list, .tooMany, "<w:List><w:Limit>501</w:Limit></w:List>"),
        call("a limit of 0", .list, .tooMany, "<w:List><w:Limit>0</w:Limit></w:List>"),
        call("a wait of an hour", .list, .tooMany, "<w:List><w:Wait>3600</w:Wait></w:List>"),
        call("an unknown folder", .list, .unknownFolder, "<w:List><w:Folder>../Sent</w:Folder></w:List>"),
        call("SQL for a folder", .list, .unknownFolder, "<w:List><w:Folder>' OR 1=1 --</w:Folder></w:List>"),
        call("an unknown part of List", .list, .invalidMessage, "<w:List><w:Owner>carol@capicom.test</w:Owner></w:List>"),
        call("retrieval of what is not there", .retrieve, .unknownMessage, "<w:Retrieve><w:Id>\(nobody)</w:Id></w:Retrieve>"),
        call("retrieval of two", .retrieve, .invalidMessage, "<w:Retrieve>\(ids(2))</w:Retrieve>"),
        call("the status of another's message", .status, .unknownMessage, "<w:Status><w:Id>\(nobody)</w:Id></w:Status>"),
        call("501 deletions", .delete, .tooMany, "<w:Delete>\(ids(501))</w:Delete>"),
        call("no deletion", .delete, .tooMany, "<w:Delete/>"),
        call("deletion of no id", .delete, .invalidMessage, "<w:Delete><w:Id>*</w:Id></w:Delete>"),
        call("a flag of the server's", .mark, .invalidMessage, "<w:Mark>\(ids(1))<w:Add>bounce</w:Add></w:Mark>"),
        call("a move to nowhere", .move, .unknownFolder, "<w:Move>\(ids(1))<w:Folder>Nowhere</w:Folder></w:Move>"),
        call("huge base64", .enroll, .invalidMessage, "<w:Enroll><w:CSR>\(String(repeating: "A", count: 400_000))</w:CSR></w:Enroll>"),
        call("a request for a certificate that is none", .enroll, .invalidMessage, "<w:Enroll><w:CSR>AAAA</w:CSR></w:Enroll>"),
        Attack.session("mailbox: retrieval of another user's message", .unknownMessage) { arena in
            let message = arena.alice.message(to: [try Address("dave@capicom.test")], subject: "For dave")
            try await arena.alice.send(message)
            return try arena.call(
                .retrieve, "<w:Retrieve><w:Id>\(message.id)</w:Id></w:Retrieve>", by: arena.others
            ).sealed()
        }.signed(by: { $0.others }),
    ]
}

extension Attack {
    /// The fault may come under another session's key.
    func signed(by pen: @escaping @Sendable (HostileArena) -> SessionPen) -> Attack {
        let make = make
        return Attack(name, outcome) { arena in
            var shot = try await make(arena)
            shot.session = pen(arena)
            return shot
        }
    }
}
