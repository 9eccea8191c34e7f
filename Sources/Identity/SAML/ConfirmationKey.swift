import Crypto
import XMLCore
import XMLSecurity

/// The key that the holder of an assertion must sign with, as `ds:KeyInfo` writes it.
public enum ConfirmationKey: Sendable, Hashable {
    /// `ds:KeyValue/dsig11:ECKeyValue` (XML-Signature 1.1 §4.5.2.3): the uncompressed point, 65 octets.
    case p256([UInt8])
    /// `ds:X509Data/ds:X509Certificate`: the key of a user's certificate.
    case certificate(MailCertificate)

    /// Octets of a point: 04, x, y.
    private static let pointLength = 65

    /// - Throws: ``IdentityError`` `.unsupportedKey` for any other key than P-256.
    public init(_ key: VerificationKey) throws(IdentityError) {
        guard case .p256(let key) = key else {
            throw IdentityError(.unsupportedKey, "only P-256 keys can be written as a KeyValue")
        }
        self = .p256(Array(key.x963Representation))
    }

    /// Reads a `ds:KeyInfo` that holds exactly one key.
    /// - Throws: ``IdentityError`` `.unsupportedKey` for another kind of key, `.malformedAssertion`,
    ///   `.malformedCertificate`.
    public init(keyInfo: XMLElement) throws(IdentityError) {
        var reader = try StrictReader(keyInfo)
        guard keyInfo.isNamed(SAML.keyInfo) else { throw StrictReader.malformed("no ds:KeyInfo") }
        if let data = reader.take(SAML.ds("X509Data")) {
            var inner = try StrictReader(data)
            let element = try inner.require(SAML.ds("X509Certificate"))
            try inner.finish()
            let der = try StrictReader.octets(element, limit: MailCertificate.maximumSize)
            self = .certificate(try MailCertificate(der: der))
        } else {
            var value = try StrictReader(try reader.require(SAML.ds("KeyValue")))
            guard let curve = value.take(SAML.dsig11("ECKeyValue")) else {
                throw IdentityError(.unsupportedKey, "the KeyValue is no ECKeyValue")
            }
            try value.finish()
            self = .p256(try Self.point(curve))
        }
        try reader.finish()
    }

    private static func point(_ element: XMLElement) throws(IdentityError) -> [UInt8] {
        var reader = try StrictReader(element, attributes: ["Id"])
        let curve = try reader.require(SAML.dsig11("NamedCurve"))
        let point = try reader.require(SAML.dsig11("PublicKey"))
        try reader.finish()
        guard curve.attribute("URI") == SAML.p256 else {
            throw IdentityError(.unsupportedKey, "the curve is not P-256")
        }
        let octets = try StrictReader.octets(point, limit: pointLength)
        guard octets.count == pointLength, (try? P256.Signing.PublicKey(x963Representation: octets)) != nil else {
            throw IdentityError(.unsupportedKey, "the PublicKey is no point of P-256")
        }
        return octets
    }

    /// The key to check the holder's signature with.
    /// - Throws: ``IdentityError`` `.unsupportedKey` if the octets are no key.
    public func verificationKey() throws(IdentityError) -> VerificationKey {
        switch self {
        case .certificate(let certificate): return certificate.publicKey
        case .p256(let point):
            guard let key = try? P256.Signing.PublicKey(x963Representation: point) else {
                throw IdentityError(.unsupportedKey, "no point of P-256")
            }
            return .p256(key)
        }
    }

    /// Writes `ds:KeyInfo`.
    public func write(into writer: inout XMLWriter) {
        writer.start(SAML.dsTag("KeyInfo"))
        switch self {
        case .certificate(let certificate):
            writer.start(SAML.dsTag("X509Data"))
            writer.start(SAML.dsTag("X509Certificate"))
            writer.base64(certificate.der)
            writer.end()
            writer.end()
        case .p256(let point):
            writer.start(SAML.dsTag("KeyValue"))
            writer.start(SAML.dsig11Tag("ECKeyValue"))
            writer.start(SAML.dsig11Tag("NamedCurve"))
            writer.attribute("URI", SAML.p256)
            writer.end()
            writer.start(SAML.dsig11Tag("PublicKey"))
            writer.base64(point)
            writer.end()
            writer.end()
            writer.end()
        }
        writer.end()
    }
}
