import Crypto
import Foundation
import Testing
import XMLCore
import XMLSecurity

@testable import Identity

@Suite struct AssertionAttackTests {
    let world: Federation

    init() throws { world = try Federation.shared() }

    private var evil: SignatureSigner {
        SignatureSigner(key: world.evilKey, keyInfo: .thumbprintSHA256(world.evilCertificate.thumbprintSHA256))
    }

    // MARK: Who says it, to whom

    /// model: issuer
    @Test func aDomainSpeaksOnlyOfItsOwnUsers() async throws {
        let octets = try world.forged(by: evil, "<saml:Issuer>scopio.test", "<saml:Issuer>evil.test")
        await expect(.nameMismatch) { try await world.verify(octets) }
        let below = try world.forged(".test</saml:NameID>", ".test.evil.test</saml:NameID>")
        await expect(.nameMismatch) { try await world.verify(below) }
    }

    @Test func aDomainThatSignsAsAnotherIsNotBelieved() async throws {
        let octets = try world.forged(by: evil) { $0 }
        await expect(.untrusted) { try await world.verify(octets) }
        // Nor if it points at the other's certificate.
        let pointing = SignatureSigner(key: world.evilKey, keyInfo: .thumbprintSHA256(world.certificate.thumbprintSHA256))
        let forged = try world.forged(by: pointing) { $0 }
        await expect(.badSignature) { try await world.verify(forged) }
    }

    /// model: audience
    @Test func anAssertionForAnotherServiceIsRefused() async throws {
        let octets = try world.octets()
        let other = try MailDomain("other.test")
        await expect(.wrongAudience) { try await world.verify(octets, audience: other) }
        await expect(.wrongAudience) { try await world.verify(octets, audience: world.scopio) }
    }

    @Test(arguments: [
        "capicom.test", "urn:wsemail:domain:CAPICOM.test", "https://capicom.test/wsemail", "urn:wsemail:domain:capicom.test.",
        "urn:wsemail:domain:capicom.test/x", "URN:wsemail:domain:capicom.test",
    ])
    func theAudienceHasOneSpelling(name: String) async throws {
        let octets = try world.forged(">urn:wsemail:domain:capicom.test<", ">\(name)<")
        await expect(.wrongAudience) { try await world.verify(octets) }
        #expect(AssertionAudience.domain(name) == nil)
    }

    // MARK: When

    @Test(arguments: [
        (-120.0, true), (-121, false), (0, true), (359, true), (360, false),
    ])
    func validForItsTimeAndAMinuteMoreAtEachEnd(seconds: TimeInterval, isValid: Bool) async throws {
        // Issued in the future by more than a minute is refused before NotBefore would be.
        let octets = try world.forged { text in
            text.replacingOccurrences(
                of: "IssueInstant=\"\(UTCSeconds.format(Federation.now))", with: "IssueInstant=\"\(UTCSeconds.format(Federation.now - 60))")
        }
        let date = Federation.now + seconds
        if isValid {
            try await world.verify(octets, at: date)
        } else {
            await expect(.notValidNow) { try await world.verify(octets, at: date) }
        }
    }

    @Test func anIssueInTheFutureIsRefused() async throws {
        for (seconds, isValid) in [(60.0, true), (61, false)] {
            let octets = try world.octets()
            if isValid {
                try await world.verify(octets, at: Federation.now - seconds)
            } else {
                await expect(.notValidNow) { try await world.verify(octets, at: Federation.now - seconds) }
            }
        }
        let late = try world.forged { text in
            text.replacingOccurrences(
                of: "IssueInstant=\"\(UTCSeconds.format(Federation.now))", with: "IssueInstant=\"\(UTCSeconds.format(Federation.now + 300))"
            )
        }
        await expect(.notValidNow) { try await world.verify(late, at: Federation.now + 300) }
    }

    @Test func noAssertionLivesLongerThanTenMinutes() async throws {
        let longest = try world.assertion(lifetime: 600)
        try await world.verify(longest.signed(by: world.key, certificate: world.certificate))
        for lifetime in [601.0, 0.9, -1, .infinity, .nan] {
            expectCode(.limitExceeded) { try world.assertion(lifetime: lifetime) }
        }
        let end = UTCSeconds.format(Federation.now + 300)
        let longer = try world.forged("NotOnOrAfter=\"\(end)", "NotOnOrAfter=\"\(UTCSeconds.format(Federation.now + 601))")
        await expect(.limitExceeded) { try await world.verify(longer) }
        let backwards = try world.forged("NotOnOrAfter=\"\(end)", "NotOnOrAfter=\"\(UTCSeconds.format(Federation.now - 61))")
        await expect(.limitExceeded) { try await world.verify(backwards) }
    }

    // MARK: The signature

    @Test(arguments: [
        ("bob@scopio.test", "eve@scopio.test"), ("domain:capicom.test", "domain:capicon.test"), ("classes:Password", "classes:X509"),
        ("AuthnInstant=\"2026", "AuthnInstant=\"2025"),
    ])
    func nothingCanBeChanged(old: String, new: String) async throws {
        let text = String(decoding: try world.octets(), as: UTF8.self)
        let octets = Array(text.replacingOccurrences(of: old, with: new).utf8)
        let audience = try MailDomain(new.contains("capicon") ? "capicon.test" : "capicom.test")
        await expect(.badSignature) { try await world.verify(octets, audience: audience) }
    }

    @Test func unsignedIsNotForm() async throws {
        let octets = try world.assertion().unsignedOctets()
        await expect(.malformedAssertion) { try await world.verify(octets) }
    }

    @Test func oneSignatureOnly() async throws {
        let text = String(decoding: try world.octets(), as: UTF8.self)
        let start = try #require(text.firstRange(of: "<ds:Signature ")).lowerBound
        let end = try #require(text.firstRange(of: "</ds:Signature>")).upperBound
        let signature = text[start..<end]
        let twice = Array(text.replacingOccurrences(of: signature, with: signature + signature).utf8)
        await expect(.malformedAssertion) { try await world.verify(twice) }
        let moved = Array(
            (text.replacingOccurrences(of: signature, with: "").replacingOccurrences(
                of: "</saml:Assertion>", with: signature + "</saml:Assertion>")).utf8)
        await expect(.malformedAssertion) { try await world.verify(moved) }
    }

    /// Signature wrapping: a good assertion inside an invented one, with the signature on either.
    @Test func aSecondAssertionInsideIsRefused() async throws {
        let good = String(decoding: try world.octets(), as: UTF8.self)
        let start = try #require(good.firstRange(of: "<ds:Signature ")).lowerBound
        let end = try #require(good.firstRange(of: "</ds:Signature>")).upperBound
        let signature = String(good[start..<end])
        let invented = String(decoding: try world.assertion().unsignedOctets(), as: UTF8.self)
            .replacingOccurrences(of: "bob@", with: "root@")
        let signed = invented.replacingOccurrences(of: "</saml:Issuer>", with: "</saml:Issuer>" + signature)
        // The root is not what the signature is about.
        await expect(.badSignature) { try await world.verify(Array(signed.utf8)) }
        let wrapped = [
            signed.replacingOccurrences(of: "</saml:Assertion>", with: "<saml:Advice>\(good)</saml:Advice></saml:Assertion>"),
            signed.replacingOccurrences(of: "</saml:Assertion>", with: good + "</saml:Assertion>"),
        ]
        for text in wrapped { await expect(.malformedAssertion) { try await world.verify(Array(text.utf8)) } }
        let object = "<ds:Object>\(good)</ds:Object></ds:Signature>"
        let inObject = signed.replacingOccurrences(of: "</ds:Signature>", with: object)
        await expect(.badSignature) { try await world.verify(Array(inObject.utf8)) }
        let inKey = signed.replacingOccurrences(of: "<ds:KeyInfo xmlns:ds=", with: "<ds:KeyInfo ID=\"x\" xmlns:ds=")
        await expect(.malformedAssertion) { try await world.verify(Array(inKey.utf8)) }
    }

    @Test func aSecretSharedWithNobodyIsNoSignature() async throws {
        guard case .p256(let key) = world.key.publicKey else { return }
        let hmac = SignatureSigner(
            key: .hmac(SymmetricKey(data: key.x963Representation)),
            keyInfo: .thumbprintSHA256(world.certificate.thumbprintSHA256))
        let octets = try world.forged(by: hmac) { $0 }
        await expect(.badSignature) { try await world.verify(octets) }
    }

    @Test func aSignatureMustNameItsCertificateBySHA256() async throws {
        for hint in [KeyHint.none, .certificate(world.certificate.der), .thumbprintSHA1([UInt8](repeating: 0, count: 20))] {
            let octets = try world.forged(by: SignatureSigner(key: world.key, keyInfo: hint)) { $0 }
            await expect(.malformedAssertion) { try await world.verify(octets) }
        }
    }

    /// The key is looked up only for an assertion that is in order otherwise.
    @Test func strangersCauseNoLookUps() async throws {
        let assertion = try UnverifiedAssertion(parsing: try world.octets())
        let other = try MailDomain("other.test")
        for (audience, date) in [(other, Federation.now), (world.capicom, Federation.now + 3600)] {
            await expect(audience == other ? .wrongAudience : .notValidNow) {
                try await assertion.verified(audience: audience, at: date) { (_, _) throws(IdentityError) in
                    Issue.record("asked for a key")
                    return nil
                }
            }
        }
    }
}
