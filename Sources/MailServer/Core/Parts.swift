import Delivery
import Foundation
import Identity
import Logging
import MailStore
import NIOCore
import NIOPosix
import SOAP
import SOAPClient
import ServiceLifecycle
import WSSecurity

/// Puts the parts of a server together.
struct Parts {
    private let core: ServerCore
    private let publisher: MetadataPublisher
    private let endpoint: Endpoint
    private let sessions: SessionDirectory
    private let replay: ReplayKeeper
    private let passwords: PasswordGate
    let agent: DeliveryAgent
    /// How deliveries wait.
    private let clock: DeliveryClock
    private let gateway: PeerGateway
    private let resolver: any ServiceResolver
    private let transport: any HTTPTransport

    init(
        core: ServerCore, publisher: MetadataPublisher, pool: NIOThreadPool, seams: ServerSeams, transport: TLSTransport
    ) throws {
        let configuration = core.configuration
        guard let resolver = seams.resolver else { throw ConfigurationError("a server needs a resolver") }
        let transport = seams.transport(transport)
        self.core = core
        self.publisher = publisher
        self.resolver = resolver
        self.transport = transport
        sessions = try SessionDirectory(
            store: core.store, vaultKey: core.keys.vaultKey, lifetime: Double(configuration.sessionHours) * 3_600)
        replay = ReplayKeeper(sequences: sessions, startedAt: core.now())
        passwords = PasswordGate(
            store: core.store, pool: pool, allowed: configuration.loginFailures,
            firstWait: Double(configuration.loginBackoffSeconds))
        let challenges = ChallengeDesk()
        let tokens = TokenService(
            core: core, sessions: sessions, passwords: passwords, publisher: publisher, replay: replay, challenges: challenges)
        endpoint = Endpoint(
            core: core,
            services: .init(
                submission: SubmissionService(core: core), mailbox: MailboxService(core: core),
                deliver: DeliverService(core: core), direct: DirectSubmission(core: core),
                extensions: ExtensionService(core: core, challenges: challenges), tokens: tokens,
                assertions: AssertionService(core: core, publisher: publisher),
                directory: DirectoryService(core: core, publisher: publisher), sessions: sessions,
                passwords: passwords, replay: replay),
            endpointAddresses: Parts.endpointAddresses(configuration))
        gateway = PeerGateway(core: core, publisher: publisher, resolver: resolver, transport: transport)
        clock = seams.deliveryClock ?? Parts.clock(core.clock)
        agent = DeliveryAgent(
            store: core.store, peer: gateway,
            composer: BounceWriter(signer: core.signer, lifetime: Double(configuration.queueDays) * 86_400),
            configuration: Parts.agentConfiguration(configuration), clock: clock,
            metrics: Parts.metrics(core.metrics), logger: core.logger)
    }

    /// Sessions with other domains; closed after the agent has stopped.
    var peers: PeerConnectionPool { gateway.pool }

    /// What a stock stack may write into wsa:To.
    private static func endpointAddresses(_ configuration: ServerConfiguration) -> Set<String> {
        var addresses: Set<String> = []
        for host in [configuration.hostName, configuration.domain.description] {
            for path in [HTTPFront.servicePath, HTTPFront.rsaPath] {
                addresses.insert("https://\(host):\(configuration.listenPort)\(path)")
                if configuration.listenPort == 443 { addresses.insert("https://\(host)\(path)") }
            }
        }
        return addresses
    }

    private static func agentConfiguration(_ configuration: ServerConfiguration) -> AgentConfiguration {
        var settings = AgentConfiguration()
        settings.schedule.first = Double(configuration.retryFirstSeconds)
        settings.schedule.longest = Double(configuration.retryMaxSeconds)
        // A peer that was away is looked for again as soon as its mail would be tried again.
        settings.breaker.pause = min(settings.breaker.pause, settings.schedule.first)
        settings.breaker.longestPause = min(settings.breaker.longestPause, settings.schedule.longest)
        settings.batch.count = configuration.deliveryBatch
        settings.maxCallsPerDestination = configuration.deliveryPerDestination
        settings.maxCalls = configuration.deliveryConcurrency * configuration.deliveryPerDestination
        settings.localDomains = [configuration.domain]
        return settings
    }

    private static func clock(_ now: @escaping @Sendable () -> Date) -> DeliveryClock {
        DeliveryClock(
            now: now,
            sleep: { date in
                let seconds = max(0, date.timeIntervalSince(now()))
                // A cancelled sleep simply ends the wait.
                try? await Task.sleep(for: .seconds(min(seconds, 86_400)))
            })
    }

    private static func metrics(_ metrics: ServerMetrics) -> DeliveryMetrics {
        DeliveryMetrics { event in
            switch event {
            case .settled(.accepted, let count), .settled(.delivered, let count):
                metrics.increment(.deliveries, by: UInt64(count))
            case .settled(.refused, let count): metrics.increment(.deliveriesRefused, by: UInt64(count))
            case .deferred: metrics.increment(.deliveriesDeferred)
            default: break
            }
        }
    }

    /// All services in the order of their start; they stop in the reverse order.
    func services(
        health: HealthReporter, group: any EventLoopGroup, listening: ListeningPort
    ) throws -> [any Service] {
        let configuration = core.configuration
        let transfers = transfers()
        func front(isTLS: Bool) -> HTTPFront {
            HTTPFront(
                endpoint: endpoint, publisher: publisher, health: health, maxBodyBytes: configuration.maxBodyBytes,
                bodyTimeout: .seconds(configuration.requestTimeoutSeconds),
                publicAddress: "https://\(configuration.hostName):\(configuration.listenPort)\(HTTPFront.servicePath)",
                isTLS: isTLS, servesMetrics: !isTLS, files: transfers)
        }
        let logger = core.logger
        var services: [any Service] = [
            Maintenance(
                store: core.store, publisher: publisher, plugins: core.plugins,
                files: FileCollector(blobs: core.files.blobs, store: core.store, logger: logger),
                effects: { [core] run in
                    try PluginMailer(signer: core.signer, configuration: core.configuration).effects(of: run, hops: 0, now: run.now)
                }, clock: core.clock, logger: logger),
            agent,
            FinalDelivery(core: core, clock: clock),
            try HTTPListeners.secure(
                configuration, tls: HTTPListeners.tls(configuration, keys: core.keys), front: front(isTLS: true),
                group: group, logger: logger,
                onRunning: { port in
                    logger.notice("listening", metadata: ["address": "\(configuration.listenAddress)", "port": "\(port)"])
                    await listening.isUp(port: port)
                }),
        ]
        if configuration.metricsPort != 0 {
            services.append(
                HTTPListeners.metrics(
                    configuration, front: front(isTLS: false), group: group, logger: logger, onRunning: { await listening.isUp() }))
        }
        services.insert(admin(group: group), at: 1)
        return services
    }

    private func transfers() -> FileTransfers {
        let metrics = core.metrics
        var transfers = FileTransfers(
            gateway: FileDesk(blobs: core.files.blobs, store: core.store, home: core.domain, clock: core.clock),
            idleLimit: .seconds(core.configuration.requestTimeoutSeconds))
        transfers.count = { direction, bytes in
            metrics.increment(direction == .sent ? .fileBytesSent : .fileBytesReceived, by: UInt64(bytes))
        }
        return transfers
    }

    private func admin(group: any EventLoopGroup) -> any Service {
        let service = AdminService(
            configuration: core.configuration, store: core.store, hooks: hooks(), logger: core.logger, clock: core.clock)
        return AdminSocket(path: core.configuration.adminSocketPath, group: group, logger: core.logger) { request, caller in
            await service.perform(request, by: caller)
        }
    }

    /// How the administrator's acts reach the live parts.
    private func hooks() -> AdminHooks {
        var hooks = AdminHooks()
        let (core, sessions, replay, passwords, publisher) = (core, sessions, replay, passwords, publisher)
        hooks.hashPassword = { try await passwords.hash($0) }
        hooks.sessionsEnded = { ids in
            sessions.forget(ids)
            for id in ids { replay.forget(session: id) }
        }
        hooks.trustChanged = { try await core.trust.reload() }
        hooks.publishMetadata = { try await publisher.publish() }
        let (pool, agent) = (gateway.pool, agent)
        hooks.peerForgotten = { await pool.drop($0) }
        hooks.probePeer = { try await pool.probe($0) }
        hooks.retryWanted = { await agent.resetBreaker($0) }
        hooks.fetchRoots = RootOffer.fetcher(core.configuration, resolver: resolver, transport: transport, clock: core.clock)
        hooks.bounce = { job, reason in
            let failed = job.job.recipients.map { RecipientOutcome(recipient: $0, state: .bounced, reason: reason) }
            let lifetime = Double(core.configuration.queueDays) * 86_400
            return try BounceWriter(signer: core.signer, lifetime: lifetime).bounce(job, failed: failed, now: core.now())
        }
        hooks.files = core.files.blobs
        if let plugins = core.plugins {
            hooks.reconcilePlugins = { try await plugins.reconcile() }
            hooks.pluginStatuses = { await plugins.statuses() }
            hooks.accountRemoved = { try await plugins.accountRemoved($0) }
        }
        let started = DateTime.format(core.now(), milliseconds: false)
        hooks.liveDetails = {
            [
                "server": "running", "started_at": started, "requests_count": "\(core.metrics.value(.requests))",
                "faults_count": "\(core.metrics.value(.faults))",
                "submitted_count": "\(core.metrics.value(.messagesSubmitted))",
                "received_count": "\(core.metrics.value(.messagesReceived))",
            ]
        }
        return hooks
    }
}

extension RootOffer {
    /// Finds a domain's server by DNS and asks what roots it offers.
    static func fetcher(
        _ configuration: ServerConfiguration, resolver: any ServiceResolver, transport: any HTTPTransport,
        clock: @escaping @Sendable () -> Date
    ) -> RootFetcher {
        { domain in
            let policy = AddressPolicy(allowPrivateTargets: configuration.allowPrivateTargets)
            let endpoints = try policy.filter(try await resolver.resolve(domain, now: clock()))
            let destination = ServiceLocator.destination(domain, endpoints, .unproven)
            return try await RootOffer.fetch(domain, at: destination.endpoints, transport: transport).map(\.der)
        }
    }
}
