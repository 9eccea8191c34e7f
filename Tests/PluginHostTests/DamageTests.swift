import Foundation
import PluginAPI
import Testing

@testable import PluginHost

/// What is kept about a package is damaged: its plug-ins must not vanish.
@Suite struct DamageTests {
    private let name = "a.x/a"

    private func world() async throws -> HostWorld {
        let world = try HostWorld()
        let package = FakePackage(name)
        _ = try await world.manager.install(package.octets, grants: nil, allowDowngrade: false, by: "test")
        #expect(try await world.state(name) == .active)
        return world
    }

    private func deliver(_ world: HostWorld) async throws -> DeliveryOutcome {
        await world.host.pipeline.deliver(try Sample.delivery(), in: Sample.run())
    }

    private func damage(_ world: HostWorld, _ change: (String) -> String) async throws {
        let state = try #require(try await world.store.packages().first).state
        _ = try await world.store.setPackageState("a.x", to: Array(change(String(decoding: state, as: UTF8.self)).utf8))
    }

    @Test(arguments: [("\"highest\"", "\"hi\""), ("\"format\":1", "\"format\":2")])
    func `of a state that can be read in part the plug-ins stay, failed and closed`(old: String, new: String) async throws {
        let world = try await world()
        try await damage(world) { $0.replacingOccurrences(of: old, with: new) }
        guard case .failed? = try await world.state(name) else { return #expect(Bool(false)) }
        guard case .unavailable(_, Sample.plugin(name)) = try await deliver(world) else { return #expect(Bool(false)) }
        let listed = try await world.manager.list()
        guard case .failed = listed[0].state else { return #expect(Bool(false)) }
        #expect(listed.map(\.policy) == [.closed])
        let isNewer = new.contains("2")
        if isNewer {
            await #expect(throws: PluginError.self) { try await world.manager.remove("a.x", deletingValues: true) }
        } else {
            try await world.manager.remove("a.x", deletingValues: false)
            #expect(try await world.state(name) == .removed)
            #expect(try await deliver(world) == .deliver(folder: nil, flags: []))
            // Its publisher stays known.
            var stranger = FakePackage(name, version: "2.0.0")
            stranger.publisher = "Somebody"
            let octets = try stranger.octets
            await #expect(throws: PluginError.self) {
                try await world.manager.install(octets, grants: nil, allowDowngrade: false, by: "test")
            }
        }
    }

    @Test func `where nothing can be read mail waits, until the package is removed with its values`() async throws {
        let world = try await world()
        try await damage(world) { _ in "{" }
        guard case .failed? = try await world.state("a.x/unreadable") else { return #expect(Bool(false)) }
        guard case .unavailable = try await deliver(world) else { return #expect(Bool(false)) }
        guard case .unavailable = await world.host.pipeline.submit(Sample.submission, in: Sample.run()) else {
            return #expect(Bool(false))
        }
        await #expect(throws: PluginError.self) { try await world.manager.remove("a.x", deletingValues: false) }
        try await world.manager.remove("a.x", deletingValues: true)
        _ = try await world.host.reconcile()
        #expect(try await deliver(world) == .deliver(folder: nil, flags: []))
        #expect(!world.host.pipeline.hasSending)
    }

    @Test func `what is compiled in stays closed until the administrator says something new`() async throws {
        let builtIn = Sample.builtIn(Sample.descriptor(name, roles: [.delivery: 1]))
        let world = try HostWorld([builtIn])
        try await world.manager.setEnabled(name, true)
        try await damage(world) { _ in "{" }
        guard case .failed? = try await world.state(name) else { return #expect(Bool(false)) }
        guard case .unavailable = try await deliver(world) else { return #expect(Bool(false)) }
        try await world.manager.setLoaded(name, false)
        #expect(try await world.state(name) == .unloaded)
        #expect(try await deliver(world) == .deliver(folder: nil, flags: []))
    }
}
