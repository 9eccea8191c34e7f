import Foundation
import Identity
import WSSecurity
import XMLSecurity

/// How the home server is found and reached.
public struct ConnectionSettings: Sendable, Hashable, Codable {
    /// `host:port`, for networks without DNS service records; nil asks DNS for `_wsemail._tcp.<domain>`.
    public var server: String?
    /// A DNS resolver to ask instead of the system's, such as `127.0.0.1@5353`.
    public var dns: String?
    /// DNS may lead to loopback and private addresses.
    public var allowsPrivateAddresses: Bool

    public init(server: String? = nil, dns: String? = nil, allowsPrivateAddresses: Bool = false) {
        self.server = server
        self.dns = dns
        self.allowsPrivateAddresses = allowsPrivateAddresses
    }

    /// ``server`` taken apart. The port may be left out: 443.
    /// - Throws: `invalidInput`.
    public func fixedServer() throws(MailClientError) -> (host: String, port: Int)? {
        guard let server else { return nil }
        var host = Substring(server)
        var port = 443
        let isBareIPv6 = server.count(where: { $0 == ":" }) > 1 && !server.hasPrefix("[")
        if !isBareIPv6, let colon = server.lastIndex(of: ":"), server[colon...].count(where: { $0 == "]" }) == 0 {
            guard let value = Int(server[server.index(after: colon)...]), (1...65_535).contains(value) else {
                throw MailClientError(.invalidInput, "\"\(server)\" is no HOST:PORT")
            }
            host = server[..<colon]
            port = value
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, !host.contains(where: \.isWhitespace) else {
            throw MailClientError(.invalidInput, "\"\(server)\" is no HOST:PORT")
        }
        return (String(host), port)
    }
}

/// One mailbox of the person: who, where, whom to believe, and the key that proves it.
public struct ClientAccount: Sendable {
    public let address: Address
    public var connection: ConnectionSettings
    /// The pinned root of the home domain: TLS, replies and metadata count only under it.
    public let root: MailCertificate
    /// The enrolled key with its certificate; nil before enrolment.
    public var identity: SigningIdentity?
    public let added: Date

    public init(
        address: Address, connection: ConnectionSettings, root: MailCertificate, identity: SigningIdentity? = nil, added: Date
    ) {
        self.address = address
        self.connection = connection
        self.root = root
        self.identity = identity
        self.added = added
    }
}

/// The files of one account.
struct AccountFolder: Sendable {
    let path: String
    let address: Address

    var settingsPath: String { path + "/account.json" }
    var rootPath: String { path + "/root.pem" }
    var keyPath: String { path + "/key.pem" }
    var certificatePath: String { path + "/certificate.pem" }
    var sessionPath: String { path + "/session.json" }
    var sessionLockPath: String { path + "/session.lock" }
    var outboxPath: String { path + "/outbox" }
    var refusedPath: String { path + "/refused" }
    var trustPath: String { path + "/trust" }
    var numbersPath: String { path + "/numbers.json" }

    private struct Settings: Codable {
        var version = 1
        var address: Address
        var connection: ConnectionSettings
        var added: Date
    }

    static let version = 1

    func load() throws(MailClientError) -> ClientAccount {
        guard let settings = try StoredJSON.read(Settings.self, from: settingsPath), settings.address == address else {
            throw MailClientError(.storage, "\(settingsPath) is not about \(address)")
        }
        guard settings.version == AccountFolder.version else {
            throw MailClientError(
                .storage, "\(settingsPath) was written by a newer wsemail", advice: "Use that version, or newer.")
        }
        do {
            let root = try MailCertificate(pem: PrivateFile.readText(rootPath))
            var identity: SigningIdentity?
            if SystemFiles.exists(keyPath), SystemFiles.exists(certificatePath) {
                let key = try SigningKey(pem: PrivateFile.readText(keyPath))
                let certificate = try MailCertificate(pem: PrivateFile.readText(certificatePath))
                // A crash between the two files of a renewal leaves a pair that does not fit: as good as none.
                if key.matches(certificate) { identity = SigningIdentity(key: key, certificate: certificate) }
            }
            return ClientAccount(
                address: address, connection: settings.connection, root: root, identity: identity, added: settings.added)
        } catch {
            throw MailClientError(.storage, "the account's files in \(path) cannot be used: \(MailClientError(error).reason)")
        }
    }

    func save(_ account: ClientAccount) throws(MailClientError) {
        do {
            try PrivateFile.write(account.root.pem, to: rootPath)
            if let identity = account.identity {
                guard let pem = identity.key.pemRepresentation else {
                    throw MailClientError(.internal, "the key cannot be stored")
                }
                try PrivateFile.write(pem, to: keyPath)
                try PrivateFile.write(identity.certificate.pem, to: certificatePath)
            }
        } catch {
            throw MailClientError(error)
        }
        let settings = Settings(address: account.address, connection: account.connection, added: account.added)
        try StoredJSON.write(settings, to: settingsPath)
    }
}
