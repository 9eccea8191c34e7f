import XMLCore

extension KeyHint {
    /// Writes `ds:KeyInfo`; nothing for `none`.
    public func write(into writer: inout XMLWriter) {
        if case .none = self { return }
        writer.start(Tags.keyInfo)
        switch self {
        case .thumbprintSHA256(let octets):
            writer.start(Tags.x509Data)
            writer.start(Tags.x509Digest)
            writer.attribute("Algorithm", DigestAlgorithm.sha256.rawValue)
            writer.base64(octets)
            writer.end()
            writer.end()
        case .certificate(let der):
            writer.start(Tags.x509Data)
            writer.start(Tags.x509Certificate)
            writer.base64(der)
            writer.end()
            writer.end()
        case .thumbprintSHA1, .reference, .issuerSerial, .subjectKeyIdentifier, .samlID:
            writeTokenReference(into: &writer)
        case .none: break
        }
        writer.end()
    }

    /// Writes `wsse:SecurityTokenReference`; nothing for hints that need none.
    public func writeTokenReference(into writer: inout XMLWriter) {
        switch self {
        case .reference(let id, let valueType):
            start(into: &writer, tokenType: valueType)
            writer.start(Tags.tokenReference)
            writer.attribute("URI", "#\(id)")
            if let valueType { writer.attribute("ValueType", valueType) }
            writer.end()
        case .issuerSerial(let issuer, let serial):
            writer.start(Tags.securityTokenReference)
            writer.start(Tags.x509Data)
            writer.start(Tags.x509IssuerSerial)
            writer.element(Tags.x509IssuerName, issuer)
            writer.element(Tags.x509SerialNumber, serial)
            writer.end()
            writer.end()
        case .thumbprintSHA1(let octets):
            writer.start(Tags.securityTokenReference)
            writeIdentifier(TokenType.thumbprintSHA1, octets, into: &writer)
        case .subjectKeyIdentifier(let octets):
            writer.start(Tags.securityTokenReference)
            writeIdentifier(TokenType.subjectKeyIdentifier, octets, into: &writer)
        case .samlID(let id):
            start(into: &writer, tokenType: TokenType.saml20)
            writer.start(Tags.keyIdentifier)
            writer.attribute("ValueType", TokenType.samlID)
            writer.text(id)
            writer.end()
        case .thumbprintSHA256, .certificate, .none: return
        }
        writer.end()
    }

    /// WSS 1.1 §7.1: SAML tokens are named by their type.
    private func start(into writer: inout XMLWriter, tokenType: String?) {
        writer.start(Tags.securityTokenReference)
        if tokenType == TokenType.saml20 { writer.attribute(Tags.tokenType, TokenType.saml20) }
    }

    private func writeIdentifier(_ valueType: String, _ octets: [UInt8], into writer: inout XMLWriter) {
        writer.start(Tags.keyIdentifier)
        writer.attribute("EncodingType", TokenType.base64Binary)
        writer.attribute("ValueType", valueType)
        writer.base64(octets)
        writer.end()
    }
}
