import Console
import Foundation
import Identity
import MailClient
import MailModel
import Testing

@testable import wsemail

/// Nothing that another person wrote steers our reader's terminal.
@Suite struct TextTests {
    private static let attack = "\u{1B}[2K\u{1B}]0;x\u{07}\u{9B}31m\u{202E}evil\r\u{08}"

    private func letter(_ verdict: SignatureVerdict, author: AuthorVerdict = .absent, text: String = "At one.") throws -> ReceivedMessage {
        var message = Message(
            id: .random(), from: Mailbox(try Address("alice@capicom.test"), name: "Alice" + Self.attack),
            to: [Mailbox(try Address("bob@scopio.test"))], subject: "Lunch?" + Self.attack, date: now, text: text)
        message.bounce = BounceNotice(
            messageID: .random(), digest: [UInt8](repeating: 0, count: 32),
            recipients: [RecipientStatus(try Address("x@scopio.test"), .refused, reason: Self.attack)])
        message.attachments = [
            AttachmentReference(name: Self.attack, mediaType: "a/b", size: 1, digest: [UInt8](repeating: 0, count: 32))
        ]
        return try ReceivedMessage.sample(message, verdict, author)
    }

    private func isHarmless(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            $0 == "\n" || $0 == "\t" || ($0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && !(0x202A...0x202E).contains($0.value))
        }
    }

    @Test func aLetterIsShownWithoutControlCharacters() throws {
        let letter = try letter(.notVerified(reason: "no" + Self.attack), text: "Hello\n" + Self.attack)
        let text = LetterView(letter: letter, style: TerminalStyle(isEnabled: false)).text
        #expect(isHarmless(text))
        #expect(text.contains("At one.") == false && text.contains("Hello\n"))
    }

    @Test func aDoubtfulLetterBeginsWithAWarning() throws {
        let doubtful = try letter(.notVerified(reason: "the digest differs"))
        let text = LetterView(letter: doubtful, style: TerminalStyle(isEnabled: false)).text
        #expect(text.hasPrefix("WARNING: "))
        #expect(text.contains("NOT VERIFIED: the digest differs"))
        let author = try letter(
            .verified(domain: MailDomain("capicom.test"), method: .x509, time: now), author: .notVerified(reason: "revoked"))
        #expect(LetterView(letter: author, style: TerminalStyle(isEnabled: false)).text.hasPrefix("WARNING: "))
    }

    @Test func aGoodLetterSaysWhoSigned() throws {
        let good = try letter(.verified(domain: MailDomain("capicom.test"), method: .x509, time: now))
        let text = LetterView(letter: good, style: TerminalStyle(isEnabled: false)).text
        #expect(!text.contains("WARNING"))
        #expect(text.contains("signed by capicom.test, verified"))
    }

    @Test func recipientsOfABounceStandUnderIt() throws {
        let letter = try letter(.verified(domain: MailDomain("capicom.test"), method: .server, time: now))
        let lines = LetterView(letter: letter, style: TerminalStyle(isEnabled: false)).text.split(separator: "\n")
        let line = try #require(lines.first { $0.contains("x@scopio.test") })
        #expect(line.hasPrefix("         x@scopio.test: refused"))
        #expect(!lines.contains { $0.hasPrefix(":") })
    }

    @Test func jsonIsHarmlessAndMeansTheSame() throws {
        let text = "\u{9B}31m \u{202E}evil \u{E0041} \u{7F} caf\u{E9} \u{1F600}"
        let json = String(decoding: try JSONEncoder().encode([text]), as: UTF8.self)
        let escaped = JSONText.escapingControls(json)
        #expect(isHarmless(escaped))
        #expect(escaped.contains("caf\u{E9}") && escaped.contains("\u{1F600}"))
        #expect(try JSONDecoder().decode([String].self, from: Data(escaped.utf8)) == [text])
    }

    @Test(arguments: [
        ("bob@scopio.test", [""]), ("Bob <bob@scopio.test>", ["Bob"]), ("\"Bob B.\" <bob@scopio.test>", ["Bob B."]),
        ("<bob@scopio.test>", [""]), ("bob@scopio.test, Carol <carol@scopio.test>", ["", "Carol"]),
    ])
    func readsRecipients(text: String, names: [String]) throws {
        let argument = try #require(MailboxArgument(argument: text))
        #expect(argument.mailboxes.map { $0.name ?? "" } == names)
        #expect(argument.mailboxes.first?.address.description == "bob@scopio.test")
    }

    @Test(arguments: ["", "bob", "Bob <bob>", "bob@scopio.test carol@scopio.test", "Bob <bob@scopio.test", ","])
    func refusesWhatIsNoRecipient(_ text: String) {
        #expect(MailboxArgument(argument: text) == nil)
    }

    @Test(arguments: [
        (MailClientError.Code.unreachable, 3 as Int32), (.notVerified, 2), (.untrustedServer, 2), (.fingerprintMismatch, 2),
        (.refused, 1), (.noSuchMessage, 1), (.storage, 1), (.unacknowledged, 1),
    ])
    func exitCodesAreStable(code: MailClientError.Code, status: Int32) {
        #expect(CommandFailure.exitCode(MailClientError(code, "")).rawValue == status)
    }

    @Test(arguments: [
        ["send", "--subject", "x"], ["send", "bob@scopio.test", "--body", "a", "--file", "b"], ["list", "--limit", "0"],
        ["list", "--before", "1", "--after", "2"], ["mark", "1"], ["mark", "1", "--seen", "--unseen"], ["read"],
        ["account", "add", "no address"], ["verify", "x"], ["export", "1"],
        ["account", "add", "a@capicom.test", "--fingerprint", "x", "--trust-on-first-use"], ["send", "bob@scopio.test", "--password", "x"],
    ])
    func wrongUsageIsRefused(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try WSEmailCommand.parseAsRoot(arguments) }
    }
}
