import Crypto
import PluginAPI
import Testing

@testable import PluginEngine

/// What is refused before anything runs.
@Suite struct ModuleLoadTests {
    private func refuse(
        _ parts: Wat, _ words: String, _ code: PluginError.Code = .invalidModule, granted: Set<PluginCapability>? = nil,
        location: SourceLocation = #_sourceLocation
    ) throws {
        try TestEngine.expect(code, words, location: location) {
            _ = try TestEngine.compile(parts.text, granted: granted ?? Set(PluginCapability.allCases))
        }
    }

    @Test(arguments: [
        (WatImport.log, PluginCapability.log, "wsemail.log"), (WatImport.now, .clock, "wsemail.now"),
        (WatImport.get, .keyValue, "wsemail.kv_get"), (WatImport.set, .keyValue, "wsemail.kv_set"),
        (WatImport.delete, .keyValue, "wsemail.kv_delete"), (WatImport.list, .keyValue, "wsemail.kv_list"),
        (WatImport.send, .send, "wsemail.send"), (WatImport.lookUp, .lookUp, "wsemail.lookup"),
    ])
    func `An import needs its capability`(_ text: String, _ capability: PluginCapability, _ name: String) throws {
        var parts = Wat()
        parts.imports = text
        let others = Set(PluginCapability.allCases).subtracting([capability])
        try refuse(parts, "\(name), which needs the capability \(capability.rawValue)", .notGranted, granted: others)
        #expect(try TestEngine.compile(parts.text, granted: [capability]).describe(TestEngine.limits) == Array("hello".utf8))
    }

    @Test(arguments: [
        (#"(import "wsemail" "exec" (func (param i32)))"#, "wsemail.exec, which this server does not have"),
        (#"(import "wsemail2" "log" (func (param i32 i32 i32)))"#, "wsemail2.log, which"),
        (#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#, "fd_write, which"),
        (#"(import "env" "now" (func (result i64)))"#, "env.now, which"),
        (#"(import "wsemail" "log" (func (param i32 i32)))"#, "wrong type; it is (i32, i32, i32) -> ()"),
        (#"(import "wsemail" "log" (func (param i32 i32 i32) (result i32)))"#, "wrong type"),
        (#"(import "wsemail" "now" (func (result f64)))"#, "wrong type; it is () -> (i64)"),
        (#"(import "wsemail" "now" (func (param externref) (result i64)))"#, "the module"),
        (#"(import "wsemail" "kv_get" (func (param i32 i64) (result i64)))"#, "wrong type"),
        (#"(import "wsemail" "log" (global i32))"#, "global wsemail.log; only functions"),
        (#"(import "wsemail" "table" (table 1 funcref))"#, "table wsemail.table; only functions"),
        (#"(import "wsemail" "l\0alog" (func))"#, "wsemail.l\u{FFFD}log, which"),
    ])
    func `Other imports are refused`(_ text: String, _ words: String) throws {
        var parts = Wat()
        parts.imports = text
        try refuse(parts, words)
    }

    @Test func `The memory cannot be imported`() throws {
        var parts = Wat()
        parts.imports = #"(import "wsemail" "memory" (memory 1))"#
        parts.memory = #"(export "memory" (memory 0))"#
        try refuse(parts, "memory wsemail.memory; only functions")
    }

    @Test(arguments: ["memory", "alloc", "dealloc", "describe", "handle"]) func `Every export must be there`(_ name: String) throws {
        let text = Wat().text.replacing("(export \"\(name)\")", with: "")
        try TestEngine.expect(.invalidModule, "does not export \(name)") { _ = try TestEngine.compile(text) }
    }

    @Test(arguments: [
        ("alloc", "(param i64) (result i32) i32.const 1", "(i32) -> (i32)"), ("dealloc", "(result i32) i32.const 1", "(i32) -> ()"),
        ("describe", "(result i32) i32.const 1", "() -> (i64)"), ("handle", "(param i32 i32) (result i64) i64.const 0", "(i32, i32, i32)"),
        ("_initialize", "(param i32)", "() -> ()"), ("describe", "(result i64 i64) (i64.const 0) (i64.const 0)", "() -> (i64)"),
        ("handle", "(param i32 i32 f32) (result i64) i64.const 0", "-> (i64)"),
    ])
    func `Every export must have its type`(_ name: String, _ function: String, _ words: String) throws {
        let text = Wat().text.replacing("(export \"\(name)\")", with: "")
        let wrong = text.dropLast() + "(func (export \"\(name)\") \(function)))"
        try TestEngine.expect(.invalidModule, "export \(name) is not a function \(words.hasPrefix("(") ? words : "")") {
            _ = try TestEngine.compile(String(wrong))
        }
        let global = text.dropLast() + "(global (export \"\(name)\") i32 (i32.const 1)))"
        try TestEngine.expect(.invalidModule, "export \(name) is not a function") { _ = try TestEngine.compile(String(global)) }
    }

    @Test func `An export memory that is none is refused`() throws {
        var parts = Wat()
        parts.memory = "(memory 1)"
        parts.more = #"(func (export "memory"))"#
        try refuse(parts, "its export memory is a function")
    }

    @Test(arguments: [
        #"(memory (export "memory") 1) (memory 1)"#, #"(memory (export "memory") i64 1)"#, #"(memory (export "memory") 1 2 shared)"#,
        #"(memory (export "memory") 1) (func (param v128))"#, #"(memory (export "memory") 1) (tag)"#,
        #"(memory (export "memory") 1) (func (param (ref func)))"#, #"(memory (export "memory") 1) (func $t return_call $t)"#,
        #"(memory (export "memory") 1) (type (struct))"#,
    ])
    func `Proposals that plug-ins do not need are off`(_ memory: String) throws {
        var parts = Wat()
        parts.memory = memory
        try refuse(parts, "does not compile")
    }

    @Test func `Damaged and foreign octets are refused`() throws {
        let engine = try TestEngine.shared()
        let good = try engine.assemble(Wat().text)
        func refuse(_ octets: [UInt8], _ words: String = "the module") throws {
            try TestEngine.expect(.invalidModule, words) { _ = try TestEngine.compile(octets, with: engine) }
        }
        try refuse([], "not WebAssembly")
        try refuse(Array(Wat().text.utf8), "not WebAssembly")
        try refuse([0x00, 0x61, 0x73, 0x6D, 0x0D, 0x00, 0x01, 0x00], "not WebAssembly")
        try refuse(Array(good.prefix(8)), "does not export")
        for count in stride(from: 9, to: good.count, by: 7) { try refuse(Array(good.prefix(count))) }
        var damaged = good
        damaged[8] = 0x7F
        try refuse(damaged, "does not compile")
        try refuse(good + [1, 2, 3], "does not compile")
    }

    /// Whatever the damage, the engine answers: a module or an error, never a crash.
    @Test func `Flipped bits never take the process down`() throws {
        let engine = try TestEngine.shared()
        var parts = Wat()
        parts.imports = WatImport.all
        let good = try engine.assemble(parts.text)
        let limits = CallLimits(seconds: 0.02, memory: 1 << 20, answer: 4_096)
        // The same bits every time, so that a crash can be repeated.
        var generator = SplitMix(state: 2026)
        for _ in 0..<300 {
            var octets = good
            octets[Int.random(in: 8..<octets.count, using: &generator)] ^= UInt8(1 << Int.random(in: 0..<8, using: &generator))
            if let module = try? TestEngine.compile(octets, with: engine) {
                _ = try? module.handle(.delivery, [1, 2, 3], limits: limits, host: TestHost())
            }
        }
        #expect(try TestEngine.handle(Wat.echo) == "event")
    }

    @Test func `A module that is too big, or not the one of its digest, is refused`() throws {
        let engine = try WasmtimeEngine(
            library: try TestEngine.library(), cacheFolder: nil, options: WasmtimeOptions(moduleLimit: 500))
        let octets = try engine.assemble(Wat().text)
        #expect(octets.count < 500)
        _ = try TestEngine.compile(octets, with: engine)
        var parts = Wat()
        parts.more = "(data \"\(String(repeating: "x", count: 500))\")"
        let big = try engine.assemble(parts.text)
        try TestEngine.expect(.limitExceeded, "more than 500") { _ = try TestEngine.compile(big, with: engine) }
        try TestEngine.expect(.invalidModule, "digest") {
            _ = try engine.compile(octets, digest: Array(SHA256.hash(data: big)), granted: [])
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
