import Foundation
import Identity
import Logging
import PluginAPI
import PluginEngine
import PluginHost
import PluginPackage
import SQLiteStore

/// Calls through a signed, installed, sandboxed plug-in that does nothing, as a server makes them.
struct PluginCalls {
    let engine: String
    let manifest: String
    let folder: String

    func run(_ count: Int) async throws -> [(String, String)] {
        let mail = try BenchMail()
        let (host, store) = try await BenchHost.with(engine: engine, manifest: manifest, folder: folder, domain: mail.domain)
        let pipeline = host.pipeline
        precondition(pipeline.hasSending && pipeline.hasDelivery, "the plug-in takes no part")
        let facts = try mail.facts()
        let submission = SubmissionEvent(message: facts, recipients: [mail.recipient], identity: nil)
        let delivery = DeliveryEvent(
            eventID: "bench", message: facts, recipient: mail.recipient, hops: 0, domain: mail.domain, postmark: mail.octets)
        var report: [(String, String)] = []
        let sending = try await measure(count) {
            guard case .accepted = await pipeline.submit(submission, in: PluginRun(principal: mail.author, now: mail.now)) else {
                throw PluginError(.failed, "a submission was not accepted")
            }
        }
        report.append(("noop_sending_us", sending))
        let delivering = try await measure(count) {
            guard case .deliver = await pipeline.deliver(delivery, in: PluginRun(principal: mail.recipient, now: mail.now)) else {
                throw PluginError(.failed, "a delivery was not passed")
            }
        }
        report.append(("noop_delivery_us", delivering))
        await host.shutDown()
        await store.close()
        return report
    }

    /// CPU microseconds of one call, all threads.
    private func measure(_ count: Int, _ call: () async throws -> Void) async throws -> String {
        for _ in 0..<max(1, count / 10) { try await call() }
        let before = BenchHost.cpuSeconds()
        for _ in 0..<count { try await call() }
        return String(format: "%.1f", (BenchHost.cpuSeconds() - before) * 1_000_000 / Double(count))
    }
}

enum BenchHost {
    /// A host with no plug-in.
    static func empty(domain: MailDomain) throws -> PluginHost {
        let path = NSTemporaryDirectory() + "wsemail-pluginbench-\(RandomID.hex(6)).sqlite"
        let store = try SQLiteStore(configuration: .init(path: path), logger: logger)
        return host(store, domain: domain) { () throws(PluginError) in throw PluginError(.unavailable, "no engine is needed") }
    }

    /// A host with one installed plug-in.
    static func with(
        engine path: String, manifest: String, folder: String, domain: MailDomain
    ) async throws -> (PluginHost, SQLiteStore) {
        let work = NSTemporaryDirectory() + "wsemail-pluginbench-\(RandomID.hex(6))"
        try PrivateFile.createFolder(work)
        let store = try SQLiteStore(configuration: .init(path: work + "/mail.sqlite"), logger: logger)
        let source = try [UInt8](Data(contentsOf: URL(fileURLWithPath: manifest)))
        let authority = try PublisherAuthority.create(name: "Example Publisher", now: Date())
        let key = PublisherKey()
        let certificate = try authority.issueCodeSigningCertificate(
            publicKey: key.publicKey, publisher: "Example Publisher", now: Date())
        let package = try PackageBuilder.sign(
            PackageBuilder(manifest: source, file: PackageBuilder.folder(folder)).unsigned(), certificatePEM: certificate.pem,
            keyPEM: key.pem, now: Date())
        let makeEngine: @Sendable () throws(PluginError) -> any PluginEngine = { () throws(PluginError) in
            try WasmtimeEngine(library: path, cacheFolder: work + "/cache")
        }
        let manager = PluginManager(
            configuration: configuration(domain), store: store, engine: makeEngine, builtIns: [], logger: logger, clock: { Date() })
        _ = try await manager.addPublisher(pem: authority.certificatePEM, label: "bench", by: "bench")
        _ = try await manager.install(package, grants: nil, allowDowngrade: false, by: "bench")
        let host = host(store, domain: domain, makeEngine)
        _ = try await host.reconcile()
        return (host, store)
    }

    private static func host(
        _ store: SQLiteStore, domain: MailDomain, _ engine: @escaping @Sendable () throws(PluginError) -> any PluginEngine
    ) -> PluginHost {
        PluginHost(
            configuration: configuration(domain), store: store, engine: engine, builtIns: [],
            services: HostServices(lookUp: { _ in .unknown }), logger: logger, clock: { Date() })
    }

    private static func configuration(_ domain: MailDomain) -> PluginHostConfiguration {
        PluginHostConfiguration(serverVersion: PluginVersion(2, 0, 0), domain: domain)
    }

    private static var logger: Logger {
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        return logger
    }

    static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }
}
