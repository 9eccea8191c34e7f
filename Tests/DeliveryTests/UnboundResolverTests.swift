import Delivery
import Foundation
import Identity
import TestSupport
import Testing

/// libunbound against a real dnsmasq.
@Suite struct UnboundResolverTests {
    let now = Date(timeIntervalSince1970: 1_800_000_000)

    func configuration(_ dns: TestDNS) -> ResolverConfiguration {
        var configuration = ResolverConfiguration()
        configuration.forwarders = [dns.forwarder]
        configuration.insecureDomains = ["test"]
        configuration.timeout = .seconds(5)
        return configuration
    }

    func failure(_ resolver: UnboundResolver, _ domain: String) async throws -> DeliveryError? {
        do {
            _ = try await resolver.resolve(try MailDomain(domain), now: now)
            return nil
        } catch {
            return error as? DeliveryError
        }
    }

    @Test func findsServersByTheirServiceRecords() async throws {
        let dns = try TestDNS([
            .service("capicom.test", target: "one.capicom.test", port: 8443, priority: 10, weight: 5),
            .service("capicom.test", target: "two.capicom.test", port: 9443, priority: 20),
            .host("one.capicom.test", ["127.0.0.1"]), .host("two.capicom.test", ["127.0.0.2", "fd00::2"]),
        ])
        let resolver = try UnboundResolver(configuration(dns))
        defer { resolver.close() }
        let found = try await resolver.resolve(try MailDomain("Capicom.TEST"), now: now)
        #expect(found.map(\.target) == ["one.capicom.test", "two.capicom.test"])
        #expect(found.map(\.port) == [8443, 9443])
        #expect(found[0].addresses == ["127.0.0.1"] && found[1].addresses == ["fd00::2", "127.0.0.2"])
        #expect(found[0].priority == 10 && found[0].weight == 5 && !found[0].secure && !found[0].isAlias)
    }

    @Test func tellsTheKindsOfAbsenceApart() async throws {
        let dns = try TestDNS([
            .service("denied.test", target: "", port: 0), .host("webonly.test", ["127.0.0.1"]),
            .service("lost.test", target: "gone.lost.test", port: 1),
        ])
        let resolver = try UnboundResolver(configuration(dns))
        defer { resolver.close() }
        #expect(try await failure(resolver, "nowhere.test")?.code == .noService)
        #expect(try await failure(resolver, "webonly.test")?.code == .noService)
        #expect(try await failure(resolver, "denied.test")?.code == .serviceDenied)
        #expect(try await failure(resolver, "lost.test")?.code == .noAddress)
    }

    @Test func followsAnAliasAndSaysSo() async throws {
        let dns = try TestDNS([
            .service("alias.test", target: "www.alias.test", port: 443), .alias("www.alias.test", of: "real.alias.test"),
            .host("real.alias.test", ["127.0.0.7"]),
        ])
        let resolver = try UnboundResolver(configuration(dns))
        defer { resolver.close() }
        let found = try await resolver.resolve(try MailDomain("alias.test"), now: now)
        #expect(found[0].target == "www.alias.test" && found[0].isAlias && found[0].addresses == ["127.0.0.7"])
    }

    @Test func unsignedAnswersWhereSignaturesAreDueAreBogus() async throws {
        let dns = try TestDNS([.service("capicom.test", target: "one.capicom.test", port: 1)], zones: ["test", "."])
        var strict = configuration(dns)
        strict.insecureDomains = []
        let resolver = try UnboundResolver(strict)
        defer { resolver.close() }
        let error = try await failure(resolver, "capicom.test")
        #expect(error?.code == .bogus || error?.code == .dnsFailure)
        #expect(error?.isTransient == true)
    }

    @Test func aDeadServerIsATransientFailure() async throws {
        let dns = try TestDNS([])
        var configuration = configuration(dns)
        configuration.timeout = .milliseconds(300)
        dns.stop()
        let resolver = try UnboundResolver(configuration)
        defer { resolver.close() }
        let error = try await failure(resolver, "capicom.test")
        #expect(error?.code == .dnsFailure && error?.isTransient == true && error?.isConnectionFailure == true)
    }

    @Test func manyQuestionsAtOnceAreAllAnswered() async throws {
        let dns = try TestDNS(
            (0..<100).flatMap { number -> [TestDNS.Record] in
                [
                    .service("d\(number).test", target: "mail.d\(number).test", port: 1000 + number),
                    .host("mail.d\(number).test", ["127.0.1.\(number)"]),
                ]
            })
        let resolver = try UnboundResolver(configuration(dns))
        defer { resolver.close() }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let found = try await resolver.resolve(try MailDomain("d\(number).test"), now: now)
                    return found.map(\.port) == [1000 + number] && found[0].addresses == ["127.0.1.\(number)"]
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func closingAnswersWhoIsStillWaiting() async throws {
        let dns = try TestDNS([])
        dns.stop()
        let resolver = try UnboundResolver(configuration(dns))
        async let waiting = failure(resolver, "capicom.test")
        resolver.close()
        let code = try await waiting?.code
        #expect(code == .closed || code == .dnsFailure)
        #expect(try await failure(resolver, "capicom.test")?.code == .closed)
    }

    @Test func questionsAboveTheLimitAreRefusedAtOnce() async throws {
        let dns = try TestDNS([])
        dns.stop()
        var configuration = configuration(dns)
        configuration.maxPending = 0
        let client = try UnboundClient(configuration)
        let error = await #expect(throws: DeliveryError.self) { try await client.lookup("capicom.test", .srv) }
        #expect(error?.code == .dnsFailure)
    }

    @Test func anUnreadableTrustAnchorIsNoticedAtOnce() {
        var configuration = ResolverConfiguration()
        configuration.trustAnchorFile = "/nonexistent/root.key"
        #expect(throws: DeliveryError.self) { _ = try UnboundResolver(configuration) }
        configuration.trustAnchorFile = nil
        configuration.forwarders = ["not an address"]
        #expect(throws: DeliveryError.self) { _ = try UnboundResolver(configuration) }
    }
}
