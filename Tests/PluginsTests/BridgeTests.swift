import Foundation
import PluginAPI
import Testing

@testable import Plugins

@Suite struct BridgeTests {
    @Test func `A program gets events of the roles that are forwarded, and its verdicts count`() async throws {
        let bridge = try Fixture.bridge("by-role")
        #expect(try await bridge.said() == "e1 bob@here.example Tea")
        let verdict = try await bridge.process(Fixture.submission(), LoggingEnvironment())
        #expect(verdict == .refuse(reason: "not on Mondays", isTransient: true))
        let answer = try await bridge.answer(Fixture.call("<a></a>"), LoggingEnvironment())
        #expect(String(decoding: answer, as: UTF8.self) == "<Echo>bob@here.example</Echo>")
        await #expect(throws: PluginFault("no secrets")) {
            try await bridge.answer(Fixture.call("<secret></secret>"), LoggingEnvironment())
        }
        #expect(await bridge.health() == .healthy)
        await bridge.stop()
    }

    @Test func `Events of other roles never reach the program`() async throws {
        let started = Fixture.file()
        let bridge = try Fixture.bridge("counts-starts", [started.path], ["roles": ""])
        #expect(try await bridge.deliver() == .proceed)
        #expect(try await bridge.process(Fixture.submission(), LoggingEnvironment()) == .proceed)
        await #expect(throws: PluginFault.self) { try await bridge.answer(Fixture.call("<a></a>"), LoggingEnvironment()) }
        #expect(!FileManager.default.fileExists(atPath: started.path))
    }

    @Test func `One process serves many events, and a stop ends it`() async throws {
        let started = Fixture.file()
        let bridge = try Fixture.bridge("counts-starts", [started.path])
        for _ in 0..<20 { #expect(try await bridge.deliver() == .proceed) }
        await bridge.stop()
        let processes = try Fixture.lines(of: started).compactMap { pid_t($0) }
        #expect(processes.count == 1)
        for process in processes { #expect(kill(process, 0) == -1) }
    }

    @Test func `Several processes share the events`() async throws {
        let bridge = try Fixture.bridge("pid", [], ["processes": "3"])
        let processes = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<30 { group.addTask { try await bridge.said() } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect((1...3).contains(processes.count))
        await bridge.stop()
    }

    #if os(Linux)
        @Test func `A program inherits nothing of the server's`() async throws {
            setenv("WSEMAIL_SECRET", "hidden", 1)
            let leaked = open("/dev/null", O_RDONLY)
            defer { close(leaked) }
            let bridge = try Fixture.bridge("knows")
            // LC_CTYPE is python's own doing; its listing holds one descriptor while it lists, gone when it looks.
            let parts = try await bridge.said().split(separator: "|").map(String.init)
            #expect(parts.count == 4)
            #expect(Set(parts[0].split(separator: " ")).subtracting(["LC_CTYPE"]) == ["LANG", "PATH"])
            #expect(parts[1...] == ["0 1 2", "/", "True"])
            await bridge.stop()
        }
    #endif

    @Test func `What a program writes to standard error goes to the log, line by line, and never blocks it`() async throws {
        let bridge = try Fixture.bridge("chatty")
        let environment = LoggingEnvironment()
        for _ in 0..<3 { #expect(try await bridge.deliver(environment) == .proceed) }
        #expect(environment.lines.starts(with: ["one", "two  bell"]))
        #expect(environment.lines.allSatisfy { $0.count <= 1000 })
        #expect(try await bridge.deliver(LoggingEnvironment(granted: false)) == .proceed)
        await bridge.stop()
    }

    @Test func `Events larger than a socket's buffer pass`() async throws {
        let bridge = try Fixture.bridge("slow-reader")
        let event = try Fixture.delivery(text: String(repeating: "long ", count: 400_000))
        #expect(try await bridge.process(event, LoggingEnvironment()) == .proceed)
        await bridge.stop()
    }

    @Test func `The descriptor is off the sandbox and waits for a command`() throws {
        let (descriptor, _, make) = try BuiltIns.bridge
        #expect(BuiltIns.all.map(\.descriptor).contains(descriptor))
        #expect(descriptor.identifier.description == "org.wsemail.builtin/bridge")
        #expect(descriptor.capabilities.contains(.subprocess))
        #expect(Set(descriptor.roles.keys) == [.sending, .delivery, .extension])
        let presets = Dictionary(uniqueKeysWithValues: descriptor.settings.map { ($0.name, $0.preset) })
        #expect(throws: PluginError(.invalid, "the setting \"command\" must be the absolute path of a program")) { try make(presets) }
        var settings = presets
        settings["command"] = "/bin/cat"
        #expect(try make(settings) is any DeliveryProcessor)
    }

    @Test(arguments: [
        ("command", "cat"), ("command", "/nowhere/cat"), ("command", "/tmp"), ("command", "/etc/passwd"), ("processes", "0"),
        ("processes", "17"),
        ("timeout-ms", "9"), ("timeout-ms", "soon"), ("restart-ms", "-1"), ("roles", "delivery,resolver"), ("argument.x", "1"),
        ("argument.0", "1"), ("argument.101", "1"),
    ]) func `A setting that cannot work is refused`(name: String, value: String) throws {
        let settings = ["command": "/bin/cat"].merging([name: value]) { $1 }
        #expect { try BridgeSettings(settings) } throws: { ($0 as? PluginError)?.code == .invalid }
    }

    @Test func `A program that everybody may change is not run`() throws {
        let program = Fixture.file()
        try Data("#!/bin/cat\n".utf8).write(to: program)
        for (mode, isFine) in [(0o755, true), (0o757, false), (0o644, false)] {
            try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: mode)], ofItemAtPath: program.path)
            let settings = try? BridgeSettings(["command": program.path])
            #expect((settings != nil) == isFine)
        }
    }

    @Test func `Arguments keep their order by number`() throws {
        let settings = try BridgeSettings(["command": "/bin/cat", "argument.10": "c", "argument.2": "b b", "argument.1": "$a"])
        #expect(settings.arguments == ["$a", "b b", "c"])
        #expect(throws: PluginError.self) { try BridgeSettings(["command": "/bin/cat", "argument.1": "a\u{0}b"]) }
    }

    @Test func `The example program tells of each event in a file`() async throws {
        let python = try #require(Fixture.python, "no python3")
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let program = root.appendingPathComponent("Examples/plugins/bridge/webhook.py").resolvingSymlinksInPath()
        let file = Fixture.file()
        let bridge = SubprocessBridge(
            try BridgeSettings([
                "command": python, "argument.1": program.path, "argument.2": "--file", "argument.3": file.path, "timeout-ms": "60000",
                "roles": "delivery,extension",
            ]))
        #expect(try await bridge.deliver() == .proceed)
        let answer = try await bridge.answer(Fixture.call("<a></a>"), LoggingEnvironment())
        #expect(String(decoding: answer, as: UTF8.self) == "<Accepted xmlns=\"urn:wsemail:bridge\"></Accepted>")
        let events = try Fixture.lines(of: file).map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
        #expect(events.map { $0?["role"] as? String } == ["delivery", "extension"])
        #expect(events.first??["recipient"] as? [String] == ["bob@here.example"])
        await bridge.stop()
    }
}
