import Foundation
import Identity
import PluginAPI
import PluginPackage
import Testing

@testable import PluginEngine
@testable import PluginHost

/// From a module in text to a delivery: the real package format, the real engine.
@Suite struct SignedModuleTests {
    private static func library() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path =
            ProcessInfo.processInfo.environment["WSEMAIL_WASMTIME"]
            ?? root.appendingPathComponent(".build-wasmtime/libwasmtime.so").path
        try #require(FileManager.default.fileExists(atPath: path), "no libwasmtime at \(path): run scripts/test")
        return path
    }

    private static let manifest = """
        <PluginPackage xmlns="urn:wsemail:2">
          <Manifest>
            <Identifier>org.example.first</Identifier> <Version>1.0.0</Version> <Title>First</Title>
            <Summary>Files the first message, eats the others.</Summary> <Publisher>Example Ltd</Publisher>
          </Manifest>
          <Plugin name="first" kind="server">
            <Summary>A test.</Summary> <Role name="delivery" priority="500"/> <Role name="resolver" priority="500"/>
            <Capability>key-value</Capability> <Capability>send</Capability>
            <FailurePolicy>closed</FailurePolicy>
            <Module file="first.wasm"/>
          </Plugin>
        </PluginPackage>
        """

    private static let notice = OutgoingMessage(to: [Sample.ann], subject: "The first", text: "It came.\n")

    /// At the first delivery it sends a notice and files; later it consumes; as a resolver it never ends.
    private static var text: String {
        func data(_ octets: [UInt8]) -> String { octets.map { "\\" + Hex.encode([$0]) }.joined() }
        let describe = DescriptionFrame(roles: [.delivery, .resolver]).octets
        let file = VerdictFrames.encode(DeliveryVerdict.file(folder: "First", flags: [.seen]))
        let consume = VerdictFrames.encode(DeliveryVerdict.consume)
        func answer(_ at: Int, _ octets: [UInt8]) -> String { "(i64.const \(at << 32 | octets.count))" }
        return """
            (module
              (import "wsemail" "kv_get" (func $get (param i32 i32) (result i64)))
              (import "wsemail" "kv_set" (func $set (param i32 i32 i32 i32) (result i32)))
              (import "wsemail" "send" (func $send (param i32 i32) (result i32)))
              (memory (export "memory") 2)
              (global $next (mut i32) (i32.const 8192))
              (data (i32.const 16) "n")
              (data (i32.const 64) "\(data(describe))")
              (data (i32.const 512) "\(data(file))")
              (data (i32.const 1024) "\(data(consume))")
              (data (i32.const 2048) "\(data(notice.frame))")
              (func (export "alloc") (param $n i32) (result i32)
                (global.set $next (i32.add (global.get $next) (local.get $n)))
                (i32.sub (global.get $next) (local.get $n)))
              (func (export "dealloc") (param i32))
              (func (export "describe") (result i64) \(answer(64, describe)))
              (func (export "handle") (param $kind i32) (param $at i32) (param $count i32) (result i64)
                (local $known i64)
                (if (i32.eq (local.get $kind) (i32.const 4)) (then (loop $again (br $again))))
                (local.set $known (call $get (i32.const 16) (i32.const 1)))
                (drop (call $set (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 1)))
                (if (i64.ne (local.get $known) (i64.const 0)) (then (return \(answer(1_024, consume)))))
                (drop (call $send (i32.const 2048) (i32.const \(notice.frame.count))))
                \(answer(512, file))))
            """
    }

    @Test func `a signed module is installed, works, is stopped when it never ends, and goes with its publisher`() async throws {
        let library = try Self.library()
        let engine: @Sendable () throws(PluginError) -> any PluginEngine = { () throws(PluginError) in
            try WasmtimeEngine(library: library, cacheFolder: nil)
        }
        let module = try WasmtimeEngine(library: library, cacheFolder: nil).assemble(Self.text)
        let store = MemoryPluginStore()
        var configuration = PluginHostConfiguration(serverVersion: PluginVersion(1, 0, 0), domain: try MailDomain("example.org"))
        configuration.defaultLimits.seconds = 10
        let clock: @Sendable () -> Date = { HostWorld.now }
        let manager = PluginManager(
            configuration: configuration, store: store, engine: engine, builtIns: [], logger: HostWorld.quiet, clock: clock)
        let host = PluginHost(
            configuration: configuration, store: store, engine: engine, builtIns: [],
            services: HostServices { _ throws(PluginError) in .unknown }, logger: HostWorld.quiet, clock: clock)

        let authority = try PublisherAuthority.create(name: "Example Ltd", now: clock())
        let key = PublisherKey()
        let certificate = try authority.issueCodeSigningCertificate(publicKey: key.publicKey, publisher: "Example Ltd", now: clock())
        let unsigned = try PackageBuilder(manifest: Array(Self.manifest.utf8)) { _ in module }.unsigned()
        let package = try PackageBuilder.sign(unsigned, certificatePEM: certificate.pem, keyPEM: key.pem, now: clock())

        let grants: Set<PluginCapability> = [.keyValue, .send]
        func install(_ octets: [UInt8]) async throws -> InstallReport {
            try await manager.install(octets, grants: grants, allowDowngrade: false, by: "root")
        }
        await #expect(throws: PluginError.self) { try await install(package) }
        let publisher = try await manager.addPublisher(pem: authority.certificatePEM, label: "", by: "root")
        #expect(publisher.label == publisher.name && !publisher.label.isEmpty)
        await #expect(throws: PluginError.self) { try await install(unsigned) }
        var tampered = package
        tampered[tampered.count / 2] ^= 1
        await #expect(throws: PluginError.self) { try await install(tampered) }
        #expect(try await install(package).plugins == [Sample.plugin("org.example.first/first")])

        #expect(try await host.reconcile().map(\.state) == [.active])
        let run = Sample.run()
        let event = try Sample.delivery()
        #expect(await host.pipeline.deliver(event, in: run) == .deliver(folder: "First", flags: [.seen]))
        #expect(run.messages.map(\.message) == [Self.notice])
        #expect(try await store.commit(.init(checks: run.checks, writes: run.writes), now: clock()))
        #expect(try await !store.commit(.init(checks: run.checks, writes: run.writes), now: clock()))
        let plugin = Sample.plugin("org.example.first/first")
        #expect(await host.pipeline.deliver(event, in: Sample.run()) == .consumed(by: plugin))

        try await manager.setLimits("org.example.first", PluginLimits(seconds: 0.1))
        _ = try await host.reconcile()
        guard case .unavailable(let reason, plugin) = await host.pipeline.resolve(Sample.bob, in: Sample.run()) else {
            return #expect(Bool(false))
        }
        #expect(reason.hasPrefix("timedOut"))

        try await manager.revokeCertificate(fingerprint: certificate.fingerprint, reason: "stolen")
        guard case .failed(let why)? = try await host.reconcile().first?.state else { return #expect(Bool(false)) }
        #expect(why.contains("revoked"))
        #expect(host.pipeline.hasDelivery)
        try await manager.removePublisher(fingerprint: publisher.fingerprint)
        #expect(try await manager.publishers().isEmpty)
        await #expect(throws: PluginError.self) { try await manager.removePublisher(fingerprint: publisher.fingerprint) }
        #expect(try await manager.revocations().map(\.reason) == ["stolen"])
        await host.shutDown()
    }
}
