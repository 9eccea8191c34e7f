import Foundation
import Identity
import NIOSSL
import WSSecurity
import XMLSecurity

/// A mail domain with all its keys, made for a test.
public struct TestIdentity: Sendable {
    public let domain: MailDomain
    public let authority: DomainAuthority
    /// Signs mail and replies.
    public let signing: SigningIdentity
    /// Serves TLS.
    public let tls: SigningIdentity

    /// - Parameter hosts: further names in the TLS certificate.
    public init(_ domain: String, hosts: [String] = [], now: Date = Date()) throws {
        self.domain = try MailDomain(domain)
        authority = try DomainAuthority.create(domain: self.domain, now: now)
        let hosts = try hosts.map { host throws in try MailDomain(host) }
        let signingKey = SigningKey.generateP256()
        let tlsKey = SigningKey.generateP256()
        signing = SigningIdentity(
            key: signingKey,
            certificate: try authority.issueServerCertificate(publicKey: signingKey.publicKey, hosts: hosts, now: now))
        tls = SigningIdentity(
            key: tlsKey, certificate: try authority.issueTLSCertificate(publicKey: tlsKey.publicKey, hosts: hosts, now: now))
    }

    /// A trust store with this domain pinned.
    public func trust() throws -> TrustStore {
        TrustStore([try TrustAnchor(authority.certificate, scope: .domain(domain))])
    }

    /// A server's TLS settings with this identity's certificate.
    public func serverContext() throws -> NIOSSLContext {
        guard let pem = tls.key.pemRepresentation else { throw TestDNS.Failure(description: "no PEM") }
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(try NIOSSLCertificate(bytes: tls.certificate.der, format: .der))],
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(pem.utf8), format: .pem))))
    }
}
