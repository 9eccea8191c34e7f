import Foundation
import Identity
import Logging
import MailModel
import MailStore
import SQLiteStore
import TestSupport
import XMLSecurity

@testable import MailServer

/// What a mail domain has on its disk: keys, accounts, trust and settings; whether a process or this one serves it.
struct Site: Sendable {
    static let password = "correct horse battery"

    let folder: String
    let configuration: ServerConfiguration
    let root: MailCertificate
    let server: MailCertificate

    var domain: MailDomain { configuration.domain }
    var configurationPath: String { folder + "/wsemaild.conf" }
    var logPath: String { folder + "/wsemaild.log" }

    func address(_ user: String) throws -> Address { try Address(local: user, domain: domain) }

    /// - Parameters:
    ///   - folder: where; nil is a new temporary one.
    ///   - change: settings that differ from the tests' usual ones.
    static func make(
        _ name: String, users: [String], port: Int, dns: [String], in folder: String? = nil, now: Date = Date(),
        change: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> Site {
        let folder = folder ?? FileManager.default.temporaryDirectory.path + "/wsemail-crash-\(RandomID.hex(8))"
        try PrivateFile.createFolder(folder)
        var configuration = ServerConfiguration(domain: try MailDomain(name), hostName: "mail.\(name)")
        configuration.dataDirectory = folder + "/data"
        configuration.listenAddress = "127.0.0.1"
        configuration.listenPort = port
        configuration.dnsServers = dns
        configuration.dnsTrustAnchorFile = ""
        configuration.dnsInsecureZones = ["test"]
        configuration.allowPrivateTargets = true
        configuration.retryFirstSeconds = 1
        configuration.retryMaxSeconds = 2
        configuration.logLevel = "notice"
        change(&configuration)
        try PrivateFile.createFolder(configuration.dataDirectory)
        try DomainKeys.create(
            domain: configuration.domain, host: try MailDomain(configuration.hostName), in: configuration.keyDirectory, now: now)
        let keys = try DomainKeys(folder: configuration.keyDirectory, domain: configuration.domain)
        let site = Site(
            folder: folder, configuration: configuration, root: keys.authority.certificate, server: keys.server)
        try PrivateFile.write(configuration.fileText(), to: site.configurationPath)
        try await site.withStore { store in
            let hash = try Password.hash(password, parameters: .init(logN: 10, blockSize: 8, parallelism: 1))
            for user in ["postmaster"] + users {
                try await store.createAccount(try site.address(user), passwordHash: hash, quotaBytes: nil, now: now)
            }
        }
        return site
    }

    /// Each trusts the other's root.
    static func introduce(_ one: Site, _ other: Site, now: Date = Date()) async throws {
        for (here, there) in [(one, other), (other, one)] {
            try await here.withStore { store in
                try await store.addTrustAnchor(
                    TrustAnchorRecord(
                        thumbprint: there.root.thumbprintSHA256, der: there.root.der, scope: .domain(there.domain),
                        label: "test", added: now, addedBy: "test"))
            }
        }
    }

    /// The database while no server has it.
    @discardableResult
    func withStore<Value: Sendable>(_ body: (SQLiteStore) async throws -> Value) async throws -> Value {
        let store = try SQLiteStore(configuration: .init(path: configuration.databasePath), logger: quiet)
        do {
            let value = try await body(store)
            await store.close()
            return value
        } catch {
            await store.close()
            throw error
        }
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// Nothing but what is wanted for looking into a failure: `WSEMAIL_TEST_LOG=info`.
let quiet: Logger = {
    var logger = Logger(label: "test", factory: { StreamLogHandler.standardError(label: $0) })
    let wanted = ProcessInfo.processInfo.environment["WSEMAIL_TEST_LOG"]
    logger.logLevel = wanted.flatMap(Logger.Level.init(rawValue:)) ?? .critical
    return logger
}()

/// Believes the signing certificates of these domains, each for its own domain only.
struct SiteKeys: DomainKeyResolver {
    private let certificates: [MailDomain: MailCertificate]

    init(_ sites: Site...) {
        certificates = Dictionary(uniqueKeysWithValues: sites.map { ($0.domain, $0.server) })
    }

    struct Refusal: Error {}

    func key(_ hint: KeyHint, of domain: MailDomain, at date: Date) async throws -> VerificationKey {
        guard let certificate = certificates[domain], hint == .thumbprintSHA256(certificate.thumbprintSHA256) else {
            throw Refusal()
        }
        return certificate.publicKey
    }
}

/// The DNS of two domains on this machine.
func testDNS(_ ports: [String: Int]) throws -> TestDNS {
    try TestDNS(
        ports.flatMap { name, port -> [TestDNS.Record] in
            [.service(name, target: "mail.\(name)", port: port), .host("mail.\(name)", ["127.0.0.1"])]
        })
}
