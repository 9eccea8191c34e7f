import Foundation
import Identity
import MailModel
import WSSecurity
import XMLSecurity

/// The keys and certificates of the domain as they lie in the key folder, each file of mode 0600.
struct DomainKeys: Sendable {
    let authority: DomainAuthority
    let server: MailCertificate
    let signer: DomainSigner
    let signing: SigningIdentity
    /// Answers callers whose stack has no ECDSA.
    let rsaSigning: SigningIdentity
    let rsaServer: MailCertificate
    let tlsCertificate: MailCertificate
    let tlsKeyPEM: String
    /// Encrypts session secrets at rest; 32 bytes.
    let vaultKey: [UInt8]

    enum File: String {
        case rootCertificate = "root.pem", rootKey = "root.key"
        case serverCertificate = "server.pem", serverKey = "server.key"
        case rsaCertificate = "server-rsa.pem", rsaKey = "server-rsa.key"
        case tlsCertificate = "tls.pem", tlsKey = "tls.key"
        case vaultKey = "vault.key"
    }

    /// Makes all keys of a new domain. Refuses where a root exists: a second root would orphan every peer's trust.
    static func create(domain: MailDomain, host: MailDomain, in folder: String, now: Date) throws {
        guard !FileManager.default.fileExists(atPath: folder + "/" + File.rootKey.rawValue) else {
            throw ConfigurationError("\(folder) already holds the keys of a domain: nothing was changed")
        }
        try PrivateFile.createFolder(folder)
        func write(_ text: String, _ file: File) throws { try PrivateFile.write(text, to: folder + "/" + file.rawValue) }
        let authority = try DomainAuthority.create(domain: domain, now: now)
        let serverKey = SigningKey.generateP256()
        let rsaKey = try SigningKey.generateRSA()
        let tlsKey = SigningKey.generateP256()
        // Our authority speaks for our domain only; a host elsewhere is reached under the mail domain's name.
        let hosts = host.isWithin(domain) ? [host] : []
        let server = try authority.issueServerCertificate(publicKey: serverKey.publicKey, hosts: hosts, now: now)
        let rsa = try authority.issueServerCertificate(publicKey: rsaKey.publicKey, hosts: hosts, now: now)
        let tls = try authority.issueTLSCertificate(publicKey: tlsKey.publicKey, hosts: hosts, now: now)
        try write(try pem(serverKey), .serverKey)
        try write(server.pem, .serverCertificate)
        try write(try pem(rsaKey), .rsaKey)
        try write(rsa.pem, .rsaCertificate)
        try write(try pem(tlsKey), .tlsKey)
        try write(tls.pem, .tlsCertificate)
        try write(RandomID.hex(32), .vaultKey)
        try write(authority.certificatePEM, .rootCertificate)
        // Last: its presence says that the folder is complete.
        try write(authority.keyPEM(), .rootKey)
    }

    /// Loads and cross-checks the keys.
    init(folder: String, domain: MailDomain) throws {
        func read(_ file: File) throws -> String { try PrivateFile.readText(folder + "/" + file.rawValue) }
        authority = try DomainAuthority(certificatePEM: read(.rootCertificate), keyPEM: read(.rootKey))
        guard authority.domain == domain else {
            throw AdminError(
                .file, "\(folder) holds the keys of \(authority.domain), not of \(domain)",
                hint: "look at `domain` in the configuration file, and whether --config names the right one")
        }
        server = try MailCertificate(pem: read(.serverCertificate))
        rsaServer = try MailCertificate(pem: read(.rsaCertificate))
        tlsCertificate = try MailCertificate(pem: read(.tlsCertificate))
        tlsKeyPEM = try read(.tlsKey)
        let key = try SigningKey(pem: read(.serverKey))
        let rsaKey = try SigningKey(pem: read(.rsaKey))
        for (key, certificate, name) in [(key, server, "server"), (rsaKey, rsaServer, "server-rsa")] {
            guard key.matches(certificate) else {
                throw ConfigurationError("\(folder)/\(name).key does not belong to \(name).pem")
            }
        }
        signer = DomainSigner(domain: domain, key: key, certificate: server)
        signing = SigningIdentity(key: key, certificate: server)
        rsaSigning = SigningIdentity(key: rsaKey, certificate: rsaServer)
        vaultKey = try DomainKeys.parseHex(read(.vaultKey))
    }

    private static func pem(_ key: SigningKey) throws -> String {
        guard let pem = key.pemRepresentation else { throw ConfigurationError("this kind of key has no PEM form") }
        return pem
    }

    private static func parseHex(_ text: String) throws -> [UInt8] {
        let digits = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let bytes = Hex.decode(digits.utf8), bytes.count == 32 else {
            throw ConfigurationError("vault.key is damaged: 64 hexadecimal digits expected")
        }
        return bytes
    }
}
