import Foundation
import Identity
import MailModel
import SOAP
import TestSupport
import Testing
import WSSecurity
import XMLSecurity

@testable import MailServer

/// Who may open a session as the server of a domain.
@Suite struct AttackPeerSessionTests {
    private func withArena(_ body: (PeerArena) async throws -> Void) async throws {
        let arena = try await PeerArena()
        do { try await body(arena) } catch { Issue.record(error) }
        try await arena.remove()
    }

    @Test func oneDomainsKeyNeverSpeaksForAnother() async throws {
        try await withArena { (arena) async throws in
            let (evil, capicom) = (arena.evil, arena.capicom)
            let theirs = try capicom.octets(capicom.metadata(2))
            #expect(try await evil.refusal(at: arena.home, stapling: theirs) == .untrustedCertificate)
            // Metadata of the other domain that lists our key, signed by our key.
            let forged = try capicom.metadata(3) { $0.servers = [evil.identity.signing.certificate] }
            #expect((try? evil.octets(forged)) == nil)
            // Our own authority certifies a server of the other domain's name.
            let impostor = try AttackPeer("capicom.test")
            let own = try impostor.octets(impostor.metadata(4))
            #expect(try await impostor.refusal(at: arena.home, stapling: own) == .untrustedCertificate)
            // The genuine domain still may.
            #expect(try await capicom.refusal(at: arena.home, stapling: theirs) == nil)
        }
    }

    @Test func strangersAndTheReceiverItselfAreRefused() async throws {
        try await withArena { (arena) async throws in
            let stranger = try AttackPeer("stranger.test")
            let octets = try stranger.octets(stranger.metadata())
            #expect(try await stranger.refusal(at: arena.home, stapling: octets) == .untrustedCertificate)
            let keys = arena.home.server.core.keys
            let same = try AttackPeer("scopio.test")
            let mine = try same.metadata { $0.servers = [keys.server] }
                .signed(by: keys.signing.key, certificate: keys.server)
            #expect(try await same.refusal(at: arena.home, under: keys.signing, stapling: mine) == .untrustedCertificate)
        }
    }

    @Test func onlyAPublishedServerCertificateOpensASession() async throws {
        try await withArena { (arena) async throws in
            let evil = arena.evil
            let octets = try evil.octets(evil.metadata())
            #expect(try await evil.refusal(at: arena.home, under: evil.serverIdentity(), stapling: octets) == .untrustedCertificate)
            #expect(try await evil.refusal(at: arena.home, under: evil.userIdentity("alice"), stapling: octets) == .untrustedCertificate)
            #expect(try await evil.refusal(at: arena.home, under: evil.identity.tls, stapling: octets) == .untrustedCertificate)
            #expect(try await evil.refusal(at: arena.home, stapling: nil) == .staleMetadata)
        }
    }

    @Test func metadataNeitherGoesBackNorIsStaleNorOfTheFuture() async throws {
        try await withArena { (arena) async throws in
            let evil = arena.evil
            func refusal(_ metadata: DomainMetadata, by signing: SigningIdentity? = nil) async throws -> FaultSubcode? {
                try await evil.refusal(at: arena.home, under: signing, stapling: evil.octets(metadata, by: signing))
            }
            #expect(try await refusal(evil.metadata(7)) == nil)
            #expect(try await refusal(evil.metadata(6)) == .untrustedCertificate)
            #expect(try await refusal(evil.metadata(7) { $0.endpoint = "/other" }) == .untrustedCertificate)
            #expect(
                try await refusal(
                    evil.metadata(8) {
                        $0.issued.addTimeInterval(-7_200)
                        $0.nextUpdate = $0.issued.addingTimeInterval(3_600)
                    }) == .staleMetadata)
            #expect(try await refusal(evil.metadata(8) { $0.issued.addTimeInterval(3_600) }) == .untrustedCertificate)
        }
    }

    @Test func aRevokedKeyStaysRevoked() async throws {
        try await withArena { (arena) async throws in
            let evil = arena.evil
            let stolen = evil.identity.signing
            let fresh = try evil.serverIdentity()
            let revoking = try evil.metadata(2) { metadata in
                metadata.servers = [fresh.certificate, stolen.certificate]
                metadata.revoked.insert(stolen.certificate.serial, at: metadata.issued)
            }
            #expect(try await evil.refusal(at: arena.home, under: fresh, stapling: evil.octets(revoking, by: fresh)) == nil)
            #expect(
                try await evil.refusal(at: arena.home, under: stolen, stapling: evil.octets(revoking, by: fresh)) == .untrustedCertificate)
            // The thief signs a newer version without the revocation.
            let undoing = try evil.metadata(3)
            #expect(try await evil.refusal(at: arena.home, under: stolen, stapling: evil.octets(undoing)) == .untrustedCertificate)
        }
    }
}
