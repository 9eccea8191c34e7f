import Foundation
import Identity
import Logging
import MailStore
import SQLiteStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Makes a new domain: keys, database, `postmaster@` and the configuration file. All or nothing, also when the process dies in
/// the middle: what is half made lies in a folder of its own and the next try clears it away.
///
/// Order: everything is made in `DATA/.incomplete`; then the configuration is written, the database is moved into
/// place, and last the keys. A data directory with keys is complete; one without is not.
public struct DomainSetup: Sendable {
    public let configuration: ServerConfiguration
    public let configurationPath: String
    /// nil: one is made up and returned.
    public let postmasterPassword: String?
    /// Replaces another configuration file. Keys are never replaced.
    public let overwritesConfiguration: Bool

    /// What was made, and what the administrator must publish.
    public struct Outcome: Sendable {
        public let domain: MailDomain
        public let postmaster: Address
        /// Only if it was made up here; shown once, stored nowhere.
        public let generatedPassword: String?
        /// The root's fingerprint: what peers pin.
        public let fingerprint: Fingerprint
        public let records: DNSRecords
    }

    public init(
        configuration: ServerConfiguration, configurationPath: String, postmasterPassword: String? = nil,
        overwritesConfiguration: Bool = false
    ) {
        self.configuration = configuration
        self.configurationPath = configurationPath
        self.postmasterPassword = postmasterPassword
        self.overwritesConfiguration = overwritesConfiguration
    }

    /// Makes the domain.
    /// - Throws: `AdminError`: `alreadyExists` if there are keys, a database or another configuration; `file`;
    ///   `invalidArgument`. Nothing is left behind then.
    public func run(now: Date, logger: Logger) async throws(AdminError) -> Outcome {
        do {
            let host = try checkedHost()
            let password = try checkedPassword()
            try checkConfigurationFile()
            try checkRights()
            let staging = try StagingFolder(data: configuration.dataDirectory)
            do {
                let outcome = try await make(host, password, staging, now, logger)
                staging.finish()
                return outcome
            } catch {
                staging.abandon()
                throw error
            }
        } catch {
            throw AdminError.from(error)
        }
    }

    private func make(
        _ host: MailDomain, _ password: String, _ staging: StagingFolder, _ now: Date, _ logger: Logger
    ) async throws -> Outcome {
        let domain = configuration.domain
        try DomainKeys.create(domain: domain, host: host, in: staging.keys, now: now)
        let postmaster = try Address(local: AdminService.postmaster, domain: domain)
        try await makeDatabase(staging.database, postmaster, password, now, logger)
        let root = try DomainKeys(folder: staging.keys, domain: domain).authority.certificate
        let isNew = try writeConfiguration()
        do {
            try staging.commit()
        } catch {
            if isNew { try? FileManager.default.removeItem(atPath: configurationPath) }
            throw error
        }
        return Outcome(
            domain: domain, postmaster: postmaster, generatedPassword: postmasterPassword == nil ? password : nil,
            fingerprint: root.fingerprint,
            records: DNSRecords(domain: domain, host: host, port: configuration.listenPort, root: root))
    }

    private func makeDatabase(
        _ path: String, _ postmaster: Address, _ password: String, _ now: Date, _ logger: Logger
    ) async throws {
        let store = try SQLiteStore(configuration: SQLiteConfiguration(path: path), logger: logger)
        let result: Result<Void, any Error>
        do {
            try await store.createAccount(
                postmaster, passwordHash: try Password.hash(password),
                quotaBytes: configuration.quotaMegabytes == 0 ? nil : Int64(configuration.quotaMegabytes) << 20, now: now)
            result = .success(())
        } catch { result = .failure(error) }
        await store.close()
        try result.get()
    }

    // MARK: Checks before anything is made

    private func checkedHost() throws -> MailDomain {
        do {
            return try MailDomain(configuration.hostName)
        } catch {
            throw AdminError(
                .invalidArgument, "\"\(configuration.hostName)\" is no host name: \(error.reason)",
                hint: "name this machine with --host, such as mail.\(configuration.domain)")
        }
    }

    private func checkedPassword() throws -> String {
        guard let password = postmasterPassword else { return DomainSetup.generatedPassword() }
        let range = Password.acceptedLength
        guard range.contains(password.utf8.count) else {
            throw AdminError(.invalidArgument, "a password has \(range.lowerBound) to \(range.upperBound) bytes")
        }
        return password
    }

    /// An ordinary user may not write to the preset places.
    private func checkRights() throws {
        let folders = [configuration.dataDirectory, URL(fileURLWithPath: configurationPath).deletingLastPathComponent().path]
        for folder in folders {
            var existing = folder
            while access(existing, F_OK) != 0, errno == ENOENT, existing.count > 1 {
                existing = URL(fileURLWithPath: existing).deletingLastPathComponent().path
            }
            guard access(existing, W_OK | X_OK) != 0, errno == EACCES else { continue }
            let user = UserNames.text(geteuid())
            throw AdminError(
                .forbidden, "this user (\(user)) may not write to \(existing)",
                hint: "as root: install -d -m 700 -o \(user) \(folders.joined(separator: " ")); or choose places of your own with "
                    + "--config FILE --data FOLDER")
        }
    }

    private func checkConfigurationFile() throws {
        guard FileManager.default.fileExists(atPath: configurationPath), !overwritesConfiguration else { return }
        // The same text is no obstacle: an earlier try may have died just after it wrote it.
        guard (try? String(contentsOfFile: configurationPath, encoding: .utf8)) == configuration.fileText() else {
            throw AdminError(
                .alreadyExists, "\(configurationPath) exists already; nothing was changed",
                hint: "choose another file with --config, or replace it with --force")
        }
    }

    /// - Returns: whether there was none before.
    private func writeConfiguration() throws -> Bool {
        let folder = URL(fileURLWithPath: configurationPath).deletingLastPathComponent().path
        let isNew = !FileManager.default.fileExists(atPath: configurationPath)
        if !FileManager.default.fileExists(atPath: folder) { try PrivateFile.createFolder(folder) }
        try PrivateFile.write(configuration.fileText(), to: configurationPath)
        return isNew
    }

    /// 119 bits in six groups of letters and digits that nobody confuses.
    static func generatedPassword() -> String {
        let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789")
        var letters: [Character] = []
        while letters.count < 24 {
            // Five bits that name no letter are thrown away, so that all letters are equally likely.
            letters += RandomID.bytes(24).map { Int($0 & 31) }.filter { $0 < alphabet.count }.map { alphabet[$0] }
        }
        return stride(from: 0, to: 24, by: 4).map { String(letters[$0..<$0 + 4]) }.joined(separator: "-")
    }
}
