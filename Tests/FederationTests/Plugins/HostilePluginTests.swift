import Foundation
import Identity
import MailModel
import PluginPackage
import SOAPClient
import TestSupport
import Testing

@testable import MailServer

/// Plug-ins that misbehave at a running server: it answers throughout, mail follows the policy, the administrator sees why.
@Suite(.serialized, .timeLimit(.minutes(4))) struct HostilePluginTests {
    static let plugin = "org.example.hostile"
    static let modes = ["loop", "hog", "trap", "wild", "wild-key", "wild-answer", "huge", "garbage", "flood", "spam"]

    private func start() async throws -> (TwoDomains, PluginWorkshop) {
        let (domains, workshop) = try await TwoDomains.startWithPlugins { $0.pluginTimeLimitMilliseconds = 200 }
        try await domains.scopio.install(workshop.package("hostile"), grant: "key-value,log,send")
        return (domains, workshop)
    }

    private func set(_ mode: String, policy: String, at domain: TestDomain) async throws {
        try await domain.admin(.pluginSet, [.plugin: HostilePluginTests.plugin, .name: "mode", .value: mode])
        try await domain.admin(.pluginPolicy, [.plugin: HostilePluginTests.plugin, .value: policy])
        try await domain.admin(.pluginEnable, [.plugin: HostilePluginTests.plugin])
    }

    @Test func `with an open policy mail passes a plug-in that misbehaves, whatever it does`() async throws {
        let (domains, _) = try await start()
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        for (number, mode) in HostilePluginTests.modes.enumerated() {
            try await set(mode, policy: "open", at: domains.scopio)
            // Delivery, submission, resolution and extension meet it at once.
            try await alice.send(alice.message(to: [bob.address], subject: mode))
            try await bob.send(bob.message(to: [alice.address], subject: "from \(mode)"))
            #expect(try await bob.inbox(reaching: number + 1).last?.subject == mode)
            let fault = await #expect(throws: SOAPClientError.self, "\(mode)") {
                try await bob.extend("urn:wsemail:example:hostile", "<x xmlns=\"urn:x\"/>")
            }
            #expect(fault?.fault?.subcode == .pluginUnavailable)
            let row = try await domains.scopio.plugin(HostilePluginTests.plugin)
            #expect(Int(row["failures_count"] ?? "") ?? 0 >= 3 * (number + 1), "\(mode): \(row)")
        }
        // Of what it sent while it failed nothing left the house.
        let received = try await alice.inbox(reaching: HostilePluginTests.modes.count)
        #expect(!received.map(\.subject).contains("spam"))
        await alice.close()
        await bob.close()
        try await domains.remove()
    }

    @Test(arguments: ["loop", "trap"]) func `with a closed policy mail waits, and arrives when the plug-in is repaired`(
        _ mode: String
    ) async throws {
        let (domains, _) = try await start()
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        try await set(mode, policy: "closed", at: domains.scopio)
        let message = alice.message(to: [bob.address], subject: "Patience")
        try await alice.send(message)
        let refused = await #expect(throws: SOAPClientError.self) { try await bob.send(bob.message(to: [alice.address])) }
        #expect(refused?.fault?.subcode == .pluginUnavailable)
        #expect(refused?.fault?.isTransient == true)
        // It was taken over (T1) and waits here.
        _ = try await alice.status(of: message.id, until: "accepted")
        #expect(try await bob.everything(in: "Inbox").isEmpty)
        let queue = try await domains.scopio.admin(.queueList)
        #expect(queue.rows.contains { queue.value("destination", in: $0) == "scopio.test" })

        try await set("well", policy: "closed", at: domains.scopio)
        #expect(try await bob.inbox(reaching: 1).map(\.subject) == ["Patience"])
        try await bob.send(bob.message(to: [alice.address], subject: "Thanks"))
        #expect(try await alice.inbox(reaching: 1).map(\.subject) == ["Thanks"])
        await alice.close()
        await bob.close()
        try await domains.remove()
    }

    @Test func `a plug-in that keeps failing is taken out, stays out over a restart, and is reported`() async throws {
        let (domains, _) = try await start()
        try await set("trap", policy: "open", at: domains.scopio)
        let alice = try TestUser("alice", of: domains.capicom)
        var bob = try TestUser("bob", of: domains.scopio)
        for number in 1...25 { try await bob.send(bob.message(to: [alice.address], subject: "\(number)")) }
        var row = try await domains.scopio.plugin(HostilePluginTests.plugin)
        #expect(row["state"] == "suspended")
        #expect(row["reason"]?.isEmpty == false)
        let failures = row["failures_count"]
        try await bob.send(bob.message(to: [alice.address], subject: "26"))
        #expect(try await domains.scopio.plugin(HostilePluginTests.plugin)["failures_count"] == failures, "it is not called any more")
        await bob.close()

        let scopio = domains.scopio
        try await scopio.stop()
        let restarted = try await TestDomain.resume(scopio.configuration, folder: scopio.configuration.dataDirectory)
        row = try await restarted.plugin(HostilePluginTests.plugin)
        #expect(row["state"] == "suspended")
        // Closed, it would hold mail: a plug-in that was taken out is not a plug-in that was removed.
        try await restarted.admin(.pluginPolicy, [.plugin: HostilePluginTests.plugin, .value: "closed"])
        bob = try TestUser("bob", of: restarted)
        let waiting = bob.message(to: [alice.address], subject: "27")
        let user = bob
        let fault = await #expect(throws: SOAPClientError.self) { try await user.send(waiting) }
        #expect(fault?.fault?.subcode == .pluginUnavailable)
        try await set("well", policy: "closed", at: restarted)
        try await bob.send(bob.message(to: [alice.address], subject: "28"))
        #expect(try await restarted.plugin(HostilePluginTests.plugin)["state"] == "active")
        await alice.close()
        await bob.close()
        try await restarted.remove()
        try await domains.capicom.remove()
        domains.dns.stop()
    }

    /// What must not be installed, with a word of the reason.
    private static func refused(_ workshop: PluginWorkshop) throws -> [(String, [UInt8], String?, String)] {
        let good = try workshop.package("vacation")
        let stranger = try PluginWorkshop()
        let past = try PluginWorkshop(now: Date(timeIntervalSinceNow: -3 * 365 * 86_400), signsNow: false)
        var tampered = good
        let summary = Array("<Summary>Answers".utf8)
        let index = try #require(tampered.indices.first { tampered[$0...].starts(with: summary) })
        tampered[index + 9] = UInt8(ascii: "a")
        let manifest = try String(contentsOfFile: PluginWorkshop.folder + "/vacation.xml", encoding: .utf8)
        let module = try [UInt8](Data(contentsOf: URL(fileURLWithPath: PluginWorkshop.folder + "/vacation.wasm")))
        var damaged = module
        for offset in stride(from: 100, to: damaged.count, by: 997) { damaged[offset] ^= 0x55 }
        let all = "clock,key-value,send"
        return [
            ("changed manifest", tampered, all, "changed"),
            ("publisher nobody believes", try stranger.package("vacation"), all, "publisher"),
            ("expired publisher", try past.package("vacation"), all, "expired"),
            ("no signature", try PackageBuilder(manifest: Array(manifest.utf8)) { _ in module }.unsigned(), all, "signed"),
            ("corrupted module", try workshop.package(manifest: manifest, module: damaged), all, "module"),
            ("module cut off", try workshop.package(manifest: manifest, module: Array(module.prefix(500))), all, "module"),
            ("no module", try workshop.package(manifest: manifest, module: [0]), all, "module"),
            ("import not granted", good, "clock,key-value", "send"),
            ("granted in part", good, "clock", "--grant clock,key-value,send"),
            (
                "import not asked for",
                try workshop.package("vacation", [("<Capability>send</Capability>", "")]), "clock,key-value", "send"
            ),
            ("traps in describe", try workshop.package("hostile-describe"), nil, "describe"),
            (
                "role that the module has not",
                try workshop.package("noop", [("name=\"delivery\"", "name=\"resolver\"")]), nil, "role"
            ),
            (
                "for a later server", try workshop.package("noop", [("</Publisher>", "</Publisher><MinimumServer>99.0.0</MinimumServer>")]),
                nil, "99.0.0"
            ),
        ]
    }

    @Test func `what must not be installed is refused with the reason, and nothing changes`() async throws {
        let (domains, workshop) = try await start()
        for (name, package, grant, word) in try HostilePluginTests.refused(workshop) {
            let error = await #expect(throws: AdminError.self, "\(name)") { try await domains.scopio.install(package, grant: grant) }
            #expect(error?.reason.localizedCaseInsensitiveContains(word) == true, "\(name): \(error?.reason ?? "")")
            let rows = try await domains.scopio.admin(.pluginList).rows
            #expect(rows.filter { $0[0].hasPrefix("org.example.") }.count == 1, "\(name)")
        }
        await #expect(throws: AdminError.self) { try await domains.scopio.install([UInt8](repeating: 60, count: 100)) }
        try await domains.remove()
    }

    @Test func `an older version does not come back, also after a removal`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        let scopio = domains.scopio
        try await scopio.install(workshop.version("noop", "2.0.0"))
        await #expect(throws: AdminError.self) { try await scopio.install(workshop.version("noop", "1.9.0")) }
        try await scopio.admin(.pluginRemove, [.plugin: "org.example.noop", .purge: "yes"])
        await #expect(throws: AdminError.self) { try await scopio.install(workshop.version("noop", "1.9.0")) }
        try await scopio.admin(
            .pluginInstall,
            [.package: Data(try workshop.version("noop", "1.9.0")).base64EncodedString(), .downgrade: "yes"])
        #expect(try await scopio.plugin("org.example.noop")["version"] == "1.9.0")
        // The way back from a downgrade is open.
        try await scopio.install(workshop.version("noop", "2.0.0"))
        // An upgrade that wants more is refused until that is granted.
        let greedy = try workshop.version("noop", "3.0.0", [("<Module", "<Capability>send</Capability><Module")])
        let error = await #expect(throws: AdminError.self) { try await scopio.install(greedy) }
        #expect(error?.reason.contains("send") == true)
        #expect(try await scopio.plugin("org.example.noop")["version"] == "2.0.0")
        try await scopio.install(greedy, grant: "send")
        #expect(try await scopio.plugin("org.example.noop")["version"] == "3.0.0")
        try await domains.remove()
    }

    @Test func `a revoked publisher's plug-in is out at once`() async throws {
        let (domains, workshop) = try await TwoDomains.startWithPlugins()
        try await domains.scopio.install(workshop.package("noop"))
        let certificate = try MailCertificate(pem: workshop.certificatePEM).fingerprint.description
        try await domains.scopio.admin(.publisherRevoke, [.fingerprint: certificate, .reason: "stolen"])
        let row = try await domains.scopio.plugin("org.example.noop")
        #expect(row["state"] == "failed")
        #expect(row["reason"]?.contains("revoked") == true)
        await #expect(throws: AdminError.self) { try await domains.scopio.install(workshop.version("noop", "1.1.0")) }
        try await domains.remove()
    }
}
