import Crypto
import Foundation
import Testing
import X509
import XMLSecurity

@testable import Identity

@Suite struct FederationTrustTests {
    private func federation() throws -> (FederationAuthority, TrustStore) {
        let federation = try FederationAuthority.create(name: "lab", now: World.now)
        return (federation, TrustStore([try TrustAnchor(federation.certificate, scope: .federation)]))
    }

    @Test func aCertifiedDomainIsBelieved() async throws {
        let (federation, trust) = try federation()
        let authority = try World.authority()
        let crossed = try federation.certify(authority.certificate, now: World.now)
        #expect(crossed.mailDomains == [authority.domain])
        let server = try World.server(authority)
        let result = try await trust.validateServer([server, crossed], speaksFor: authority.domain, at: World.now)
        #expect(result.chain == [server, crossed, federation.certificate])
        let alice = try World.user(authority, "alice@capicom.test")
        _ = try await trust.validateUser(
            [alice, crossed], address: Address("alice@capicom.test"), at: World.now)
        await expect(.untrusted) {
            try await trust.validateServer([World.server(authority)], speaksFor: authority.domain, at: World.now)
        }
        // Revoking the cross certificate ends both.
        await expect(.revoked) {
            try await trust.validateServer(
                [server, crossed], speaksFor: authority.domain, at: World.now,
                revoked: RevokedSerials([crossed.serial: World.now]))
        }
        // ... until the federation has certified the domain anew; the cached path does not stand in the way.
        let again = try federation.certify(authority.certificate, now: World.now)
        let renewed = try await trust.validateServer(
            [server, crossed, again], speaksFor: authority.domain, at: World.now,
            revoked: RevokedSerials([crossed.serial: World.now]))
        #expect(renewed.chain == [server, again, federation.certificate])
    }

    @Test func aDirectServerCertificateIsBelievedForItsNamesOnly() async throws {
        let (federation, trust) = try federation()
        let (capicom, scopio) = (try World.domain(), try World.domain("scopio.test"))
        let server = try federation.issueServerCertificate(
            publicKey: SigningKey.generateP256().publicKey, domain: capicom, now: World.now)
        _ = try await trust.validateServer([server], speaksFor: capicom, at: World.now)
        await expect(.nameMismatch) { try await trust.validateServer([server], speaksFor: scopio, at: World.now) }
    }

    @Test func theFederationItselfMakesNoUsers() async throws {
        let (federation, trust) = try federation()
        let address = try Address("alice@capicom.test")
        let user = try World.forge(federation.issuer, CertificateProfile.user(address, World.newKey()))
        await expect(.untrusted) { try await trust.validateUser([user], address: address, at: World.now) }
    }

    @Test func aCertifiedDomainNeverSpeaksForAnother() async throws {
        let (federation, trust) = try federation()
        let evil = try World.authority("scopio.test")
        let crossed = try federation.certify(evil.certificate, now: World.now)
        for name in ["capicom.test", "sub.scopio.test", "xscopio.test"] {
            let target = try MailDomain(name)
            let profile = try CertificateProfile.server(
                target, hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
            let server = try World.forge(evil.issuer, profile)
            await expect(.untrusted) {
                try await trust.validateServer([server, crossed], speaksFor: target, at: World.now)
            }
            let address = try Address("alice@" + name)
            let user = try World.forge(evil.issuer, CertificateProfile.user(address, World.newKey()))
            await expect(.untrusted) {
                try await trust.validateUser([user, crossed], address: address, at: World.now)
            }
        }
    }

    @Test func anUnconstrainedSubordinateIsNotBelieved() async throws {
        let (federation, trust) = try federation()
        let domain = try World.domain()
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let profile = try CertificateProfile.authority("free", key.publicKey, pathLength: 1)
        let free = try Issuer(certificate: World.forge(federation.issuer, profile), key: key)
        let server = try World.forge(
            free, CertificateProfile.server(domain, hosts: [], World.newKey(), .init(oid: MailOID.mailServer)))
        await expect(.untrusted) {
            try await trust.validateServer([server, free.certificate], speaksFor: domain, at: World.now)
        }
        let address = try Address("a@capicom.test")
        let user = try World.forge(free, CertificateProfile.user(address, World.newKey()))
        await expect(.untrusted) {
            try await trust.validateUser([user, free.certificate], address: address, at: World.now)
        }
    }

    /// A constrained domain cannot lift its constraint by a subordinate of its own that names another domain.
    @Test func aSubordinateCannotWidenItsConstraint() async throws {
        let (federation, trust) = try federation()
        let evil = try World.authority("scopio.test")
        let crossed = try federation.certify(evil.certificate, now: World.now)
        let target = try World.domain()
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        var profile = try CertificateProfile.authority("wider", key.publicKey, pathLength: 0)
        profile.nameConstraints = CertificateProfile.constraint(to: target)
        let wider = try Issuer(certificate: World.forge(evil.issuer, profile), key: key)
        let address = try Address("a@capicom.test")
        let user = try World.forge(wider, CertificateProfile.user(address, World.newKey()))
        await expect(.untrusted) {
            try await trust.validateUser([user, wider.certificate, crossed], address: address, at: World.now)
        }
        // As a pinned domain's subordinate it is no use for the pinned domain either.
        let pinned = try World.pinned(evil)
        let own = try Address("a@scopio.test")
        let ownUser = try World.forge(wider, CertificateProfile.user(own, World.newKey()))
        await expect(.untrusted) {
            try await pinned.validateUser([ownUser, wider.certificate], address: own, at: World.now)
        }
    }

    /// A user certificate has no dNSName that RFC 5280's own rules could compare with a root's constraint.
    @Test func aConstrainedFederationRootMakesNoUsersElsewhere() async throws {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        var profile = try CertificateProfile.authority("regional", key.publicKey, pathLength: 2)
        profile.nameConstraints = NameConstraints(permittedDNSDomains: ["example", "scopio.test"])
        let root = try Issuer.selfSigned(profile, key: key, lifetimes: .standard, now: World.now)
        let trust = TrustStore([try TrustAnchor(root.certificate, scope: .federation)])
        for (name, isBelieved) in [("scopio.test", true), ("capicom.test", false)] {
            let authority = try World.authority(name)
            var crossing = try CertificateProfile.authority("x", authority.certificate.x509.publicKey, pathLength: 0)
            crossing.subject = authority.certificate.x509.subject
            crossing.nameConstraints = CertificateProfile.constraint(to: authority.domain)
            let chain = [try World.user(authority, "a@" + name), try World.forge(root, crossing)]
            let address = try Address("a@" + name)
            if isBelieved {
                _ = try await trust.validateUser(chain, address: address, at: World.now)
            } else {
                await expect(.untrusted) { try await trust.validateUser(chain, address: address, at: World.now) }
            }
        }
    }

    /// An authority of a parent domain does not speak for the domains below it.
    @Test func aParentDomainsAuthorityIsNotTheDomains() async throws {
        let root = try World.freeRoot("hoster")
        let domain = try World.domain("sub.scopio.test")
        let trust = TrustStore([try TrustAnchor(root.certificate, scope: .domain(domain))])
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        var profile = try CertificateProfile.authority("parent", key.publicKey, pathLength: 0)
        profile.nameConstraints = CertificateProfile.constraint(to: try World.domain("scopio.test"))
        let parent = try Issuer(certificate: World.forge(root, profile), key: key)
        let server = try World.forge(
            parent, CertificateProfile.server(domain, hosts: [], World.newKey(), .init(oid: MailOID.mailServer)))
        await expect(.untrusted) {
            try await trust.validateServer([server, parent.certificate], speaksFor: domain, at: World.now)
        }
    }

    @Test func aPinBeatsTheFederation() async throws {
        let (federation, trust) = try federation()
        let authority = try World.authority()
        trust.add(try TrustAnchor(authority.certificate, scope: .domain(authority.domain)))
        let direct = try federation.issueServerCertificate(
            publicKey: SigningKey.generateP256().publicKey, domain: authority.domain, now: World.now)
        await expect(.untrusted) {
            try await trust.validateServer([direct], speaksFor: authority.domain, at: World.now)
        }
        _ = try await trust.validateServer([World.server(authority)], speaksFor: authority.domain, at: World.now)
    }
}
