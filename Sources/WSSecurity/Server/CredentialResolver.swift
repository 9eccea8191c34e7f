import FoundationEssentials
import Identity
import SOAP
import XMLSecurity

/// What the verifier asks the server about. The verifier does the cryptography, the resolver holds the tables.
public protocol CredentialResolver: Sendable {
    /// The session of that `wsc:Identifier`; nil (or an expired one) becomes `UnknownSession`.
    func session(id: String) async throws(SOAPFault) -> SecuritySession?

    /// Whether this is the password of that address. An unknown address must cost the same time as a known one.
    /// - Throws: `Busy` while throttled.
    func authenticate(_ address: Address, password: String) async throws(SOAPFault) -> Bool

    /// A certificate known here that fits; checked against the hint again. Nil becomes `UnknownCertificate`.
    func certificate(matching hint: KeyHint) async throws(SOAPFault) -> MailCertificate?

    /// Whom a certificate stands for: chain, usage, validity and revocation are decided here.
    ///
    /// The signature with the certificate's key was verified already, so `stapled` comes from the holder of that key.
    /// - Parameter stapled: the octets of the DomainMetadata in an RST, not yet verified by anyone.
    /// - Throws: `UntrustedCertificate`, `StaleMetadata`.
    func principal(
        of certificate: MailCertificate, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> Principal

    /// Verifies an assertion: which keys its issuer has, whether this server recognises that issuer, whether bearer
    /// assertions count. Proof of possession and single use are the verifier's work.
    ///
    /// - Parameters:
    ///   - assertion: its form is checked, nothing else; see ``UnverifiedAssertion/verified(audience:at:key:)``.
    ///   - stapled: the octets of the DomainMetadata in the header `w:Metadata`, not verified by anyone; at most
    ///     ``TokenRequest/maximumMetadata``.
    /// - Throws: `InvalidToken`, `UntrustedIssuer`, `StaleMetadata`, `UnknownCertificate`.
    func federated(
        _ assertion: UnverifiedAssertion, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> VerifiedAssertion
}

extension CredentialResolver {
    /// A server without federation recognises nobody.
    public func federated(
        _ assertion: UnverifiedAssertion, stapled: [UInt8]?, at now: Date
    ) async throws(SOAPFault) -> VerifiedAssertion {
        throw SOAPFault(.untrustedIssuer, "Assertions are not accepted here.")
    }
}
