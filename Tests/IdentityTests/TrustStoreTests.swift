import Crypto
import Foundation
import Testing
import X509
import XMLSecurity

@testable import Identity

@Suite struct PinnedTrustTests {
    @Test func aServerAndItsUsersAreBelieved() async throws {
        let authority = try World.authority()
        let trust = try World.pinned(authority)
        let server = try World.server(authority)
        let result = try await trust.validateServer([server], speaksFor: authority.domain, at: World.now)
        #expect(result.certificate == server)
        #expect(result.anchor.certificate == authority.certificate)
        #expect(result.chain == [server, authority.certificate])
        #expect(result.domain == authority.domain)
        let alice = try World.user(authority, "alice@capicom.test")
        _ = try await trust.validateUser([alice], address: Address("Alice@CAPICOM.test"), at: World.now)
        let tls = try authority.issueTLSCertificate(publicKey: SigningKey.generateP256().publicKey, now: World.now)
        _ = try await trust.validateTLS([tls], mailDomain: authority.domain, at: World.now)
    }

    @Test func aRootSentAlongDoesNoHarm() async throws {
        let authority = try World.authority()
        let chain = [try World.server(authority), authority.certificate]
        _ = try await World.pinned(authority).validateServer(chain, speaksFor: authority.domain, at: World.now)
    }

    @Test func aNonASCIIUserIsBelieved() async throws {
        let authority = try World.authority()
        let address = try Address("jürgen@capicom.test")
        let certificate = try World.user(authority, "jürgen@capicom.test")
        _ = try await World.pinned(authority).validateUser([certificate], address: address, at: World.now)
    }

    @Test func oneDomainNeverSpeaksForAnother() async throws {
        let (capicom, scopio) = (try World.authority("capicom.test"), try World.authority("scopio.test"))
        let trust = try World.pinned(capicom, scopio)
        await expect(.nameMismatch) {
            try await trust.validateServer([World.server(scopio)], speaksFor: capicom.domain, at: World.now)
        }
        // The evil authority of scopio writes capicom into its certificates.
        let serverProfile = try CertificateProfile.server(
            capicom.domain, hosts: [scopio.domain], World.newKey(), .init(oid: MailOID.mailServer))
        let evilServer = try World.forge(scopio.issuer, serverProfile)
        await expect(.untrusted) {
            try await trust.validateServer([evilServer], speaksFor: capicom.domain, at: World.now)
        }
        // Nor does its own root's constraint let it speak for its own domain with such a certificate.
        await expect(.untrusted) {
            try await trust.validateServer([evilServer], speaksFor: scopio.domain, at: World.now)
        }
        let address = try Address("alice@capicom.test")
        let evilUser = try World.forge(scopio.issuer, CertificateProfile.user(address, World.newKey()))
        await expect(.untrusted) { try await trust.validateUser([evilUser], address: address, at: World.now) }
        await expect(.untrusted) {
            try await trust.validateUser([evilUser, scopio.certificate], address: address, at: World.now)
        }
    }

    /// The pin alone must hold, also where the root has no name constraint that RFC 5280 would apply.
    @Test func anUnconstrainedPinnedRootIsBoundByItsPin() async throws {
        let root = try World.freeRoot("scopio root")
        let (capicom, scopio) = (try World.domain(), try World.domain("scopio.test"))
        let trust = TrustStore([try TrustAnchor(root.certificate, scope: .domain(scopio))])
        let profile = try CertificateProfile.server(
            capicom, hosts: [scopio], World.newKey(), .init(oid: MailOID.mailServer))
        let server = try World.forge(root, profile)
        _ = try await trust.validateServer([server], speaksFor: scopio, at: World.now)
        await expect(.noAnchor) { try await trust.validateServer([server], speaksFor: capicom, at: World.now) }
        let address = try Address("alice@capicom.test")
        let user = try World.forge(root, CertificateProfile.user(address, World.newKey()))
        await expect(.noAnchor) { try await trust.validateUser([user], address: address, at: World.now) }
        // Nor for a subdomain of its own.
        let sub = try MailDomain("sub.scopio.test")
        let subServer = try World.forge(
            root, CertificateProfile.server(sub, hosts: [], World.newKey(), .init(oid: MailOID.mailServer)))
        await expect(.noAnchor) { try await trust.validateServer([subServer], speaksFor: sub, at: World.now) }
    }

    @Test func everyRoleKeepsToItself() async throws {
        let authority = try World.authority()
        let trust = try World.pinned(authority)
        let domain = authority.domain
        let address = try Address("alice@capicom.test")
        let user = try World.user(authority, "alice@capicom.test")
        let server = try World.server(authority)
        let tls = try authority.issueTLSCertificate(publicKey: SigningKey.generateP256().publicKey, now: World.now)
        for wrong in [user, tls, authority.certificate] {
            await expect(.wrongRole) { try await trust.validateServer([wrong], speaksFor: domain, at: World.now) }
        }
        for wrong in [server, tls, authority.certificate] {
            await expect(.wrongRole) { try await trust.validateUser([wrong], address: address, at: World.now) }
        }
        for wrong in [server, user, authority.certificate] {
            await expect(.wrongRole) { try await trust.validateTLS([wrong], mailDomain: domain, at: World.now) }
        }
    }

    @Test func aUserCertificateIsForOnePersonOnly() async throws {
        let authority = try World.authority()
        let trust = try World.pinned(authority)
        let (alice, bob) = (try Address("alice@capicom.test"), try Address("bob@capicom.test"))
        let certificate = try World.user(authority, "alice@capicom.test")
        await expect(.nameMismatch) { try await trust.validateUser([certificate], address: bob, at: World.now) }
        var profile = try CertificateProfile.user(alice, World.newKey())
        profile.alternativeNames.append(.rfc822Name("bob@capicom.test"))
        let both = try World.forge(authority.issuer, profile)
        for address in [alice, bob] {
            await expect(.nameMismatch) { try await trust.validateUser([both], address: address, at: World.now) }
        }
        profile = try CertificateProfile.user(alice, World.newKey())
        profile.subject = try CertificateProfile.name("bob@capicom.test")
        let twoFaced = try World.forge(authority.issuer, profile)
        await expect(.nameMismatch) { try await trust.validateUser([twoFaced], address: alice, at: World.now) }
    }

    @Test func timeIsJudgedAsAsked() async throws {
        let authority = try World.authority()
        let trust = try World.pinned(authority)
        let server = try World.server(authority)
        let validate = { (date: Date) in
            try await trust.validateServer([server], speaksFor: authority.domain, at: date)
        }
        for offset in [-300, 0, 2 * World.year] { _ = try await validate(World.now.addingTimeInterval(offset)) }
        for offset in [-301, 2 * World.year + 1] {
            await expect(.notValidNow) { try await validate(World.now.addingTimeInterval(offset)) }
        }
        // Cached by now: asking again for good and bad times gives the same answers.
        #expect(trust.cachedCount == 1)
        _ = try await validate(World.now)
        await expect(.notValidNow) { try await validate(World.now.addingTimeInterval(3 * World.year)) }
    }

    @Test func anExpiredIssuerEndsItsCertificates() async throws {
        let root = try World.freeRoot("short", at: World.now.addingTimeInterval(-19.9 * World.year))
        let domain = try World.domain()
        // A root that signed beyond its own end.
        let profile = try CertificateProfile.server(domain, hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
        let extensions = try profile.extensions(authorityKey: nil)
        let leaf = try MailCertificate(
            Certificate(
                version: .v3, serialNumber: .init(), publicKey: profile.publicKey, notValidBefore: World.now,
                notValidAfter: World.now.addingTimeInterval(9 * World.year), issuer: root.certificate.x509.subject,
                subject: profile.subject, extensions: extensions, issuerPrivateKey: root.key))
        let trust = TrustStore([try TrustAnchor(root.certificate, scope: .domain(domain))])
        _ = try await trust.validateServer([leaf], speaksFor: domain, at: World.now.addingTimeInterval(10))
        let late = World.now.addingTimeInterval(World.year)
        await expect(.untrusted) { try await trust.validateServer([leaf], speaksFor: domain, at: late) }
    }

    @Test func revocationCountsFromItsTimeOn() async throws {
        let authority = try World.authority()
        let trust = try World.pinned(authority)
        let server = try World.server(authority)
        let then = World.now.addingTimeInterval(World.day)
        let revoked = RevokedSerials([server.serial: then])
        let validate = { (date: Date) in
            try await trust.validateServer([server], speaksFor: authority.domain, at: date, revoked: revoked)
        }
        _ = try await validate(World.now)
        await expect(.revoked) { try await validate(then) }
        await expect(.revoked) { try await validate(then.addingTimeInterval(World.day)) }
        #expect(RevokedSerials(["00AB": then]).contains("ab", at: then))
    }

    @Test func aLookAlikeRootIsNotTheRoot() async throws {
        let real = try World.authority()
        let fake = try World.authority()
        let trust = try World.pinned(real)
        let server = try World.server(fake)
        await expect(.untrusted) { try await trust.validateServer([server], speaksFor: real.domain, at: World.now) }
        await expect(.untrusted) {
            try await trust.validateServer([server, fake.certificate], speaksFor: real.domain, at: World.now)
        }
        // The fake root claims the real one's key identifier as well.
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let identifier = try #require(try real.certificate.x509.extensions.subjectKeyIdentifier)
        let copied = try Certificate(
            version: .v3, serialNumber: real.certificate.x509.serialNumber, publicKey: key.publicKey,
            notValidBefore: real.certificate.notBefore, notValidAfter: real.certificate.notAfter,
            issuer: real.certificate.x509.subject, subject: real.certificate.x509.subject,
            extensions: Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 1))
                Critical(KeyUsage(keyCertSign: true))
                identifier
            }, issuerPrivateKey: key)
        let issuer = try Issuer(certificate: MailCertificate(copied), key: key)
        let profile = try CertificateProfile.server(
            real.domain, hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
        let forged = try World.forge(issuer, profile)
        await expect(.untrusted) {
            try await trust.validateServer([forged, issuer.certificate], speaksFor: real.domain, at: World.now)
        }
    }

    @Test func aUserCertificateIsNoIssuer() async throws {
        let authority = try World.authority()
        let key = P256.Signing.PrivateKey()
        let mallory = try World.user(authority, "mallory@capicom.test", key: .p256(key))
        let profile = try CertificateProfile.server(
            authority.domain, hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
        let leaf = try MailCertificate(
            Certificate(
                version: .v3, serialNumber: .init(), publicKey: profile.publicKey, notValidBefore: World.now,
                notValidAfter: World.now.addingTimeInterval(World.day), issuer: mallory.x509.subject,
                subject: profile.subject, extensions: profile.extensions(authorityKey: nil), issuerPrivateKey: .init(key)))
        await expect(.untrusted) {
            try await World.pinned(authority).validateServer(
                [leaf, mallory], speaksFor: authority.domain, at: World.now)
        }
    }

    @Test func keysMustBeMeantForSigning() async throws {
        let authority = try World.authority()
        var profile = try CertificateProfile.server(
            authority.domain, hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
        profile.keyUsage = KeyUsage(keyAgreement: true)
        let certificate = try World.forge(authority.issuer, profile)
        await expect(.wrongRole) {
            try await World.pinned(authority).validateServer([certificate], speaksFor: authority.domain, at: World.now)
        }
    }
}

@Suite struct TrustStoreTests {
    @Test func removingAnAnchorTakesEffectAtOnce() async throws {
        let authority = try World.authority()
        let trust = try World.pinned(authority)
        let server = try World.server(authority)
        _ = try await trust.validateServer([server], speaksFor: authority.domain, at: World.now)
        #expect(trust.cachedCount == 1)
        #expect(trust.remove(authority.certificate.fingerprint))
        #expect(!trust.remove(authority.certificate.fingerprint))
        await expect(.noAnchor) {
            try await trust.validateServer([server], speaksFor: authority.domain, at: World.now)
        }
    }

    @Test func theCacheIsBounded() async throws {
        let authority = try World.authority()
        let anchor = try TrustAnchor(authority.certificate, scope: .domain(authority.domain))
        let trust = TrustStore([anchor], cacheCapacity: 3)
        for _ in 0..<8 {
            _ = try await trust.validateServer([World.server(authority)], speaksFor: authority.domain, at: World.now)
        }
        #expect(trust.cachedCount == 3)
        await expect(.nameMismatch) {
            try await trust.validateServer([World.server(authority)], speaksFor: World.domain("x.test"), at: World.now)
        }
        #expect(trust.cachedCount == 3)
    }

    @Test func aVerdictForOneClaimIsNoneForAnother() async throws {
        let root = try World.freeRoot("two")
        let (one, two) = (try World.domain("one.test"), try World.domain("two.test"))
        let trust = TrustStore([try TrustAnchor(root.certificate, scope: .domain(one))])
        let profile = try CertificateProfile.server(
            one, hosts: [two], World.newKey(), .init(oid: MailOID.mailServer))
        let server = try World.forge(root, profile)
        _ = try await trust.validateServer([server], speaksFor: one, at: World.now)
        await expect(.noAnchor) { try await trust.validateServer([server], speaksFor: two, at: World.now) }
    }

    @Test func anchorsMustFitTheirScope() throws {
        let authority = try World.authority()
        expectCode(.nameMismatch) { try TrustAnchor(authority.certificate, scope: .domain(World.domain("x.test"))) }
        expectCode(.wrongRole) { try TrustAnchor(World.server(authority), scope: .federation) }
    }

    @Test func chainsAreBounded() async throws {
        let authority = try World.authority()
        let server = try World.server(authority)
        let trust = try World.pinned(authority)
        let long = [server] + Array(repeating: authority.certificate, count: 5)
        await expect(.limitExceeded) {
            try await trust.validateServer(long, speaksFor: authority.domain, at: World.now)
        }
        await expect(.untrusted) { try await trust.validateServer([], speaksFor: authority.domain, at: World.now) }
    }

    @Test func aRolledOverRootIsBelievedThroughTheOldOne() async throws {
        let old = try World.authority()
        let new = try World.authority()
        var profile = try CertificateProfile.authority("next", new.certificate.x509.publicKey, pathLength: 0)
        profile.subject = new.certificate.x509.subject
        profile.nameConstraints = CertificateProfile.constraint(to: old.domain)
        let link = try World.forge(old.issuer, profile)
        let server = try World.server(new)
        _ = try await World.pinned(old).validateServer([server, link], speaksFor: old.domain, at: World.now)
    }
}
