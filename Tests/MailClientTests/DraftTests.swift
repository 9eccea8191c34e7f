import Foundation
import Identity
import MailModel
import Testing

@testable import MailClient

@Suite struct DraftTests {
    private func mailboxes(_ list: String...) throws -> [Mailbox] { try list.map { Mailbox(try Address($0)) } }

    private func original() throws -> Message {
        Message(
            id: .random(), from: Mailbox(try Address("alice@capicom.test")),
            to: try mailboxes("bob@scopio.test", "carol@scopio.test"), cc: try mailboxes("dan@capicom.test"),
            subject: "Lunch?", date: now, text: "")
    }

    @Test func aReplyGoesToTheAuthor() throws {
        let message = try original()
        let reply = Draft.reply(to: message, by: try Address("bob@scopio.test"), text: "Yes.")
        #expect(reply.to == [message.from] && reply.cc.isEmpty)
        #expect(reply.subject == "Re: Lunch?" && reply.inReplyTo == message.id)
    }

    @Test func aReplyToAllLeavesOutTheWriterAndRepeats() throws {
        var message = try original()
        message.cc += message.to
        let reply = Draft.reply(to: message, by: try Address("bob@scopio.test"), text: "Yes.", toAll: true)
        #expect(reply.cc.map(\.address.description) == ["carol@scopio.test", "dan@capicom.test"])
    }

    @Test func aReplyToTheOwnLetterGoesOnToItsRecipients() throws {
        let message = try original()
        let reply = Draft.reply(to: message, by: message.from.address, text: "And another thing.")
        #expect(reply.to == message.to)
    }

    @Test func aSecondReplyKeepsTheSubject() {
        #expect(Draft.replySubject("RE: Lunch?") == "RE: Lunch?")
        #expect(Draft.replySubject(String(repeating: "x", count: 998)).count == 998)
    }

    @Test func everybodyIsNamedOnce() throws {
        let draft = Draft(
            to: [Mailbox(try Address("bob@scopio.test"), name: "Bob")] + (try mailboxes("Bob@scopio.test", "carol@scopio.test")),
            cc: try mailboxes("carol@scopio.test", "dan@capicom.test"),
            bcc: [try Address("dan@capicom.test"), try Address("eve@capicom.test"), try Address("eve@capicom.test")],
            subject: "", text: ""
        ).withoutRepeats()
        #expect(draft.to.map(\.address.description) == ["bob@scopio.test", "carol@scopio.test"])
        #expect(draft.to[0].name == "Bob")
        #expect(draft.cc.map(\.address.description) == ["dan@capicom.test"])
        #expect(draft.bcc.map(\.description) == ["eve@capicom.test"])
    }
}
