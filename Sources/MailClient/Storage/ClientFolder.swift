import Foundation
import Identity

/// The person's wsemail folder: accounts with their keys, sessions and outboxes.
///
/// ```
/// config.json                      the default account
/// accounts/alice@capicom.test/
///   account.json                   server settings
///   root.pem                       the pinned root of the home domain
///   key.pem certificate.pem        the enrolled key
///   session.json session.lock      the open session (a secret)
///   outbox/ refused/               messages not acknowledged; messages refused for good
///   trust/                         what the home server said of other domains
///   numbers.json                   numbers that `list` showed, and their ids
/// ```
/// Folders are made with mode 0700, files with 0600; a file that others may read is refused.
public struct ClientFolder: Sendable {
    public let path: String

    /// Opens the folder, creating it where it is missing.
    /// - Throws: `storage` if it is another's or others may write to it.
    public init(path: String) throws(MailClientError) {
        self.path = path
        try Self.create(path)
        try Self.create(accountsPath)
    }

    /// Where the folder is: `explicit` (--config-dir), else `WSEMAIL_HOME`, else `$XDG_CONFIG_HOME/wsemail`, else
    /// `~/.config/wsemail`.
    public static func standardPath(explicit: String?, environment: [String: String]) throws(MailClientError) -> String {
        if let explicit, !explicit.isEmpty { return explicit }
        if let home = environment["WSEMAIL_HOME"], !home.isEmpty { return home }
        // XDG Base Directory: a relative path is to be ignored.
        if let config = environment["XDG_CONFIG_HOME"], config.hasPrefix("/") { return config + "/wsemail" }
        guard let home = environment["HOME"], home.hasPrefix("/") else {
            throw MailClientError(.storage, "HOME is not set", advice: "Name a folder with --config-dir or WSEMAIL_HOME.")
        }
        return home + "/.config/wsemail"
    }

    var accountsPath: String { path + "/accounts" }
    private var configPath: String { path + "/config.json" }

    func folder(of address: Address) -> AccountFolder {
        AccountFolder(path: accountsPath + "/" + Self.fileName(of: address), address: address)
    }

    // MARK: Accounts

    /// The addresses that have an account here, sorted.
    public func addresses() throws(MailClientError) -> [Address] {
        var result: [Address] = []
        for name in try SystemFiles.names(in: accountsPath) {
            if let address = Self.address(fromFileName: name), SystemFiles.exists(folder(of: address).settingsPath) {
                result.append(address)
            }
        }
        return result.sorted()
    }

    public func account(_ address: Address) throws(MailClientError) -> ClientAccount {
        guard SystemFiles.exists(folder(of: address).settingsPath) else {
            throw MailClientError(
                .noAccount, "there is no account \(address) here", advice: "Add it: wsemail account add \(address)")
        }
        return try folder(of: address).load()
    }

    public func hasAccount(_ address: Address) -> Bool { SystemFiles.exists(folder(of: address).settingsPath) }

    /// Stores the account. Its settings are written last: a folder without them is no account yet.
    public func save(_ account: ClientAccount) throws(MailClientError) {
        let folder = folder(of: account.address)
        try Self.create(folder.path)
        try folder.save(account)
        if try storedDefault().map(hasAccount) != true { try setDefault(account.address) }
    }

    /// Forgets the account: key, session, outbox.
    public func remove(_ address: Address) throws(MailClientError) {
        let folder = folder(of: address)
        guard SystemFiles.exists(folder.path) else {
            throw MailClientError(.noAccount, "there is no account \(address) here")
        }
        // The settings go first: what is interrupted here leaves no half account.
        try SystemFiles.remove(folder.settingsPath)
        try SystemFiles.removeFolder(folder.path)
        if try storedDefault() == address {
            let others = try addresses()
            try setDefault(others.count == 1 ? others[0] : nil)
        }
    }

    // MARK: The default account

    private struct Config: Codable {
        var version = 1
        var defaultAccount: Address?
    }

    /// The account to use where none is named: the chosen one, or the only one.
    public func defaultAddress() throws(MailClientError) -> Address? {
        let known = try addresses()
        if let stored = try storedDefault(), known.contains(stored) { return stored }
        return known.count == 1 ? known[0] : nil
    }

    public func setDefault(_ address: Address?) throws(MailClientError) {
        try StoredJSON.write(Config(defaultAccount: address), to: configPath)
    }

    private func storedDefault() throws(MailClientError) -> Address? {
        try StoredJSON.read(Config.self, from: configPath)?.defaultAccount
    }

    // MARK: Names and modes

    static func create(_ path: String) throws(MailClientError) {
        do { try PrivateFile.createFolder(path) } catch { throw MailClientError(.storage, error.reason) }
    }

    /// An address as one path component: what is not plain is written as %XX, so that no address leads elsewhere.
    static func fileName(of address: Address) -> String {
        var name = ""
        for byte in address.description.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain = byte < 0x80 && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            if isPlain || "@-_+".utf8.contains(byte) || (byte == UInt8(ascii: ".") && !name.isEmpty) {
                name.unicodeScalars.append(scalar)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                name += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return name
    }

    static func address(fromFileName name: String) -> Address? {
        guard let text = name.removingPercentEncoding, let address = try? Address(text), fileName(of: address) == name else {
            return nil
        }
        return address
    }
}

extension ClientFolder {
    /// Messages that exist here only: not acknowledged yet, and refused or damaged and set aside.
    public func unsentMessages(_ address: Address) throws(MailClientError) -> (waiting: Int, aside: Int) {
        try Outbox(folder(of: address)).count()
    }
}
