import Foundation
import Identity
import MailStore
import PluginAPI
import Testing

@testable import PluginHost

/// The administrator's acts.
@Suite struct ManagerTests {
    private let world: HostWorld
    private var manager: PluginManager { world.manager }

    init() throws { world = try HostWorld() }

    @discardableResult private func install(
        _ package: FakePackage, grants: Set<PluginCapability>? = nil, downgrade: Bool = false
    ) async throws -> InstallReport {
        try await manager.install(package.octets, grants: grants, allowDowngrade: downgrade, by: "root")
    }

    private func refused(
        _ words: String, location: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: PluginError.self, sourceLocation: location) { try await body() }
        #expect(error?.reason.contains(words) == true, "\(String(describing: error))", sourceLocation: location)
    }

    private func status(_ plugin: String) async throws -> PluginStatus {
        try #require(try await manager.list().first { $0.identifier.description == plugin })
    }

    @Test func `a package without wishes installs at once, and again changes nothing`() async throws {
        let report = try await install(FakePackage("a.x/a"))
        #expect(report.package == "a.x" && report.previous == nil && !report.isUnchanged && report.notLoaded.isEmpty)
        #expect(report.summary == "a.x 1.0.0 of Example Ltd is installed")
        let before = try await world.store.packages()
        #expect(try await install(FakePackage("a.x/a")).isUnchanged)
        #expect(try await world.store.packages() == before)
        let status = try await status("a.x/a")
        #expect(status.state == .notRunning && status.publisher == "Example Ltd" && status.title == "A package")
    }

    @Test func `what a package asks for must be granted`() async throws {
        let package = FakePackage("a.x/a", capabilities: [.keyValue, .content])
        await refused("a.x asks for content, key-value: repeat with --grant content,key-value") { try await install(package) }
        await refused("key-value") { try await install(package, grants: [.content]) }
        #expect(try await manager.list().isEmpty)
        let report = try await install(package, grants: [.content, .keyValue, .send])
        #expect(report.granted == [Sample.plugin("a.x/a"): [.content, .keyValue]])
    }

    @Test func `an upgrade asks again for what is new, and leaves what was taken back`() async throws {
        try await install(FakePackage("a.x/a", capabilities: [.keyValue, .content]), grants: [.keyValue, .content])
        try await manager.revoke("a.x", [.content])
        let upgrade = FakePackage("a.x/a", version: "1.1.0", capabilities: [.keyValue, .content, .send])
        await refused("version 1.1.0 also asks for send: repeat with --grant send") { try await install(upgrade) }
        #expect(try await status("a.x/a").version == PluginVersion(1, 0, 0))
        let report = try await install(upgrade, grants: [.send])
        #expect(report.previous == PluginVersion(1, 0, 0) && report.summary == "a.x 1.1.0 is installed instead of 1.0.0")
        #expect(try await status("a.x/a").granted == [.keyValue, .send])
        let fewer = FakePackage("a.x/a", version: "1.2.0", capabilities: [.clock])
        try await install(fewer, grants: [.clock])
        #expect(try await status("a.x/a").granted == [.clock])
    }

    @Test func `no older version comes back unseen, not even after a removal`() async throws {
        try await install(FakePackage("a.x/a", version: "2.0.0"))
        let old = FakePackage("a.x/a", version: "1.9.0")
        await refused("older than version 2.0.0 of a.x") { try await install(old) }
        await refused("another file of version 2.0.0") { try await install(FakePackage("a.x/a", version: "2.0.0", module: "trap")) }
        try await manager.remove("a.x", deletingValues: false)
        #expect(try await status("a.x/a").state == .removed)
        await refused("--allow-downgrade") { try await install(old) }
        #expect(try await install(FakePackage("a.x/a", version: "2.0.0")).previous == nil)
        try await install(old, downgrade: true)
        #expect(try await install(old).isUnchanged)
        await refused("older than version 2.0.0") { try await install(FakePackage("a.x/a", version: "1.9.5")) }
        try await install(FakePackage("a.x/a", version: "2.0.1"))
    }

    @Test func `only its publisher may upgrade a package, until it is removed with all it kept`() async throws {
        try await install(FakePackage("a.x/a"))
        var other = FakePackage("a.x/a", version: "2.0.0")
        other.publisher = "Mallory"
        await refused("belongs to \"Example Ltd\", not to \"Mallory\"") { try await install(other) }
        other.publisher = "Example Ltd"
        other.anchor = "another"
        await refused("remove the package with its values first") { try await install(other) }
        try await manager.remove("a.x", deletingValues: false)
        await refused("belongs to") { try await install(other) }
        try await manager.remove("a.x", deletingValues: true)
        try await install(other)
    }

    @Test func `a package that cannot run here is refused at once`() async throws {
        await refused("a.x/a cannot run here: the module is damaged") { try await install(FakePackage("a.x/a", module: "damaged")) }
        await refused("does not take the roles of its manifest: delivery") { try await install(FakePackage("a.x/a", module: "silent")) }
        var late = FakePackage("a.x/a")
        late.minimumServer = "1.0.1"
        await refused("needs version 1.0.1 of the server: upgrade the server first") { try await install(late) }
        await refused("which no package can have") {
            try await install(FakePackage("a.x/a", capabilities: [.subprocess]), grants: [.subprocess])
        }
        var expired = FakePackage("a.x/a")
        expired.notAfter = HostWorld.now
        await refused("expired") { try await install(expired) }
        await refused("no package") { _ = try await manager.install([1, 2], grants: nil, allowDowngrade: false, by: "root") }
        #expect(try await world.store.packages().isEmpty)
    }

    @Test func `a package cannot take the place of something compiled in`() async throws {
        let world = try HostWorld([Sample.builtIn(Sample.descriptor("a.x/a", roles: [.delivery: 1]))])
        await refused("compiled into the server") {
            _ = try await world.manager.install(FakePackage("a.x/b").octets, grants: nil, allowDowngrade: false, by: "root")
        }
        await refused("unload it instead") { try await world.manager.remove("a.x", deletingValues: true) }
    }

    @Test func `something compiled in is loaded only with all it needs`() async throws {
        let descriptor = Sample.descriptor("a.x/a", roles: [.delivery: 1], capabilities: [.subprocess])
        let world = try HostWorld([Sample.builtIn(descriptor)]) { $0.loadAtStart = [] }
        await refused("it needs subprocess: grant that first") { try await world.manager.setLoaded("a.x", true) }
        try await world.manager.grant("a.x", [.subprocess])
        try await world.manager.setLoaded("a.x", true)
        try await world.manager.setLoaded("a.x", true)
        #expect(try await world.state("a.x/a") == .active)
    }

    @Test func `the administrator's words survive an upgrade as far as they mean something`() async throws {
        let settings = [
            SettingDeclaration(name: "reply", preset: "Away", explanation: ""),
            SettingDeclaration(name: "user.*", preset: "", explanation: ""),
        ]
        try await install(FakePackage("a.x/a", roles: [.delivery: 5, .sending: 5], settings: settings))
        try await manager.setPriority("a.x", role: .delivery, to: 1)
        try await manager.setPriority("a.x", role: .sending, to: 2)
        try await manager.setSetting("a.x", "reply", "Gone")
        try await manager.setSetting("a.x", "user.ann", "x")
        try await manager.setPolicy("a.x", .closed)
        try await manager.setEnabled("a.x", false)
        try await install(
            FakePackage("a.x/a", version: "2.0.0", roles: [.delivery: 5, .extension: 6], settings: [settings[1]]), grants: [])
        let status = try await status("a.x/a")
        #expect(status.roles == [.delivery: 1, .extension: 6])
        #expect(status.settings == ["user.ann": "x"])
        #expect(status.policy == .closed && status.state == .disabled)
    }

    @Test func `settings are those declared, and presets come back`() async throws {
        let settings = [
            SettingDeclaration(name: "reply", preset: "Away", explanation: ""),
            SettingDeclaration(name: "user.*", preset: "", explanation: ""),
        ]
        try await install(FakePackage("a.x/a", settings: settings))
        #expect(try await status("a.x/a").settings == ["reply": "Away"])
        try await manager.setSetting("a.x/a", "reply", String(repeating: "x", count: 8_192))
        try await manager.setSetting("a.x/a", "reply", "Gone")
        #expect(try await status("a.x/a").settings == ["reply": "Gone"])
        try await manager.setSetting("a.x/a", "reply", nil)
        #expect(try await status("a.x/a").settings == ["reply": "Away"])
        await refused("it has reply, user.*") { try await manager.setSetting("a.x", "color", "red") }
        await refused("no setting") { try await manager.setSetting("a.x", "user.", "x") }
        await refused("no setting") { try await manager.setSetting("a.x", "user.Ann", "x") }
        await refused("at most 8192") { try await manager.setSetting("a.x", "reply", String(repeating: "x", count: 8_193)) }
        for index in 0..<200 { try await manager.setSetting("a.x", "user.\(index)", "x") }
        await refused("at most 200 settings") { try await manager.setSetting("a.x", "user.200", "x") }
    }

    @Test func `limits, priorities and policies stay within their bounds`() async throws {
        try await install(FakePackage("a.x/a"))
        for limits in [
            PluginLimits(seconds: 0.01), PluginLimits(seconds: 60), PluginLimits(memoryMegabytes: 1),
            PluginLimits(memoryMegabytes: 1_024), PluginLimits(concurrency: 1), PluginLimits(concurrency: 64), PluginLimits(),
        ] {
            try await manager.setLimits("a.x", limits)
            #expect(try await status("a.x/a").limits == limits)
        }
        for limits in [
            PluginLimits(seconds: 0.009), PluginLimits(seconds: 61), PluginLimits(seconds: .nan), PluginLimits(memoryMegabytes: 0),
            PluginLimits(memoryMegabytes: 1_025), PluginLimits(concurrency: 0), PluginLimits(concurrency: 65),
        ] { await refused(", not ") { try await manager.setLimits("a.x", limits) } }
        for priority in [0, 1_000] { try await manager.setPriority("a.x", role: .delivery, to: priority) }
        for priority in [-1, 1_001] { await refused("0 (first)") { try await manager.setPriority("a.x", role: .delivery, to: priority) } }
        await refused("only delivery") { try await manager.setPriority("a.x", role: .sending, to: 1) }
        try await manager.setPolicy("a.x", .closed)
        #expect(try await status("a.x/a").policy == .closed)
        try await manager.setPolicy("a.x", nil)
        #expect(try await status("a.x/a").policy == .open)
        try await manager.setLimits("a.x", PluginLimits(seconds: 2, memoryMegabytes: 3, concurrency: 5))
        let limits = try await status("a.x/a").effectiveLimits
        #expect(limits.seconds == 2 && limits.memory == 3 << 20 && limits.concurrency == 5)
    }

    @Test func `grants are of what is asked for`() async throws {
        try await install(FakePackage("a.x/a", capabilities: [.clock]), grants: [.clock])
        await refused("does not ask for send; it asks for clock") { try await manager.grant("a.x", [.clock, .send]) }
        try await manager.revoke("a.x", [.clock, .send])
        #expect(try await status("a.x/a").granted.isEmpty)
        try await install(FakePackage("a.x/a", capabilities: [.clock]), grants: [.clock])
        #expect(try await status("a.x/a").granted == [.clock])
    }

    @Test func `a package of several plug-ins needs their names, and a client's form is listed only`() async throws {
        var package = FakePackage("a.x/a")
        package.members += FakePackage("a.x/b").members
        package.members.append(.init(descriptor: Sample.descriptor("a.x/form", roles: [:]), module: nil))
        try await install(package)
        await refused("name one of a.x/a, a.x/b") { try await manager.setEnabled("a.x", false) }
        try await manager.setEnabled("a.x/b", false)
        let states = try await world.host.reconcile().map(\.state)
        #expect(states == [.active, .disabled, .notRunning])
        await refused("there is no plug-in \"a.x/form\"") { try await manager.setEnabled("a.x/form", false) }
        await refused("wsemaild plugin list") { try await manager.setLoaded("nobody", true) }
    }

    @Test func `removing forgets grants, and values if asked to`() async throws {
        let package = FakePackage("a.x/a", capabilities: [.keyValue])
        try await install(package, grants: [.keyValue])
        let write = PluginValueWrite(plugin: "a.x/a", key: [1], value: [2])
        _ = try await world.store.commit(PluginEffects(writes: [write]), now: HostWorld.now)
        try await manager.remove("a.x", deletingValues: false)
        try await manager.remove("a.x", deletingValues: false)
        #expect(try await status("a.x/a").storage.count == 1)
        await refused("asks for key-value") { try await install(package) }
        try await manager.remove("a.x", deletingValues: true)
        #expect(try await status("a.x/a").storage.count == 0)
        await refused("there is no plug-in") { try await manager.setEnabled("a.x", true) }
        await refused("there is no package") { try await manager.remove("b.x", deletingValues: false) }
    }

    @Test func `what a newer server kept is left alone`() async throws {
        try await install(FakePackage("a.x/a"))
        let record = try #require(try await world.store.packages().first)
        var json = try #require(try JSONSerialization.jsonObject(with: Data(record.state)) as? [String: Any])
        json["format"] = 2
        _ = try await world.store.setPackageState("a.x", to: Array(try JSONSerialization.data(withJSONObject: json)))
        let newer = PluginStatus.State.failed("it was installed by a newer version of the server")
        #expect(try await manager.list().map(\.state) == [newer])
        await refused("newer version of the server") { try await install(FakePackage("a.x/a", version: "2.0.0")) }
        #expect(try await world.host.reconcile().map(\.state) == [newer])
    }

    @Test func `acts at the same time do not undo each other`() async throws {
        let setting = SettingDeclaration(name: "s.*", preset: "", explanation: "")
        try await install(FakePackage("a.x/a", settings: [setting]))
        let manager = manager
        try await withThrowingTaskGroup { group in
            for index in 0..<50 { group.addTask { try await manager.setSetting("a.x", "s.\(index)", "x") } }
            try await group.waitForAll()
        }
        #expect(try await status("a.x/a").settings.count == 50)
    }
}
