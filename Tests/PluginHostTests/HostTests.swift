import Foundation
import Identity
import PluginAPI
import Testing

@testable import PluginHost

/// What runs, and why something does not.
@Suite struct HostTests {
    @Test func `a running plug-in is kept until something about it changes`() async throws {
        let log = CallLog()
        let setting = SettingDeclaration(name: "folder", preset: "x", explanation: "")
        let descriptor = Sample.descriptor("a.x/a", roles: [.delivery: 1], capabilities: [.clock], settings: [setting])
        let world = try HostWorld([Sample.builtIn(descriptor, log: log)])
        func starts() async throws -> Int {
            _ = try await world.host.reconcile()
            return log.count("start a.x/a")
        }
        #expect(try await starts() == 1)
        #expect(try await starts() == 1)
        try await world.manager.setPriority("a.x", role: .delivery, to: 7)
        try await world.manager.setPolicy("a.x", .closed)
        #expect(try await starts() == 1)
        try await world.manager.setSetting("a.x", "folder", "y")
        #expect(try await starts() == 2)
        try await world.manager.grant("a.x", [.clock])
        #expect(try await starts() == 3)
        try await world.manager.setLimits("a.x", PluginLimits(seconds: 3))
        #expect(try await starts() == 4)
        try await world.manager.setEnabled("a.x", false)
        #expect(try await starts() == 4)
        await world.host.shutDown()
        #expect(log.count("stop a.x/a") == 4)
    }

    @Test func `a plug-in that was replaced ends after its last call, and an event keeps the pipeline it began with`() async throws {
        let (log, latch) = (CallLog(), Latch())
        let began = AsyncStream<Void>.makeStream()
        let script = PluginScript(delivery: { _, _ in
            began.continuation.yield()
            await latch.wait()
            return .file(folder: "Old", flags: [])
        })
        let world = try HostWorld([Sample.builtIn(Sample.descriptor("a.x/a", roles: [.delivery: 1]), script, log: log)])
        _ = try await world.host.reconcile()
        let event = try Sample.delivery()
        async let outcome = world.host.pipeline.deliver(event, in: Sample.run())
        var started = began.stream.makeAsyncIterator()
        _ = await started.next()
        try await world.manager.setLoaded("a.x", false)
        #expect(try await world.state("a.x/a") == .unloaded)
        #expect(await world.host.pipeline.deliver(event, in: Sample.run()) == .deliver(folder: nil, flags: []))
        #expect(log.count("stop a.x/a") == 0)
        latch.open()
        #expect(await outcome == .deliver(folder: "Old", flags: []))
        await world.host.shutDown()
        #expect(log.all == ["start a.x/a", "call a.x/a", "stop a.x/a"])
    }

    @Test func `the configuration's list decides until the administrator says something, also after a restart`() async throws {
        let plugins = ["a.x/a", "b.x/b", "c.x/c"].map { Sample.builtIn(Sample.descriptor($0, roles: [.delivery: 1])) }
        let world = try HostWorld(plugins) { $0.loadAtStart = ["a.x/a", "b.x"] }
        func active(_ host: PluginHost) async throws -> [String] {
            try await host.reconcile().filter { $0.state == .active }.map(\.identifier.package)
        }
        #expect(try await active(world.host) == ["a.x", "b.x"])
        try await world.manager.setLoaded("b.x", false)
        try await world.manager.setLoaded("c.x/c", true)
        #expect(try await active(world.host) == ["a.x", "c.x"])
        #expect(try await active(world.restarted()) == ["a.x", "c.x"])
    }

    @Test func `what is compiled in is off unless it is asked for, packages are on`() async throws {
        let world = try HostWorld([Sample.builtIn(Sample.descriptor("a.x/a", roles: [.delivery: 1]))]) { $0.loadAtStart = nil }
        _ = try await world.manager.install(FakePackage("b.x/b").octets, grants: nil, allowDowngrade: false, by: "root")
        #expect(try await world.host.reconcile().map(\.state) == [.unloaded, .active])
    }

    @Test func `of two that claim one identifier the earlier keeps it`() async throws {
        let descriptor = Sample.descriptor("c.x/c", roles: [.extension: 1], extensions: ["urn:x"])
        let world = try HostWorld([Sample.builtIn(descriptor)])
        let package = FakePackage("a.x/a", roles: [.extension: 1], extensions: ["urn:x"], module: "echo")
        _ = try await world.manager.install(package.octets, grants: nil, allowDowngrade: false, by: "root")
        try await world.manager.setLoaded("a.x", true)
        #expect(
            try await world.state("a.x/a") == .failed("urn:x belongs to c.x/c, which was installed earlier"))
        let pipeline = world.host.pipeline
        let answer = await pipeline.answer(Sample.call(), caller: .user, in: Sample.run())
        #expect(answer == .answered(Array("<a/>".utf8), by: Sample.plugin("c.x/c")))
        try await world.manager.setLoaded("c.x", false)
        #expect(try await world.state("a.x/a") == .active)
        let other = await world.host.pipeline.answer(Sample.call(), caller: .user, in: Sample.run())
        #expect(other == .answered(Array("<a/>".utf8), by: Sample.plugin("a.x/a")))
    }

    @Test func `a plug-in that does not start is reported, and mail waits for it if it is fail-closed`() async throws {
        struct Oops: Error {}
        let script = PluginScript(start: { _ in throw Oops() })
        let plugins = [
            Sample.builtIn(Sample.descriptor("a.x/a", roles: [.resolver: 1, .sending: 1], policy: .closed), script),
            Sample.builtIn(Sample.descriptor("b.x/b", roles: [.delivery: 1]), script),
        ]
        let world = try HostWorld(plugins)
        #expect(try await world.host.reconcile().map(\.state) == [.failed("Oops()"), .failed("Oops()")])
        let pipeline = world.host.pipeline
        #expect(pipeline.hasSending && pipeline.hasResolvers && !pipeline.hasDelivery)
        #expect(
            await pipeline.submit(Sample.submission, in: Sample.run())
                == .unavailable(reason: "failed: Oops()", plugin: Sample.plugin("a.x/a")))
        #expect(
            await pipeline.resolve(Sample.bob, in: Sample.run()) == .unavailable(reason: "failed: Oops()", by: Sample.plugin("a.x/a")))
    }

    @Test func `what runs programs needs that granted`() async throws {
        let descriptor = Sample.descriptor("a.x/a", roles: [.delivery: 1], capabilities: [.subprocess])
        let world = try HostWorld([Sample.builtIn(descriptor)])
        #expect(try await world.state("a.x/a") == .failed("it runs programs: grant it \"subprocess\" first"))
        try await world.manager.grant("a.x/a", [.subprocess])
        #expect(try await world.state("a.x/a") == .active)
    }

    @Test func `a sandboxed plug-in works in all its roles with its settings and values`() async throws {
        let world = try HostWorld()
        let setting = SettingDeclaration(name: "folder", preset: "Preset", explanation: "")
        let echo = FakePackage(
            "a.x/echo", roles: [.delivery: 1, .extension: 1], extensions: ["urn:x"], settings: [setting], module: "echo")
        let count = FakePackage("b.x/count", roles: [.delivery: 2], capabilities: [.keyValue], module: "count")
        _ = try await world.manager.install(echo.octets, grants: nil, allowDowngrade: false, by: "root")
        _ = try await world.manager.install(count.octets, grants: [.keyValue], allowDowngrade: false, by: "root")
        try await world.manager.setEnabled("b.x", false)
        _ = try await world.host.reconcile()
        let event = try Sample.delivery()
        #expect(await world.host.pipeline.deliver(event, in: Sample.run()) == .deliver(folder: "Preset", flags: []))
        try await world.manager.setSetting("a.x", "folder", "Own")
        try await world.manager.setEnabled("b.x", true)
        try await world.manager.setPriority("a.x", role: .delivery, to: 9)
        _ = try await world.host.reconcile()
        #expect(await world.host.pipeline.deliver(event, in: Sample.run()) == .deliver(folder: "Own", flags: []))
        try await world.manager.setEnabled("a.x", false)
        _ = try await world.host.reconcile()
        for expected in ["0 0", "1 1", "2 1"] {
            let run = Sample.run()
            #expect(await world.host.pipeline.deliver(event, in: run) == .deliver(folder: expected, flags: []))
            #expect(try await world.store.commit(.init(checks: run.checks, writes: run.writes), now: HostWorld.now))
        }
        let status = try #require(await world.host.statuses().first { $0.identifier.package == "b.x" })
        #expect(status.storage.count == 1 && status.metrics.calls == 4 && status.health == .healthy)
    }

    @Test(arguments: ["trap", "nonsense"]) func `a module that traps or answers nonsense fails its call only`(_ module: String) async throws
    {
        let world = try HostWorld()
        _ = try await world.manager.install(
            FakePackage("a.x/a", policy: .closed, module: module).octets, grants: nil, allowDowngrade: false, by: "root")
        _ = try await world.host.reconcile()
        let outcome = await world.host.pipeline.deliver(try Sample.delivery(), in: Sample.run())
        guard case .unavailable = outcome else { return #expect(Bool(false)) }
        #expect(await world.host.statuses()[0].metrics.failures == 1)
    }

    @Test func `an installed package is judged as of its installation, and a revocation takes it out`() async throws {
        let world = try HostWorld()
        var package = FakePackage("a.x/a")
        package.notAfter = HostWorld.now + 1
        package.certificate = String(repeating: "ab", count: 32)
        _ = try await world.manager.install(package.octets, grants: nil, allowDowngrade: false, by: "root")
        #expect(try await world.state("a.x/a") == .active)
        #expect(world.engine.compilations == 2)
        #expect(try await world.state("a.x/a") == .active)
        #expect(world.engine.compilations == 2)
        try await world.manager.revokeCertificate(fingerprint: Fingerprint(package.certificate), reason: "stolen")
        #expect(try await world.state("a.x/a") == .failed("the certificate is revoked"))
        #expect(!world.host.pipeline.hasDelivery)
    }

    @Test func `a capability taken back closes the module that needs it`() async throws {
        let world = try HostWorld()
        let package = FakePackage("a.x/a", capabilities: [.keyValue], module: "count")
        _ = try await world.manager.install(package.octets, grants: [.keyValue], allowDowngrade: false, by: "root")
        #expect(try await world.state("a.x/a") == .active)
        try await world.manager.revoke("a.x", [.keyValue])
        #expect(try await world.state("a.x/a") == .failed("the module imports kv_get"))
    }

    @Test func `a store that fails leaves everything as it was`() async throws {
        let world = try HostWorld([Sample.builtIn(Sample.descriptor("a.x/a", roles: [.delivery: 1]))])
        _ = try await world.host.reconcile()
        let generation = world.host.pipeline.generation
        world.store.isBroken = true
        let error = await #expect(throws: PluginError.self) { try await world.host.reconcile() }
        #expect(error?.code == .storage)
        #expect(world.host.pipeline.generation == generation && world.host.pipeline.hasDelivery)
        #expect(await world.host.statuses().map(\.state) == [.active])
    }

    @Test func `a package in the store that is not what was installed does not run`() async throws {
        let world = try HostWorld()
        _ = try await world.manager.install(FakePackage("a.x/a").octets, grants: nil, allowDowngrade: false, by: "root")
        let record = try #require(try await world.store.packages().first)
        try await world.store.installPackage(record, octets: FakePackage("a.x/a", module: "trap").octets)
        #expect(try await world.state("a.x/a") == .failed("the package in the store is not the one that was installed"))
    }
}
