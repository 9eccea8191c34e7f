import Foundation
import Identity
import MailModel
import MailStore
import TestSupport
import Testing

@testable import MailServer

/// The administrator at work while mail flows.
struct FlowYard: Sendable {
    let domains: TwoDomains
    let workshop: PluginWorkshop

    /// Where each example works, with what it may use and one of its roles.
    private struct Example: Sendable {
        let name: String
        let isAtScopio: Bool
        let grant: String?
        let role: String
        var identifier: String { "org.example.\(name)" }
    }

    private static let examples = [
        Example(name: "attachment-policy", isAtScopio: false, grant: nil, role: "sending"),
        Example(name: "marker", isAtScopio: false, grant: "key-value", role: "sending"),
        Example(name: "filter", isAtScopio: true, grant: "content,key-value", role: "delivery"),
        Example(name: "vacation", isAtScopio: true, grant: "clock,key-value,send", role: "delivery"),
        Example(name: "marker", isAtScopio: true, grant: "key-value", role: "delivery"),
        Example(name: "role-mapper", isAtScopio: true, grant: nil, role: "resolver"),
    ]

    /// The compiled-in bridge to a program of this machine.
    private static let bridge = "org.wsemail.builtin/bridge"
    /// Where the bridge's program writes a line for each event.
    var bridgeFile: String { domains.scopio.configuration.dataDirectory + "/bridge.jsonl" }

    private func startBridge() async throws {
        let scopio = domains.scopio
        let program = PluginWorkshop.examples + "/bridge/webhook.py"
        let settings = ["command": "/usr/bin/python3", "argument.1": program, "argument.2": "--file", "argument.3": bridgeFile]
        for (name, value) in settings {
            try await scopio.admin(.pluginSet, [.plugin: FlowYard.bridge, .name: name, .value: value])
        }
        try await scopio.admin(.pluginPolicy, [.plugin: FlowYard.bridge, .value: "open"])
        try await scopio.admin(
            .pluginGrant, [.plugin: FlowYard.bridge, .capabilities: "subprocess,log,content,identity,raw-xml"])
        try await scopio.admin(.pluginLoad, [.plugin: FlowYard.bridge])
    }

    private func turnBridge(round: Int) async throws -> Int {
        let scopio = domains.scopio
        try await scopio.admin(
            .pluginPriority, [.plugin: FlowYard.bridge, .role: "delivery", .value: "\(round % 2 == 0 ? 50 : 990)"])
        for command in [AdminCommand.pluginDisable, .pluginEnable, .pluginUnload, .pluginLoad] {
            try await scopio.admin(command, [.plugin: FlowYard.bridge])
        }
        #expect(try await scopio.plugin(FlowYard.bridge)["state"] == "active")
        return 5
    }

    private func domain(_ example: Example) -> TestDomain { example.isAtScopio ? domains.scopio : domains.capicom }

    func installEverything() async throws {
        for example in FlowYard.examples {
            try await domain(example).install(workshop.package(example.name), grant: example.grant)
        }
        try await startBridge()
        try await domains.scopio.admin(
            .pluginSet,
            [
                .plugin: "org.example.role-mapper", .name: "role.purchasing",
                .value: "\(domains.scopio.address("dave")), \(domains.capicom.address("carol"))",
            ])
    }

    /// Goes round the examples: moves, disables and enables, upgrades, unloads and loads. Returns how many acts there were.
    func work(until isDone: @Sendable () -> Bool) async throws -> Int {
        var acts = 0
        var round = 0
        while !isDone() {
            round += 1
            for example in FlowYard.examples {
                if isDone() { break }
                acts += try await turn(example, round: round)
            }
            if !isDone() { acts += try await turnBridge(round: round) }
        }
        return acts
    }

    private func turn(_ example: Example, round: Int) async throws -> Int {
        let server = domain(example)
        let plugin = example.identifier
        let place = "\(round % 2 == 0 ? 100 : 950)"
        // Packages take a few milliseconds each to sign; mail goes on meanwhile.
        let version = "1.\(round).0"
        let changes = example.name == "marker" ? [("preset=\"1\"", "preset=\"\(round % 9 + 1)\"")] : []
        try await server.admin(.pluginPriority, [.plugin: plugin, .role: example.role, .value: place])
        try await server.admin(.pluginDisable, [.plugin: plugin])
        try await server.admin(.pluginEnable, [.plugin: plugin])
        try await server.install(workshop.version(example.name, version, changes))
        try await server.admin(.pluginUnload, [.plugin: plugin])
        try await server.admin(.pluginLoad, [.plugin: plugin])
        #expect(try await server.plugin(plugin)["state"] == "active")
        return 6
    }

    /// Until nothing waits at either server.
    func waitForQueues() async throws {
        let deadline = ContinuousClock.now + .seconds(180)
        for server in [domains.capicom, domains.scopio, domains.capicom, domains.scopio] {
            while try await server.store.statistics(now: Date()).queueDepth > 0 {
                try #require(ContinuousClock.now < deadline, "mail still waits at \(server.domain)")
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}

extension FilterRules {
    static let filing = """
        <SetRules xmlns="urn:wsemail:example:filter"><Rule name="bills"><Subject contains="invoice"/>\
        <File folder="Invoices" flags="seen"/></Rule></SetRules>
        """
}
