import Delivery
import Foundation
import Identity
import Logging
import MailModel
import MailStore
import SOAPClient
import SQLiteStore
import ServiceLifecycle
import TestSupport
import WSSecurity

@testable import MailServer

/// A free TCP port of 127.0.0.1 at this moment.
func freePort() throws -> Int { try TestDNS.freePort() }

/// A mail domain with a real server: its own folder, keys, database, TLS listener and delivery.
final class TestDomain: Sendable {
    let domain: MailDomain
    let configuration: ServerConfiguration
    let server: MailServer
    private let group: ServiceGroup
    private let running: Task<Void, any Error>
    private let folder: String

    var root: MailCertificate { server.core.keys.authority.certificate }
    var store: any MailStore { server.core.store }
    var port: Int { configuration.listenPort }

    static let password = "correct horse battery"

    /// - Parameters:
    ///   - dns: where the server asks for other domains.
    ///   - change: settings that differ from the test defaults.
    static func start(
        _ name: String, port: Int, dns: TestDNS, users: [String],
        change: (inout ServerConfiguration) -> Void = { _ in }, logger: Logger = quiet,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> TestDomain {
        let folder = FileManager.default.temporaryDirectory.path + "/wsemail-\(RandomID.hex(8))"
        try PrivateFile.createFolder(folder)
        let domain = try MailDomain(name)
        var configuration = ServerConfiguration(domain: domain, hostName: "mail.\(name)")
        configuration.dataDirectory = folder
        configuration.listenAddress = "127.0.0.1"
        configuration.listenPort = port
        configuration.dnsServers = [dns.forwarder]
        configuration.dnsInsecureZones = ["test"]
        configuration.allowPrivateTargets = true
        configuration.retryFirstSeconds = 1
        configuration.retryMaxSeconds = 2
        configuration.concurrentLogins = 2
        change(&configuration)
        try DomainKeys.create(
            domain: domain, host: try MailDomain(configuration.hostName), in: configuration.keyDirectory, now: clock())
        let store = try SQLiteStore(configuration: .init(path: configuration.databasePath), logger: quiet)
        let hash = try Password.hash(password, parameters: .init(logN: 10, blockSize: 8, parallelism: 1))
        for user in ["postmaster"] + users {
            try await store.createAccount(
                try Address(local: user, domain: domain), passwordHash: hash, quotaBytes: nil, now: clock())
        }
        await store.close()
        return try await resume(configuration, folder: folder, logger: logger, clock: clock)
    }

    /// Starts a server on a folder that exists: after `stop`.
    static func resume(
        _ configuration: ServerConfiguration, folder: String, logger: Logger = quiet,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> TestDomain {
        let server = try await MailServer.build(configuration, logger: logger, clock: clock)
        return try await TestDomain(configuration, server: server, folder: folder)
    }

    private init(_ configuration: ServerConfiguration, server: MailServer, folder: String) async throws {
        domain = configuration.domain
        self.configuration = configuration
        self.server = server
        self.folder = folder
        let group = ServiceGroup(configuration: .init(services: [server], logger: quiet))
        self.group = group
        running = Task { try await group.run() }
        // 0: it did not come up; its error says why.
        if await server.port() == 0 { try await running.value }
    }

    func address(_ user: String) throws -> Address { try Address(local: user, domain: domain) }

    func trust(_ other: TestDomain) async throws {
        try await store.addTrustAnchor(
            TrustAnchorRecord(
                thumbprint: other.root.thumbprintSHA256, der: other.root.der, scope: .domain(other.domain),
                label: "test", added: Date(), addedBy: "test"))
        try await server.core.trust.reload()
    }

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
    }

    func remove() async throws {
        try await stop()
        try FileManager.default.removeItem(atPath: folder)
    }
}

let quiet: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = ProcessInfo.processInfo.environment["WSEMAIL_TEST_LOG"].flatMap(Logger.Level.init(rawValue:)) ?? .critical
    return logger
}()

/// Two domains that trust each other, with DNS between them.
struct TwoDomains {
    let dns: TestDNS
    let capicom: TestDomain
    let scopio: TestDomain

    static func start(
        change: (inout ServerConfiguration) -> Void = { _ in }, logger: Logger = quiet,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> TwoDomains {
        let (one, two) = (try freePort(), try freePort())
        let dns = try TestDNS([
            .service("capicom.test", target: "mail.capicom.test", port: one),
            .service("scopio.test", target: "mail.scopio.test", port: two),
            .host("mail.capicom.test", ["127.0.0.1"]), .host("mail.scopio.test", ["127.0.0.1"]),
        ])
        let capicom = try await TestDomain.start(
            "capicom.test", port: one, dns: dns, users: ["alice", "carol"], change: change, logger: logger,
            clock: clock)
        let scopio = try await TestDomain.start(
            "scopio.test", port: two, dns: dns, users: ["bob", "dave"], change: change, logger: logger,
            clock: clock)
        try await capicom.trust(scopio)
        try await scopio.trust(capicom)
        return TwoDomains(dns: dns, capicom: capicom, scopio: scopio)
    }

    func remove() async throws {
        try await capicom.remove()
        try await scopio.remove()
        dns.stop()
    }
}
