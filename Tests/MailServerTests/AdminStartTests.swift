import Foundation
import Glibc
import Identity
import Logging
import NIOPosix
import Synchronization
import Testing

@testable import MailServer

@Suite("The start of a server")
struct AdminStartTests {
    private let folder: AdminFolder
    private var configuration: ServerConfiguration
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() async throws {
        folder = try AdminFolder()
        var configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "mail.capicom.test")
        configuration.dataDirectory = folder.path + "/data"
        configuration.listenAddress = "127.0.0.1"
        configuration.listenPort = 0
        configuration.dnsTrustAnchorFile = ""
        self.configuration = configuration
        _ = try await DomainSetup(
            configuration: configuration, configurationPath: folder.path + "/c.conf", postmasterPassword: "correct horse"
        ).run(now: Date(), logger: logger)
    }

    @Test func aTakenMetricsPortIsNamedAndNothingIsReady() async throws {
        let other = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        var configuration = configuration
        configuration.metricsPort = other.localAddress?.port ?? 0
        let isReady = Mutex(false)
        let error = await #expect(throws: AdminError.self) {
            try await MailServer.run(configuration, logger: logger) { _ in isReady.withLock { $0 = true } }
        }
        #expect(error?.code == .inUse && error?.reason.contains("port \(configuration.metricsPort)") == true)
        #expect(error?.hint.contains("metrics_port") == true)
        #expect(!isReady.withLock { $0 })
        try await other.close()
    }

    @Test func whatServeNeedsIsLookedAtFirst() throws {
        try configuration.checkUsable()
        for (path, mode, back) in [("data", 0o755, 0o700), ("data/keys", 0o750, 0o700), ("data/keys/server.key", 0o644, 0o600)] {
            chmod(folder.path + "/" + path, mode_t(mode))
            let error = #expect(throws: AdminError.self) { try configuration.checkUsable() }
            #expect(error?.description.contains("chmod") == true, "\(path)")
            chmod(folder.path + "/" + path, mode_t(back))
        }
        try configuration.checkUsable()
        var other = configuration
        other.dnsTrustAnchorFile = folder.path + "/none"
        #expect(throws: AdminError.self) { try other.checkUsable() }
        other = configuration
        other.dataDirectory = folder.path + "/none"
        #expect(throws: AdminError.self) { try other.checkUsable() }
    }

    @Test func foreignTLSFilesMustBeThereAndFit() throws {
        var configuration = configuration
        let keys = configuration.keyDirectory
        for (certificate, key, cause) in [
            ("/none", "tls.key", "there is no file"), ("tls.key", "tls.key", "holds no certificate"),
            ("tls.pem", "tls.pem", "holds no private key"), ("tls.pem", "server.key", "does not belong"),
        ] {
            configuration.tlsCertificateFile = certificate.hasPrefix("/") ? certificate : keys + "/" + certificate
            configuration.tlsKeyFile = keys + "/" + key
            let error = #expect(throws: AdminError.self) { try configuration.checkUsable() }
            #expect(error?.reason.contains(cause) == true, "\(error?.reason ?? "")")
        }
        configuration.tlsKeyFile = keys + "/tls.key"
        try configuration.checkUsable()
    }

    @Test func portsAreTriedWhileNoServerRuns() async throws {
        let other = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        var configuration = configuration
        try await configuration.checkPorts()
        configuration.listenPort = other.localAddress?.port ?? 0
        let error = await #expect(throws: AdminError.self) { try await configuration.checkPorts() }
        #expect(error?.code == .inUse)
        configuration.listenPort = 0
        configuration.listenAddress = "192.0.2.1"
        await #expect(throws: AdminError.self) { try await configuration.checkPorts() }
        try await other.close()
    }

    @Test func theReadyPortWaitsForAllListeners() async {
        let port = ListeningPort(listeners: 2)
        await port.isUp(port: 8_443)
        async let value = port.value()
        await port.isUp()
        #expect(await value == 8_443)
        let ended = ListeningPort(listeners: 2)
        await ended.isUp(port: 8_443)
        await ended.end()
        #expect(await ended.value() == 0)
    }
}
