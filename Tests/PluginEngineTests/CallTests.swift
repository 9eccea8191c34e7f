import Foundation
import PluginAPI
import Testing

@testable import PluginEngine

/// Modules that do what the ABI says.
@Suite struct CallTests {
    @Test func `A module gets the kind and the event, and its answer is copied out`() throws {
        let module = try TestEngine.compile(Wat().text)
        let event = [UInt8]("an event".utf8)
        #expect(try module.handle(.sending, event, limits: TestEngine.limits, host: TestHost()) == event)
        #expect(try module.describe(TestEngine.limits) == Array("hello".utf8))
        // The kind as a letter, at 16.
        let letter = "(i32.store8 (i32.const 16) (i32.add (i32.const 48) (local.get $kind))) (i64.const 0x1000000001)"
        var parts = Wat()
        parts.handle = letter
        let kinds = try TestEngine.compile(parts.text)
        for kind in CallKind.allCases {
            #expect(try kinds.handle(kind, event, limits: TestEngine.limits, host: TestHost()) == [48 + UInt8(kind.rawValue)])
        }
    }

    @Test func `No answer, an empty answer, and an event that needs more memory`() throws {
        #expect(try TestEngine.handle("(i64.const 0)") == nil)
        #expect(try TestEngine.handle("(i64.const 0x1000000000)") == "")
        let long = String(repeating: "x", count: 300_000)
        let limits = CallLimits(seconds: 30, memory: 1 << 20, answer: 300_000)
        #expect(try TestEngine.handle(Wat.echo, long, limits: limits) == long)
        #expect(try TestEngine.handle(Wat.echo, "") == "")
    }

    @Test func `Every call starts from the module's first state`() throws {
        let count = """
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i32.store8 (i32.const 16) (i32.add (i32.const 48) (global.get $calls)))
            (i32.store8 (i32.const 17) (i32.add (i32.load8_u (i32.const 17)) (i32.const 1)))
            (i64.const 0x1000000002)
            """
        var parts = Wat()
        parts.handle = count
        parts.more = "(global $calls (mut i32) (i32.const 0))"
        let module = try TestEngine.compile(parts.text)
        for _ in 0..<3 {
            #expect(try module.handle(.delivery, [], limits: TestEngine.limits, host: TestHost()) == Array("1f".utf8))
        }
    }

    @Test func `_initialize and a start function run before the call`() throws {
        var parts = Wat()
        parts.more = """
            (func $begin (i32.store8 (i32.const 16) (i32.const 65))) (start $begin)
            (func (export "_initialize") (i32.store8 (i32.const 17) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1))))
            """
        #expect(try TestEngine.handle("(i64.const 0x1000000003)", parts: parts) == "ABl")
    }

    @Test func `Values are read, written, removed and listed`() throws {
        var parts = Wat()
        parts.imports = WatImport.all
        let host = TestHost()
        host.values = [Array("hell".utf8): Array("value".utf8), Array("h".utf8): []]
        // kv_get of "hell" answers the value in memory of the module's own.
        #expect(try TestEngine.handle("(call $get (i32.const 16) (i32.const 4))", parts: parts, host: host) == "value")
        // Empty: an address without octets. Missing: 0.
        #expect(try TestEngine.handle("(call $get (i32.const 16) (i32.const 1))", parts: parts, host: host) == "")
        #expect(try TestEngine.handle("(call $get (i32.const 16) (i32.const 2))", parts: parts, host: host) == nil)
        _ = try TestEngine.handle(
            "(drop (call $set (i32.const 17) (i32.const 2) (i32.const 16) (i32.const 5))) (i64.const 0)", parts: parts, host: host)
        #expect(host.values[Array("el".utf8)] == Array("hello".utf8))
        _ = try TestEngine.handle("(drop (call $delete (i32.const 16) (i32.const 1))) (i64.const 0)", parts: parts, host: host)
        #expect(host.values[Array("h".utf8)] == nil)
        let list = "(call $list (i32.const 16) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 7))"
        let frame = try #require(try TestEngine.handle(list, parts: parts, host: host))
        #expect(try PluginFrame.fields(of: Array(frame.utf8)).map { String(decoding: $0.value, as: UTF8.self) } == ["hell"])
        let none = "(call $list (i32.const 19) (i32.const 2) (i32.const 16) (i32.const 3) (i32.const -1))"
        #expect(try TestEngine.handle(none, parts: parts, host: host) == nil)
        #expect(host.listed.map(\.cursor) == [nil, Array("hel".utf8)])
        #expect(host.listed.map(\.limit) == [7, -1])
    }

    @Test func `The clock, messages and addresses reach the host`() throws {
        var parts = Wat()
        parts.imports = WatImport.all
        let host = TestHost()
        _ = try TestEngine.handle(
            "(if (i64.ne (call $now) (i64.const 1764000000123)) (then unreachable)) (i64.const 0)", parts: parts, host: host)
        _ = try TestEngine.handle("(drop (call $send (i32.const 16) (i32.const 5))) (i64.const 0)", parts: parts, host: host)
        #expect(host.frames == [Array("hello".utf8)])
        host.standing = 2
        let ask = "(if (i32.ne (call $lookup (i32.const 16) (i32.const 5)) (i32.const 2)) (then unreachable)) (i64.const 0)"
        _ = try TestEngine.handle(ask, parts: parts, host: host)
        #expect(host.addresses == ["hello"])
    }

    @Test func `Log lines are cut and cannot forge others`() throws {
        var parts = Wat()
        parts.imports = WatImport.log
        parts.more = #"(data (i32.const 40) "a\0a\1b[2Jb\ff\e2\80\ae.")"#
        let host = TestHost()
        _ = try TestEngine.handle("(call $log (i32.const 3) (i32.const 40) (i32.const 12)) (i64.const 0)", parts: parts, host: host)
        #expect(host.lines == ["a\u{FFFD}\u{FFFD}[2Jb\u{FFFD}\u{FFFD}."])
        _ = try TestEngine.handle("(call $log (i32.const 77) (i32.const 0) (i32.const 65536)) (i64.const 0)", parts: parts, host: host)
        #expect(host.lines.last?.unicodeScalars.count == 1_000)
        #expect(host.levels == [.error, .info])
    }

    @Test func `Many threads use one module at once`() throws {
        let module = try TestEngine.compile(Wat().text)
        let wrong = WrongAnswers()
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for round in 0..<200 {
                let event = [UInt8]("\(thread) \(round)".utf8)
                if (try? module.handle(.delivery, event, limits: TestEngine.limits, host: TestHost())) != event { wrong.add() }
            }
        }
        #expect(wrong.count == 0)
    }

    @Test func `After the engine has been shut down calls are refused`() throws {
        let engine = try WasmtimeEngine(library: try TestEngine.library(), cacheFolder: nil)
        let module = try TestEngine.compile(Wat().text, with: engine)
        #expect(try module.describe(TestEngine.limits) == Array("hello".utf8))
        engine.shutDown()
        #expect(throws: PluginError(.unavailable, "the engine for plug-ins has been shut down")) {
            try module.describe(TestEngine.limits)
        }
    }

    @Test func `The engine's clock rests without calls`() throws {
        let engine = try WasmtimeEngine(library: try TestEngine.library(), cacheFolder: nil)
        #expect(engine.ticker.isResting)
        let module = try TestEngine.compile(Wat().text, with: engine)
        let host = TestHost()
        var parts = Wat()
        parts.imports = WatImport.now
        parts.handle = "(drop (call $now)) (i64.const 0)"
        host.during = { #expect(engine.ticker.calls == 1) }
        _ = try TestEngine.compile(parts.text, with: engine).handle(.delivery, [], limits: TestEngine.limits, host: host)
        _ = try module.describe(TestEngine.limits)
        #expect(engine.ticker.calls == 0)
        #expect(TestEngine.error { _ = try module.describe(CallLimits(seconds: 0)) }?.code == .timedOut)
        #expect(engine.ticker.calls == 0)
    }
}

/// Counts from several threads. `@unchecked Sendable`: guarded by the lock.
final class WrongAnswers: @unchecked Sendable {
    private let lock = NSLock()
    private var number = 0
    func add() { lock.withLock { number += 1 } }
    var count: Int { lock.withLock { number } }
}
