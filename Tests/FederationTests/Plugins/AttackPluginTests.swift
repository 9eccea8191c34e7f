import Foundation
import Identity
import MailModel
import MailStore
import PluginAPI
import SOAPClient
import TestSupport
import Testing

@testable import MailServer

/// Users, senders, peers and plug-ins that try to turn the plug-in system against the server or its users.
@Suite(.serialized, .timeLimit(.minutes(4))) struct AttackPluginTests {
    private static let filter = "urn:wsemail:example:filter"

    // MARK: Taking a plug-in out for everybody

    @Test func `a user's oversized calls of an extension do not take the plug-in out for others`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins { $0.pluginErrorBudget = 2 }
        try await domains.scopio.install(workshop.package("filter"), grant: "content,key-value")
        let bob = try TestUser("bob", of: domains.scopio)
        let content = String(repeating: "A", count: 12 << 20)
        for _ in 0..<3 {
            let fault = await #expect(throws: SOAPClientError.self) {
                try await bob.extend(AttackPluginTests.filter, "<SetRules xmlns=\"\(AttackPluginTests.filter)\">\(content)</SetRules>")
            }
            #expect(fault?.fault?.subcode == .tooLarge)
        }
        // The largest that is let through, of the kind that is most work.
        let hostile = ["&amp;", "<a></a>", "A"].map { String(repeating: $0, count: 1_000_000 / $0.utf8.count) }
        for text in hostile {
            _ = try? await bob.extend(AttackPluginTests.filter, "<SetRules xmlns=\"\(AttackPluginTests.filter)\">\(text)</SetRules>")
        }
        let row = try await domains.scopio.plugin("org.example.filter")
        #expect(row["state"] == "active")
        #expect(row["failures_count"] == "0", "\(row)")
        await bob.close()
        try await domains.remove()
    }

    @Test func `a message as large as the server takes does not fail the plug-ins that read it`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("filter"), grant: "content,key-value")
        let (bob, dave) = (try TestUser("bob", of: domains.scopio), try TestUser("dave", of: domains.scopio))
        try await dave.extend(AttackPluginTests.filter, FilterRules.xml(target: bob.address))
        let text = String(repeating: "A", count: 15 << 20)
        let message = bob.message(to: [dave.address], subject: "Your invoice", text: text)
        try await bob.send(message)
        #expect(try await bob.status(of: message.id, until: "delivered").lines.map(\.state) == ["delivered"])
        let row = try await domains.scopio.plugin("org.example.filter")
        #expect(row["failures_count"] == "0", "\(row)")
        await bob.close()
        await dave.close()
        try await domains.remove()
    }

    @Test func `a plug-in that holds all threads does not get others suspended`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins {
            $0.pluginThreads = 1
            $0.pluginErrorBudget = 3
            $0.pluginTimeLimitMilliseconds = 200
        }
        let scopio = domains.scopio
        let extensionOnly = ["sending", "delivery", "resolver"].map { ("<Role name=\"\($0)\" priority=\"100\"/>", "") }
        try await scopio.install(workshop.package("hostile", extensionOnly), grant: "key-value,log,send")
        try await scopio.install(workshop.package("noop"))
        try await scopio.admin(.pluginSet, [.plugin: HostilePluginTests.plugin, .name: "mode", .value: "loop"])
        try await scopio.admin(.pluginLimits, [.plugin: HostilePluginTests.plugin, .seconds: "4"])
        let (bob, dave) = (try TestUser("bob", of: scopio), try TestUser("dave", of: scopio))
        try await dave.send(dave.message(to: [dave.address]))
        async let looping: Void = {
            _ = try? await bob.extend("urn:wsemail:example:hostile", "<x xmlns=\"urn:x\"/>")
        }()
        let hostile = try PluginIdentifier(package: HostilePluginTests.plugin, name: "hostile")
        while await scopio.server.core.plugins?.statuses().first(where: { $0.identifier == hostile })?.metrics.inFlight == 0 {
            await Task.yield()
        }
        for _ in 0..<6 { _ = try? await dave.send(dave.message(to: [dave.address])) }
        let row = try await scopio.plugin("org.example.noop")
        #expect(row["state"] == "active", "\(row)")
        await looping
        await bob.close()
        await dave.close()
        try await domains.remove()
    }

    // MARK: Mail that is passed on

    /// The job in which a server of `home` passes a message on.
    private static func job(
        _ origin: Origin, _ message: SealedMessage, _ postmark: [UInt8], to recipient: String
    ) throws -> LeasedJob {
        let record = MessageRecord(message)
        let job = QueueJob(
            id: 1, destination: try MailDomain("scopio.test"), origin: origin, messageID: record.id, digest: record.digest,
            recipients: [try Address(recipient)], created: Date(), expires: Date().addingTimeInterval(600), attempts: 0, due: Date(),
            isLeased: true, reason: nil, size: record.octets.count)
        return LeasedJob(
            lease: QueueLease(job: 1, token: 1), job: job, octets: record.octets, summary: record.summary, postmark: postmark)
    }

    private static func bounce(_ job: LeasedJob, by home: AttackPeer) throws -> Acceptance? {
        try BounceWriter(signer: home.signer).bounce(
            job, failed: job.job.recipients.map { RecipientOutcome(recipient: $0, state: .refused, reason: "no") }, now: Date())
    }

    @Test func `a bounce never goes to an author whom only another domain's enclosure names`() throws {
        let (home, evil) = (try AttackPeer("scopio.test"), try AttackPeer("evil.test"))
        // Evil encloses what a victim never wrote; the Postmark inside is signed by evil.
        let victim = try Address("alice@capicom.test")
        let forged = try evil.message { $0.from = Mailbox(victim) }
        let claim = try evil.postmark(
            forged, by: evil.signer(with: evil.identity.signing, as: victim.domain), recipients: ["bob@scopio.test"])
        let enclosed = try RedirectedMail(message: forged, postmark: SealedPostmark(octets: claim)).form()
        let attack = try evil.message { $0.forms = [enclosed] }
        let proof = try SealedPostmark(octets: evil.postmark(attack, recipients: ["sales@scopio.test"]))

        let configuration = ServerConfiguration(domain: home.domain, hostName: "mail.scopio.test")
        let mailer = PluginMailer(signer: home.signer, configuration: configuration)
        let passedOn = try mailer.redirect(
            attack, proof, by: Address("sales@scopio.test"), to: [Address("ghost@scopio.test")], now: Date())
        let remote = try #require(passedOn.remote.first)
        let job = try AttackPluginTests.job(
            .server, SealedMessage(octets: passedOn.message.octets), remote.postmark, to: "ghost@scopio.test")
        let bounce = try #require(try AttackPluginTests.bounce(job, by: home))
        #expect(bounce.remote.map(\.destination) == [evil.domain])
        #expect(bounce.remote.flatMap(\.recipients) == [attack.message.from.address])
        let notice = try #require(try SealedMessage(octets: bounce.message.octets).message.bounce)
        #expect(notice.messageID == attack.message.id)
        #expect(notice.recipients.map(\.address.description) == ["sales@scopio.test"])
    }

    @Test func `an enclosure that cannot be read leaves no job that can never be settled`() throws {
        let (home, evil) = (try AttackPeer("scopio.test"), try AttackPeer("evil.test"))
        let broken = Form(
            type: RedirectedMail.formType, version: RedirectedMail.formVersion, content: Array("<x xmlns=\"urn:x\"></x>".utf8))
        for forms in [[broken], [broken, broken]] {
            let message = try evil.message { $0.forms = forms }
            let postmark = try evil.postmark(message) { $0.method = .plugin }
            for origin in [Origin.peer(evil.domain), .server] {
                let job = try AttackPluginTests.job(origin, message, postmark, to: "bob@scopio.test")
                #expect(try AttackPluginTests.bounce(job, by: home) == nil)
            }
        }
    }

    @Test func `what an author encloses is content, and does not keep the message from being passed on`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        let scopio = domains.scopio
        try await scopio.install(workshop.package("filter"), grant: "content,key-value")
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: scopio))
        try await bob.extend(AttackPluginTests.filter, FilterRules.xml(target: try scopio.address("dave")))
        let evil = try AttackPeer("evil.test")
        var layer = try evil.message()
        for _ in 0..<RedirectedMail.maxDepth {
            let form = try RedirectedMail(message: layer, postmark: SealedPostmark(octets: evil.postmark(layer))).form()
            layer = try evil.message { $0.forms = [form] }
        }
        var message = alice.message(to: [bob.address], subject: "For the team")
        message.forms = layer.message.forms
        try await alice.send(message)
        let dave = try TestUser("dave", of: scopio)
        #expect(try await dave.inbox(reaching: 1).map(\.subject) == ["For the team"])
        await dave.close()
        let queue = try await scopio.admin(.queueList)
        #expect(!queue.rows.contains { queue.value("destination", in: $0) == "scopio.test" })
        await alice.close()
        await bob.close()
        try await domains.remove()
    }

    @Test func `aliases that stand for each other do not multiply mail`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("role-mapper"))
        for (name, targets) in [("all", "one, two"), ("one", "all, bob"), ("two", "all, dave")] {
            try await domains.scopio.admin(.pluginSet, [.plugin: "org.example.role-mapper", .name: "role.\(name)", .value: targets])
        }
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        let dave = try TestUser("dave", of: domains.scopio)
        let message = alice.message(to: [try domains.scopio.address("all")], subject: "To all")
        try await alice.send(message)
        _ = try await bob.inbox(reaching: 1)
        _ = try await dave.inbox(reaching: 1)
        while try await !domains.scopio.admin(.queueList).rows.isEmpty { await Task.yield() }
        #expect(try await bob.everything(in: "Inbox").count == 1)
        #expect(try await dave.everything(in: "Inbox").count == 1)
        #expect(try await alice.everything(in: "Inbox").isEmpty)
        for user in [alice, bob, dave] { await user.close() }
        try await domains.remove()
    }

    // MARK: What plug-ins answer

    @Test func `a plug-in whose store is full does not stop mail`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        let scopio = domains.scopio
        try await scopio.install(workshop.package("vacation"), grant: "clock,key-value,send")
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: scopio))
        let name = "urn:wsemail:example:vacation"
        try await bob.extend(name, "<Set xmlns=\"\(name)\"><Text>Away.</Text></Set>")
        let value = [UInt8](repeating: 0, count: 65_000)
        let plugin = "org.example.vacation/vacation"
        while true {
            let used = try await scopio.store.pluginUsage(plugin).bytes
            let free = min(value.count, Int((64 << 20) - used) - 8)
            guard free > 0 else { break }
            let key = [0] + Array("\(used)".utf8.suffix(8))
            let write = PluginValueWrite(plugin: plugin, key: key, value: Array(value.prefix(max(0, free - key.count))))
            _ = try await scopio.store.commit(PluginEffects(writes: [write]), now: Date())
            if free < value.count { break }
        }
        try await alice.send(alice.message(to: [bob.address], subject: "Still here"))
        #expect(try await bob.inbox(reaching: 1).map(\.subject) == ["Still here"])
        let row = try await scopio.plugin("org.example.vacation")
        #expect(row["failures_count"] == "1", "\(row)")
        await alice.close()
        await bob.close()
        try await domains.remove()
    }

    @Test func `an upgrade that takes a role more is refused until the administrator says so`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        let scopio = domains.scopio
        try await scopio.install(workshop.package("noop", [("<Role name=\"delivery\" priority=\"500\"/>", "")]))
        let more = try workshop.version("noop", "1.1.0")
        let error = await #expect(throws: AdminError.self) { try await scopio.install(more) }
        #expect(error?.reason.contains("delivery") == true)
        #expect(try await scopio.plugin("org.example.noop")["version"] == "1.0.0")
        try await scopio.install(more, grant: "")
        #expect(try await scopio.plugin("org.example.noop")["version"] == "1.1.0")
        try await domains.remove()
    }

    @Test func `what a plug-in writes is measured as the message and the store measure it`() throws {
        // One letter with two thousand marks is one Character.
        let tall = "a" + String(repeating: "\u{301}", count: 2_000)
        let address = try Address("alice@capicom.test")
        #expect(throws: PluginError.self) { try OutgoingMessage(to: [address], subject: tall, text: "").check() }
        #expect(throws: PluginError.self) { try VerdictRules.checked(folder: tall) }
        #expect(throws: PluginError.self) { try VerdictRules.checked(reason: tall) }
    }

    // MARK: Other users

    @Test func `nobody sets another user's rules, whatever the request says`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("filter"), grant: "content,key-value")
        let (bob, dave) = (try TestUser("bob", of: domains.scopio), try TestUser("dave", of: domains.scopio))
        let name = AttackPluginTests.filter
        let rule = "<Rule name=\"all\"><Size above=\"0\"/><Redirect to=\"\(bob.address)\"/></Rule>"
        // Redirecting to oneself is refused: so this is read as bob's.
        await #expect(throws: SOAPClientError.self) { try await bob.extend(name, "<SetRules xmlns=\"\(name)\">\(rule)</SetRules>") }
        await #expect(throws: SOAPClientError.self) {
            try await bob.extend(
                name, "<SetRules xmlns=\"\(name)\" user=\"\(dave.address)\" principal=\"\(dave.address)\">\(rule)</SetRules>")
        }
        #expect(try await dave.extend(name, "<GetRules xmlns=\"\(name)\"/>").contains("Rule name") == false)
        await bob.close()
        await dave.close()
        try await domains.remove()
    }
}
