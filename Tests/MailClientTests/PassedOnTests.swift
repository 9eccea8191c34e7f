import Console
import Foundation
import Identity
import MailModel
import SOAP
import Testing
import XMLSecurity

@testable import MailClient
@testable import wsemail

/// alice@capicom.test writes to bob@scopio.test, whose server passes it on to dave@tercio.test, who reads it.
@Suite struct PassedOnTests {
    private let capicom: TestDomain
    private let scopio: TestDomain
    private let tercio: TestDomain
    private let place: TemporaryFolder
    private let bob: Address
    private let dave: Address

    init() throws {
        capicom = try TestDomain("capicom.test")
        scopio = try TestDomain("scopio.test")
        tercio = try TestDomain("tercio.test")
        place = try TemporaryFolder()
        bob = try Address("bob@scopio.test")
        dave = try Address("dave@tercio.test")
    }

    /// What Bob's server makes of a message for him.
    private func passOn(_ forms: [Form], to reader: Address) throws -> (message: SealedMessage, postmark: [UInt8]) {
        var outer = Message(
            id: .random(), from: Mailbox(bob), to: [Mailbox(reader)], subject: "Passed on", date: now, text: "Bob's server.")
        outer.forms = forms
        let message = try SealedMessage(outer)
        let postmark = try scopio.postmark(message, to: [reader]) { postmark in
            postmark.method = .plugin
            postmark.hops = 1
        }
        return (message, postmark)
    }

    private func form(_ message: SealedMessage, _ postmark: [UInt8]) throws -> Form {
        try RedirectedMail(message: message, postmark: SealedPostmark(octets: postmark)).form()
    }

    private func client(
        _ mail: (message: SealedMessage, postmark: [UInt8]), knowing domains: [TestDomain]? = nil
    ) throws -> MailClient {
        let known = domains ?? [capicom, scopio, tercio]
        let server = FakeServer { _, request in
            if let asked = request as? MetadataOperation.Request {
                guard let found = known.first(where: { $0.domain == asked.domain }) else {
                    throw SOAPFault(.unknownMessage, "no contact")
                }
                return MetadataOperation.Response(metadata: try found.metadata(), anchors: [found.root.der])
            }
            return RetrieveOperation.Response(
                message: mail.message.octets, postmark: mail.postmark, receipt: nil, folder: "Inbox", flags: [])
        }
        return try place.client("dave@tercio.test", tercio, server: server)
    }

    private func read(
        _ mail: (message: SealedMessage, postmark: [UInt8]), knowing domains: [TestDomain]? = nil
    ) async throws -> ReceivedMessage {
        try await client(mail, knowing: domains).retrieve(MessageLocation(mail.message.message.id))
    }

    private func text(_ letter: ReceivedMessage) -> String {
        LetterView(letter: letter, style: TerminalStyle(isEnabled: false)).text
    }

    @Test func theOriginalIsShownWithItsOwnVerdict() async throws {
        let original = try letter()
        let mail = try passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave)
        let read = try await read(mail)
        #expect(read.isBelieved && read.passedOnProblem == nil)
        #expect(read.verdict == .verified(domain: scopio.domain, method: .plugin, time: now))
        #expect(read.original.message.digest == original.digest)
        #expect(read.original.verdict == .verified(domain: capicom.domain, method: .x509, time: now))
        let lines = text(read).split(separator: "\n").map(String.init)
        #expect(lines.contains { $0.hasPrefix("Via:     bob@scopio.test passed it on") && $0.hasSuffix("signed by scopio.test, verified") })
        #expect(lines.contains("From:    alice@capicom.test") && lines.contains("Signed:  signed by capicom.test, verified"))
        #expect(lines.contains("Subject: Lunch?") && lines.last == "At one." && !lines.contains { $0.hasPrefix("WARNING") })
    }

    @Test func aMessagePassedOnTwiceNamesBoth() async throws {
        let original = try letter()
        let first = try passOn([form(original, capicom.postmark(original, to: [bob]))], to: bob)
        let read = try await read(passOn([form(first.message, first.postmark)], to: dave))
        #expect(read.isBelieved && read.passedOn.count == 2)
        #expect(text(read).split(separator: "\n").count { $0.hasPrefix("Via:") } == 2)
    }

    /// Who passes on a message must be one whom its Postmark names: else anybody could show it to anybody.
    @Test func aMessageForSomebodyElseIsNotBelieved() async throws {
        let original = try letter()
        let carol = try Address("carol@scopio.test")
        let read = try await read(passOn([form(original, capicom.postmark(original, to: [carol]))], to: dave))
        #expect(read.verdict.isBelieved && !read.isBelieved)
        #expect(read.doubtfulEnclosures.map(\.verdict) == [.notVerified(reason: "its Postmark is for somebody else")])
        #expect(text(read).hasPrefix("WARNING: "))
    }

    @Test func whoPassesOnCannotAlterIt() async throws {
        let original = try letter()
        let altered = try SealedMessage(
            octets: Array(String(decoding: original.octets, as: UTF8.self).replacing("At one.", with: "At two.").utf8))
        // Its server signs what it likes, in its own name or with its own key in ours.
        let signer = DomainSigner(domain: capicom.domain, key: scopio.key, certificate: scopio.certificate)
        for postmark in [try scopio.postmark(altered, to: [bob]), try capicom.postmark(altered, to: [bob], signer: signer)] {
            let read = try await read(passOn([form(altered, postmark)], to: dave))
            #expect(read.verdict.isBelieved && !read.isBelieved && read.original.message.digest == read.message.digest)
        }
    }

    @Test func whatCannotBeReadIsNoted() async throws {
        let nonsense = Form(
            type: RedirectedMail.formType, version: "1", content: Array("<Redirected xmlns=\"urn:wsemail:2\"></Redirected>".utf8))
        let read = try await read(passOn([nonsense], to: dave))
        #expect(read.passedOn.isEmpty && read.passedOnProblem != nil)
        #expect(read.original.message.message.from.address == bob && read.isBelieved)
        #expect(text(read).contains("Note:    it claims to pass on a message that cannot be read"))
    }

    @Test func anUnknownAuthorsDomainIsSaid() async throws {
        let original = try letter()
        let mail = try passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave)
        let read = try await read(mail, knowing: [scopio, tercio])
        #expect(read.verdict.isBelieved && !read.isBelieved)
        #expect(read.doubtfulEnclosures.map(\.verdict) == [.notVerified(reason: "your server knows nothing of capicom.test")])
    }

    @Test func aReplyGoesToTheOriginalAuthor() async throws {
        let original = try letter()
        let read = try await read(passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave))
        let reply = Draft.reply(to: read, by: dave, text: "Yes.")
        #expect(reply.to.map(\.address.description) == ["alice@capicom.test"])
        #expect(reply.inReplyTo == original.message.id && reply.subject == "Re: Lunch?")
    }

    // MARK: What somebody made up

    /// Like a genuine one, for the address that passes it on, but signed by another key than its domain's.
    private func forgery(from author: String = "carol@capicom.test", for holder: Address, text: String = "Pay.") throws -> Form {
        let forged = try letter(from: author, subject: "Forged", text: text)
        return try form(forged, TestDomain("capicom.test").postmark(forged, to: [holder]))
    }

    @Test func aForgedEnclosureIsNeitherShownAsTheOriginalNorAnswered() async throws {
        let read = try await read(passOn([forgery(for: bob, text: "Pay.\nFrom: me\u{1B}[2K")], to: dave))
        #expect(!read.isBelieved && read.original.message.digest == read.message.digest && read.doubtfulEnclosures.count == 1)
        let lines = text(read).split(separator: "\n").map(String.init)
        #expect(lines[0].hasPrefix("WARNING: do not believe who wrote the message inside"))
        #expect(lines.contains("From:    bob@scopio.test") && lines.contains("Signed:  signed by scopio.test, verified"))
        #expect(lines.contains { $0.hasPrefix("Inside:  quoted below, says it is of carol@capicom.test: NOT VERIFIED: ") })
        #expect(lines.contains("> From: carol@capicom.test") && lines.suffix(2) == ["> Pay.", "> From: me\u{FFFD}[2K"])
        #expect(!lines.contains { $0.hasPrefix("Via:") || $0.hasPrefix("From:    carol") })
        let reply = Draft.reply(to: read, by: dave, text: "Yes.", toAll: true)
        #expect((reply.to + reply.cc).map(\.address) == [bob] && reply.inReplyTo == read.message.message.id)
    }

    /// A genuine message inside a forged one was passed on by nobody.
    @Test func nothingIsBelievedInsideADoubtfulEnclosure() async throws {
        let (carol, original) = (try Address("carol@capicom.test"), try letter())
        var message = try letter(from: "carol@capicom.test", subject: "Forged").message
        message.forms = [try form(original, capicom.postmark(original, to: [carol]))]
        let forged = try SealedMessage(message)
        let postmark = try TestDomain("capicom.test").postmark(forged, to: [bob]) { $0.method = .plugin }
        let mail = try passOn([form(forged, postmark)], to: dave)
        let read = try await read(mail)
        #expect(read.passedOn.map(\.isBelieved) == [false, true] && read.original.message.digest == read.message.digest)
        #expect(Draft.reply(to: read, by: dave, text: "Yes.").to.map(\.address) == [bob])
        #expect(text(read).contains("says it is of alice@capicom.test: what it came in is not believed"))
        let json = try JSONEncoder().encode(LetterJSON(read))
        let value = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect((value["passedOn"] as? [[String: Any]])?.map { $0["isBelieved"] as? Bool } == [false, false])
        let report = try await evidence(mail).report
        #expect(report.isVerified && report.passedOn.map(\.isVerified) == [false, false])
    }

    /// The same where the outer message is the forged one.
    @Test func nothingIsBelievedInsideADoubtfulMessage() async throws {
        let original = try letter()
        let (message, _) = try passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave)
        let postmark = try TestDomain("scopio.test").postmark(message, to: [dave]) { $0.method = .plugin }
        let read = try await read((message, postmark))
        #expect(!read.isBelieved && read.original.message.digest == message.digest && read.doubtfulEnclosures.count == 1)
        #expect(text(read).hasPrefix("WARNING: do not believe who sent this message"))
        #expect(Draft.reply(to: read, by: dave, text: "Yes.").to.map(\.address) == [bob])
    }

    /// What the last author believed enclosed is that one's content: it takes nothing away from their message.
    @Test(arguments: [false, true])
    func aFormOfTheAuthorIsContent(isPassedOn: Bool) async throws {
        var message = try letter(to: ["dave@tercio.test"]).message
        message.forms = [try forgery(for: message.from.address)]
        let sealed = try SealedMessage(message)
        let mail =
            isPassedOn
            ? try passOn([form(sealed, capicom.postmark(sealed, to: [bob]))], to: dave)
            : (sealed, try capicom.postmark(sealed, to: [dave]))
        let read = try await read(mail)
        #expect(read.isBelieved && read.original.message.digest == sealed.digest && read.hasUncheckedForm)
        #expect(read.passedOn.count == (isPassedOn ? 1 : 0) && read.passedOnProblem == nil)
        let shown = text(read)
        #expect(shown.contains("Note:    a Form in it looks like a message passed on, but is only content"))
        #expect(!shown.contains("carol") && !shown.contains("WARNING") && shown.hasSuffix("\nAt one.\n"))
        #expect(Draft.reply(to: read, by: dave, text: "Yes.").to.map(\.address.description) == ["alice@capicom.test"])
        let report = try await evidence(mail).report
        #expect(report.isVerified && report.enclosuresAreVerified && report.hasUncheckedForm)
    }

    @Test func scriptsSeeBoth() async throws {
        let original = try letter()
        let read = try await read(passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave))
        let json = try JSONEncoder().encode(LetterJSON(read))
        let value = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect((value["from"] as? [String: Any])?["address"] as? String == "bob@scopio.test")
        let inner = try #require((value["passedOn"] as? [[String: Any]])?.first)
        #expect(inner["by"] as? String == "bob@scopio.test" && inner["text"] as? String == "At one.")
        #expect(inner["isBelieved"] as? Bool == true && value["isBelieved"] as? Bool == true)
    }

    // MARK: What a plug-in took out

    private let removed = Postmark.Removed(
        name: "report.exe\u{9B}2J\u{202E}", digest: [UInt8](repeating: 0xAB, count: 32), plugin: "org.example.policy/attachments")

    private func withFile() throws -> SealedMessage {
        var message = try letter().message
        message.attachments = [
            AttachmentReference(name: "report.exe", mediaType: "a/b", size: 2048, digest: removed.digest),
            AttachmentReference(name: "kept.txt", mediaType: "a/b", size: 1, digest: [UInt8](repeating: 1, count: 32)),
        ]
        return try SealedMessage(message)
    }

    @Test func removedFilesAreNamed() async throws {
        let (message, removed) = (try withFile(), removed)
        let mail = try passOn([form(message, capicom.postmark(message, to: [bob]) { $0.removed = [removed] })], to: dave)
        let read = try await read(mail)
        let lines = text(read).split(separator: "\n").map(String.init)
        let line = try #require(lines.first { $0.hasPrefix("Removed: ") })
        #expect(line.hasPrefix("Removed: by org.example.policy/attachments of capicom.test: report.exe"))
        #expect(line.hasSuffix("(sha256 \(String(repeating: "ab", count: 32)))") && !line.contains("\u{9B}"))
        #expect(lines.contains { $0.hasPrefix("File:    1. report.exe (a/b, 2.0 KB)") && $0.hasSuffix(": removed") })
        #expect(lines.contains { $0.hasPrefix("File:    2. kept.txt (") && !$0.hasSuffix(": removed") })
        let json = String(decoding: try JSONEncoder().encode(LetterJSON(read)), as: UTF8.self)
        #expect(json.contains("\"sha256\":\"\(String(repeating: "ab", count: 32))\""))
    }

    @Test func theWordOfAnUnverifiedPostmarkIsNotRepeated() async throws {
        let (message, removed) = (try withFile(), removed)
        let impostor = try TestDomain("capicom.test")
        let read = try await read((message, impostor.postmark(message, to: [dave]) { $0.removed = [removed] }))
        #expect(!read.isBelieved && !text(read).contains("Removed:"))
    }

    @Test func aPlugInIsNoPerson() async throws {
        let message = try letter(to: ["dave@tercio.test"])
        let read = try await read((message, capicom.postmark(message, to: [dave]) { $0.method = .plugin }))
        #expect(text(read).contains("Proof:   written by a plug-in of capicom.test\n"))
    }

    // MARK: Evidence

    private func evidence(
        _ mail: (message: SealedMessage, postmark: [UInt8]), knowing domains: [TestDomain]? = nil
    ) async throws -> GatheredEvidence {
        try await client(mail, knowing: domains).evidence(MessageLocation(mail.message.message.id))
    }

    @Test func evidenceProvesBoth() async throws {
        let (message, removed) = (try withFile(), removed)
        let mail = try passOn([form(message, capicom.postmark(message, to: [bob]) { $0.removed = [removed] })], to: dave)
        let gathered = try await evidence(mail)
        let roots = [capicom.root.pem, scopio.root.pem]
        let report = try await EvidenceVerifier(rootsPEM: roots, now: now).verify(document: gathered.bundle.document)
        #expect(report.isVerified && gathered.report.isVerified, "\(report.findings)")
        #expect(report.method == .plugin && report.vouchedBy == scopio.domain)
        #expect(report.passedOn.map(\.message.digest) == [message.digest] && report.enclosuresAreVerified)
        #expect(report.enclosureFindings.contains { $0.part == "Message passed on by bob@scopio.test" && $0.isVerified })
        let view = EvidenceView(report: report, style: TerminalStyle(isEnabled: false)).text
        #expect(view.contains("written by a plug-in of scopio.test") && view.contains("the message of alice@capicom.test"))
        #expect(view.hasSuffix("\nVERIFIED\nThe message inside: VERIFIED\n"))
    }

    @Test func evidenceTellsWhatWasRemoved() async throws {
        let (message, removed) = (try withFile(), removed)
        let mail = (message: message, postmark: try capicom.postmark(message, to: [dave]) { $0.removed = [removed] })
        let report = try await evidence(mail).report
        #expect(report.isVerified && report.removed == [removed])
        let view = EvidenceView(report: report, style: TerminalStyle(isEnabled: false)).text
        #expect(view.contains("Removed: by org.example.policy/attachments: report.exe") && !view.contains("\u{9B}"))
    }

    @Test func evidenceOfTheOriginalNeedsItsDomain() async throws {
        let original = try letter()
        let mail = try passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave)
        let gathered = try await evidence(mail, knowing: [scopio, tercio])
        #expect(gathered.report.isVerified && !gathered.report.enclosuresAreVerified)
        let view = EvidenceView(report: gathered.report, style: TerminalStyle(isEnabled: false)).text
        #expect(view.hasPrefix("NOT VERIFIED: the message inside.") && view.contains("NOT VERIFIED, says it is of alice@capicom.test"))
        #expect(view.hasSuffix("\nVERIFIED\nThe message inside: NOT VERIFIED\n"))
        let json = try JSONEncoder().encode(EvidenceJSON(gathered.report))
        let value = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect(value["isVerified"] as? Bool == true && value["enclosuresAreVerified"] as? Bool == false)
        #expect((value["passedOn"] as? [[String: Any]])?.first?["isVerified"] as? Bool == false)
        #expect((value["enclosureFindings"] as? [[String: Any]])?.first?["isVerified"] as? Bool == false)
    }

    /// The proof of the message itself needs no domain of what it encloses, nor a root for one.
    @Test func aRootThatOnlyTheEnclosureNeedsIsNotMissed() async throws {
        let original = try letter()
        let gathered = try await evidence(passOn([form(original, capicom.postmark(original, to: [bob]))], to: dave))
        #expect(gathered.bundle.metadata.count == 2)
        let report = try await EvidenceVerifier(rootsPEM: [scopio.root.pem], now: now).verify(document: gathered.bundle.document)
        #expect(report.isVerified && !report.enclosuresAreVerified, "\(report.findings)")
        let none = try await EvidenceVerifier(rootsPEM: [capicom.root.pem], now: now).verify(document: gathered.bundle.document)
        #expect(!none.isVerified && !none.enclosuresAreVerified && none.passedOn.allSatisfy { !$0.isVerified })
    }

    /// Somebody encloses what cannot verify in what they write, to deny it later.
    @Test(arguments: [Postmark.AuthenticationMethod.x509, .plugin])
    func nobodyDeniesAMessageByWhatTheyEnclose(_ method: Postmark.AuthenticationMethod) async throws {
        let impostor = try TestDomain("capicom.test")
        let forged = try letter(from: "carol@capicom.test")
        var message = try letter(to: ["dave@tercio.test"]).message
        message.forms = [try form(forged, impostor.postmark(forged, to: [Address("alice@capicom.test")]))]
        let sealed = try SealedMessage(message)
        let gathered = try await evidence((sealed, capicom.postmark(sealed, to: [dave]) { $0.method = method }))
        for report in [
            gathered.report, try await EvidenceVerifier(rootsPEM: [capicom.root.pem], now: now).verify(document: gathered.bundle.document),
        ] {
            #expect(report.isVerified && report.vouchedBy == capicom.domain, "\(report.findings)")
            let view = EvidenceView(report: report, style: TerminalStyle(isEnabled: false)).text
            switch method {
            case .plugin:
                #expect(!report.enclosuresAreVerified && report.passedOn.map(\.isVerified) == [false])
                #expect(!report.hasUncheckedForm && view.contains("The message inside: NOT VERIFIED"))
            default:
                #expect(report.passedOn.isEmpty && report.enclosuresAreVerified && report.hasUncheckedForm)
                #expect(view.contains("Note:    a Form in it looks like a message passed on, but is only content"))
            }
        }
    }

    /// Who passes on later than a key was revoked proves nothing by it: the thief may have signed it, dated back.
    @Test func aKeyRevokedBeforeItWasPassedOnProvesNothing() async throws {
        let original = try letter()
        let stolen = try capicom.postmark(original, to: [bob], at: now.addingTimeInterval(-1800))
        let mail = try passOn([form(original, stolen)], to: dave)
        let key = SigningKey.generateP256()
        let certificate = try capicom.authority.issueServerCertificate(publicKey: key.publicKey, now: now.addingTimeInterval(-1000))
        func bundle(revokedAt time: Date) throws -> EvidenceBundle {
            var metadata = DomainMetadata(
                domain: capicom.domain, version: 2, issued: now.addingTimeInterval(3600), nextUpdate: now.addingTimeInterval(86_400),
                endpoint: "/wsemail", roots: [capicom.root], servers: [certificate, capicom.certificate],
                limits: .init(maximumMessageSize: 1, maximumRecipients: 1, maximumBatch: 1))
            metadata.revoked.insert(capicom.certificate.serial, at: time)
            var bundle = EvidenceBundle(message: mail.message.octets, exported: now)
            bundle.postmark = mail.postmark
            bundle.metadata = [try metadata.signed(by: key, certificate: certificate), try scopio.metadata()]
            return bundle
        }
        let verifier = try EvidenceVerifier(
            rootsPEM: [capicom.root.pem, scopio.root.pem], now: now.addingTimeInterval(7200))
        let refuted = await verifier.verify(try bundle(revokedAt: now.addingTimeInterval(-600)))
        #expect(refuted.isVerified && !refuted.enclosuresAreVerified, "\(refuted.findings)")
        let report = await verifier.verify(try bundle(revokedAt: now.addingTimeInterval(600)))
        #expect(report.isVerified && report.enclosuresAreVerified, "\(report.enclosureFindings)")
    }
}
