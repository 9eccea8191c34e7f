import Delivery
import Foundation
import Identity
import SOAP
import SOAPClient
import TestSupport
import Testing
import WSSecurity
import XMLCore

/// Peers found, judged and called in sessions that are kept.
@Suite(.timeLimit(.minutes(1))) struct PeerConnectionPoolTests {
    let clock = ManualClock()
    let ours: TestIdentity
    let theirs: TestIdentity
    let service: TestService
    let resolver: FakeResolver

    init() throws {
        let clock = clock
        ours = try TestIdentity("capicom.test", now: clock.now)
        theirs = try TestIdentity("scopio.test", now: clock.now)
        service = TestService(theirs, clock: { clock.now })
        service.trust(ours.signing.certificate, as: .peer(ours.domain))
        resolver = FakeResolver(ports: [theirs.domain: 8443])
    }

    func pool(allowPrivate: Bool = true, trust: TrustStore? = nil, capacity: Int = 10) throws -> PeerConnectionPool {
        let trust = try trust ?? theirs.trust()
        return PeerConnectionPool(
            locator: ServiceLocator(
                resolver: resolver, policy: AddressPolicy(allowPrivateTargets: allowPrivate),
                roots: ServiceLocator.anchors(of: trust)),
            transport: service, credentials: .certificate(ours.signing), trust: AnchoredReplyTrust(trust), capacity: capacity,
            clock: { [clock] in clock.now })
    }

    func deliver(_ pool: PeerConnectionPool, _ domain: MailDomain? = nil) async -> DeliveryError? {
        do throws(DeliveryError) {
            _ = try await pool.call(.deliver, of: domain ?? theirs.domain) { writer in
                writer.start(Tags.w("Deliver"))
                _ = writer.end()
            }
            return nil
        } catch {
            return error
        }
    }

    @Test func keepsOneSessionPerPeerAndResolvesForEachCall() async throws {
        let pool = try pool()
        for _ in 0..<3 { #expect(await deliver(pool) == nil) }
        #expect(service.logins == 1 && resolver.questions == 3)
        await pool.close()
        #expect(service.sessionCount == 0)
        #expect(await deliver(pool)?.code == .closed)
    }

    @Test func privateTargetsAreRefusedUnlessConfigured() async throws {
        let error = await deliver(try pool(allowPrivate: false))
        #expect(error?.code == .privateTarget && error?.isTransient == false && service.logins == 0)
    }

    @Test func domainsWithoutAnAnchorWaitForTheAdministrator() async throws {
        let error = await deliver(try pool(trust: TrustStore()))
        #expect(error?.code == .noAnchor && error?.isTransient == true)
        #expect(resolver.questions == 0)
    }

    @Test func whatTheResolverSaysComesThrough() async throws {
        resolver.set(theirs.domain, .failure(DeliveryError(.serviceDenied, "no")))
        #expect(await deliver(try pool())?.code == .serviceDenied)
    }

    @Test func brokenConnectionsCountAgainstThePeer() async throws {
        service.before { (_, _) throws(SOAPClientError) in throw SOAPClientError(.connectFailed, "refused") }
        let error = await deliver(try pool())
        #expect(error?.code == .unreachable && error?.isTransient == true && error?.isConnectionFailure == true)
    }

    @Test func faultsAboutServersAreWaitedForThoseAboutMessagesAreNot() async throws {
        // The peer does not know our certificate: its operator may add our anchor while the mail waits.
        let stranger = TestService(theirs, clock: { [clock] in clock.now })
        let trust = try theirs.trust()
        let pool = PeerConnectionPool(
            locator: ServiceLocator(
                resolver: resolver, policy: AddressPolicy(allowPrivateTargets: true), roots: ServiceLocator.anchors(of: trust)),
            transport: stranger, credentials: .certificate(ours.signing), trust: AnchoredReplyTrust(trust),
            clock: { [clock] in clock.now })
        let error = await deliver(pool)
        #expect(error?.code == .fault && error?.isTransient == true)
        #expect(DeliveryError(SOAPClientError(verified: SOAPFault(.tooLarge, ""))).isTransient == false)
        #expect(DeliveryError(SOAPClientError(verified: SOAPFault(.busy, ""))).isTransient)
        #expect(DeliveryError(SOAPClientError(.untrustedReply, "")).isTransient)
    }

    @Test func droppingAPeerEndsItsSession() async throws {
        let pool = try pool()
        _ = await deliver(pool)
        await pool.drop(theirs.domain)
        #expect(service.sessionCount == 0)
        #expect(await deliver(pool) == nil)
        #expect(service.logins == 2)
    }

    @Test func aTargetsNameGoesIntoTheDestinationOnlyWhenSecure() throws {
        for isSecure in [true, false] {
            let endpoint = ServiceEndpoint(target: "mx.scopio.test", port: 1, addresses: ["1.1.1.1"], secure: isSecure)
            let destination = ServiceLocator.destination(theirs.domain, [endpoint], .system)
            #expect(destination.name == "scopio.test")
            #expect(destination.endpoints.map(\.alternativeName) == [isSecure ? "mx.scopio.test" : nil])
        }
    }
}
