import Delivery
import Foundation
import Identity
import MailStore
import Testing

@testable import MailServer

@Suite("Administration of trust and keys")
struct AdminTrustTests {
    private let scopio: DomainAuthority

    init() throws {
        scopio = try DomainAuthority.create(domain: try MailDomain("scopio.test"), now: AdminBench.now)
    }

    private var fingerprint: String { scopio.certificate.fingerprint.description }

    @Test func aRootIsPinnedByItsCertificate() async throws {
        let bench = try AdminBench()
        let reply = await bench.perform(.trustAdd, [.domain: "scopio.test", .certificate: scopio.certificatePEM])
        #expect(reply.ok && reply.details["fingerprint"] == fingerprint)
        #expect(bench.events.all == ["trust", "retry scopio.test", "queue"])
        let anchors = try await bench.store.trustAnchors().anchors
        #expect(anchors.map(\.scope) == [.domain(try MailDomain("scopio.test"))])
        #expect(anchors.first?.addedBy.contains("uid 0") == true)
        let list = await bench.perform(.trustList)
        #expect(list.rows.count == 1 && !list.columns.contains("certificate"))
    }

    @Test func aRootIsFetchedAndBelievedOnlyByItsFingerprint() async throws {
        var bench = try AdminBench()
        let impostor = try DomainAuthority.create(domain: try MailDomain("scopio.test"), now: AdminBench.now)
        let offered = [impostor.certificate.der, scopio.certificate.der]
        bench.hooks.fetchRoots = { _ in offered }
        #expect(await bench.perform(.trustAdd, [.domain: "scopio.test", .fingerprint: fingerprint]).ok)
        #expect(try await bench.store.trustAnchors().anchors.map(\.der) == [scopio.certificate.der])

        bench.hooks.fetchRoots = { _ in [impostor.certificate.der] }
        let refused = await bench.perform(.trustAdd, [.domain: "scopio.test", .fingerprint: fingerprint])
        #expect(refused.error?.code == .untrusted)
        #expect(try await bench.store.trustAnchors().anchors.count == 1)
    }

    @Test func aCertificateThatIsNotTheOneNamedIsRefused() async throws {
        let bench = try AdminBench()
        let other = String(repeating: "ab", count: 32)
        let reply = await bench.perform(
            .trustAdd, [.domain: "scopio.test", .certificate: scopio.certificatePEM, .fingerprint: other])
        #expect(reply.error?.code == .untrusted)
    }

    @Test func theServerMustBeReachedToFetch() async throws {
        var bench = try AdminBench()
        #expect(
            await bench.perform(.trustAdd, [.domain: "scopio.test", .fingerprint: fingerprint]).error?.code == .needsServer)
        bench.hooks.fetchRoots = { _ in throw AdminError(.unreachable, "down") }
        #expect(
            await bench.perform(.trustAdd, [.domain: "scopio.test", .fingerprint: fingerprint]).error?.code == .unreachable)
    }

    @Test func aRootSpeaksForItsOwnDomainOnly() async throws {
        let bench = try AdminBench()
        let pem = scopio.certificatePEM
        #expect(await bench.perform(.trustAdd, [.domain: "other.test", .certificate: pem]).error?.code == .untrusted)
        #expect(await bench.perform(.trustAdd, [.domain: "capicom.test", .certificate: pem]).error?.code == .invalidArgument)
        #expect(await bench.perform(.trustAdd, [.scope: "federation", .certificate: pem]).error?.code == .invalidArgument)
        #expect(try await bench.store.trustAnchors().anchors.isEmpty)
    }

    @Test func aFederationRootIsAddedAndRemoved() async throws {
        let bench = try AdminBench()
        let federation = try FederationAuthority.create(name: "Test federation", now: AdminBench.now).certificate
        #expect(await bench.perform(.trustAdd, [.scope: "federation", .certificate: federation.pem]).ok)
        #expect(try await bench.store.trustAnchors().anchors.map(\.scope) == [.federation])
        #expect(await bench.perform(.trustRemove, [.scope: "federation"]).error?.code == .invalidArgument)
        let named = await bench.perform(
            .trustRemove, [.scope: "federation", .fingerprint: federation.fingerprint.description])
        #expect(named.ok)
        #expect(try await bench.store.trustAnchors().anchors.isEmpty)
    }

    @Test func anExpiredRootIsRefused() async throws {
        let bench = try AdminBench()
        let old = try DomainAuthority.create(
            domain: try MailDomain("scopio.test"), now: AdminBench.now.addingTimeInterval(-30 * 366 * 86_400))
        let reply = await bench.perform(.trustAdd, [.domain: "scopio.test", .certificate: old.certificatePEM])
        #expect(reply.error?.code == .untrusted)
    }

    @Test func replacingARootForgetsWhatTheOldOneSaid() async throws {
        let bench = try AdminBench()
        let peer = try MailDomain("scopio.test")
        await bench.perform(.trustAdd, [.domain: "scopio.test", .certificate: scopio.certificatePEM])
        try await bench.store.savePeerMetadata(
            PeerMetadata(domain: peer, octets: [1], version: 9, nextUpdate: AdminBench.now, fetched: AdminBench.now))
        let successor = try DomainAuthority.create(domain: peer, now: AdminBench.now)
        let kept = await bench.perform(.trustAdd, [.domain: "scopio.test", .certificate: successor.certificatePEM])
        #expect(kept.details["warning"]?.isEmpty == false)
        let arguments: [AdminArgument: String] = [
            .domain: "scopio.test", .certificate: successor.certificatePEM, .replace: "yes",
        ]
        #expect(await bench.perform(.trustAdd, arguments).ok)
        #expect(try await bench.store.trustAnchors().anchors.map(\.der) == [successor.certificate.der])
        #expect(try await bench.store.peerMetadata(of: peer) == nil)
        #expect(bench.events.all.contains("forgotten scopio.test"))
    }

    @Test func withoutTrustThePeersSessionsEnd() async throws {
        let bench = try AdminBench()
        await bench.perform(.trustAdd, [.domain: "scopio.test", .certificate: scopio.certificatePEM])
        try await bench.store.insertSession(
            SessionRecord(
                id: "p1", principal: "scopio.test", kind: .peer, sealedSecret: [1], created: AdminBench.now,
                expires: AdminBench.now.addingTimeInterval(60)))
        #expect(await bench.perform(.trustRemove, [.domain: "scopio.test"]).ok)
        #expect(bench.events.all.suffix(3) == ["trust", "ended p1", "forgotten scopio.test"])
        #expect(await bench.perform(.trustRemove, [.domain: "scopio.test"]).error?.code == .unknownCertificate)
    }

    // MARK: Users' certificates

    private func enrol(_ bench: AdminBench) async throws -> MailCertificate {
        await bench.addUser("alice")
        let alice = try Address("alice@capicom.test")
        let authority = try DomainAuthority.create(domain: alice.domain, now: AdminBench.now)
        let request = try CertificateRequest.make(address: alice, key: .generateP256())
        let certificate = try authority.issueUserCertificate(request: request, address: alice, now: AdminBench.now)
        try await bench.store.addCertificate(
            IssuedCertificate(
                thumbprint: certificate.thumbprintSHA256, owner: alice, der: certificate.der, serial: [1],
                notAfter: certificate.notAfter, added: AdminBench.now))
        return certificate
    }

    @Test func aRevocationIsPublished() async throws {
        let bench = try AdminBench()
        let certificate = try await enrol(bench)
        let list = await bench.perform(.keyList)
        #expect(list.value("fingerprint", in: try #require(list.rows.first)) == certificate.fingerprint.description)
        let reply = await bench.perform(.keyRevoke, [.fingerprint: certificate.fingerprint.description])
        #expect(reply.ok && reply.details["revoked_count"] == "1")
        #expect(bench.events.all == ["ended ", "published"])
        #expect(try await bench.store.revokedSerials(now: AdminBench.now).count == 1)
        #expect(await bench.perform(.keyRevoke, [.address: "alice"]).details["revoked_count"] == "0")
    }

    @Test func aRevocationStandsEvenIfItCannotBePublished() async throws {
        var bench = try AdminBench()
        bench.hooks.publishMetadata = { throw AdminError(.internal, "no") }
        _ = try await enrol(bench)
        let reply = await bench.perform(.keyRevoke, [.address: "alice@capicom.test"])
        #expect(reply.ok && reply.details["warning"]?.contains("metadata refresh") == true)
        #expect(try await bench.store.revokedSerials(now: AdminBench.now).count == 1)
    }

    @Test func unknownCertificatesAreNamed() async throws {
        let bench = try AdminBench()
        #expect(await bench.perform(.keyRevoke, [.fingerprint: fingerprint]).error?.code == .unknownCertificate)
        #expect(await bench.perform(.keyRevoke, [.fingerprint: "zz"]).error?.code == .invalidArgument)
    }

    @Test func aProbeTellsARefusalFromAFailure() async throws {
        var bench = try AdminBench()
        #expect(await bench.perform(.peerProbe, [.domain: "scopio.test"]).error?.code == .needsServer)
        bench.hooks.probePeer = { _ in }
        #expect(await bench.perform(.peerProbe, [.domain: "scopio.test"]).details["outcome"] == "open")
        bench.hooks.probePeer = { _ in throw DeliveryError(.fault, "UntrustedCertificate: no", subcode: .untrustedCertificate) }
        let refused = await bench.perform(.peerProbe, [.domain: "scopio.test"])
        #expect(refused.details["outcome"] == "refused" && refused.details["code"] == "UntrustedCertificate")
        bench.hooks.probePeer = { _ in throw DeliveryError(.unreachable, "cannot connect") }
        let error = await bench.perform(.peerProbe, [.domain: "scopio.test"]).error
        #expect(error?.code == .unreachable && error?.reason == "cannot connect")
    }
}
