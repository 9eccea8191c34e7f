import Foundation
import Identity
import MailModel
import MailServer
import SOAPClient
import Testing

/// The examples of Examples/plugins at work between two real servers.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ExamplePluginTests {
    @Test func `the vacation plug-in answers each person once, and never a program`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("vacation"), grant: "clock,key-value,send")
        try await domains.capicom.install(workshop.package("vacation"), grant: "clock,key-value,send")
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        let extensionID = "urn:wsemail:example:vacation"
        let set = "<Set xmlns=\"\(extensionID)\"><Subject>Away</Subject><Text>Back on Monday.</Text></Set>"
        #expect(try await bob.extend(extensionID, set).contains("active"))
        // Both are away: their plug-ins must not answer each other.
        #expect(try await alice.extend(extensionID, set).contains("active"))

        for number in 1...3 { try await alice.send(alice.message(to: [bob.address], subject: "Question \(number)")) }
        let received = try await bob.inbox(reaching: 3)
        #expect(received.count == 3)
        let answers = try await alice.inbox(reaching: 1)
        #expect(answers.map(\.subject) == ["Away"])
        let answer = try await alice.retrieve(answers[0])
        #expect(answer.postmark.postmark.method == .plugin)
        #expect(answer.postmark.postmark.sender == bob.address)
        #expect(answer.postmark.postmark.hops == 1)
        // A program's mail reached alice, whose plug-in is active: bob must not get anything for it.
        try await alice.send(alice.message(to: [bob.address], subject: "Last"))
        #expect(try await bob.inbox(reaching: 4).map(\.subject).filter { $0 == "Away" }.isEmpty)
        #expect(try await alice.everything(in: "Inbox").count == 1)
        await alice.close()
        await bob.close()
        try await domains.remove()
    }

    @Test func `the filter plug-in files, discards and passes on by the user's rules`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("filter"), grant: "content,key-value")
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        let dave = try TestUser("dave", of: domains.scopio)
        try await bob.extend("urn:wsemail:example:filter", FilterRules.xml(target: dave.address))

        for subject in ["Invoice 7", "Win a prize", "For the team", "Hello"] {
            try await alice.send(alice.message(to: [bob.address], subject: subject))
        }
        #expect(try await bob.inbox(reaching: 1).map(\.subject) == ["Hello"])
        let passedOn = try await dave.inbox(reaching: 1)
        #expect(passedOn.map(\.subject) == ["For the team"])
        let redirected = try await dave.retrieve(passedOn[0])
        let inner = try #require(try RedirectedMail.find(in: redirected.message.message))
        #expect(inner.message.message.from.address == alice.address)
        #expect(inner.postmark.postmark.domain == domains.capicom.domain)
        #expect(try await bob.everything(in: "Invoices").map(\.subject) == ["Invoice 7"])
        for user in [alice, bob, dave] { await user.close() }
        try await domains.remove()
    }

    @Test func `the role mapper alone makes unknown addresses known`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        let carol = try TestUser("carol", of: domains.capicom)
        let purchasing = try domains.scopio.address("purchasing")
        await #expect(throws: (any Error).self) { try await bob.send(bob.message(to: [purchasing])) }

        try await domains.scopio.install(workshop.package("role-mapper"))
        try await domains.scopio.admin(
            .pluginSet,
            [.plugin: "org.example.role-mapper", .name: "role.purchasing", .value: "\(bob.address), \(carol.address)"])
        let receipt = try await alice.send(alice.message(to: [purchasing], subject: "Order"))
        #expect(receipt.recipients.map(\.state) == [.accepted])
        for user in [bob, carol] {
            let headers = try await user.inbox(reaching: 1)
            #expect(headers.map(\.subject) == ["Order"])
            #expect(headers.map(\.from) == [purchasing])
        }
        // Other names are still unknown: their authors get a bounce or a refusal.
        await #expect(throws: (any Error).self) { try await bob.send(bob.message(to: [domains.scopio.address("nobody")])) }
        try await domains.scopio.admin(.pluginUnload, [.plugin: "org.example.role-mapper"])
        await #expect(throws: (any Error).self) { try await bob.send(bob.message(to: [purchasing])) }
        for user in [alice, bob, carol] { await user.close() }
        try await domains.remove()
    }

    @Test func `mail passed on that cannot arrive bounces to its author`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("role-mapper"))
        try await domains.scopio.admin(
            .pluginSet, [.plugin: "org.example.role-mapper", .name: "role.sales", .value: "ghost@capicom.test"])
        let alice = try TestUser("alice", of: domains.capicom)
        let message = alice.message(to: [try domains.scopio.address("sales")], subject: "Offer")
        try await alice.send(message)
        let bounces = try await alice.inbox(reaching: 1)
        #expect(bounces.map(\.subject) == ["Not delivered: Offer"])
        let bounce = try await alice.retrieve(bounces[0])
        #expect(bounce.message.message.bounce?.messageID == message.id)
        #expect(bounce.message.message.bounce?.recipients.map(\.address.description) == ["sales@scopio.test"])
        await alice.close()
        try await domains.remove()
    }

    @Test func `a circle of roles ends, and its author is told`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins { $0.maxHops = 4 }
        try await domains.scopio.install(workshop.package("role-mapper"))
        for (name, target) in [("ping", "pong"), ("pong", "ping")] {
            try await domains.scopio.admin(
                .pluginSet, [.plugin: "org.example.role-mapper", .name: "role.\(name)", .value: "\(target)@scopio.test"])
        }
        let alice = try TestUser("alice", of: domains.capicom)
        try await alice.send(alice.message(to: [domains.scopio.address("ping")], subject: "Round"))
        #expect(try await alice.inbox(reaching: 1).map(\.subject) == ["Not delivered: Round"])
        await alice.close()
        try await domains.remove()
    }

    @Test func `the attachment policy takes out or refuses attachments, and the Postmark says so`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.capicom.install(workshop.package("attachment-policy"))
        try await domains.capicom.admin(
            .pluginSet, [.plugin: "org.example.attachment-policy", .name: "drop-types", .value: "application/x-*"])
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        var message = alice.message(to: [bob.address], subject: "Tools")
        message.attachments = [
            AttachmentReference(name: "tool.bin", mediaType: "application/x-tool", size: 3, digest: [UInt8](repeating: 7, count: 32))
        ]
        try await alice.send(message)
        let headers = try await bob.inbox(reaching: 1)
        let received = try await bob.retrieve(headers[0])
        #expect(received.postmark.postmark.removed.map(\.name) == ["tool.bin"])
        #expect(received.postmark.postmark.removed.map(\.plugin) == ["org.example.attachment-policy/attachment-policy"])
        // The Message itself is as its author wrote it.
        #expect(received.message.message.attachments.count == 1)

        message.id = .random()
        message.attachments[0].name = "game.exe"
        let game = message
        let fault = await #expect(throws: SOAPClientError.self) { try await alice.send(game) }
        #expect(fault?.fault?.subcode == .refusedByPolicy)
        await alice.close()
        await bob.close()
        try await domains.remove()
    }
}

/// Rules in the filter example's own language.
enum FilterRules {
    static func xml(target: Address) -> String {
        """
        <SetRules xmlns="urn:wsemail:example:filter">\
        <Rule name="bills"><Subject contains="invoice"/><File folder="Invoices" flags="seen"/></Rule>\
        <Rule name="spam"><Subject contains="prize"/><Discard/></Rule>\
        <Rule name="team"><Subject contains="team"/><Redirect to="\(target)"/></Rule></SetRules>
        """
    }
}
