import Delivery
import Foundation
import Identity
import TestSupport
import Testing

@Suite struct DNSServiceResolverTests {
    let domain: MailDomain
    let start = Date(timeIntervalSince1970: 1_800_000_000)
    let dns = FakeDNSLookup()
    let name = "_wsemail._tcp.scopio.test"

    init() throws {
        domain = try MailDomain("scopio.test")
        dns.set("mail.scopio.test", .a, .success(DNSAnswer(records: [[1, 1, 1, 1]], ttl: 100)))
    }

    func resolver(_ configuration: ResolverConfiguration = ResolverConfiguration()) -> DNSServiceResolver {
        DNSServiceResolver(lookup: dns, configuration: configuration, draw: { $0.sorted { $0.priority < $1.priority } })
    }

    func publish(_ records: [[UInt8]], ttl: Int = 60, secure: Bool = false) {
        dns.set(name, .srv, .success(DNSAnswer(records: records, ttl: ttl, isSecure: secure)))
    }

    func failure(_ resolver: DNSServiceResolver, at date: Date? = nil) async -> DeliveryError? {
        do throws(DeliveryError) {
            _ = try await resolver.resolve(domain, now: date ?? start)
            return nil
        } catch {
            return error
        }
    }

    @Test func findsTargetsInOrderWithTheirAddresses() async throws {
        publish([FakeDNSLookup.srv(20, 0, 443, "mail.scopio.test"), FakeDNSLookup.srv(10, 5, 8443, "six.scopio.test")])
        let six = [UInt8](repeating: 0, count: 15) + [1]
        dns.set("six.scopio.test", .aaaa, .success(DNSAnswer(records: [six], ttl: 5)))
        dns.set("six.scopio.test", .a, .success(DNSAnswer(records: [[1, 2, 3, 4]], ttl: 5)))
        let found = try await resolver().resolve(domain, now: start)
        #expect(found.map(\.target) == ["six.scopio.test", "mail.scopio.test"])
        #expect(found[0].addresses == ["::1", "1.2.3.4"])
        #expect(found[0].port == 8443 && found[0].priority == 10 && found[0].weight == 5)
        #expect(found.allSatisfy { !$0.secure })
    }

    @Test func onlyASecureSRVAnswerMakesTheTargetsNameCount() async throws {
        publish([FakeDNSLookup.srv(1, 1, 443, "mail.scopio.test")], secure: true)
        #expect(try await resolver().resolve(domain, now: start)[0].secure)
    }

    @Test func answersAreKeptForTheShortestTTLAndNoLonger() async throws {
        publish([FakeDNSLookup.srv(1, 1, 443, "mail.scopio.test")], ttl: 60)
        let resolver = resolver()
        _ = try await resolver.resolve(domain, now: start)
        let asked = dns.questions.count
        _ = try await resolver.resolve(domain, now: start.addingTimeInterval(59))
        #expect(dns.questions.count == asked)
        _ = try await resolver.resolve(domain, now: start.addingTimeInterval(60))
        #expect(dns.questions.count > asked)
    }

    @Test(arguments: [(0, 4.9, true), (0, 5, false), (1_000_000, 3599, true), (1_000_000, 3600, false)])
    func timesToLiveAreClamped(ttl: Int, after: TimeInterval, isKept: Bool) async throws {
        publish([FakeDNSLookup.srv(1, 1, 443, "mail.scopio.test")], ttl: ttl)
        dns.set("mail.scopio.test", .a, .success(DNSAnswer(records: [[1, 1, 1, 1]], ttl: ttl)))
        let resolver = resolver()
        _ = try await resolver.resolve(domain, now: start)
        let asked = dns.questions.count
        _ = try await resolver.resolve(domain, now: start.addingTimeInterval(after))
        #expect((dns.questions.count == asked) == isKept)
    }

    @Test(arguments: [(1, 5.0), (100, 100), (100_000, 300)])
    func absenceIsKeptForItsOwnClampedTime(ttl: Int, kept: TimeInterval) async {
        dns.set(name, .srv, .success(DNSAnswer(records: [], ttl: ttl, isNameError: true)))
        let resolver = resolver()
        #expect(await failure(resolver)?.code == .noService)
        #expect(await failure(resolver, at: start.addingTimeInterval(kept - 0.1))?.code == .noService)
        #expect(dns.questions.count == 1)
        _ = await failure(resolver, at: start.addingTimeInterval(kept))
        #expect(dns.questions.count == 2)
    }

    @Test(arguments: [true, false])
    func absenceIsFinalOnlyWhenProved(secure: Bool) async {
        dns.set(name, .srv, .success(DNSAnswer(records: [], isNameError: true, isSecure: secure)))
        #expect(await failure(resolver())?.isTransient == !secure)
    }

    @Test func rootAsTargetSaysThatThereIsNoService() async {
        publish([FakeDNSLookup.srv(0, 0, 0, "")])
        let error = await failure(resolver())
        #expect(error?.code == .serviceDenied && error?.isTransient == false)
    }

    @Test func failuresOfDNSAreTransientAndNotKept() async throws {
        dns.set(name, .srv, .failure(DeliveryError(.dnsFailure, "SERVFAIL")))
        let resolver = resolver()
        let error = await failure(resolver)
        #expect(error?.code == .dnsFailure && error?.isTransient == true)
        publish([FakeDNSLookup.srv(1, 1, 443, "mail.scopio.test")])
        #expect(await failure(resolver) == nil)
    }

    @Test func bogusAnswersAreRefused() async {
        dns.set(name, .srv, .failure(DeliveryError(.bogus, "signature expired")))
        #expect(await failure(resolver())?.code == .bogus)
    }

    @Test func oneDeadTargetDoesNotTakeTheOthersAlong() async throws {
        publish([FakeDNSLookup.srv(1, 1, 443, "dead.scopio.test"), FakeDNSLookup.srv(2, 1, 443, "mail.scopio.test")])
        dns.set("dead.scopio.test", .a, .failure(DeliveryError(.dnsFailure, "SERVFAIL")))
        #expect(try await resolver().resolve(domain, now: start).map(\.target) == ["mail.scopio.test"])
    }

    @Test func oneFailingFamilyDoesNotHideTheOther() async throws {
        publish([FakeDNSLookup.srv(1, 1, 443, "mail.scopio.test")])
        dns.set("mail.scopio.test", .aaaa, .failure(DeliveryError(.dnsFailure, "SERVFAIL")))
        #expect(try await resolver().resolve(domain, now: start)[0].addresses == ["1.1.1.1"])
    }

    @Test func targetsWithoutAddressesAreTransient() async {
        publish([FakeDNSLookup.srv(1, 1, 443, "nowhere.scopio.test"), FakeDNSLookup.srv(1, 1, 0, "mail.scopio.test")])
        let error = await failure(resolver())
        #expect(error?.code == .noAddress && error?.isTransient == true)
    }

    @Test func unreadableRecordsAreNotAbsence() async {
        publish([[1, 2, 3]])
        #expect(await failure(resolver())?.code == .dnsFailure)
    }

    @Test func theCacheIsBounded() async throws {
        var configuration = ResolverConfiguration()
        configuration.maxCachedDomains = 4
        let resolver = resolver(configuration)
        for number in 0..<50 {
            _ = try? await resolver.resolve(try MailDomain("d\(number).test"), now: start)
        }
        // Of fifty names at most four can still be known.
        #expect(dns.questions.count == 50)
        for number in 0..<50 {
            _ = try? await resolver.resolve(try MailDomain("d\(number).test"), now: start)
        }
        #expect(dns.questions.count >= 96)
    }

    @Test func tooManyTargetsAreCutOff() async throws {
        publish((0..<100).map { FakeDNSLookup.srv($0, 1, 443, "mail.scopio.test") })
        #expect(try await resolver().resolve(domain, now: start).count == 10)
    }

    @Test func aPersonsHostMayBeALiteral() async throws {
        #expect(try await resolver().addresses(of: "192.0.2.1", now: start) == ["192.0.2.1"])
        #expect(try await resolver().addresses(of: "mail.scopio.test", now: start) == ["1.1.1.1"])
    }
}
