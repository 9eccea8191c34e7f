import Crypto
import CryptoExtras
import Foundation
import SwiftASN1
import Testing
import X509
import XMLSecurity

@testable import Identity

@Suite struct AuthorityTests {
    @Test func theRootIsBoundToItsDomain() throws {
        let root = try World.authority().certificate
        #expect(root.role == .domainCA)
        #expect(root.commonName == "WSEmail domain root capicom.test")
        #expect(root.mailDomains.map(\.ascii) == ["capicom.test"])
        #expect(root.notBefore == World.now.addingTimeInterval(-300))
        #expect(root.notAfter.timeIntervalSince(World.now) == 20 * 365.25 * World.day)
        for oid in [ASN1ObjectIdentifier.X509ExtensionID.basicConstraints, .X509ExtensionID.nameConstraints] {
            #expect(root.x509.extensions[oid: oid]?.critical == true)
        }
    }

    @Test func aServerCertificateNamesDomainAndHosts() throws {
        let authority = try World.authority()
        let host = try MailDomain("mx.capicom.test")
        let certificate = try authority.issueServerCertificate(
            publicKey: SigningKey.generateP256().publicKey, hosts: [host, host, authority.domain], now: World.now)
        #expect(certificate.role == .server)
        #expect(certificate.mailDomains == [authority.domain, host])
        #expect(try certificate.x509.extensions.extendedKeyUsage?.contains(.serverAuth) == false)
        let elsewhere = try MailDomain("mx.hoster.example")
        expectCode(.nameMismatch) {
            try authority.issueServerCertificate(
                publicKey: SigningKey.generateP256().publicKey, hosts: [elsewhere], now: World.now)
        }
    }

    @Test func aTLSCertificateIsForTLSOnly() throws {
        let authority = try World.authority()
        let certificate = try authority.issueTLSCertificate(
            publicKey: SigningKey.generateP256().publicKey, now: World.now)
        #expect(certificate.role == .tls)
        let usage = try #require(try certificate.x509.extensions.extendedKeyUsage)
        #expect(Array(usage) == [.serverAuth])
    }

    @Test func anRSAServerCertificateForOtherStacks() async throws {
        let authority = try World.authority()
        let key = try SigningKey.generateRSA()
        let certificate = try World.server(authority, key: key)
        #expect(key.matches(certificate))
        guard case .rsa = certificate.publicKey else { Issue.record("not RSA"); return }
        _ = try await World.pinned(authority).validateServer([certificate], speaksFor: authority.domain, at: World.now)
        expectCode(.unsupportedKey) { try SigningKey.generateRSA(bits: 1024) }
    }

    @Test func weakKeysAreRefused() throws {
        let authority = try World.authority()
        let weak = try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024))
        expectCode(.unsupportedKey) {
            try authority.issueServerCertificate(publicKey: .rsa(weak.publicKey), now: World.now)
        }
        expectCode(.unsupportedKey) { try VerificationKey(certificateKey: .init(P521.Signing.PrivateKey().publicKey)) }
        expectCode(.unsupportedKey) {
            try authority.issueServerCertificate(publicKey: .hmac(SymmetricKey(size: .bits256)), now: World.now)
        }
    }

    @Test(arguments: ["alice@capicom.test", "jürgen@capicom.test"])
    func aUserCertificateNamesOnePerson(text: String) throws {
        let authority = try World.authority()
        let key = SigningKey.generateP256()
        let certificate = try World.user(authority, text, key: key)
        #expect(certificate.role == .user)
        #expect(certificate.commonName == text)
        #expect(certificate.addresses == [try Address(text)])
        #expect(key.matches(certificate))
        #expect(certificate.notAfter.timeIntervalSince(World.now) == World.year)
        #expect(certificate.serial.utf8.count == 32)
        #expect(
            try certificate.x509.extensions.authorityKeyIdentifier?.keyIdentifier
                == authority.certificate.x509.extensions.subjectKeyIdentifier?.keyIdentifier)
        expectCode(.nameMismatch) { try World.user(authority, "alice@scopio.test") }
        expectCode(.nameMismatch) { try World.user(authority, "alice@sub.capicom.test") }
    }

    @Test func serialNumbersDiffer() throws {
        let authority = try World.authority()
        let serials = try Set((0..<50).map { _ in try World.server(authority).serial })
        #expect(serials.count == 50)
    }

    @Test func whatARequestAsksForIsIgnored() throws {
        let authority = try World.authority()
        let key = P256.Signing.PrivateKey()
        let extensions = try Certificate.Extensions {
            Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            SubjectAlternativeNames([.rfc822Name("root@scopio.test"), .dnsName("capicom.test")])
            try ExtendedKeyUsage([.init(oid: MailOID.mailServer), .serverAuth])
            Critical(KeyUsage(keyCertSign: true))
        }
        let request = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName { CommonName("postmaster@capicom.test") }, privateKey: .init(key),
            attributes: .init([.init(ExtensionRequest(extensions: extensions))]), signatureAlgorithm: .ecdsaWithSHA256)
        let parsed = try CertificateRequest(pem: request.serializeAsPEM().pemString)
        let certificate = try authority.issueUserCertificate(
            request: parsed, address: Address("mallory@capicom.test"), now: World.now)
        #expect(certificate.role == .user)
        #expect(certificate.commonName == "mallory@capicom.test")
        #expect(certificate.addresses.map(\.description) == ["mallory@capicom.test"])
        #expect(try certificate.x509.extensions.basicConstraints == .notCertificateAuthority)
        #expect(try certificate.x509.extensions.keyUsage?.keyCertSign == false)
        #expect(try certificate.x509.extensions.extendedKeyUsage?.count == 1)
    }

    @Test func aRequestMustBeSignedByItsKey() throws {
        let request = try CertificateRequest.make(address: Address("a@capicom.test"), key: .generateP256())
        #expect(try CertificateRequest(pem: request.pem).der == request.der)
        for position in [request.der.count - 1, request.der.count / 2, 40] {
            var damaged = request.der
            damaged[position] ^= 1
            #expect(throws: IdentityError.self) { try CertificateRequest(der: damaged) }
        }
        // Another key's request with the signature of the first.
        let victim = P256.Signing.PrivateKey().publicKey
        let stolen = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName(), publicKey: .init(victim), attributes: .init(),
            signatureAlgorithm: .ecdsaWithSHA256,
            signature: CertificateSigningRequest(derEncoded: request.der).signature)
        expectCode(.malformedRequest) { try CertificateRequest(pem: stolen.serializeAsPEM().pemString) }
        expectCode(.malformedRequest) { try CertificateRequest(der: []) }
        expectCode(.malformedRequest) { try CertificateRequest(der: request.der + [0]) }
        expectCode(.limitExceeded) { try CertificateRequest(der: [UInt8](repeating: 0x30, count: 20_000)) }
        expectCode(.malformedRequest) { try CertificateRequest(pem: World.authority().certificatePEM) }
    }

    @Test func requestsOfEveryKeyType() throws {
        let keys: [SigningKey] = [
            .generateP256(), .p384(P384.Signing.PrivateKey()), .ed25519(Curve25519.Signing.PrivateKey()),
            try .generateRSA(),
        ]
        let authority = try World.authority()
        for key in keys { #expect(key.matches(try World.user(authority, "a@capicom.test", key: key))) }
    }

    @Test func loadingAnAuthority() throws {
        let authority = try World.authority()
        let other = try World.authority()
        let loaded = try DomainAuthority(certificatePEM: authority.certificatePEM, keyPEM: authority.keyPEM())
        #expect(loaded.domain == authority.domain)
        #expect(loaded.certificate == authority.certificate)
        expectCode(.keyMismatch) {
            try DomainAuthority(certificatePEM: authority.certificatePEM, keyPEM: other.keyPEM())
        }
        expectCode(.wrongRole) {
            try DomainAuthority(certificatePEM: World.server(authority).pem, keyPEM: authority.keyPEM())
        }
        expectCode(.unsupportedKey) { try DomainAuthority(certificatePEM: authority.certificatePEM, keyPEM: "x") }
    }

    @Test func issuingStaysWithinTheRootsLife() throws {
        let authority = try World.authority()
        let late = World.now.addingTimeInterval(20 * World.year)
        #expect(try World.server(authority, at: late).notAfter == authority.certificate.notAfter)
        expectCode(.notValidNow) { try World.server(authority, at: World.now.addingTimeInterval(21 * World.year)) }
        expectCode(.notValidNow) { try World.server(authority, at: World.now.addingTimeInterval(-600)) }
    }
}

@Suite struct MailCertificateTests {
    @Test func pemAndDerKeepTheirOctets() throws {
        let authority = try World.authority()
        let server = try World.server(authority)
        #expect(try MailCertificate(pem: server.pem) == server)
        #expect(try MailCertificate(der: server.der).der == server.der)
        #expect(try MailCertificate.chain(pem: server.pem + authority.certificatePEM) == [server, authority.certificate])
        expectCode(.malformedCertificate) { try MailCertificate(pem: server.pem + authority.certificatePEM) }
        expectCode(.malformedCertificate) { try MailCertificate(der: server.der + [0]) }
        expectCode(.malformedCertificate) { try MailCertificate(der: []) }
        expectCode(.limitExceeded) { try MailCertificate(der: [UInt8](repeating: 0, count: 17_000)) }
        for length in stride(from: 0, to: server.der.count, by: 7) {
            expectCode(.malformedCertificate) { try MailCertificate(der: Array(server.der.prefix(length))) }
        }
    }

    @Test func twoRolesAtOnceAreRefused() throws {
        let issuer = try World.freeRoot("x")
        let key = World.newKey()
        let domain = try World.domain()
        var profile = try CertificateProfile.server(domain, hosts: [], key, .init(oid: MailOID.mailServer))
        _ = try World.forge(issuer, profile)
        profile.moreUsages = [.serverAuth]
        expectCode(.wrongRole) { try World.forge(issuer, profile) }
        profile.moreUsages = [.init(oid: MailOID.mailUser)]
        expectCode(.wrongRole) { try World.forge(issuer, profile) }
        profile.usage = .any
        profile.moreUsages = []
        #expect(try World.forge(issuer, profile).role == .other)
        profile.usage = nil
        #expect(try World.forge(issuer, profile).role == .other)
    }

    @Test func malformedNamesOfMailCertificatesAreRefused() throws {
        let issuer = try World.freeRoot("x")
        var profile = try CertificateProfile.user(Address("a@capicom.test"), World.newKey())
        profile.alternativeNames = [.rfc822Name("not an address")]
        expectCode(.invalidAddress) { try World.forge(issuer, profile) }
        profile = try CertificateProfile.server(World.domain(), hosts: [], World.newKey(), .init(oid: MailOID.mailServer))
        profile.alternativeNames = [.dnsName("*.test")]
        expectCode(.invalidDomain) { try World.forge(issuer, profile) }
        profile.alternativeNames = (0..<65).map { .dnsName("a\($0).test") }
        expectCode(.limitExceeded) { try World.forge(issuer, profile) }
    }
}
