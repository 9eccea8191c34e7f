import Foundation
import PluginAPI
import Testing

@testable import Plugins

@Suite struct BridgeFailureTests {
    @Test(arguments: ["crash", "garbage", "wrong-role", "huge", "half", "two-answers", "deaf"])
    func `A program that fails is an error, every time`(mode: String) async throws {
        let bridge = try Fixture.bridge(mode)
        for _ in 0..<3 { await expect(code: .failed) { try await bridge.deliver() } }
        guard case .degraded = await bridge.health() else {
            Issue.record("a failure that nobody sees")
            return
        }
        await bridge.stop()
    }

    @Test func `The last line of a program that crashes is in the error`() async throws {
        let bridge = try Fixture.bridge("crash")
        await #expect(throws: PluginError(.failed, "the program ended; its last line: about to fall")) { try await bridge.deliver() }
    }

    @Test(arguments: ["hang", "ignores-signals"])
    func `A program that does not answer is ended`(mode: String) async throws {
        let bridge = try Fixture.bridge(mode, [], ["timeout-ms": "10"])
        for _ in 0..<2 { await expect(code: .timedOut) { try await bridge.deliver() } }
        await bridge.stop()
    }

    @Test func `An answer is as large as it may be, and not larger`() async throws {
        let fits = try Fixture.bridge("largest")
        #expect(try await fits.answer(Fixture.call("<a></a>"), LoggingEnvironment()).count == (1 << 20) - 16)
        await fits.stop()
        let tooLarge = try Fixture.bridge("just-too-large")
        await expect(code: .failed) { try await tooLarge.answer(Fixture.call("<a></a>"), LoggingEnvironment()) }
    }

    @Test func `After a crash the next event finds a new process`() async throws {
        let bridge = try Fixture.bridge("crash-first", [Fixture.file().path])
        await expect(code: .failed) { try await bridge.deliver() }
        #expect(try await bridge.deliver() == .proceed)
        #expect(await bridge.health() == .healthy)
        await bridge.stop()
    }

    @Test func `A process that ends between events is replaced without an error`() async throws {
        let bridge = try Fixture.bridge("one-then-end")
        let first = try await bridge.said()
        while let process = pid_t(first), !Self.hasEnded(process) { await Task.yield() }
        #expect(try await bridge.said() != first)
        await bridge.stop()
    }

    @Test func `A process that talks without being asked is replaced`() async throws {
        let signal = Fixture.file()
        let bridge = try Fixture.bridge("talks-later", [signal.path])
        let first = try await bridge.said()
        try Data().write(to: signal)
        while try Fixture.lines(of: signal) != [first] { await Task.yield() }
        #expect(try await bridge.said() != first)
        await bridge.stop()
    }

    @Test func `After a failure it is left alone for a while, twice as long each time`() async throws {
        let clock = HandClock()
        let started = Fixture.file()
        let bridge = try Fixture.bridge("crash-first", [started.path], ["restart-ms": "1000"], clock: clock)
        await expect(code: .failed) { try await bridge.deliver() }
        clock.turn(.milliseconds(999))
        await expect(code: .unavailable) { try await bridge.deliver() }
        #expect(try Fixture.lines(of: started).count == 1)
        clock.turn(.milliseconds(1))
        #expect(try await bridge.deliver() == .proceed)
        await bridge.stop()

        let crashing = try Fixture.bridge("crash", [], ["restart-ms": "1000"], clock: clock)
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            await expect(code: .failed) { try await crashing.deliver() }
            clock.turn(.seconds(pause) - .milliseconds(1))
            await expect(code: .unavailable) { try await crashing.deliver() }
            clock.turn(.milliseconds(1))
        }
    }

    @Test func `Who gives an event up ends the program and all that it started`() async throws {
        let started = Fixture.file()
        let bridge = try Fixture.bridge("sleep-with-child", [started.path])
        let call = Task { try await bridge.deliver() }
        while ((try? Fixture.lines(of: started)) ?? []).count < 2 { await Task.yield() }
        call.cancel()
        await #expect(throws: PluginError.self) { try await call.value }
        for process in try Fixture.lines(of: started).compactMap({ pid_t($0) }) {
            while !Self.hasEnded(process) { await Task.yield() }
        }
        await bridge.stop()
    }

    @Test func `An event given up before its turn does not start anything`() async throws {
        let started = Fixture.file()
        let bridge = try Fixture.bridge("counts-starts", [started.path])
        let call = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await bridge.deliver()
        }
        call.cancel()
        await expect(code: .timedOut) { try await call.value }
        #expect(!FileManager.default.fileExists(atPath: started.path))
    }

    @Test func `Who waits for the program and gives up neither ends it nor is to blame`() async throws {
        let log = Fixture.file()
        let bridge = try Fixture.bridge("gate", [log.path])
        func open(_ event: Int) throws { try Data().write(to: URL(fileURLWithPath: log.path + ".\(event)")) }
        func events() -> [String] { (try? Fixture.lines(of: log)) ?? [] }
        let first = Task { try await bridge.said() }
        while events().isEmpty { await Task.yield() }
        // Given up before its turn; then after it has begun.
        let second = Task { try await bridge.said() }
        while bridge.places.waiting == 0 { await Task.yield() }
        second.cancel()
        await expect(code: .busy) { try await second.value }
        let third = Task { try await bridge.said() }
        while bridge.places.waiting == 0 { await Task.yield() }
        try open(1)
        #expect(try await first.value == "1")
        while events().count < 2 { await Task.yield() }
        third.cancel()
        await expect(code: .busy) { try await third.value }
        let fourth = Task { try await bridge.said() }
        try open(2)
        try open(3)
        #expect(try await fourth.value == "3")
        #expect(Set(events()).count == 1)
        #expect(await bridge.health() == .healthy)
        await bridge.stop()
    }

    @Test func `The timeout counts from an event's turn`() async throws {
        let bridge = try Fixture.bridge("slow", [], ["timeout-ms": "2000"])
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<6 { group.addTask { try await bridge.said() } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(answers.count == 6)
        await bridge.stop()
    }

    @Test func `A stop ends a program whose event nobody waits for any more`() async throws {
        let log = Fixture.file()
        let bridge = try Fixture.bridge("gate", [log.path])
        let first = Task { try await bridge.said() }
        while ((try? Fixture.lines(of: log)) ?? []).isEmpty { await Task.yield() }
        let second = Task { try await bridge.said() }
        while bridge.places.waiting == 0 { await Task.yield() }
        try Data().write(to: URL(fileURLWithPath: log.path + ".1"))
        _ = try await first.value
        while try Fixture.lines(of: log).count < 2 { await Task.yield() }
        second.cancel()
        await expect(code: .busy) { try await second.value }
        await bridge.stop()
        for process in try Fixture.lines(of: log).compactMap({ pid_t($0) }) { #expect(Self.hasEnded(process)) }
    }

    @Test func `A program that cannot be started is seen at the start`() async throws {
        let program = Fixture.file()
        try Data("#!/nowhere/interpreter\n".utf8).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o755)], ofItemAtPath: program.path)
        let bridge = SubprocessBridge(try BridgeSettings(["command": program.path]))
        let context = PluginContext(
            plugin: try PluginIdentifier("org.wsemail.builtin/bridge"), version: PluginVersion(1, 0, 0), settings: [:])
        await expect(code: .unavailable) { try await bridge.start(context) }
    }

    /// Gone, or dead and waiting for its parent to take note.
    private static func hasEnded(_ process: pid_t) -> Bool {
        guard kill(process, 0) == 0 else { return true }
        let state = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8).split(separator: ")").last
        return state?.hasPrefix(" Z") ?? true
    }
}

/// Expects a ``PluginError`` of a code.
private func expect(
    code: PluginError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Sendable
) async {
    await #expect(sourceLocation: sourceLocation) {
        _ = try await body()
    } throws: { error in
        (error as? PluginError)?.code == code
    }
}
