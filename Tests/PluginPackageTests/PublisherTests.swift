import Crypto
import Foundation
import PluginAPI
import Testing
import X509
import XMLCore
import XMLSecurity

@testable import Identity
@testable import PluginPackage

/// Whose signature counts, and whose does not.
@Suite struct PublisherTests {
    typealias Make = @Sendable (Publisher) throws -> MailCertificate

    /// Certificates for the publisher's own key that are not the right one.
    static let leaves: [(String, String, Make)] = [
        ("no extended key usage", "not for code signing", { try forged($0) { $0.usage = nil } }),
        ("for mail protection", "not for code signing", { try forged($0) { $0.usage = .emailProtection } }),
        ("for anything", "not for code signing", { try forged($0) { $0.usage = .any } }),
        ("for code signing and anything", "besides code signing", { try forged($0) { $0.moreUsages = [.any] } }),
        ("for code signing and TLS", "besides code signing", { try forged($0) { $0.moreUsages = [.serverAuth] } }),
        (
            "for code signing and mail", "besides code signing",
            { try forged($0) { $0.moreUsages = [.init(oid: MailOID.mailUser)] } }
        ),
        ("not for signatures", "not for digital signatures", { try forged($0) { $0.keyUsage = KeyUsage(keyAgreement: true) } }),
        ("an authority", "of an authority", { try forged($0) { $0.constraints = .isCertificateAuthority(maxPathLength: 0) } }),
        (
            "a mail user's", "not for code signing",
            { publisher in
                let domain = try DomainAuthority.create(domain: MailDomain("example.org"), now: World.now)
                let address = try Address("example@example.org")
                let request = try CertificateRequest.make(address: address, key: publisher.key)
                return try domain.issueUserCertificate(request: request, address: address, now: World.now)
            }
        ),
        (
            "a mail server's", "not for code signing",
            { publisher in
                let domain = try DomainAuthority.create(domain: MailDomain("example.org"), now: World.now)
                return try domain.issueServerCertificate(publicKey: publisher.key.publicKey, now: World.now)
            }
        ),
        (
            "a TLS server's", "not for code signing",
            { publisher in
                let domain = try DomainAuthority.create(domain: MailDomain("example.org"), now: World.now)
                return try domain.issueTLSCertificate(publicKey: publisher.key.publicKey, now: World.now)
            }
        ),
        ("expired", "expired on 2026-05-", { try forged($0, at: World.now - World.year - 6 * World.day) }),
        ("not yet valid", "is not valid before 2026-06-0", { try forged($0, at: World.now + 2 * World.day) }),
        ("of another name", "but \"Example Limited\" signed it", { try forged($0, "Example Limited") }),
        ("of a name with an invisible character", "U+200B", { try forged($0, "Example\u{200B} Ltd") }),
    ]

    static func forged(
        _ publisher: Publisher, _ name: String = "Example Ltd", at date: Date = World.now,
        _ change: (inout CertificateProfile) -> Void = { _ in }
    ) throws -> MailCertificate {
        // An authority old enough to have issued what has expired since.
        let key = try Certificate.PrivateKey(pemEncoded: publisher.authority.keyPEM())
        let profile = try CertificateProfile.authority("Example Ltd publisher root", key.publicKey, pathLength: 0)
        let issuer = try Issuer.selfSigned(profile, key: key, lifetimes: .standard, now: World.now - 3 * World.year)
        return try World.forge(issuer, name, key: publisher.key.publicKey, at: date, change)
    }

    @Test(arguments: leaves)
    func `A certificate that is not a publisher's own does not count`(_ name: String, _ reason: String, _ make: Make) async throws {
        let publisher = try Publisher()
        let leaf = try make(publisher)
        let octets = try World.rawSign(World.text(World.unsigned()), publisher, chain: [leaf])
        await expectRefusal(reason) { try await publisher.verify(octets) }
        await expectRefusal(name == "of another name" ? "\"Example Limited\"'s" : reason) {
            try PackageBuilder.sign(World.unsigned(), certificatePEM: leaf.pem, keyPEM: publisher.keyPEM, now: World.now)
        }
    }

    @Test func `The forged certificates of the table would count if they were in order`() async throws {
        let publisher = try Publisher()
        let octets = try World.rawSign(World.text(World.unsigned()), publisher, chain: [Self.forged(publisher)])
        #expect(try await publisher.verify(octets).publisher.name == "Example Ltd")
    }

    @Test func `A package is judged by the time of its installation`() async throws {
        let publisher = try Publisher()
        let octets = try publisher.signed(World.unsigned())
        let leaf = publisher.certificate
        for date in [leaf.notBefore, leaf.notAfter] {
            #expect(try await publisher.verify(octets, at: date).package.octets == octets)
        }
        await expectRefusal("is not valid before 2026-06-01") { try await publisher.verify(octets, at: leaf.notBefore - 1) }
        await expectRefusal("expired on 2027-06-01") { try await publisher.verify(octets, at: leaf.notAfter + 1) }
        await expectRefusal("expired on") { try publisher.signed(octets, at: leaf.notAfter + 1) }
    }

    @Test func `An anchor that has expired vouches for nobody`() async throws {
        var lifetimes = PublisherAuthority.Lifetimes()
        lifetimes.root = World.day
        let old = try PublisherAuthority.create(name: "Example Ltd", now: World.now, lifetimes: lifetimes)
        // What the authority issues ends with itself: only a forger makes a certificate that outlives it.
        let key = try Certificate.PrivateKey(pemEncoded: old.keyPEM())
        let profile = try CertificateProfile.authority("Example Ltd publisher root", key.publicKey, pathLength: 0)
        let longer = try Issuer.selfSigned(profile, key: key, lifetimes: .standard, now: World.now)
        let signing = SigningKey.generateP256()
        let leaf = try World.forge(longer, "Example Ltd", key: signing.publicKey)
        let octets = try PackageBuilder.sign(
            World.unsigned(), certificatePEM: leaf.pem, keyPEM: signing.pemRepresentation ?? "", now: World.now)
        let anchor = try PublisherAnchor(pem: old.certificatePEM, label: "old")
        let verifier = PackageVerifier(PublisherAnchors(anchors: [anchor]))
        #expect(try await verifier.verify(octets, at: World.now).publisher.notAfter == old.certificate.notAfter)
        await expectRefusal("expired on 2026-06-02") { try await verifier.verify(octets, at: World.now + 2 * World.day) }
    }

    @Test func `Each certificate of the path can be revoked`() async throws {
        let authorities = try World.authorities(2)
        let key = SigningKey.generateP256()
        let leaf = try World.forge(authorities[2], "Example Ltd", key: key.publicKey)
        let pem = leaf.pem + authorities[2].certificate.pem + authorities[1].certificate.pem
        let octets = try PackageBuilder.sign(
            World.unsigned(), certificatePEM: pem, keyPEM: key.pemRepresentation ?? "", now: World.now)
        let anchor = try PublisherAnchor(pem: authorities[0].certificate.pem, label: "organisation")
        func verify(revoked: Set<String>) async throws -> VerifiedPackage {
            try await PackageVerifier(PublisherAnchors(anchors: [anchor], revoked: revoked)).verify(octets, at: World.now)
        }
        let verified = try await verify(revoked: [String(repeating: "0", count: 64)])
        #expect(verified.publisher.chain.count == 4)
        for fingerprint in verified.publisher.chain {
            await expectRefusal("is revoked") { try await verify(revoked: [fingerprint]) }
            // As people paste it.
            let spelled = try Fingerprint(fingerprint).description
            await expectRefusal("is revoked") { try await verify(revoked: [spelled]) }
        }
    }

    @Test func `Anchors that are unknown, missing or for mail do not vouch for a package`() async throws {
        let publisher = try Publisher()
        let octets = try publisher.signed(World.unsigned())
        await expectRefusal("no publisher is trusted yet") {
            try await PackageVerifier(PublisherAnchors(anchors: [])).verify(octets, at: World.now)
        }
        await expectRefusal("not trusted") { try await Publisher().verify(octets) }
        // The same name, another key.
        await expectRefusal("leads to no publisher anchor") { try await Publisher("Example Ltd").verify(octets) }
        let mail = try DomainAuthority.create(domain: MailDomain("example.org"), now: World.now)
        await expectRefusal("cannot be a publisher anchor") {
            try PublisherAnchor(pem: mail.certificatePEM, label: "mail")
        }
        await expectRefusal("cannot be a publisher anchor") {
            try PublisherAnchor(pem: publisher.certificate.pem, label: "leaf")
        }
        await expectRefusal("cannot be a publisher anchor") { try PublisherAnchor(pem: "nonsense", label: "x") }
        await expectRefusal("cannot be a publisher anchor") {
            try PublisherAnchor(pem: publisher.authority.certificatePEM + mail.certificatePEM, label: "two")
        }
    }

    @Test func `A chain may be too long, and a link may be missing`() async throws {
        let authorities = try World.authorities(4)
        let key = SigningKey.generateP256()
        let leaf = try World.forge(authorities[4], "Example Ltd", key: key.publicKey)
        let chain = [leaf] + authorities.dropFirst().reversed().map(\.certificate)
        await expectRefusal("more than 4 certificates") {
            try PackageBuilder.sign(
                World.unsigned(), certificatePEM: chain.map(\.pem).joined(), keyPEM: key.pemRepresentation ?? "", now: World.now)
        }
        let publisher = try Publisher()
        let wide = try (0..<5).map { _ in try Self.forged(publisher) }
        await expectRefusal("more than 4 certificates") {
            try await publisher.verify(World.rawSign(World.text(World.unsigned()), publisher, chain: wide))
        }
        await expectRefusal("a certificate twice") {
            try await publisher.verify(World.rawSign(World.text(World.unsigned()), publisher, chain: [wide[0], wide[0]]))
        }
        let broken = try PackageBuilder.sign(
            World.unsigned(), certificatePEM: (chain[..<1] + chain[2...3]).map(\.pem).joined(),
            keyPEM: key.pemRepresentation ?? "", now: World.now)
        let anchor = try PublisherAnchor(pem: authorities[0].certificate.pem, label: "organisation")
        await expectRefusal("leads to no publisher anchor") {
            try await PackageVerifier(PublisherAnchors(anchors: [anchor])).verify(broken, at: World.now)
        }
    }

    @Test func `Only the certificate's own key signs, and only what can be read`() async throws {
        let (publisher, other) = (try Publisher(), try Publisher())
        await expectRefusal("does not belong to the publisher's certificate") {
            try PackageBuilder.sign(
                World.unsigned(), certificatePEM: publisher.certificate.pem, keyPEM: other.keyPEM, now: World.now)
        }
        await expectRefusal("no private key") {
            try PackageBuilder.sign(World.unsigned(), certificatePEM: publisher.certificate.pem, keyPEM: "x", now: World.now)
        }
        await expectRefusal("no certificate") {
            try PackageBuilder.sign(World.unsigned(), certificatePEM: "", keyPEM: publisher.keyPEM, now: World.now)
        }
        await expectRefusal("no acceptable XML") { try publisher.signed(Array("x".utf8)) }
        let secret = SigningKey.hmac(SymmetricKey(size: .bits256))
        let signer = SignatureSigner(key: secret, keyInfo: .thumbprintSHA256(publisher.certificate.thumbprintSHA256))
        var content = try PluginPackage(octets: World.unsigned()).content
        content.certificates = [publisher.certificate.der]
        let octets = try signer.signEnveloped(PackageWriter.octets(content), id: "package")
        await expectRefusal("algorithm that is not accepted") { try await publisher.verify(octets) }
    }
}
