import Crypto
import Foundation
import PluginAPI
import Testing

@testable import PluginEngine

/// The engine that the tests share, and what they put into it.
enum TestEngine {
    static let limits = CallLimits(seconds: 30, memory: 1 << 20, answer: 4_096)
    /// For code that never ends.
    static let short = CallLimits(seconds: 0.1, memory: 1 << 20, answer: 4_096)

    /// Where scripts/lib/wasmtime.sh puts the library, or `WSEMAIL_WASMTIME`.
    static func library() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path =
            ProcessInfo.processInfo.environment["WSEMAIL_WASMTIME"]
            ?? root.appendingPathComponent(".build-wasmtime/libwasmtime.so").path
        guard FileManager.default.fileExists(atPath: path) else {
            throw PluginError(
                .unavailable, "no libwasmtime at \(path): run scripts/test, which installs it, or set WSEMAIL_WASMTIME")
        }
        return path
    }

    private static let result = Result { try WasmtimeEngine(library: try library(), cacheFolder: nil) }
    static func shared() throws -> WasmtimeEngine { try result.get() }

    /// Compiles WebAssembly text.
    static func compile(
        _ text: String, granted: Set<PluginCapability> = Set(PluginCapability.allCases), with engine: WasmtimeEngine? = nil
    ) throws -> WasmtimeModule {
        let engine = try engine ?? shared()
        return try compile(try engine.assemble(text), granted: granted, with: engine)
    }

    static func compile(
        _ octets: [UInt8], granted: Set<PluginCapability> = Set(PluginCapability.allCases), with engine: WasmtimeEngine
    ) throws -> WasmtimeModule {
        let module = try engine.compile(octets, digest: Array(SHA256.hash(data: octets)), granted: granted)
        return try #require(module as? WasmtimeModule)
    }

    /// Runs `handle` of a module with this code in it.
    static func handle(
        _ code: String, _ event: String = "event", parts: Wat = Wat(), limits: CallLimits = limits, host: TestHost = TestHost()
    ) throws -> String? {
        var parts = parts
        parts.handle = code
        let answer = try compile(parts.text).handle(.delivery, Array(event.utf8), limits: limits, host: host)
        return answer.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The engine's error of a call; nil if there is none, or another.
    static func error(_ body: () throws -> Void) -> PluginError? {
        do {
            try body()
            return nil
        } catch {
            return error as? PluginError
        }
    }

    /// Expects an error of a call, and that the engine then still serves others.
    static func expect(
        _ code: PluginError.Code, _ words: String, location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) throws {
        let error = #expect(throws: PluginError.self, sourceLocation: location) { try body() }
        #expect(error?.code == code, "\(String(describing: error))", sourceLocation: location)
        #expect(error?.reason.contains(words) == true, "\(String(describing: error))", sourceLocation: location)
        #expect(try handle(Wat.echo) == "event", sourceLocation: location)
    }
}

/// A module in text, correct unless parts are replaced.
struct Wat {
    static let echo = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $count)))"
    static let loop = "(loop $again (br $again))"

    var imports = ""
    var memory = #"(memory (export "memory") 1)"#
    var alloc = #"""
        (func $alloc (export "alloc") (param $n i32) (result i32)
          (local $at i32) (local $end i32)
          (local.set $at (global.get $next))
          (local.set $end (i32.add (local.get $at) (i32.and (i32.add (local.get $n) (i32.const 15)) (i32.const -16))))
          (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536)))
            (then (if (i32.eq (i32.const -1) (memory.grow (i32.shr_u
                (i32.add (i32.sub (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65535)) (i32.const 16))))
              (then (return (i32.const 0))))))
          (global.set $next (local.get $end))
          (local.get $at))
        """#
    var dealloc = #"(func (export "dealloc") (param i32))"#
    /// At 16 to 20 is "hello".
    var describe = #"(func (export "describe") (result i64) (i64.const 0x1000000005))"#
    /// The body of `handle`, with $kind, $at and $count.
    var handle = Wat.echo
    var more = ""

    var text: String {
        """
        (module
          \(imports)
          \(memory)
          (global $next (mut i32) (i32.const 4096))
          (data (i32.const 16) "hello")
          \(alloc) \(dealloc) \(describe)
          (func $handle (export "handle") (param $kind i32) (param $at i32) (param $count i32) (result i64) \(handle))
          \(more))
        """
    }
}

/// Imports in text, by name.
enum WatImport {
    static let log = #"(import "wsemail" "log" (func $log (param i32 i32 i32)))"#
    static let now = #"(import "wsemail" "now" (func $now (result i64)))"#
    static let get = #"(import "wsemail" "kv_get" (func $get (param i32 i32) (result i64)))"#
    static let set = #"(import "wsemail" "kv_set" (func $set (param i32 i32 i32 i32) (result i32)))"#
    static let delete = #"(import "wsemail" "kv_delete" (func $delete (param i32 i32) (result i32)))"#
    static let list = #"(import "wsemail" "kv_list" (func $list (param i32 i32 i32 i32 i32) (result i64)))"#
    static let send = #"(import "wsemail" "send" (func $send (param i32 i32) (result i32)))"#
    static let lookUp = #"(import "wsemail" "lookup" (func $lookup (param i32 i32) (result i32)))"#
    static let all = [log, now, get, set, delete, list, send, lookUp].joined(separator: "\n")
}

/// Remembers what it was asked.
final class TestHost: HostCalls {
    var values: [[UInt8]: [UInt8]] = [:]
    var lines: [String] = []
    var levels: [PluginLogLevel] = []
    var frames: [[UInt8]] = []
    var addresses: [String] = []
    var listed: [(prefix: [UInt8], cursor: [UInt8]?, limit: Int)] = []
    var error: PluginError?
    var standing: Int32 = 1
    /// Runs inside `now`.
    var during: () -> Void = {}

    func fail() throws(PluginError) { if let error { throw error } }
    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError) {
        try fail()
        levels.append(level)
        lines.append(text)
    }
    func now() throws(PluginError) -> Int64 {
        try fail()
        during()
        return 1_764_000_000_123
    }
    func value(for key: [UInt8]) throws(PluginError) -> [UInt8]? {
        try fail()
        return values[key]
    }
    func setValue(_ value: [UInt8]?, for key: [UInt8]) throws(PluginError) {
        try fail()
        values[key] = value
    }
    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) throws(PluginError) -> [[UInt8]] {
        try fail()
        listed.append((prefix, cursor, limit))
        return values.keys.filter { $0.starts(with: prefix) }.sorted { $0.lexicographicallyPrecedes($1) }
    }
    func send(_ frame: [UInt8]) throws(PluginError) {
        try fail()
        frames.append(frame)
    }
    func lookUp(_ address: String) throws(PluginError) -> Int32 {
        try fail()
        addresses.append(address)
        return standing
    }
}
