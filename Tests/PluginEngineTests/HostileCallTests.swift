import PluginAPI
import Testing

@testable import PluginEngine

/// Modules that run wild. After each, `TestEngine.expect` runs a good one.
@Suite struct HostileCallTests {
    private func describe(_ parts: Wat, _ limits: CallLimits = TestEngine.limits) throws {
        _ = try TestEngine.compile(parts.text).describe(limits)
    }

    // MARK: Time

    @Test func `Code without end in handle meets the deadline`() throws {
        try TestEngine.expect(.timedOut, "0.1 s") { _ = try TestEngine.handle("\(Wat.loop) unreachable", limits: TestEngine.short) }
    }

    @Test func `Recursion without depth cannot dodge the deadline`() throws {
        let code = "(loop $again (call $nothing) (br $again)) unreachable"
        var parts = Wat()
        parts.more = "(func $nothing)"
        try TestEngine.expect(.timedOut, "0.1 s") { _ = try TestEngine.handle(code, parts: parts, limits: TestEngine.short) }
    }

    @Test(arguments: ["_initialize", "start"]) func `Code without end before the call meets the deadline`(_ kind: String) throws {
        var parts = Wat()
        parts.more = kind == "start" ? "(func $begin \(Wat.loop)) (start $begin)" : #"(func (export "_initialize") \#(Wat.loop))"#
        try TestEngine.expect(.timedOut, "0.1 s") { _ = try TestEngine.handle(Wat.echo, parts: parts, limits: TestEngine.short) }
        try TestEngine.expect(.timedOut, "0.1 s") { try describe(parts, TestEngine.short) }
    }

    @Test func `Code without end in describe and alloc meets the deadline`() throws {
        var parts = Wat()
        parts.describe = #"(func (export "describe") (result i64) \#(Wat.loop) unreachable)"#
        parts.alloc = #"(func (export "alloc") (param i32) (result i32) \#(Wat.loop) unreachable)"#
        try TestEngine.expect(.timedOut, "0.1 s") { try describe(parts, TestEngine.short) }
        try TestEngine.expect(.timedOut, "0.1 s") { _ = try TestEngine.handle(Wat.echo, parts: parts, limits: TestEngine.short) }
    }

    @Test func `An endless alloc that the host calls for an answer meets the deadline`() throws {
        var parts = Wat()
        parts.imports = WatImport.get
        parts.alloc = """
            (global $calls (mut i32) (i32.const 0))
            (func (export "alloc") (param i32) (result i32)
              (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
              (if (i32.gt_u (global.get $calls) (i32.const 1)) (then \(Wat.loop))) (i32.const 512))
            """
        let host = TestHost()
        host.values = [Array("h".utf8): [1]]
        try TestEngine.expect(.timedOut, "0.1 s") {
            _ = try TestEngine.handle(
                "(call $get (i32.const 16) (i32.const 1))", parts: parts, limits: TestEngine.short, host: host)
        }
    }

    @Test func `The host's time counts, and nothing follows it`() throws {
        var parts = Wat()
        parts.imports = WatImport.now + WatImport.log
        let host = TestHost()
        // Until the clock that the engine reads has passed the deadline.
        host.during = {
            let start = ContinuousClock.now
            while start.duration(to: .now) < .milliseconds(120) {}
        }
        let code = "(drop (call $now)) (call $log (i32.const 1) (i32.const 16) (i32.const 5)) (i64.const 0)"
        try TestEngine.expect(.timedOut, "0.1 s") {
            _ = try TestEngine.handle(code, parts: parts, limits: TestEngine.short, host: host)
        }
        #expect(host.lines.isEmpty)
    }

    // MARK: Memory and stack

    @Test func `Memory grows to the limit and no further`() throws {
        // 15 more pages make 1 MiB.
        let grow = { (pages: Int) in
            "(if (i32.eq (i32.const -1) (memory.grow (i32.const \(pages)))) (then unreachable)) (i64.const 0)"
        }
        #expect(try TestEngine.handle(grow(15)) == nil)
        try TestEngine.expect(.failed, "unreachable") { _ = try TestEngine.handle(grow(16)) }
        let full = "(drop (memory.grow (i32.const 15))) " + grow(1)
        try TestEngine.expect(.limitExceeded, "1.0 of 1.0 MiB") { _ = try TestEngine.handle(full) }
    }

    @Test func `A module that starts with more memory than the limit is refused`() throws {
        var parts = Wat()
        parts.memory = #"(memory (export "memory") 17)"#
        try TestEngine.expect(.limitExceeded, "more memory than its limit of 1.0 MiB") {
            _ = try TestEngine.handle(Wat.echo, parts: parts)
        }
        parts.memory = #"(memory (export "memory") 16)"#
        #expect(try TestEngine.handle(Wat.echo, parts: parts) == "event")
    }

    @Test func `A memory hog that touches all it gets ends at the limit`() throws {
        let hog = """
            (loop $again
              (if (i32.eq (i32.const -1) (memory.grow (i32.const 1))) (then unreachable))
              (memory.fill (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536)) (i32.const 255) (i32.const 65536))
              (br $again)) unreachable
            """
        let limits = CallLimits(seconds: 30, memory: 16 << 20, answer: 100)
        try TestEngine.expect(.limitExceeded, "16.0 of 16.0 MiB") { _ = try TestEngine.handle(hog, limits: limits) }
    }

    @Test func `A table cannot be grown without bounds`() throws {
        var parts = Wat()
        parts.more = "(table $t 1 funcref)"
        let grow = { (count: Int) in
            "(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const \(count)))) (then unreachable)) (i64.const 0)"
        }
        #expect(try TestEngine.handle(grow(9_999), parts: parts) == nil)
        try TestEngine.expect(.failed, "unreachable") { _ = try TestEngine.handle(grow(10_000), parts: parts) }
    }

    @Test func `Calls nest only so deep`() throws {
        let code = "(call $handle (local.get $kind) (local.get $at) (i32.add (local.get $count) (i32.const 1)))"
        try TestEngine.expect(.failed, "nest too deeply") { _ = try TestEngine.handle(code + " (i64.const 1) i64.add") }
    }

    // MARK: Traps

    @Test(arguments: [
        ("unreachable", "unreachable"), ("(i64.extend_i32_u (i32.load (i32.const 65533)))", "out of bounds"),
        ("(i64.div_u (i64.const 1) (i64.const 0))", "divide by zero"), ("(i64.load (i32.const -1))", "out of bounds"),
    ])
    func `A trap ends the call and says why`(_ code: String, _ words: String) throws {
        try TestEngine.expect(.failed, words) { _ = try TestEngine.handle(code) }
    }

    // MARK: Answers and alloc

    @Test(arguments: [
        ("(i64.const 0xFFFFFFFF00000001)", "outside its memory"), ("(i64.const 0x0000FFFF00000002)", "outside its memory"),
        ("(i64.const 0xFFFFFFFF00000FFF)", "outside its memory"), ("(i64.const 0x0000000000000005)", "address 0"),
        ("(i64.const 0x8000000000000001)", "outside its memory"),
    ])
    func `An answer outside the memory is refused`(_ code: String, _ words: String) throws {
        try TestEngine.expect(.failed, words) { _ = try TestEngine.handle(code) }
    }

    @Test func `The answer's size is limited, whatever it claims`() throws {
        try TestEngine.expect(.limitExceeded, "1073741824 octets, more than 4096") {
            _ = try TestEngine.handle("(i64.const 0x1040000000)")
        }
        try TestEngine.expect(.limitExceeded, "4097 octets") { _ = try TestEngine.handle("(i64.const 0x1000001001)") }
        #expect(try TestEngine.handle("(i64.const 0x1000001000)")?.utf8.count == 4_096)
    }

    @Test(arguments: [("0", "found no room"), ("65532", "outside its memory"), ("-1", "outside its memory")])
    func `An alloc that lies is caught`(_ address: String, _ words: String) throws {
        var parts = Wat()
        parts.alloc = #"(func (export "alloc") (param i32) (result i32) (i32.const \#(address)))"#
        try TestEngine.expect(.failed, words) { _ = try TestEngine.handle(Wat.echo, parts: parts) }
    }

    @Test func `An event that does not fit names the memory limit`() throws {
        let host = TestHost()
        var parts = Wat()
        parts.imports = WatImport.get
        host.values = [Array("h".utf8): Array(repeating: 1, count: 65_536)]
        let code = "(loop $again (drop (call $get (i32.const 16) (i32.const 1))) (br $again)) unreachable"
        try TestEngine.expect(.limitExceeded, "memory limit") { _ = try TestEngine.handle(code, parts: parts, host: host) }
    }

    @Test func `A describe that answers nothing, or that calls the host, fails`() throws {
        var parts = Wat()
        parts.describe = #"(func (export "describe") (result i64) (i64.const 0))"#
        try TestEngine.expect(.failed, "answered nothing") { try describe(parts) }
        parts.imports = WatImport.now
        parts.describe = #"(func (export "describe") (result i64) (call $now))"#
        try TestEngine.expect(.failed, "while it was to describe itself") { try describe(parts) }
    }
}
