import Identity
import XMLSecurity

/// A private key and the certificate that says whose it is.
public struct SigningIdentity: Sendable {
    public let key: SigningKey
    public let certificate: MailCertificate

    public init(key: SigningKey, certificate: MailCertificate) {
        self.key = key
        self.certificate = certificate
    }
}
