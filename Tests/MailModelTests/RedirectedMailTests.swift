import Identity
import TestSupport
import Testing
import XMLCore

@testable import MailModel

/// alice@capicom.test writes to bob@scopio.test, whose server passes it on.
@Suite struct RedirectedMailTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func original() throws -> RedirectedMail {
        let message = try fixture.message()
        return RedirectedMail(message: message, postmark: try fixture.postmark(message))
    }

    /// Bob's address passes it on.
    private func passedOn(_ mail: RedirectedMail) throws -> RedirectedMail {
        let form = try mail.form()
        let message = try fixture.message { message in
            message.from = Mailbox(fixture.bob)
            message.forms = [form]
        }
        let postmark = try fixture.postmark(message, by: Fixture.signer(fixture.scopio), sender: fixture.bob) { $0.method = .plugin }
        return RedirectedMail(message: message, postmark: postmark)
    }

    @Test func bothDocumentsKeepTheirOctets() async throws {
        let mail = try original()
        let outer = try passedOn(mail)
        // As it arrives: out of the octets of the message around it.
        let read = try #require(try RedirectedMail.find(in: SealedMessage(octets: outer.message.octets).message))
        #expect(read.message.octets == mail.message.octets && read.postmark.octets == mail.postmark.octets)
        try await read.postmark.verify(for: read.message, keys: fixture.keys)
        #expect(try RedirectedMail(form: mail.form()).message.digest == mail.message.digest)
    }

    @Test func theFormIsCanonicalAndHasOneTypeAndVersion() throws {
        let form = try original().form()
        #expect(form.type == "urn:wsemail:2:redirected" && form.version == "1" && form.locator == nil)
        #expect(try XMLDocument.parse(form.content).root.canonicalBytes() == form.content)
    }

    @Test func mostMessagesPassNothingOn() throws {
        let message = try fixture.message { message in
            message.forms = [Form(type: "urn:form", version: "1", content: Array("<f xmlns=\"urn:f\"></f>".utf8))]
        }
        #expect(try RedirectedMail.find(in: message.message) == nil)
        #expect(try RedirectedMail.chain(in: message.message).isEmpty)
    }

    @Test func aChainIsReadFromTheOutside() throws {
        let mail = try original()
        let twice = try passedOn(passedOn(mail))
        let chain = try RedirectedMail.chain(in: twice.message.message)
        #expect(chain.map(\.message.message.from.address) == [fixture.bob, fixture.alice])
        #expect(chain.last?.message.digest == mail.message.digest)
    }

    @Test func passingOnHasALimit() throws {
        var mail = try original()
        for _ in 1...RedirectedMail.maxDepth { mail = try passedOn(mail) }
        #expect(try RedirectedMail.chain(in: mail.message.message).count == RedirectedMail.maxDepth)
        let last = mail
        let error = #expect(throws: MailModelError.self) { try last.form() }
        #expect(error?.code == .limitExceeded)
        // Whoever writes deeper than that is not read.
        let deeper = try fixture.message { message in
            message.forms = [Self.form(last.message.octets, last.postmark.octets)]
        }
        #expect(throws: MailModelError.self) { try RedirectedMail.chain(in: deeper.message) }
        #expect(throws: MailModelError.self) { try RedirectedMail.find(in: deeper.message) }
        #expect(throws: MailModelError.self) { try RedirectedMail(form: deeper.message.forms[0]) }
    }

    private static func form(_ message: [UInt8], _ postmark: [UInt8], _ change: (String) -> String = { $0 }) -> Form {
        let text =
            "<Redirected xmlns=\"urn:wsemail:2\"><MessageOctets>\(Base64.encodeToString(message))</MessageOctets>"
            + "<PostmarkOctets>\(Base64.encodeToString(postmark))</PostmarkOctets></Redirected>"
        return Form(type: RedirectedMail.formType, version: RedirectedMail.formVersion, content: Array(change(text).utf8))
    }

    @Test(arguments: [
        ("<MessageOctets>", "<MessageOctets x=\"1\"><b></b>"), ("<PostmarkOctets>", "hidden<PostmarkOctets>"),
        ("</Redirected>", "<Note></Note></Redirected>"), ("<PostmarkOctets>", "<PostmarkOctets></PostmarkOctets><PostmarkOctets>"),
        ("<Redirected ", "<Redirected why=\"x\" "), ("urn:wsemail:2", "urn:wsemail:3"), ("Redirected", "Forwarded"),
        ("<MessageOctets>", "<MessageOctets>!"), ("<MessageOctets>", "<MessageOctets>IA=="),
    ])
    func theFormIsStrict(old: String, new: String) throws {
        let mail = try original()
        let good = Self.form(mail.message.octets, mail.postmark.octets)
        #expect(try RedirectedMail(form: good).message.digest == mail.message.digest)
        #expect(throws: MailModelError.self) {
            try RedirectedMail(form: Self.form(mail.message.octets, mail.postmark.octets) { $0.replacing(old, with: new) })
        }
    }

    @Test func otherTypesAndVersionsAreRefused() throws {
        let content = try original().form().content
        for (type, version) in [(RedirectedMail.formType, "2"), ("urn:wsemail:2:other", "1")] {
            #expect(throws: MailModelError.self) { try RedirectedMail(form: Form(type: type, version: version, content: content)) }
        }
    }

    @Test func aPostmarkOfAnotherMessageIsRefused() throws {
        let (one, other) = (try original(), try original())
        #expect(throws: MailModelError.self) {
            try RedirectedMail(form: Self.form(one.message.octets, other.postmark.octets))
        }
    }

    @Test func twoMessagesInOneLeaveOpenWhichIsMeant() throws {
        let forms = [try original().form(), try original().form()]
        let message = try fixture.message { $0.forms = forms }
        #expect(throws: MailModelError.self) { try RedirectedMail.find(in: message.message) }
    }

    /// A stranger's nonsense must not keep their message from being passed on.
    @Test func whatOnlyLooksLikeARedirectedMessageIsContent() throws {
        let nonsense = Form(
            type: RedirectedMail.formType, version: "1", content: Array("<Redirected xmlns=\"urn:wsemail:2\"></Redirected>".utf8))
        let message = try fixture.message { $0.forms = [nonsense] }
        #expect(throws: MailModelError.self) { try RedirectedMail.find(in: message.message) }
        let mail = RedirectedMail(message: message, postmark: try fixture.postmark(message))
        let chain = try RedirectedMail.chain(in: passedOn(mail).message.message)
        #expect(chain.map(\.message.digest) == [message.digest])
    }
}
