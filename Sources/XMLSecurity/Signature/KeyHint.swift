import XMLCore

/// What a `ds:KeyInfo` says about the key: a hint where to look, never the key itself.
public enum KeyHint: Sendable, Hashable {
    /// SHA-256 of the certificate: `ds:X509Data/dsig11:X509Digest` (XML-Signature 1.1 §4.5.4.1). What we emit.
    case thumbprintSHA256([UInt8])
    /// SHA-1 of the certificate: a look-up hint only.
    case thumbprintSHA1([UInt8])
    /// The certificate in DER.
    case certificate([UInt8])
    /// `wsse:SecurityTokenReference/wsse:Reference URI="#id"`: a token in the same header.
    case reference(id: String, valueType: String?)
    /// As written: compare the issuer parsed, not as text. The serial number is decimal.
    case issuerSerial(issuer: String, serial: String)
    case subjectKeyIdentifier([UInt8])
    /// The ID of a SAML 2.0 assertion.
    case samlID(String)
    /// No KeyInfo.
    case none

    /// Reads a `ds:KeyInfo`: `wsse:SecurityTokenReference` or `ds:X509Data`.
    ///
    /// - Throws: `unsupportedKeyInfo` for anything else, a bare `ds:KeyValue` among them.
    public static func parse(_ keyInfo: XMLElement) throws(SignatureError) -> KeyHint {
        guard keyInfo.isNamed(Names.keyInfo) else { throw SignatureError(.malformed, "not a ds:KeyInfo") }
        var found: KeyHint?
        for child in keyInfo.children {
            // Some stacks add these beside the certificate. They are not looked at.
            if child.isNamed(Names.keyValue) || child.isNamed(Names.keyName) { continue }
            guard found == nil else { throw SignatureError(.unsupportedKeyInfo, "KeyInfo names two keys") }
            if child.isNamed(Names.x509Data) {
                found = try parseX509Data(child)
            } else if child.isNamed(Names.securityTokenReference) {
                found = try parseTokenReference(child)
            } else {
                throw SignatureError(.unsupportedKeyInfo, "KeyInfo holds \(child.name)")
            }
        }
        guard let found else { throw SignatureError(.unsupportedKeyInfo, "KeyInfo names no certificate or token") }
        return found
    }

    // MARK: ds:X509Data (XML-Signature 1.1 §4.5.4)

    private static func parseX509Data(_ data: XMLElement) throws(SignatureError) -> KeyHint {
        if let certificate = data.first(Names.x509Certificate) {
            return .certificate(try octets(certificate, limit: 64 << 10))
        }
        if let digest = data.first(Names.x509Digest) {
            switch digest.attribute("Algorithm") {
            case DigestAlgorithm.sha256.rawValue: return .thumbprintSHA256(try octets(digest, count: 32))
            case sha1: return .thumbprintSHA1(try octets(digest, count: 20))
            default: throw SignatureError(.unsupportedKeyInfo, "X509Digest of an unknown algorithm")
            }
        }
        if let pair = data.first(Names.x509IssuerSerial) {
            return try readingXML { () throws(XMLError) in
                .issuerSerial(
                    issuer: try pair.only(Names.x509IssuerName).simpleText(),
                    serial: trimmed(try pair.only(Names.x509SerialNumber).simpleText()))
            }
        }
        if let identifier = data.first(Names.x509SKI) {
            return .subjectKeyIdentifier(try octets(identifier, limit: 64))
        }
        throw SignatureError(.unsupportedKeyInfo, "X509Data names no certificate")
    }

    private static let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1"

    // MARK: wsse:SecurityTokenReference (WSS 1.1 §7)

    private static func parseTokenReference(_ reference: XMLElement) throws(SignatureError) -> KeyHint {
        let children = Array(reference.children)
        guard children.count == 1 else {
            throw SignatureError(.unsupportedKeyInfo, "SecurityTokenReference with \(children.count) children")
        }
        let child = children[0]
        if child.isNamed(Names.x509Data) { return try parseX509Data(child) }
        if child.isNamed(Names.tokenReference) {
            guard let uri = child.attribute("URI"), uri.hasPrefix("#"), uri.utf8.count > 1 else {
                throw SignatureError(.externalReference, "token reference that is not to an id of this document")
            }
            return .reference(id: String(uri.dropFirst()), valueType: child.attribute("ValueType"))
        }
        guard child.isNamed(Names.keyIdentifier) else {
            throw SignatureError(.unsupportedKeyInfo, "SecurityTokenReference holds \(child.name)")
        }
        switch child.attribute("ValueType") {
        case TokenType.thumbprintSHA1: return .thumbprintSHA1(try octets(child, count: 20))
        case TokenType.subjectKeyIdentifier: return .subjectKeyIdentifier(try octets(child, limit: 64))
        case TokenType.x509v3: return .certificate(try octets(child, limit: 64 << 10))
        case TokenType.samlID: return .samlID(trimmed(try readingXML(child.simpleText)))
        default: throw SignatureError(.unsupportedKeyInfo, "KeyIdentifier of an unknown type")
        }
    }

    private static func octets(_ element: XMLElement, limit: Int) throws(SignatureError) -> [UInt8] {
        try readingXML { () throws(XMLError) in try element.base64Bytes(limit: limit) }
    }

    private static func octets(_ element: XMLElement, count: Int) throws(SignatureError) -> [UInt8] {
        let octets = try octets(element, limit: count)
        guard octets.count == count else { throw SignatureError(.malformed, "thumbprint of \(octets.count) octets") }
        return octets
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" }
        return String(String(text.drop(while: isSpace).reversed()).drop(while: isSpace).reversed())
    }
}
