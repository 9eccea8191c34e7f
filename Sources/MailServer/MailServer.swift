import BlobStore
import Delivery
import Foundation
import Identity
import Logging
import MailModel
import MailStore
import NIOCore
import NIOPosix
import SOAPClient
import SQLiteStore
import ServiceLifecycle
import WSSecurity

/// A mail server of one domain: built from its configuration, run until it is told to stop.
///
/// Stores, resolver and clock are passed in by `build`, so that tests run two whole servers in one process.
public final class MailServer: Service {
    let core: ServerCore
    let agent: DeliveryAgent
    private let services: [any Service]
    private let group: MultiThreadedEventLoopGroup
    private let pool: NIOThreadPool
    /// Reads and writes files.
    private let filePool: NIOThreadPool
    private let transport: TLSTransport
    private let listening: ListeningPort
    let peers: PeerConnectionPool
    private let closeResolver: @Sendable () -> Void

    /// The HTTPS port really listened on, once all listeners are up; 0 if the server ends before.
    public func port() async -> Int { await listening.value() }

    /// Opens the store, loads the keys and puts the parts together. Listens only in `run`.
    /// - Parameters:
    ///   - resolver: finds other domains; nil asks DNS as configured.
    ///   - clock: the time of all decisions.
    public static func build(
        _ configuration: ServerConfiguration, logger: Logger, resolver: (any ServiceResolver)? = nil,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> MailServer {
        try await build(configuration, logger: logger, seams: ServerSeams(resolver: resolver), clock: clock)
    }

    static func build(
        _ configuration: ServerConfiguration, logger: Logger, seams: ServerSeams, clock: @escaping @Sendable () -> Date
    ) async throws -> MailServer {
        var seams = seams
        let store: any MailStore
        if let given = seams.store {
            store = given
        } else {
            store = try SQLiteStore(configuration: configuration.store, logger: logger)
        }
        seams.store = store
        do {
            if seams.resolver != nil {
                return try await MailServer(configuration, seams: seams, closeResolver: {}, logger: logger, clock: clock)
            }
            let own = try makeResolver(configuration)
            seams.resolver = own
            return try await MailServer(
                configuration, seams: seams, closeResolver: { own.close() }, logger: logger, clock: clock)
        } catch {
            await store.close()
            throw error
        }
    }

    static func makeResolver(_ configuration: ServerConfiguration) throws -> UnboundResolver {
        var settings = ResolverConfiguration()
        settings.forwarders = configuration.dnsServers
        settings.trustAnchorFile = configuration.dnsTrustAnchorFile.isEmpty ? nil : configuration.dnsTrustAnchorFile
        settings.insecureDomains = configuration.dnsInsecureZones
        return try UnboundResolver(settings)
    }

    private init(
        _ configuration: ServerConfiguration, seams: ServerSeams, closeResolver: @escaping @Sendable () -> Void,
        logger: Logger, clock: @escaping @Sendable () -> Date
    ) async throws {
        guard let store = seams.store else { throw ConfigurationError("a server needs a store") }
        let keys = try DomainKeys(folder: configuration.keyDirectory, domain: configuration.domain)
        // A data folder that is not mounted looks just like this: starting empty would lose mail quietly.
        guard FileManager.default.fileExists(atPath: configuration.databasePath) else {
            throw ConfigurationError(
                "there is no database at \(configuration.databasePath): is the data folder mounted? `wsemaild init` makes a new one")
        }
        self.closeResolver = closeResolver
        let started = clock()
        group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        pool = NIOThreadPool(numberOfThreads: configuration.concurrentLogins)
        pool.start()
        filePool = NIOThreadPool(numberOfThreads: 4)
        filePool.start()
        listening = ListeningPort(listeners: configuration.metricsPort == 0 ? 1 : 2)
        let metrics = ServerMetrics()
        let trust = try await TrustDirectory(domain: configuration.domain, keys: keys, store: store, clock: clock)
        let blobs = try await DiskBlobStore.open(
            folder: configuration.filesPath, configuration: configuration.blobs, pool: filePool, clock: clock)
        let files = FileKeeping(blobs: blobs, clock: clock)
        core = ServerCore(
            configuration: configuration, store: store, keys: keys, trust: trust, metrics: metrics, logger: logger,
            clock: clock, files: files,
            plugins: PluginAssembly.host(configuration, store: store, files: files, logger: logger, clock: clock))
        let publisher = MetadataPublisher(configuration: configuration, keys: keys, store: store, clock: clock)
        try await publisher.publish()
        transport = TLSTransport(group: group)
        let parts = try Parts(core: core, publisher: publisher, pool: pool, seams: seams, transport: transport)
        // What cannot be loaded does not keep the server from starting: its policy says what becomes of mail meanwhile.
        let statuses = try await core.plugins?.reconcile() ?? []
        for status in statuses { PluginAssembly.log(status, logger) }
        for name in PluginAssembly.unknownNames(configuration, installed: statuses.map(\.identifier.description)) {
            logger.error("the setting plugins names a plug-in that is not installed", metadata: ["plugin": "\(name)"])
        }
        if core.plugins == nil { await PluginAssembly.logAbsence(configuration, store: store, logger: logger, clock: clock) }
        let health = HealthReporter(store: store, metrics: metrics, plugins: core.plugins, started: started, clock: clock)
        peers = parts.peers
        agent = parts.agent
        services = try parts.services(health: health, group: group, listening: listening)
    }

    public func run() async throws {
        // One that fails ends the others in order: a cancelled listener complains of its own end.
        let group = ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: core.logger))
        core.logger.notice("starting", metadata: ["domain": "\(core.domain)"])
        let result: Result<Void, any Error>
        do { result = .success(try await group.run()) } catch { result = .failure(error) }
        await listening.end()
        await peers.close()
        await transport.shutDown()
        await core.plugins?.shutDown()
        closeResolver()
        // Last: what was acknowledged is committed, and the writer takes what still waits.
        await core.store.close()
        try? await pool.shutdownGracefully()
        try? await filePool.shutdownGracefully()
        try? await self.group.shutdownGracefully()
        core.logger.notice("stopped", metadata: ["domain": "\(core.domain)"])
        try result.get()
    }
}

extension ServerConfiguration {
    /// How the store is opened.
    var store: SQLiteConfiguration {
        var store = SQLiteConfiguration(path: databasePath)
        store.tombstoneLife = ServerCore.tombstoneLife
        // Each blind copy of a message comes under a Postmark of its own and gets its own receipt.
        store.maximumReceiptsPerIntent = 500
        if maxStoreMegabytes > 0 { store.maximumBytes = Int64(maxStoreMegabytes) << 20 }
        return store
    }
}

extension ServerConfiguration {
    /// How much the file store takes.
    var blobs: BlobConfiguration {
        var blobs = BlobConfiguration()
        blobs.quota = UInt64(fileQuotaMegabytes) << 20
        blobs.largestFile = UInt64(maxFileMegabytes) << 20
        return blobs
    }
}

/// Tells the HTTPS port once all listeners are up.
actor ListeningPort {
    private var missing: Int
    private var port = 0
    private var isSettled = false
    private var waiters: [CheckedContinuation<Int, Never>] = []

    init(listeners: Int) {
        missing = listeners
    }

    /// One more listener is up.
    /// - Parameter port: of the HTTPS listener.
    func isUp(port: Int? = nil) {
        if let port { self.port = port }
        missing -= 1
        if missing == 0 { settle(self.port) }
    }

    /// The server has ended, or will never listen.
    func end() { settle(0) }

    func value() async -> Int {
        if isSettled { return port }
        return await withCheckedContinuation { waiters.append($0) }
    }

    private func settle(_ port: Int) {
        guard !isSettled else { return }
        isSettled = true
        self.port = port
        for waiter in waiters { waiter.resume(returning: port) }
        waiters = []
    }
}
