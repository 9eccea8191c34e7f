import Crypto
import CryptoExtras
import Foundation
import SwiftASN1
import Testing
import X509
import XMLSecurity

@testable import Identity

@Suite struct PublisherTrustTests {
    private static func leaf(
        _ issuer: Issuer, _ name: String = "Example Ltd", at date: Date = World.now,
        _ change: (inout CertificateProfile) -> Void = { _ in }
    ) throws -> MailCertificate {
        var profile = CertificateProfile(
            subject: try CertificateProfile.name(name), publicKey: World.newKey(), constraints: .notCertificateAuthority,
            keyUsage: KeyUsage(digitalSignature: true), usage: .codeSigning)
        change(&profile)
        return try World.forge(issuer, at: date, profile)
    }

    /// An authority under another one.
    private static func authority(
        _ issuer: Issuer, _ name: String, _ change: (inout CertificateProfile) -> Void = { _ in }
    ) throws -> Issuer {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        var profile = try CertificateProfile.authority(name, key.publicKey, pathLength: 0)
        change(&profile)
        return try Issuer(certificate: World.forge(issuer, profile), key: key)
    }

    @Test func `A publisher authority makes a root and certificates that are for code signing only`() async throws {
        let authority = try PublisherAuthority.create(name: "Example Ltd", now: World.now)
        let key = SigningKey.generateP256()
        let leaf = try authority.issueCodeSigningCertificate(publicKey: key.publicKey, publisher: "Example Ltd", now: World.now)
        #expect(authority.certificate.commonName == "Example Ltd publisher root")
        #expect(authority.certificate.role == .domainCA)
        #expect(authority.certificate.notAfter == World.now.addingTimeInterval(10 * 365.25 * World.day))
        #expect(leaf.commonName == "Example Ltd")
        #expect(leaf.role == .other)
        #expect(leaf.notAfter == World.now.addingTimeInterval(World.year))
        #expect(leaf.notBefore == World.now.addingTimeInterval(-300))
        #expect(leaf.addresses.isEmpty && leaf.mailDomains.isEmpty)
        #expect(key.matches(leaf))
        for certificate in [leaf, authority.certificate] {
            let usage = try #require(try certificate.x509.extensions.extendedKeyUsage)
            #expect(Array(usage) == [.codeSigning])
            #expect(certificate.x509.extensions[oid: .X509ExtensionID.extendedKeyUsage]?.critical == true)
        }
        let valid = try await PublisherTrust(anchors: [authority.certificate]).validate([leaf], at: World.now)
        #expect(valid.name == "Example Ltd")
        #expect(valid.chain == [leaf, authority.certificate])
        #expect(valid.period == leaf.notBefore...leaf.notAfter)
    }

    @Test func `A publisher authority comes back from its files`() throws {
        let authority = try PublisherAuthority.create(name: "Example Ltd", now: World.now)
        let again = try PublisherAuthority(certificatePEM: authority.certificatePEM, keyPEM: authority.keyPEM())
        #expect(again.certificate == authority.certificate)
        let other = try PublisherAuthority.create(name: "Example Ltd", now: World.now)
        expectCode(.keyMismatch) {
            try PublisherAuthority(certificatePEM: authority.certificatePEM, keyPEM: other.keyPEM())
        }
        let domain = try World.authority()
        expectCode(.wrongRole) {
            try PublisherAuthority(certificatePEM: domain.certificatePEM, keyPEM: domain.keyPEM())
        }
        expectCode(.wrongRole) {
            try DomainAuthority(certificatePEM: authority.certificatePEM, keyPEM: authority.keyPEM())
        }
    }

    @Test(arguments: ["", " x", "x ", "a\u{0}b", "a\nb", "a\u{200B}b", "a\u{202E}b", String(repeating: "x", count: 65)])
    func `A publisher's name that people could misread is refused`(_ name: String) throws {
        expectCode(.nameMismatch) { try PublisherAuthority.create(name: name, now: World.now) }
        let authority = try PublisherAuthority.create(name: String(repeating: "é", count: 64), now: World.now)
        expectCode(.nameMismatch) {
            try authority.issueCodeSigningCertificate(
                publicKey: SigningKey.generateP256().publicKey, publisher: name, now: World.now)
        }
    }

    @Test func `Mail trust and publisher trust know nothing of each other`() async throws {
        let domain = try World.authority()
        let publishers = try PublisherAuthority.create(name: "capicom.test", now: World.now)
        // A mail domain's root among the publisher anchors, by mistake: it vouches for nobody.
        let underMail = try Self.leaf(domain.issuer)
        let trust = PublisherTrust(anchors: [domain.certificate, publishers.certificate])
        await expect(.untrusted) { try await trust.validate([underMail], at: World.now) }
        await expect(.wrongRole) { try await trust.validate([World.server(domain)], at: World.now) }
        await expect(.wrongRole) { try await trust.validate([World.user(domain, "a@capicom.test")], at: World.now) }
        expectCode(.wrongRole) { try PublisherTrust.requireAnchor(domain.certificate) }
        // A domain's authority that a federation root certified, with the root as a publisher anchor.
        let federation = try FederationAuthority.create(name: "Scopio", now: World.now)
        let middle = try federation.certify(domain.certificate, now: World.now)
        let both = PublisherTrust(anchors: [federation.certificate])
        await expect(.untrusted) { try await both.validate([underMail, middle], at: World.now) }
        // And the other way round: what publishers have is no mail certificate.
        let code = try publishers.issueCodeSigningCertificate(
            publicKey: SigningKey.generateP256().publicKey, publisher: "capicom.test", now: World.now)
        let mail = TrustStore([try TrustAnchor(publishers.certificate, scope: .domain(World.domain()))])
        await expect(.wrongRole) { try await mail.validateServer([code], speaksFor: World.domain(), at: World.now) }
        await expect(.wrongRole) { try await mail.validateUser([code], address: Address("a@capicom.test"), at: World.now) }
    }

    @Test func `Every issuer on the path must be one for code signing`() async throws {
        let root = try World.freeRoot("Organisation")
        let trust = PublisherTrust(anchors: [root.certificate])
        func validate(_ change: (inout CertificateProfile) -> Void) async throws -> ValidatedPublisher {
            let middle = try Self.authority(root, "Middle", change)
            return try await trust.validate([Self.leaf(middle), middle.certificate], at: World.now)
        }
        #expect(try await validate { _ in }.chain.count == 3)
        #expect(try await validate { $0.usage = .codeSigning }.chain.count == 3)
        #expect(try await validate { $0.usage = .any }.chain.count == 3)
        let tls = await expect(.untrusted) { try await validate { $0.usage = .serverAuth } }
        #expect(tls?.reason.contains("not for code signing") == true)
        let usage = await expect(.untrusted) { try await validate { $0.keyUsage = KeyUsage(digitalSignature: true) } }
        #expect(usage?.reason.contains("not for signing certificates") == true)
        let names = await expect(.untrusted) {
            try await validate { $0.nameConstraints = NameConstraints(permittedDNSDomains: ["example.org"]) }
        }
        #expect(names?.reason.contains("speaks for names only") == true)
        // A publisher's certificate that issues others.
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let leaf = try Self.leaf(root) { $0.publicKey = key.publicKey }
        let child = try Self.unchecked(.v3, issuer: leaf.x509.subject, key)
        await expect(.untrusted) { try await trust.validate([child, leaf], at: World.now) }
        // The path length of an issuer is kept.
        let first = try Self.authority(root, "First")
        let second = try Self.authority(first, "Second")
        await expect(.untrusted) {
            try await trust.validate([Self.leaf(second), second.certificate, first.certificate], at: World.now)
        }
    }

    /// A certificate "Example Ltd" for code signing by a key that nobody checks.
    private static func unchecked(
        _ version: Certificate.Version, issuer: DistinguishedName, _ key: Certificate.PrivateKey,
        subject: Certificate.PublicKey? = nil, algorithm: Certificate.SignatureAlgorithm = .ecdsaWithSHA256
    ) throws -> MailCertificate {
        let profile = CertificateProfile(
            subject: try CertificateProfile.name("Example Ltd"), publicKey: subject ?? World.newKey(),
            constraints: .notCertificateAuthority, keyUsage: KeyUsage(digitalSignature: true), usage: .codeSigning)
        return try MailCertificate(
            Certificate(
                version: version, serialNumber: Certificate.SerialNumber(), publicKey: profile.publicKey,
                notValidBefore: World.now - World.day, notValidAfter: World.now + World.day, issuer: issuer,
                subject: profile.subject, signatureAlgorithm: algorithm,
                extensions: version == .v1 ? Certificate.Extensions() : profile.extensions(authorityKey: nil),
                issuerPrivateKey: key))
    }

    @Test func `A certificate of version 1 is no authority, whatever RFC 5280 lets pass`() async throws {
        let root = try World.freeRoot("Organisation")
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let old = try Self.unchecked(.v1, issuer: root.certificate.x509.subject, root.key, subject: key.publicKey)
        let leaf = try Self.unchecked(.v3, issuer: old.x509.subject, key)
        let error = await expect(.untrusted) {
            try await PublisherTrust(anchors: [root.certificate]).validate([leaf, old], at: World.now)
        }
        #expect(error?.reason.contains("is no authority") == true)
    }

    @Test func `A certificate signed with SHA-1 is refused`() async throws {
        let key = Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .bits2048))
        let profile = try CertificateProfile.authority("Organisation", key.publicKey, pathLength: 0)
        let root = try Issuer.selfSigned(profile, key: key, lifetimes: .standard, now: World.now)
        let trust = PublisherTrust(anchors: [root.certificate])
        let good = try Self.unchecked(.v3, issuer: root.certificate.x509.subject, key, algorithm: .sha256WithRSAEncryption)
        #expect(try await trust.validate([good], at: World.now).name == "Example Ltd")
        let weak = try Self.unchecked(.v3, issuer: root.certificate.x509.subject, key, algorithm: .sha1WithRSAEncryption)
        let error = await expect(.untrusted) { try await trust.validate([weak], at: World.now) }
        #expect(error?.reason.contains("weak") == true)
    }

    @Test func `A short RSA key is refused`() throws {
        let key = Certificate.PrivateKey(try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024)))
        let root = try World.freeRoot("Organisation")
        // X509 does not even read it.
        expectCode(.malformedCertificate) {
            try Self.unchecked(.v3, issuer: root.certificate.x509.subject, root.key, subject: key.publicKey)
        }
    }

    @Test func `A path round a revoked authority is found, and none through it`() async throws {
        let root = try World.freeRoot("Organisation")
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let profile = try CertificateProfile.authority("Middle", key.publicKey, pathLength: 0)
        let old = try World.forge(root, profile)
        let new = try World.forge(root, profile)
        let leaf = try Self.leaf(Issuer(certificate: old, key: key))
        let trust = PublisherTrust(anchors: [root.certificate], revoked: [old.fingerprint])
        #expect(try await trust.validate([leaf, old, new], at: World.now).chain == [leaf, new, root.certificate])
        let error = await expect(.revoked) { try await trust.validate([leaf, old], at: World.now) }
        #expect(error?.reason.contains("\"Middle\"") == true)
        for gone in [leaf, root.certificate] {
            let trust = PublisherTrust(anchors: [root.certificate], revoked: [gone.fingerprint])
            await expect(.revoked) { try await trust.validate([leaf, old], at: World.now) }
        }
    }

    @Test func `The length of a chain, its time and its anchors are judged`() async throws {
        var issuers = [try World.freeRoot("Organisation")]
        for level in 0..<4 {
            issuers.append(
                try Self.authority(issuers[level], "Level \(level)") { $0.constraints = .isCertificateAuthority(maxPathLength: nil) })
        }
        let root = issuers[0].certificate
        // The root of the fixture allows three levels below it.
        let trust = PublisherTrust(anchors: [root])
        let three = try [Self.leaf(issuers[3])] + issuers[1...3].map(\.certificate)
        #expect(try await trust.validate(three, at: World.now).chain.count == 5)
        let four = try [Self.leaf(issuers[4])] + issuers[1...4].map(\.certificate)
        await expect(.limitExceeded) { try await trust.validate(four, at: World.now) }
        await expect(.untrusted) { try await trust.validate([], at: World.now) }
        await expect(.noAnchor) { try await PublisherTrust(anchors: []).validate(three, at: World.now) }
        await expect(.notValidNow) { try await trust.validate(three, at: three[0].notAfter + 1) }
        await expect(.notValidNow) { try await trust.validate(three, at: three[0].notBefore - 1) }
        #expect(try await trust.validate(three, at: three[0].notAfter).period.upperBound == three[0].notAfter)
        // Nobody may sign as the anchor itself.
        await expect(.wrongRole) { try await trust.validate([root], at: World.now) }
    }

    @Test func `A certificate without a name, or with two, names no publisher`() async throws {
        let root = try World.freeRoot("Organisation")
        let trust = PublisherTrust(anchors: [root.certificate])
        let none = try Self.leaf(root) { $0.subject = (try? DistinguishedName { OrganizationName("Example") }) ?? $0.subject }
        let two = try Self.leaf(root) { profile in
            let name = try? DistinguishedName {
                CommonName("Example Ltd")
                CommonName("Another Ltd")
            }
            profile.subject = name ?? profile.subject
        }
        for leaf in [none, two] {
            await expect(.nameMismatch) { try await trust.validate([leaf], at: World.now) }
        }
    }
}
