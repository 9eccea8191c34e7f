import Foundation
import Identity
import MailModel
import MailStore
import SOAPClient
import Synchronization
import Testing

@testable import MailServer

/// Plug-ins come, change and go while mail flows between two domains.
@Suite(.serialized, .timeLimit(.minutes(30))) struct PluginFlowTests {
    static let messages = 20_000
    /// Every so many messages go to a role address of the sender's own domain.
    static let rolePeriod = 10

    @Test func `20,000 messages flow while every example is loaded, moved, disabled, upgraded and unloaded`() async throws {
        let log = DeliveryLog()
        let (domains, workshop) = try await TwoDomains.startWithPlugins(
            change: {
                $0.requestsPerSecond = 100_000
                $0.pluginThreads = 4
            }, logger: log.logger)
        let yard = FlowYard(domains: domains, workshop: workshop)
        try await yard.installEverything()
        let bob = try TestUser("bob", of: domains.scopio)
        try await bob.extend("urn:wsemail:example:filter", FilterRules.filing)
        try await bob.extend(
            "urn:wsemail:example:vacation", "<Set xmlns=\"urn:wsemail:example:vacation\"><Text>Away.</Text></Set>")

        let traffic = FlowTraffic(domains: domains, count: PluginFlowTests.messages, rolePeriod: PluginFlowTests.rolePeriod)
        async let acts = yard.work(until: { traffic.isDone })
        try await traffic.run()
        let actsDone = try await acts
        #expect(actsDone >= 100, "only \(actsDone) administrative acts fell into the traffic")
        try await yard.waitForQueues()

        let sent = traffic.accepted
        #expect(sent.direct.count + sent.role.count + traffic.refusedRoles == PluginFlowTests.messages)
        #expect(traffic.failures == [], "calls failed while plug-ins changed")
        try await expectEachOnce(sent.direct, at: domains)
        try await expectRolesOnce(sent.role, domains)
        try await expectMarks(sent.direct, domains)
        expectConsistentSets(log)
        let told = try String(contentsOfFile: yard.bridgeFile, encoding: .utf8).split(separator: "\n").count
        #expect(told > PluginFlowTests.messages / 10, "the bridge told of \(told) deliveries only")
        // Nobody was answered twice, and nobody's answer was lost: two senders wrote to bob.
        for name in ["alice", "carol"] {
            let user = try TestUser(name, of: domains.capicom)
            #expect(try await user.everything(in: "Inbox").filter { $0.from == bob.address }.count == 1, "answers to \(name)")
            await user.close()
        }
        await bob.close()
        try await domains.remove()
    }

    /// Each message is in its recipient's mailbox exactly once, in whatever folder.
    private func expectEachOnce(_ sent: [MessageID: Address], at domains: TwoDomains) async throws {
        for name in ["bob", "dave"] {
            let user = try TestUser(name, of: domains.scopio)
            var found: [MessageID: Int] = [:]
            for folder in try await domains.scopio.store.folders(of: user.address) where folder.role != "sent" {
                for header in try await user.everything(in: folder.name.rawValue) { found[header.id, default: 0] += 1 }
            }
            let wanted = sent.filter { $0.value == user.address }.map(\.key)
            let lost = wanted.filter { found[$0] == nil }
            let doubled = wanted.filter { (found[$0] ?? 0) > 1 }
            #expect(lost.isEmpty, "\(lost.count) of \(wanted.count) messages to \(name) are lost")
            #expect(doubled.isEmpty, "\(doubled.count) messages to \(name) came twice")
            await user.close()
        }
    }

    /// Each message to the role reached both people behind it exactly once.
    private func expectRolesOnce(_ sent: Set<MessageID>, _ domains: TwoDomains) async throws {
        #expect(!sent.isEmpty, "no message to the role was accepted")
        for (name, domain) in [("dave", domains.scopio), ("carol", domains.capicom)] {
            let user = try TestUser(name, of: domain)
            var found: [MessageID: Int] = [:]
            let role = try domains.scopio.address("purchasing")
            for header in try await user.everything(in: "Inbox") where header.from == role {
                let mail = try await user.retrieve(header)
                let inner = try #require(try RedirectedMail.find(in: mail.message.message))
                found[inner.message.message.id, default: 0] += 1
            }
            #expect(found.keys.count(where: { sent.contains($0) }) == sent.count, "messages to the role lost on the way to \(name)")
            #expect(found.values.allSatisfy { $0 == 1 }, "messages to the role came twice to \(name)")
            await user.close()
        }
    }

    /// The marker's values committed with the deliveries: at most once each, and by one version.
    private func expectMarks(_ sent: [MessageID: Address], _ domains: TwoDomains) async throws {
        var versions: [String: Int] = [:]
        for (id, recipient) in sent {
            let key = Array("seen:delivery:\(id):\(recipient)".utf8)
            guard let mark = try await domains.scopio.store.pluginValue(key, of: "org.example.marker/marker") else { continue }
            versions[String(decoding: mark.value, as: UTF8.self), default: 0] += 1
        }
        #expect(versions.keys.allSatisfy { $0.count == 1 }, "a message was seen twice: \(versions)")
        #expect(versions.count > 1, "no upgrade fell into the traffic: \(versions)")
    }

    /// All messages of one generation were seen by the same plug-ins, and nothing was put off.
    private func expectConsistentSets(_ log: DeliveryLog) {
        let delivered = log.lines.filter { $0.outcome == "delivered" }
        let sets = Dictionary(grouping: delivered, by: { "\($0.generation) \($0.recipient.hasSuffix("scopio.test"))" })
            .mapValues { Set($0.map(\.plugins)) }
        #expect(sets.values.allSatisfy { $0.count == 1 }, "\(sets.filter { $0.value.count > 1 })")
        #expect(sets.count > 20, "only \(sets.count) generations saw mail")
        let putOff = log.lines.filter { $0.outcome == "put off" }
        #expect(putOff.isEmpty, "\(putOff.count) deliveries were put off, such as \(putOff.first?.reason ?? "")")
        #expect(log.problems.isEmpty, "\(log.problems.prefix(5))")
    }
}
