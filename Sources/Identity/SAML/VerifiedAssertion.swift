import FoundationEssentials
import XMLCore
import XMLSecurity

/// An assertion that its issuer signed, for us, now. Only ``UnverifiedAssertion/verified(audience:at:key:)`` makes one. That the
/// caller holds the key it names is still to be proven.
public struct VerifiedAssertion: Sendable {
    public enum Confirmation: Sendable {
        /// The caller must sign with this key.
        case holderOfKey(VerificationKey)
        /// Whoever has it: once, over TLS.
        case bearer
    }

    public let id: String
    public let subject: Address
    /// The subject's domain.
    public let issuer: MailDomain
    public let audience: MailDomain
    public let confirmation: Confirmation
    public let issueInstant: Date
    public let notOnOrAfter: Date
    /// When and how the subject proved to the issuer who they are.
    public let authnInstant: Date
    public let method: AssertionMethod
    /// Exclusive canonical form: what was signed.
    public let octets: [UInt8]

    /// Seconds that the issuer's clock may differ from ours.
    public static let skew: TimeInterval = 60

    fileprivate init(_ assertion: UnverifiedAssertion, audience: MailDomain) throws(IdentityError) {
        id = assertion.id
        subject = assertion.subject
        issuer = assertion.issuer
        self.audience = audience
        switch assertion.confirmation {
        case .bearer: confirmation = .bearer
        case .holderOfKey(let key): confirmation = .holderOfKey(try key.verificationKey())
        }
        issueInstant = assertion.issueInstant
        notOnOrAfter = assertion.notOnOrAfter
        authnInstant = assertion.authnInstant
        method = assertion.method
        octets = assertion.octets
    }

    public var isBearer: Bool {
        guard case .bearer = confirmation else { return false }
        return true
    }

    /// After this moment it is accepted nowhere: how long its use must be remembered.
    public var forgettable: Date { notOnOrAfter.addingTimeInterval(Self.skew) }
}

extension UnverifiedAssertion {
    /// Verifies the assertion: issuer and subject, audience, time, then the issuer's signature over its root.
    /// - Parameters:
    ///   - audience: whose service we are.
    ///   - key: the key of the certificate with that SHA-256 thumbprint, if that certificate may sign for that domain now;
    ///     nil if it may not or is not known. Asked only when all else is in order.
    /// - Throws: ``IdentityError`` `.nameMismatch` (a domain speaks of another's user), `.wrongAudience`, `.notValidNow`,
    ///   `.limitExceeded` (it lives too long), `.untrusted` (no such key), `.badSignature`; what `key` throws.
    public func verified(
        audience: MailDomain, at now: Date,
        key: (_ thumbprint: [UInt8], _ issuer: MailDomain) async throws(IdentityError) -> VerificationKey?
    ) async throws(IdentityError) -> VerifiedAssertion {
        try checkClaims(audience: audience, at: now)
        let found = try await key(signerThumbprint, issuer)
        guard let found else {
            throw IdentityError(.untrusted, "the certificate that signed the assertion does not speak for \(issuer)")
        }
        return try verified(audience: audience, at: now, with: found)
    }

    /// As ``verified(audience:at:key:)`` with a key found beforehand: that of the certificate ``signerThumbprint``, which must be
    /// a server certificate of ``issuer``.
    public func verified(
        audience: MailDomain, at now: Date, with key: VerificationKey
    ) throws(IdentityError) -> VerifiedAssertion {
        try checkClaims(audience: audience, at: now)
        try checkSignature(key)
        return try VerifiedAssertion(self, audience: audience)
    }

    private func checkClaims(audience: MailDomain, at now: Date) throws(IdentityError) {
        guard issuer == subject.domain else {  // model: issuer
            throw IdentityError(.nameMismatch, "\(issuer) made an assertion about \(subject)")
        }
        guard self.audience.utf8.elementsEqual(AssertionAudience.name(of: audience).utf8) else {  // model: audience
            throw IdentityError(.wrongAudience, "the assertion is for \(self.audience)")
        }
        guard notBefore < notOnOrAfter, notOnOrAfter.timeIntervalSince(notBefore) <= Assertion.maximumLifetime + Assertion.backdating
        else {
            throw IdentityError(.limitExceeded, "the assertion lives longer than \(Int(Assertion.maximumLifetime)) seconds")
        }
        // Where the process began later than this, a bearer assertion may have been used before: it must not lie.
        guard issueInstant < notOnOrAfter, issueInstant <= now.addingTimeInterval(VerifiedAssertion.skew) else {
            throw IdentityError(.notValidNow, "the assertion was issued in the future")
        }
        guard now >= notBefore.addingTimeInterval(-VerifiedAssertion.skew) else {
            throw IdentityError(.notValidNow, "the assertion is not valid yet")
        }
        guard now < notOnOrAfter.addingTimeInterval(VerifiedAssertion.skew) else {
            throw IdentityError(.notValidNow, "the assertion has expired")
        }
    }

    private func checkSignature(_ key: VerificationKey) throws(IdentityError) {
        do throws(SignatureError) {
            let signature = try SignatureVerifier(algorithms: .publicKey).verifyEnveloped(document) {
                (hint) throws(SignatureError) in
                guard hint == .thumbprintSHA256(signerThumbprint) else {
                    throw SignatureError(.unknownKey, "the signature names another certificate")
                }
                return key
            }
            guard signature.verified(document.root) != nil else {
                throw SignatureError(.unsigned, "the assertion is not what was signed")
            }
        } catch {
            throw IdentityError(.badSignature, "the signature of the assertion: \(error.reason)")
        }
    }
}
