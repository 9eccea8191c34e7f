import Foundation
import PluginAPI
import Testing

@testable import PluginEngine

/// Finding the library, and living with what the system allows.
@Suite struct EngineStartTests {
    @Test func `A library that is not there or is another one is named, with what to do`() throws {
        let missing = #expect(throws: PluginError.self) { try WasmtimeEngine(library: "/nowhere/libwasmtime.so", cacheFolder: nil) }
        #expect(missing?.code == .unavailable)
        #expect(missing?.reason.contains("/nowhere/libwasmtime.so") == true && missing?.reason.contains("Install it") == true)
        let other = #expect(throws: PluginError.self) { try WasmtimeEngine(library: "libc.so.6", cacheFolder: nil) }
        #expect(other?.code == .unavailable)
        #expect(other?.reason.contains("has no function wasm_config_new") == true && other?.reason.contains("44 to 50") == true)
    }

    @Test func `The engine says what it is`() throws {
        let engine = try TestEngine.shared()
        #expect(engine.isCompiling)
        #expect(try /wasmtime \d+(\.\d+\.\d+)? cranelift/.wholeMatch(in: engine.identification) != nil, "\(engine.identification)")
        #expect(engine.notices.isEmpty)
    }

    @Test func `Interpreted modules do the same`() throws {
        let engine = try WasmtimeEngine(
            library: try TestEngine.library(), cacheFolder: nil, options: WasmtimeOptions(execution: .interpreted))
        #expect(!engine.isCompiling && engine.identification.hasSuffix(" pulley"))
        try Self.exercise(engine)
    }

    /// A call, a host call with alloc, a deadline, a trap and a memory limit.
    static func exercise(_ engine: WasmtimeEngine) throws {
        func run(_ code: String, _ limits: CallLimits = TestEngine.limits) throws -> [UInt8]? {
            var parts = Wat()
            parts.imports = WatImport.all
            parts.handle = code
            let host = TestHost()
            host.values = [Array("h".utf8): Array("value".utf8)]
            return try TestEngine.compile(parts.text, with: engine).handle(.delivery, [1, 2, 3], limits: limits, host: host)
        }
        #expect(try run(Wat.echo) == [1, 2, 3])
        #expect(try run("(call $get (i32.const 16) (i32.const 1))") == Array("value".utf8))
        #expect(TestEngine.error { _ = try run("\(Wat.loop) unreachable", TestEngine.short) }?.code == .timedOut)
        #expect(TestEngine.error { _ = try run("unreachable") }?.code == .failed)
        #expect(TestEngine.error { _ = try run("(i64.load (i32.const -1))") }?.code == .failed)
        let deep = "(i64.add (i64.const 1) (call $handle (local.get $kind) (local.get $at) (local.get $count)))"
        #expect(TestEngine.error { _ = try run(deep) }?.reason.contains("nest too deeply") == true)
        let hog = "(loop $again (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) unreachable"
        #expect(TestEngine.error { _ = try run(hog) }?.code == .limitExceeded)
    }

    /// `MemoryDenyWriteExecute=yes` in a systemd unit; here by prctl(PR_SET_MDWE), which Linux has since 6.3.
    @Test func `Where memory must not become executable, modules are interpreted`() async {
        await #expect(processExitsWith: .success) {
            guard try Restriction.denyExecutableMemory() else { return }
            let engine = try WasmtimeEngine(library: try TestEngine.library(), cacheFolder: nil)
            #expect(!engine.isCompiling)
            #expect(engine.notices.first?.contains("run interpreted") == true, "\(engine.notices)")
            try EngineStartTests.exercise(engine)
            let refused = #expect(throws: PluginError.self) {
                try WasmtimeEngine(
                    library: try TestEngine.library(), cacheFolder: nil, options: WasmtimeOptions(execution: .compiled))
            }
            #expect(refused?.code == .unavailable)
        }
    }

    @Test func `Address space may be limited`() async {
        await #expect(processExitsWith: .success) {
            let engine = try TestEngine.shared()
            try Restriction.limitAddressSpace(toFurther: 300 << 20)
            try EngineStartTests.exercise(engine)
            let module = try TestEngine.compile(Wat().text)
            let wrong = WrongAnswers()
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                for _ in 0..<50 where (try? module.handle(.delivery, [7], limits: TestEngine.limits, host: TestHost())) != [7] {
                    wrong.add()
                }
            }
            #expect(wrong.count == 0)
        }
    }

    /// The bounds are a tenth of what one lost store or module (64 KiB and more) per round would need.
    @Test func `Nothing leaks, neither by reloads nor by calls, good or bad`() async {
        await #expect(processExitsWith: .success) {
            func reload(_ count: Int) throws {
                for number in 0..<count {
                    var parts = Wat()
                    parts.imports = WatImport.all
                    parts.more = "(func (export \"number\") (result i32) (i32.const \(number)))"
                    _ = try TestEngine.compile(parts.text).describe(TestEngine.limits)
                }
            }
            var parts = Wat()
            parts.imports = WatImport.all
            // Kind 1: an answer by way of the host; 2: a trap; 3: an error of the host; 4: a wild pointer.
            parts.handle = """
                (if (i32.eq (local.get $kind) (i32.const 2)) (then unreachable))
                (if (i32.eq (local.get $kind) (i32.const 3)) (then (drop (call $set (i32.const -1) (i32.const 1) (i32.const 0) (i32.const 0)))))
                (if (i32.eq (local.get $kind) (i32.const 4)) (then (return (i64.const -1))))
                (call $get (i32.const 16) (i32.const 1))
                """
            let module = try TestEngine.compile(parts.text)
            let host = TestHost()
            host.values = [Array("h".utf8): Array(repeating: 1, count: 2_000)]
            func call(_ count: Int) {
                let event = [UInt8](repeating: 1, count: 2_000)
                for _ in 0..<count {
                    for kind in CallKind.allCases {
                        let answer = try? module.handle(kind, event, limits: TestEngine.limits, host: host)
                        if (answer != nil) != (kind == .sending) { Issue.record("\(kind)") }
                    }
                }
            }
            try reload(30)
            call(500)
            let beforeReloads = try Restriction.residentOctets()
            try reload(300)
            let reloads = try Restriction.residentOctets() - beforeReloads
            #expect(reloads < 6 << 20, "300 reloads took \(reloads) octets")
            let beforeCalls = try Restriction.residentOctets()
            call(5_000)
            let calls = try Restriction.residentOctets() - beforeCalls
            #expect(calls < 4 << 20, "20,000 calls took \(calls) octets")
        }
    }
}

/// Restrictions of a process of its own.
enum Restriction {
    /// Answers false where the kernel cannot.
    static func denyExecutableMemory() throws -> Bool {
        // prctl takes variable arguments, which Swift does not import; on Linux's machines they travel like fixed ones.
        typealias Prctl = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
        let symbol = try #require(dlsym(nil, "prctl"))
        return unsafeBitCast(symbol, to: Prctl.self)(65, 1, 0, 0, 0) == 0
    }

    static func limitAddressSpace(toFurther octets: UInt) throws {
        let limit = try pages()[0] * UInt(getpagesize()) + octets
        var value = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
        #if canImport(Glibc)
            #expect(setrlimit(__rlimit_resource_t(9), &value) == 0)
        #else
            #expect(setrlimit(9, &value) == 0)
        #endif
    }

    static func residentOctets() throws -> Int { Int(try pages()[1]) * Int(getpagesize()) }

    /// Size and resident size of this process.
    private static func pages() throws -> [UInt] {
        try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ").compactMap { UInt($0) }
    }
}
