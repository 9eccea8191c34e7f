import SwiftASN1
import X509
import XMLSecurity

/// A PKCS #10 request (RFC 2986): proof that its sender holds a private key, and nothing else.
///
/// Subject, attributes and requested extensions are never read: the authority writes its own.
public struct CertificateRequest: Sendable {
    /// The most octets of DER that are looked at.
    public static let maximumSize = 16_384

    public let der: [UInt8]
    public let publicKey: VerificationKey

    /// Parses a request and verifies its self-signature (proof of possession).
    /// - Throws: ``IdentityError`` `.malformedRequest`, `.unsupportedKey`, `.limitExceeded`.
    public init(der: [UInt8]) throws(IdentityError) {
        guard der.count <= Self.maximumSize else {
            throw IdentityError(.limitExceeded, "a certificate request of \(der.count) octets")
        }
        let request = try IdentityError.wrap(.malformedRequest, "certificate request") {
            try CertificateSigningRequest(derEncoded: der)
        }
        publicKey = try VerificationKey(certificateKey: request.publicKey)
        guard SignatureRules.isStrong(request.signatureAlgorithm),
            request.publicKey.isValidSignature(request.signature, for: request)
        else { throw IdentityError(.malformedRequest, "the request is not signed by the key it asks for") }
        self.der = der
    }

    /// As ``init(der:)``, from PEM ("CERTIFICATE REQUEST" or the older "NEW CERTIFICATE REQUEST").
    public init(pem: String) throws(IdentityError) {
        guard pem.utf8.count <= Self.maximumSize * 2 else { throw IdentityError(.limitExceeded, "the PEM is too long") }
        let block = try IdentityError.wrap(.malformedRequest, "PEM") { try PEMDocument(pemString: pem) }
        guard ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(block.discriminator) else {
            throw IdentityError(.malformedRequest, "PEM holds \"\(block.discriminator)\", not a certificate request")
        }
        try self.init(der: block.derBytes)
    }

    /// What a client sends to have `key` certified for `address`.
    /// - Throws: ``IdentityError`` `.unsupportedKey`, `.cryptography`.
    public static func make(address: Address, key: SigningKey) throws(IdentityError) -> CertificateRequest {
        let privateKey = try key.certificatePrivateKey()
        let der = try IdentityError.wrap(.cryptography, "certificate request") { () throws -> [UInt8] in
            let request = try CertificateSigningRequest(
                version: .v1, subject: CertificateProfile.name(address.description), privateKey: privateKey,
                attributes: CertificateSigningRequest.Attributes(),
                signatureAlgorithm: SignatureRules.algorithm(for: key))
            var serializer = DER.Serializer()
            try serializer.serialize(request)
            return serializer.serializedBytes
        }
        return try CertificateRequest(der: der)
    }

    public var pem: String { PEMDocument(type: "CERTIFICATE REQUEST", derBytes: der).pemString + "\n" }
}

/// Which signature algorithms certificates and requests may use.
enum SignatureRules {
    /// SHA-1 is refused (SHAttered, 2017); everything else X509 knows is fit for use.
    static func isStrong(_ algorithm: Certificate.SignatureAlgorithm) -> Bool {
        let strong: [Certificate.SignatureAlgorithm] = [
            .ecdsaWithSHA256, .ecdsaWithSHA384, .ecdsaWithSHA512, .sha256WithRSAEncryption, .sha384WithRSAEncryption,
            .sha512WithRSAEncryption, .ed25519,
        ]
        return strong.contains(algorithm)
    }

    static func algorithm(for key: SigningKey) throws(IdentityError) -> Certificate.SignatureAlgorithm {
        switch key {
        case .p256: .ecdsaWithSHA256
        case .p384: .ecdsaWithSHA384
        case .rsa: .sha256WithRSAEncryption
        case .ed25519: .ed25519
        case .hmac: throw IdentityError(.unsupportedKey, "a shared secret cannot sign a certificate request")
        }
    }
}
