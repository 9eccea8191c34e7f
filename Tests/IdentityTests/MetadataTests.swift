import Crypto
import Foundation
import Testing
import X509
import XMLCore
import XMLSecurity

@testable import Identity

@Suite struct MetadataTests {
    /// A domain with its authority, a server key and the metadata they would publish.
    private struct Site {
        let authority: DomainAuthority
        let key: SigningKey
        let server: MailCertificate
        var metadata: DomainMetadata

        init(_ name: String = "capicom.test", key: SigningKey = .generateP256()) throws {
            authority = try World.authority(name)
            self.key = key
            server = try World.server(authority, key: key)
            metadata = DomainMetadata(
                domain: authority.domain, version: 7, issued: World.now,
                nextUpdate: World.now.addingTimeInterval(World.day), endpoint: "/wsemail",
                roots: [authority.certificate], servers: [server],
                limits: .init(maximumMessageSize: 1 << 20, maximumRecipients: 100, maximumBatch: 32))
            metadata.capabilities = ["gzip", "urn:x:instant"]
            metadata.revoked.insert("00ff01", at: World.now.addingTimeInterval(-World.day))
        }

        func signed() throws -> [UInt8] { try metadata.signed(by: key, certificate: server) }
        func trust() throws -> TrustStore { try World.pinned(authority) }

        func verify(
            _ octets: [UInt8], at date: Date = World.now, known: VerifiedMetadata? = nil, allowStale: Bool = false
        ) async throws -> VerifiedMetadata {
            try await VerifiedMetadata.verify(
                octets, of: authority.domain, trust: trust(), at: date, known: known, allowStale: allowStale)
        }
    }

    @Test func whatIsSignedIsRead() async throws {
        var site = try Site()
        let second = try World.server(site.authority)
        site.metadata.servers.append(second)
        let octets = try site.signed()
        let verified = try await site.verify(octets)
        #expect(verified.metadata == site.metadata)
        #expect(verified.signer.certificate == site.server)
        #expect(verified.octets == octets)
        #expect(verified.metadata.server(thumbprintSHA256: second.thumbprintSHA256) == second)
        #expect(verified.metadata.revoked.contains("ff01", at: World.now))
    }

    @Test func everyKeyTypeSigns() async throws {
        let keys: [SigningKey] = [
            .p384(P384.Signing.PrivateKey()), .ed25519(Curve25519.Signing.PrivateKey()), try .generateRSA(),
        ]
        for key in keys {
            let site = try Site(key: key)
            #expect(try await site.verify(site.signed()).metadata == site.metadata)
        }
    }

    @Test func theDocumentIsCanonical() throws {
        let octets = try Site().signed()
        #expect(try XMLDocument.parse(octets).root.canonicalBytes() == octets)
        let start = "<DomainMetadata xmlns=\"urn:wsemail:2\" Id=\"metadata\" Version=\"7\">"
        #expect(octets.starts(with: Array(start.utf8)))
    }

    @Test func anotherDomainsSignatureIsNone() async throws {
        let (capicom, scopio) = (try Site(), try Site("scopio.test"))
        // scopio's own document, where capicom's is expected, by somebody who trusts both.
        let trust = try World.pinned(capicom.authority, scopio.authority)
        await expect(.nameMismatch) {
            try await VerifiedMetadata.verify(
                scopio.signed(), of: capicom.authority.domain, trust: trust, at: World.now)
        }
        // A document for capicom that scopio's authority made up, certificates and all.
        let key = P256.Signing.PrivateKey()
        let profile = try CertificateProfile.server(
            capicom.authority.domain, hosts: [], .init(key.publicKey), .init(oid: MailOID.mailServer))
        var evil = capicom.metadata
        evil.servers = [try World.forge(scopio.authority.issuer, profile)]
        let octets = try evil.signed(by: .p256(key), certificate: evil.servers[0])
        await expect(.untrusted) { try await VerifiedMetadata.verify(octets, trust: trust, at: World.now) }
    }

    @Test func rollbackIsRefused() async throws {
        var site = try Site()
        let first = try await site.verify(site.signed())
        site.metadata.version = 8
        let second = try await site.verify(site.signed(), known: first)
        await expect(.metadataRollback) { try await site.verify(first.octets, known: second) }
        _ = try await site.verify(second.octets, known: second)
        // Another document of the same version.
        site.metadata.capabilities = []
        await expect(.metadataRollback) { try await site.verify(site.signed(), known: second) }
    }

    @Test func staleIsTransientAndTheFutureIsRefused() async throws {
        let site = try Site()
        let octets = try site.signed()
        let end = World.now.addingTimeInterval(World.day)
        _ = try await site.verify(octets, at: end)
        let error = await expect(.staleMetadata) { try await site.verify(octets, at: end.addingTimeInterval(1)) }
        #expect(error?.isTransient == true)
        let late = end.addingTimeInterval(10 * World.year)
        let evidence = try await site.verify(octets, at: late, allowStale: true)
        #expect(evidence.isStale(at: late))
        await expect(.notValidNow) { try await site.verify(octets, at: World.now.addingTimeInterval(-301)) }
        // Issued ahead of time by a certificate that is valid already.
        var early = site
        early.metadata.issued = World.now.addingTimeInterval(300)
        _ = try await early.verify(early.signed())
        early.metadata.issued = World.now.addingTimeInterval(301)
        let future = await expect(.notValidNow) { try await early.verify(early.signed()) }
        #expect(future?.reason.contains("from the future") == true)
    }

    @Test func everyChangedOctetIsNoticed() async throws {
        let site = try Site()
        let octets = try site.signed()
        let trust = try site.trust()
        for position in stride(from: 0, to: octets.count, by: 13) {
            var damaged = octets
            damaged[position] ^= 1
            await #expect(throws: IdentityError.self, "octet \(position)") {
                try await VerifiedMetadata.verify(damaged, trust: trust, at: World.now)
            }
        }
        let text = String(decoding: octets, as: UTF8.self)
        for (old, new) in [("Version=\"7\"", "Version=\"8\""), ("/wsemail<", "/wsemaix<"), ("gzip", "nope")] {
            let changed = Array(text.replacingOccurrences(of: old, with: new).utf8)
            #expect(changed != octets)
            await expect(.badSignature) {
                try await VerifiedMetadata.verify(changed, trust: trust, at: World.now)
            }
        }
    }

    @Test func aMissingOrForeignSignatureIsRefused() async throws {
        let site = try Site()
        let trust = try site.trust()
        let bare = try site.metadata.unsignedOctets()
        await expect(.badSignature) { try await VerifiedMetadata.verify(bare, trust: trust, at: World.now) }
        // Signed by a key of which no listed server knows.
        let unknown = [UInt8](repeating: 1, count: 32)
        let stranger = SignatureSigner(key: .generateP256(), keyInfo: .thumbprintSHA256(unknown))
        let foreign = try stranger.signEnveloped(bare, id: DomainMetadata.documentID)
        await expect(.badSignature) { try await VerifiedMetadata.verify(foreign, trust: trust, at: World.now) }
        // Signed by a stranger who claims to be the server.
        let liar = SignatureSigner(key: .generateP256(), keyInfo: .thumbprintSHA256(site.server.thumbprintSHA256))
        let lie = try liar.signEnveloped(bare, id: DomainMetadata.documentID)
        await expect(.badSignature) { try await VerifiedMetadata.verify(lie, trust: trust, at: World.now) }
    }

    @Test func aDocumentHasOneSpelling() async throws {
        let site = try Site()
        let text = String(decoding: try site.signed(), as: UTF8.self)
        for (old, new) in [
            ("<Domain>", "<Domain><!-- -->"), ("Version=\"7\"", "Version='7'"), ("<Endpoint>", "<Endpoint >"),
            ("<DomainMetadata", "\n<DomainMetadata"), ("gzip", "g&#122;ip"),
        ] {
            let changed = Array(text.replacingOccurrences(of: old, with: new).utf8)
            await expect(.malformedMetadata) { try await site.verify(changed) }
        }
    }

    /// The signed document moved into another that claims more.
    @Test func aWrappedDocumentIsRefused() async throws {
        let site = try Site()
        let trust = try site.trust()
        let inner = String(decoding: try site.signed(), as: UTF8.self)
        var other = site.metadata
        other.version = 99
        other.revoked = .none
        let outer = String(decoding: try other.unsignedOctets(), as: UTF8.self)
        let end = "</DomainMetadata>"
        for id in ["metadata", "m2"] {
            let renamed = outer.replacingOccurrences(of: "Id=\"metadata\"", with: "Id=\"\(id)\"")
            let open = String(renamed.dropLast(end.count))
            let start = try #require(inner.range(of: "<ds:Signature")).lowerBound
            let moved = String(inner[start...].dropLast(end.count))
            for content in [inner, inner + moved, moved + inner] {
                let wrapped = Array((open + content + end).utf8)
                await #expect(throws: IdentityError.self) {
                    try await VerifiedMetadata.verify(wrapped, trust: trust, at: World.now)
                }
            }
        }
    }

    @Test func aRevokedKeySignsNoMore() async throws {
        var site = try Site()
        let first = try await site.verify(site.signed())
        // Its own list names the signer.
        site.metadata.version = 8
        site.metadata.revoked.insert(site.server.serial, at: World.now)
        await expect(.revoked) { try await site.verify(site.signed(), known: first) }
        // The known version revoked it; the thief's next version does not say so.
        let honest = SigningKey.generateP256()
        let next = try World.server(site.authority, key: honest)
        site.metadata.servers = [next, site.server]
        let octets = try site.metadata.signed(by: honest, certificate: next)
        let second = try await site.verify(octets, known: first)
        site.metadata.version = 9
        site.metadata.revoked = .none
        await expect(.revoked) { try await site.verify(site.signed(), known: second) }
    }

    @Test func nonsenseIsNotSigned() throws {
        let site = try Site()
        let refused: [(inout DomainMetadata) throws -> Void] = [
            { $0.version = 0 },
            { $0.nextUpdate = $0.issued },
            { $0.nextUpdate = $0.issued.addingTimeInterval(DomainMetadata.maximumLifetime + 1) },
            { $0.endpoint = "https://evil.example/" },
            { $0.endpoint = "//evil.example" },
            { $0.endpoint = "/a/../b" },
            { $0.endpoint = "/a?b" },
            { $0.servers = [] },
            { $0.servers += $0.roots },
            { $0.roots += $0.servers },
            { $0.capabilities = ["a b"] },
            { $0.capabilities = Set((0..<65).map { "c\($0)" }) },
            { $0.limits.maximumBatch = 0 },
            { $0.domain = try MailDomain("scopio.test") },
        ]
        for (index, change) in refused.enumerated() {
            var metadata = site.metadata
            try change(&metadata)
            expectCode(.malformedMetadata) {
                _ = try metadata.signed(by: site.key, certificate: site.server)
                Issue.record("accepted number \(index)")
            }
        }
        expectCode(.keyMismatch) { try site.metadata.signed(by: .generateP256(), certificate: site.server) }
        let unlisted = SigningKey.generateP256()
        expectCode(.malformedMetadata) {
            try site.metadata.signed(by: unlisted, certificate: World.server(site.authority, key: unlisted))
        }
    }

    @Test(arguments: [
        "", "x", "<a/>", "<DomainMetadata/>", "<DomainMetadata xmlns=\"urn:wsemail:2\"/>",
        "<!DOCTYPE a><DomainMetadata xmlns=\"urn:wsemail:2\"/>",
    ])
    func malformedDocuments(text: String) async throws {
        let trust = try Site().trust()
        await expect(.malformedMetadata) {
            try await VerifiedMetadata.verify(Array(text.utf8), trust: trust, at: World.now)
        }
    }

    @Test func sizesAreBounded() async throws {
        let site = try Site()
        let trust = try site.trust()
        let huge = [UInt8](repeating: 0x20, count: DomainMetadata.maximumSize + 1)
        await expect(.limitExceeded) { try await VerifiedMetadata.verify(huge, trust: trust, at: World.now) }
        var metadata = site.metadata
        for number in 0..<DomainMetadata.maximumRevoked - 1 {
            let time = World.now.addingTimeInterval(Double(number))
            metadata.revoked.insert(RandomID.hex(15) + "01", at: time)
        }
        let octets = try metadata.signed(by: site.key, certificate: site.server)
        #expect(octets.count < DomainMetadata.maximumSize)
        #expect(try await site.verify(octets).metadata.revoked.count == DomainMetadata.maximumRevoked)
        metadata.revoked.insert("010203", at: World.now)
        expectCode(.malformedMetadata) { try metadata.signed(by: site.key, certificate: site.server) }
    }
}

@Suite struct KeyFileTests {
    @Test func keysSurviveTheirFiles() throws {
        let folder = try TemporaryFolder()
        let authority = try World.authority()
        let keys: [SigningKey] = [
            .generateP256(), .p384(P384.Signing.PrivateKey()), .ed25519(Curve25519.Signing.PrivateKey()),
            try .generateRSA(),
        ]
        for key in keys {
            let path = folder.file("key.pem")
            try KeyFile.write(key, to: path)
            #expect(try KeyFile.read(path).matches(World.server(authority, key: key)))
        }
        try PrivateFile.write("not a key", to: folder.file("x"))
        expectCode(.unsupportedKey) { try KeyFile.read(folder.file("x")) }
        expectCode(.unsupportedKey) { try KeyFile.write(.hmac(SymmetricKey(size: .bits256)), to: folder.file("y")) }
    }
}
