import SOAP
import XMLCore
import XMLSecurity

/// The tokens as we write them.
enum SecurityWriter {
    static func binaryToken(_ der: [UInt8], id: String, into writer: inout XMLWriter) {
        writer.start(Tags.binarySecurityToken)
        writer.attribute("EncodingType", URIs.base64Binary)
        writer.attribute("ValueType", URIs.x509v3)
        writer.attribute(Tags.wsuId, id)
        writer.base64(der)
        _ = writer.end()
    }

    static func usernameToken(_ username: String, _ password: String, into writer: inout XMLWriter) {
        writer.start(Tags.usernameToken)
        writer.element(Tags.username, username)
        writer.start(Tags.password)
        writer.attribute("Type", URIs.passwordText)
        writer.text(password)
        _ = writer.end()
        _ = writer.end()
    }

    static func contextToken(_ identifier: String, id: String, into writer: inout XMLWriter) {
        writer.start(Tags.securityContextToken)
        writer.attribute(Tags.wsuId, id)
        writer.element(Tags.contextIdentifier, identifier)
        _ = writer.end()
    }

    static func confirmation(_ value: [UInt8], id: String, into writer: inout XMLWriter) -> Range<Int> {
        writer.start(Tags.signatureConfirmation, selfContained: true)
        writer.attribute("Value", Base64.encodeToString(value))
        writer.attribute(Tags.wsuId, id)
        return writer.end()
    }

    static func sign(_ envelope: OutgoingEnvelope, with signer: SignatureSigner) throws -> [UInt8] {
        do {
            return try signer.sign(parts: envelope.parts.map { ($0.id, $0.range) }, of: envelope.bytes)
        } catch {
            throw WSSecurityError(.cannotSign, "\(error)")
        }
    }
}
