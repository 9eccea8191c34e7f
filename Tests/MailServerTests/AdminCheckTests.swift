import Delivery
import Foundation
import Identity
import Logging
import MailStore
import SQLiteStore
import Synchronization
import Testing
import XMLSecurity

@testable import MailServer

@Suite("wsemaild check")
struct AdminCheckTests {
    /// DNS and TLS as a test wants them.
    struct Network: CheckNetwork {
        var services: [String: [CheckedService]] = [:]
        var chains: [String: [[UInt8]]] = [:]
        var own: Set<String> = ["192.0.2.1"]
        var forbidden: Set<String> = []
        var failure: DeliveryError?

        func services(of domain: MailDomain) async throws -> [CheckedService] {
            if let failure { throw failure }
            guard let found = services[domain.description] else { throw AdminError(.unreachable, "no such record") }
            return found
        }

        func certificates(at address: String, port: Int, name: String) async throws -> [[UInt8]] {
            guard let chain = chains["\(address):\(port)"] else { throw AdminError(.unreachable, "connection refused") }
            return chain
        }

        func ownAddresses() -> Set<String> { own }
        func permits(_ address: String) -> Bool { !forbidden.contains(address) }
    }

    private let folder: AdminFolder
    private let configuration: ServerConfiguration
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    /// The files' times are real: so is this one.
    private let now = Date()

    init() async throws {
        folder = try AdminFolder()
        var configuration = ServerConfiguration(domain: try MailDomain("capicom.test"), hostName: "mail.capicom.test")
        configuration.dataDirectory = folder.path + "/data"
        self.configuration = configuration
        _ = try await DomainSetup(
            configuration: configuration, configurationPath: folder.path + "/c.conf", postmasterPassword: "correct horse"
        ).run(now: now, logger: logger)
    }

    private func keys() throws -> DomainKeys {
        try DomainKeys(folder: configuration.keyDirectory, domain: configuration.domain)
    }

    /// A network in which all is as it should be.
    private func goodNetwork() throws -> Network {
        Network(
            services: [
                "capicom.test": [
                    CheckedService(host: "mail.capicom.test", port: 8_443, addresses: ["192.0.2.1"], isSecure: false)
                ]
            ],
            chains: ["192.0.2.1:8443": [try keys().tlsCertificate.der]])
    }

    private static let someTrust = AdminReply(columns: ["scope", "certificate"], rows: [["federation", ""]])

    private func findings(
        _ network: Network?, at date: Date? = nil, isRunning: Bool = true, trust: AdminReply = AdminCheckTests.someTrust,
        queue: AdminReply = AdminReply(), probe: AdminReply = AdminReply(details: ["outcome": "open"])
    ) async -> [CheckFinding] {
        let found = Mutex<[CheckFinding]>([])
        await ServerChecks(
            configuration: configuration, configurationPath: folder.path + "/c.conf", network: network, now: date ?? now
        ).run(
            ask: { request in
                switch request.command {
                case .trustList: trust
                case .queueList: queue
                case .peerProbe: probe
                default: AdminReply()
                }
            }, isServerRunning: { isRunning }
        ) { finding in
            found.withLock { $0.append(finding) }
        }
        return found.withLock { $0 }
    }

    private func bad(_ findings: [CheckFinding]) -> [CheckFinding] { findings.filter { $0.level != .ok } }

    @Test func aGoodServerPasses() async throws {
        let found = await findings(try goodNetwork())
        #expect(bad(found) == [])
        #expect(Set(found.map(\.area)) == ["configuration", "files", "keys", "clock", "store", "server", "queue", "dns", "port"])
    }

    @Test func pluginsThatDoNotWorkAreFound() async throws {
        func list(_ state: String, _ policy: String, _ publisher: String = "Example") -> AdminReply {
            AdminReply(
                columns: ["plugin", "state", "roles", "policy", "publisher", "reason"],
                rows: [
                    ["a.x/a", state, "delivery 1", policy, publisher, "it fell"], ["b.x/b", "unloaded", "delivery 1", "closed", "E", ""],
                ])
        }
        func levels(_ list: AdminReply, _ change: (inout ServerConfiguration) -> Void) -> [CheckFinding.Level] {
            var changed = configuration
            changed.pluginEngineLibrary = folder.path + "/data/mail.db"
            change(&changed)
            let checks = ServerChecks(configuration: changed, configurationPath: "c", network: nil, now: now)
            return checks.pluginFindings(list).map(\.level)
        }
        try Data().write(to: URL(fileURLWithPath: folder.path + "/data/mail.db"))
        #expect(levels(list("active", "closed")) { _ in } == [.ok])
        #expect(levels(list("suspended", "open")) { _ in } == [.warn])
        #expect(levels(list("failed", "closed")) { _ in } == [.fail])
        #expect(levels(list("active", "closed")) { $0.pluginEngineLibrary = "/nowhere/lib.so" } == [.fail])
        #expect(levels(list("active", "closed", "compiled in")) { $0.pluginEngineLibrary = "/nowhere/lib.so" } == [.ok])
        #expect(levels(list("not running", "open")) { $0.plugins = ["off"] } == [.warn])
        #expect(levels(list("not running", "closed")) { $0.plugins = ["off"] } == [.fail])
        #expect(levels(list("unloaded", "closed")) { $0.plugins = ["off"] } == [])
    }

    @Test func aServerWithPluginsOffNamesThoseThatMailMustNotPass() async throws {
        let store = try SQLiteStore(configuration: configuration.store, logger: logger)
        try await store.installPackage(
            PluginPackageRecord(
                id: "a.x", version: "1.0.0", digest: Array(repeating: 1, count: 32), installed: now, isPresent: true,
                state: Array("{".utf8)), octets: [1])
        var off = configuration
        off.plugins = ["off"]
        let lines = AdminEvents()
        let (time, recorder) = (now, Logger(label: "test") { _ in AdminRecordingHandler(events: lines) })
        await PluginAssembly.logAbsence(off, store: store, logger: recorder, clock: { time })
        #expect(lines.all.contains { $0.contains("a.x/unreadable") && $0.contains("plugins = off") })
        await store.close()
    }

    @Test func openFilesFail() async throws {
        chmodFile("data", 0o755)
        chmodFile("data/keys/server.key", 0o644)
        let found = bad(await findings(nil))
        #expect(found.contains { $0.area == "files" && $0.advice.contains("chmod 700") })
        #expect(found.contains { $0.area == "files" && $0.advice.contains("chmod 600") && $0.what.contains("server.key") })
    }

    @Test func missingAndForeignKeysFail() async throws {
        try FileManager.default.removeItem(atPath: configuration.keyDirectory + "/server.pem")
        #expect(bad(await findings(nil)).contains { $0.area == "keys" && $0.level == .fail })
    }

    @Test func aKeyThatIsNotTheCertificatesFails() async throws {
        let files = FileManager.default
        try files.removeItem(atPath: configuration.keyDirectory + "/tls.key")
        try files.copyItem(
            atPath: configuration.keyDirectory + "/server.key", toPath: configuration.keyDirectory + "/tls.key")
        #expect(bad(await findings(nil)).contains { $0.area == "keys" && $0.what.contains("TLS") })
    }

    @Test func certificatesNearTheirEndWarnThenFail() async throws {
        let end = try keys().server.notAfter
        let near = bad(await findings(nil, at: end.addingTimeInterval(-10 * 86_400)))
        #expect(near.contains { $0.level == .warn && $0.what.contains("server.pem expires in 10 days") })
        let past = bad(await findings(nil, at: end.addingTimeInterval(1)))
        #expect(past.contains { $0.level == .fail && $0.what.contains("server.pem has expired") })
    }

    @Test func aClockThatWentBackFails() async throws {
        let found = bad(await findings(nil, at: now.addingTimeInterval(-86_400)))
        #expect(found.contains { $0.area == "clock" && $0.level == .fail && $0.what.contains("database") })
    }

    @Test func aMissingOrWrongRecordFailsWithTheRightOne() async throws {
        let missing = bad(await findings(Network()))
        #expect(missing.contains { $0.area == "dns" && $0.advice.contains("IN SRV 0 0 8443 mail.capicom.test.") })
        var network = try goodNetwork()
        network.services["capicom.test"] = [
            CheckedService(host: "old.capicom.test", port: 8_443, addresses: ["192.0.2.1"], isSecure: true)
        ]
        #expect(bad(await findings(network)).contains { $0.area == "dns" && $0.what.contains("old.capicom.test:8443") })
    }

    @Test(arguments: [
        (DeliveryError(.dnsFailure, "no answer from DNS in time"), "look at this machine's network"),
        (DeliveryError(.bogus, "DNSSEC: failed to prime trust anchor"), "look at this machine's network"),
        (DeliveryError(.bogus, "DNSSEC: signature expired"), "dns_insecure_zones"),
        (DeliveryError(.noAddress, "no SRV target has an address"), "publish the A or AAAA record"),
        (DeliveryError(.noService, "does not exist"), "publish: _wsemail._tcp"),
    ])
    func troubleWithDNSIsToldApart(_ failure: DeliveryError, _ advice: String) async throws {
        var network = try goodNetwork()
        network.failure = failure
        let found = bad(await findings(network))
        #expect(found.count == 1 && found[0].area == "dns" && found[0].advice.contains(advice))
    }

    // MARK: Mail that waits

    private func queue(_ destination: String, hours: Double, reason: String = "") -> AdminReply {
        AdminReply(
            columns: ["destination", "created_at", "reason"],
            rows: [[destination, now.addingTimeInterval(-hours * 3_600).formatted(.iso8601), reason]])
    }

    @Test func mailThatWaitsLongIsSaid() async throws {
        let trust = AdminReply(columns: ["scope"], rows: [["scopio.test"]])
        #expect(bad(await findings(nil, trust: trust, queue: queue("scopio.test", hours: 0.9))) == [])
        let late = bad(await findings(nil, trust: trust, queue: queue("scopio.test", hours: 2.5, reason: "connection refused")))
        #expect(late.count == 1 && late[0].level == .warn && late[0].what.contains("2 h: connection refused"))
        #expect(late[0].advice.contains("queue retry --domain scopio.test"))
    }

    @Test func mailThatWaitsForTrustNamesTheCommand() async throws {
        let trust = AdminReply(columns: ["scope"], rows: [["scopio.test"]])
        let other = bad(await findings(nil, trust: trust, queue: queue("other.test", hours: 0)))
        #expect(other.count == 1 && other[0].level == .fail && other[0].advice.contains("trust add other.test"))
        let reason = DeliveryError.noAnchor(for: try MailDomain("other.test")).reason
        let federation = bad(await findings(nil, queue: queue("other.test", hours: 0, reason: reason)))
        #expect(federation.count == 1 && federation[0].advice.contains("trust add other.test"))
        let nobody = bad(await findings(nil, trust: AdminReply()))
        #expect(nobody.count == 1 && nobody[0].area == "peer" && nobody[0].advice.contains("trust add"))
    }

    @Test func aForeignDomainLineIsNoLostKey() async throws {
        var other = ServerConfiguration(domain: try MailDomain("other.test"), hostName: "mail.other.test")
        other.dataDirectory = configuration.dataDirectory
        let (_, found) = ServerChecks(configuration: other, configurationPath: "c", network: nil, now: now).keyFindings()
        #expect(found.count == 1 && found[0].advice.contains("`domain`") && found[0].advice.contains("--config"))
    }

    @Test func aForeignAddressWarnsAndAForeignCertificateFails() async throws {
        var network = try goodNetwork()
        network.own = ["192.0.2.99"]
        #expect(bad(await findings(network)).map(\.level) == [.warn])
        network = try goodNetwork()
        network.chains["192.0.2.1:8443"] = [try keys().server.der]
        #expect(bad(await findings(network)).contains { $0.area == "port" && $0.level == .fail })
    }

    @Test func aStoppedServerIsAWarning() async throws {
        var network = try goodNetwork()
        network.chains = [:]
        #expect(bad(await findings(network, isRunning: false)).allSatisfy { $0.level == .warn })
        #expect(bad(await findings(network, isRunning: true)).contains { $0.area == "port" && $0.level == .fail })
    }

    // MARK: Peers

    private func trusting(_ root: MailCertificate) -> AdminReply {
        AdminReply(columns: ["scope", "certificate"], rows: [["scopio.test", Data(root.der).base64EncodedString()]])
    }

    private func peer(_ chain: [MailCertificate]?) throws -> Network {
        var network = try goodNetwork()
        network.services["scopio.test"] = [
            CheckedService(host: "mail.scopio.test", port: 443, addresses: ["192.0.2.2"], isSecure: false)
        ]
        network.chains["192.0.2.2:443"] = chain?.map(\.der)
        return network
    }

    @Test func peersAreProvedByTheirPinnedRoot() async throws {
        let domain = try MailDomain("scopio.test")
        let authority = try DomainAuthority.create(domain: domain, now: now)
        let impostor = try DomainAuthority.create(domain: domain, now: now)
        let key = SigningKey.generateP256().publicKey
        let leaf = try authority.issueTLSCertificate(publicKey: key, hosts: [], now: now)
        let trust = trusting(authority.certificate)
        let good = await findings(try peer([leaf, authority.certificate]), trust: trust)
        #expect(bad(good) == [] && good.contains { $0.area == "peer" })

        let refused = AdminReply(details: ["outcome": "refused", "code": "UntrustedCertificate"])
        let oneSided = bad(await findings(try peer([leaf, authority.certificate]), trust: trust, probe: refused))
        #expect(oneSided.count == 1 && oneSided[0].what.contains("scopio.test does not trust this domain yet"))
        #expect(oneSided[0].advice.contains(try configuration.rootFingerprint().description))

        let forged = try impostor.issueTLSCertificate(publicKey: key, hosts: [], now: now)
        let found = bad(await findings(try peer([forged, impostor.certificate]), trust: trust))
        #expect(found.contains { $0.area == "peer" && $0.level == .fail && $0.advice.contains("trust add scopio.test") })

        #expect(bad(await findings(try peer(nil), trust: trust)).map(\.level) == [.warn])
        var network = try peer([leaf])
        network.forbidden = ["192.0.2.2"]
        #expect(bad(await findings(network, trust: trust)).contains { $0.advice.contains("allow_private_targets") })
        network.services["scopio.test"] = nil
        #expect(bad(await findings(network, trust: trust)).map(\.level) == [.warn])
    }

    private func chmodFile(_ name: String, _ mode: Int) {
        try? FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path + "/" + name)
    }
}
