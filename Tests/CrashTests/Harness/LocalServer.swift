import Delivery
import Foundation
import Identity
import MailModel
import MailStore
import SOAPClient
import SQLiteStore
import ServiceLifecycle
import TestSupport
import WSSecurity
import XMLCore

@testable import MailServer

/// A site served inside this process, so that its store, clock and network can be tampered with.
final class LocalServer: Sendable {
    let site: Site
    let server: MailServer
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    var store: any MailStore { server.core.store }

    static func start(
        _ site: Site, seams: ServerSeams = ServerSeams(), faults: FaultInjector? = nil,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> LocalServer {
        var seams = seams
        if let faults {
            var configuration = SQLiteConfiguration(path: site.configuration.databasePath)
            configuration.faultInjector = faults
            seams.store = try SQLiteStore(configuration: configuration, logger: quiet)
        }
        let server = try await MailServer.build(site.configuration, logger: quiet, seams: seams, clock: clock)
        return await LocalServer(site, server)
    }

    private init(_ site: Site, _ server: MailServer) async {
        self.site = site
        self.server = server
        let group = ServiceGroup(configuration: .init(services: [server], logger: quiet))
        self.group = group
        running = Task { try await group.run() }
        _ = await server.port()
    }

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
    }

    func inbox(_ user: String, after cursor: Int64 = 0) async throws -> [MailboxEntry] {
        try await store.list(site.address(user), folder: .inbox, from: .after(cursor), limit: 1000).entries
    }

    /// The author's status once all recipients have the state, or as it is when the time is over.
    func status(of letter: Letter, reaching state: StoredState) async throws -> [StoredState] {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let status = try await store.status(of: letter.id.description, from: .submission(by: letter.author))
            let states = status?.recipients.map(\.state) ?? []
            let isReached = !states.isEmpty && states.allSatisfy { $0 == state }
            if isReached || ContinuousClock.now > deadline { return states }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// The only job in the queue, once it was tried so often and put back.
    func job(afterAttempts attempts: some RangeExpression<Int>) async throws -> QueueJob? {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let jobs = try await store.jobs(destination: nil, after: nil, limit: 2, now: server.core.now())
            if jobs.count == 1, let job = jobs.first, attempts.contains(job.attempts), !job.isLeased { return job }
            try await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }

    /// Another domain's server, as this domain would be it.
    func peerCaller(to other: Site) async throws -> SecureCaller {
        let transport = TLSTransport()
        let metadata = try await transport.send(
            HTTPCall(to: site.destination, method: .get, path: HTTPFront.metadataPath)
        ).body
        return SecureCaller(
            domain: other.domain, credentials: .certificate(server.core.keys.signing, metadata: { metadata }),
            transport: transport,
            trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(other.root, scope: .domain(other.domain))])),
            clock: { Date() })
    }

    /// A message with the Postmark that brings it to another domain.
    func item(_ letter: Letter, to destination: MailDomain) throws -> DeliverOperation.Item {
        let signer = server.core.signer
        let postmark = try Postmark(
            message: letter.sealed, signer: signer, destination: destination,
            recipients: letter.recipients.filter { $0.domain == destination }.sorted { $0.description < $1.description },
            sender: letter.author, method: .password, time: Date()
        ).sealed(by: signer)
        return .init(message: letter.sealed.octets, postmark: postmark)
    }
}

extension Site {
    var destination: HTTPDestination {
        HTTPDestination(
            name: domain.ascii, endpoints: [.init(address: "127.0.0.1", port: configuration.listenPort)],
            roots: .certificates([root.der]))
    }
}

/// Two sites in this process.
struct LocalTwo {
    let capicom: LocalServer
    let scopio: LocalServer
    let keys: SiteKeys
    let dns: TestDNS

    struct Options: Sendable {
        var capicom = ServerSeams()
        var scopio = ServerSeams()
        var capicomFaults: FaultInjector?
        var scopioFaults: FaultInjector?
        var clock: @Sendable () -> Date = { Date() }
        var change: @Sendable (inout ServerConfiguration) -> Void = { _ in }
    }

    static func start(_ options: Options = Options()) async throws -> LocalTwo {
        let ports = ["capicom.test": try freePort(), "scopio.test": try freePort()]
        let dns = try testDNS(ports)
        let one = try await Site.make(
            "capicom.test", users: ["alice", "carol"], port: ports["capicom.test"] ?? 0, dns: [dns.forwarder],
            now: options.clock(), change: options.change)
        let two = try await Site.make(
            "scopio.test", users: ["bob", "dave"], port: ports["scopio.test"] ?? 0, dns: [dns.forwarder], now: options.clock(),
            change: options.change)
        try await Site.introduce(one, two, now: options.clock())
        return LocalTwo(
            capicom: try await .start(
                one, seams: options.capicom, faults: options.capicomFaults, clock: options.clock),
            scopio: try await .start(two, seams: options.scopio, faults: options.scopioFaults, clock: options.clock),
            keys: SiteKeys(one, two), dns: dns)
    }

    var sites: [Site] { [capicom.site, scopio.site] }

    /// Stops both and compares the databases with what was acknowledged.
    func finish(_ ledger: Ledger) async throws {
        try await remove { try await Verdict.check(ledger, at: sites) }
    }

    /// Stops both; nothing is left on the disk.
    func remove(after look: () async throws -> Void = {}) async throws {
        try await capicom.stop()
        try await scopio.stop()
        dns.stop()
        defer { for site in sites { site.remove() } }
        try await look()
    }
}
