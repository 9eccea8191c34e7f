import Foundation
import Glibc
import Identity
import Logging
import MailStore
import SQLiteStore
import Testing

@testable import MailServer

@Suite("Setting up a domain")
struct AdminSetupTests {
    private let folder: AdminFolder
    private var configuration: ServerConfiguration
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        folder = try AdminFolder()
        configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "mail.capicom.test")
        configuration.dataDirectory = folder.path + "/data"
    }

    private var path: String { folder.path + "/wsemaild.conf" }

    private func setup(password: String? = nil, path: String? = nil, force: Bool = false) -> DomainSetup {
        DomainSetup(
            configuration: configuration, configurationPath: path ?? self.path, postmasterPassword: password,
            overwritesConfiguration: force)
    }

    @Test func everythingIsMadeForItsOwnerOnly() async throws {
        let outcome = try await setup().run(now: AdminBench.now, logger: logger)
        for name in ["data", "data/keys"] { #expect(folder.mode(name) == 0o700, "\(name)") }
        let keys = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/data/keys")
        #expect(keys.count == 9)
        for name in keys { #expect(folder.mode("data/keys/" + name) == 0o600, "\(name)") }
        #expect(folder.mode("data/mail.sqlite") == 0o600)
        #expect(folder.mode("wsemaild.conf") == 0o600)
        #expect(!folder.exists("data/.incomplete"))
        #expect(outcome.records.service == "_wsemail._tcp.capicom.test. 3600 IN SRV 0 0 8443 mail.capicom.test.")
        #expect(try configuration.rootFingerprint() == outcome.fingerprint)

        let read = try ServerConfiguration(path: path)
        #expect(read.dataDirectory == configuration.dataDirectory && read.hostName == "mail.capicom.test")
        let store = try SQLiteStore(configuration: SQLiteConfiguration(path: read.databasePath), logger: logger)
        let credential = try #require(try await store.credential(of: outcome.postmaster))
        let password = try #require(outcome.generatedPassword)
        #expect(password.utf8.count == 29)
        #expect(try Password.verify(password, against: credential.passwordHash))
        await store.close()
    }

    @Test func aSecondTimeIsRefusedAndChangesNothing() async throws {
        let first = try await setup(password: "correct horse").run(now: AdminBench.now, logger: logger)
        #expect(first.generatedPassword == nil)
        for (path, force) in [(path, false), (path, true), (folder.path + "/other.conf", false)] {
            let error = await #expect(throws: AdminError.self) {
                try await setup(path: path, force: force).run(now: AdminBench.now, logger: logger)
            }
            #expect(error?.code == .alreadyExists)
        }
        #expect(!folder.exists("other.conf"))
        #expect(try configuration.rootFingerprint() == first.fingerprint)
    }

    @Test func anotherConfigurationFileIsReplacedByForceOnly() async throws {
        try PrivateFile.write("domain = other.test\n", to: path)
        await #expect(throws: AdminError.self) { try await setup().run(now: AdminBench.now, logger: logger) }
        #expect(try PrivateFile.readText(path) == "domain = other.test\n")
        #expect(!folder.exists("data"))
        _ = try await setup(force: true).run(now: AdminBench.now, logger: logger)
        #expect(try ServerConfiguration(path: path).domain.description == "capicom.test")
    }

    @Test func aFailureLeavesNothingBehind() async throws {
        try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
        // The configuration's folder is a file.
        await #expect(throws: AdminError.self) {
            try await setup(path: folder.path + "/file/wsemaild.conf").run(now: AdminBench.now, logger: logger)
        }
        #expect(!folder.exists("data"))
        await #expect(throws: AdminError.self) { try await setup(password: "short").run(now: AdminBench.now, logger: logger) }
        #expect(!folder.exists("data"))
        _ = try await setup().run(now: AdminBench.now, logger: logger)
    }

    @Test func aFailureInTheLastStepIsUndone() async throws {
        // Something that cannot be renamed over stands where the database belongs.
        try FileManager.default.createDirectory(
            atPath: folder.path + "/data/mail.sqlite/x", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try FileManager.default.createDirectory(atPath: folder.path + "/data/.incomplete", withIntermediateDirectories: false)
        await #expect(throws: AdminError.self) { try await setup().run(now: AdminBench.now, logger: logger) }
        #expect(!folder.exists("wsemaild.conf") && !folder.exists("data/keys") && !folder.exists("data/.incomplete"))
        try FileManager.default.removeItem(atPath: folder.path + "/data/mail.sqlite")
        _ = try await setup().run(now: AdminBench.now, logger: logger)
    }

    @Test func whatADeadTryLeftIsClearedAway() async throws {
        // Died after the configuration was written and the database moved, before the keys were.
        try PrivateFile.createFolder(folder.path + "/data/.incomplete/keys")
        try PrivateFile.write("half", to: folder.path + "/data/.incomplete/keys/server.key")
        try PrivateFile.write("not ours to keep", to: folder.path + "/data/mail.sqlite")
        try PrivateFile.write(configuration.fileText(), to: path)
        let outcome = try await setup().run(now: AdminBench.now, logger: logger)
        #expect(try configuration.rootFingerprint() == outcome.fingerprint)
        #expect(!folder.exists("data/.incomplete"))
    }

    @Test func aRunningTryIsLeftInPeace() async throws {
        let staging = folder.path + "/data/.incomplete"
        try PrivateFile.createFolder(staging)
        let lock = open(staging, O_RDONLY | O_DIRECTORY)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        let error = await #expect(throws: AdminError.self) { try await setup().run(now: AdminBench.now, logger: logger) }
        #expect(error?.code == .busy)
        #expect(folder.exists("data/.incomplete"))
    }

    @Test func aDatabaseWithoutKeysIsNotTouched() async throws {
        try PrivateFile.createFolder(folder.path + "/data")
        try PrivateFile.write("precious", to: folder.path + "/data/mail.sqlite")
        let error = await #expect(throws: AdminError.self) { try await setup().run(now: AdminBench.now, logger: logger) }
        #expect(error?.code == .alreadyExists)
        #expect(try PrivateFile.readText(folder.path + "/data/mail.sqlite") == "precious")
    }
}
