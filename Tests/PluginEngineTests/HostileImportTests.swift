import PluginAPI
import Testing

@testable import PluginEngine

/// Modules that misuse the host's functions.
@Suite struct HostileImportTests {
    /// Imports with arguments of which one pair of pointer and length is `$$`.
    static let pointers = [
        "(call $log (i32.const 1) $$)", "(drop (call $get $$))", "(drop (call $set $$ (i32.const 16) (i32.const 5)))",
        "(drop (call $set (i32.const 16) (i32.const 5) $$))", "(drop (call $delete $$))",
        "(drop (call $list $$ (i32.const 16) (i32.const 5) (i32.const 10)))",
        "(drop (call $list (i32.const 16) (i32.const 5) $$ (i32.const 10)))", "(drop (call $send $$))", "(drop (call $lookup $$))",
    ]

    @Test(arguments: pointers) func `Wild pointers end the call`(_ code: String) throws {
        var parts = Wat()
        parts.imports = WatImport.all
        for (address, count) in [
            (-1, 1), (65_536, 1), (65_535, 2), (0, 65_537), (16, -1), (-16, 32), (-1, -1), (Int(Int32.min), Int(Int32.max)),
        ] {
            let call = code.replacing("$$", with: "(i32.const \(address)) (i32.const \(count))") + " (i64.const 0)"
            let host = TestHost()
            try TestEngine.expect(.failed, "outside its memory") { _ = try TestEngine.handle(call, parts: parts, host: host) }
            #expect(host.lines.isEmpty && host.frames.isEmpty && host.values.isEmpty && host.addresses.isEmpty && host.listed.isEmpty)
        }
        let good = code.replacing("$$", with: "(i32.const 16) (i32.const 5)") + " (i64.const 0)"
        #expect(try TestEngine.handle(good, parts: parts) == nil)
    }

    @Test(arguments: [
        "(call $log (i32.const 1) (i32.const 16) (i32.const 5))", "(drop (call $now))", "(drop (call $get (i32.const 16) (i32.const 5)))",
        "(drop (call $set (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5)))",
        "(drop (call $delete (i32.const 16) (i32.const 5)))",
        "(drop (call $list (i32.const 16) (i32.const 5) (i32.const 16) (i32.const 5) (i32.const 10)))",
        "(drop (call $send (i32.const 16) (i32.const 5)))", "(drop (call $lookup (i32.const 16) (i32.const 5)))",
    ])
    func `An error of the host is the call's error`(_ code: String) throws {
        var parts = Wat()
        parts.imports = WatImport.all
        let host = TestHost()
        host.error = PluginError(.storage, "the disk is full")
        try TestEngine.expect(.storage, "the disk is full") {
            _ = try TestEngine.handle(code + " (i64.const 0)", parts: parts, host: host)
        }
        host.error = nil
        #expect(try TestEngine.handle(code + " (i64.const 0)", parts: parts, host: host) == nil)
    }

    @Test func `A flood of log lines ends the call`() throws {
        var parts = Wat()
        parts.imports = WatImport.log
        let host = TestHost()
        let flood = "(loop $again (call $log (i32.const 1) (i32.const 16) (i32.const 5)) (br $again)) unreachable"
        try TestEngine.expect(.limitExceeded, "more than 100 lines") { _ = try TestEngine.handle(flood, parts: parts, host: host) }
        #expect(host.lines.count == 100)
    }

    @Test func `An address that is not UTF-8 ends the call`() throws {
        var parts = Wat()
        parts.imports = WatImport.lookUp
        parts.more = #"(data (i32.const 40) "\ff\fe")"#
        let host = TestHost()
        try TestEngine.expect(.invalid, "not UTF-8") {
            _ = try TestEngine.handle(
                "(drop (call $lookup (i32.const 40) (i32.const 2))) (i64.const 0)", parts: parts, host: host)
        }
        #expect(host.addresses.isEmpty)
    }

    @Test func `alloc cannot call for an answer that needs alloc`() throws {
        var parts = Wat()
        parts.imports = WatImport.get
        parts.alloc = """
            (func (export "alloc") (param i32) (result i32) (drop (call $get (i32.const 16) (i32.const 1))) (i32.const 512))
            """
        let host = TestHost()
        host.values = [Array("h".utf8): [1]]
        try TestEngine.expect(.failed, "alloc called") { _ = try TestEngine.handle(Wat.echo, parts: parts, host: host) }
    }

    @Test func `An alloc that fails while the host answers ends the call`() throws {
        var parts = Wat()
        parts.imports = WatImport.get
        parts.alloc = """
            (func (export "alloc") (param $n i32) (result i32)
              (if (i32.eq (local.get $n) (i32.const 3)) (then unreachable)) (i32.const 512))
            """
        let host = TestHost()
        host.values = [Array("h".utf8): [1, 2, 3], Array("e".utf8): [1, 2]]
        try TestEngine.expect(.failed, "unreachable") {
            _ = try TestEngine.handle("(call $get (i32.const 16) (i32.const 1))", parts: parts, host: host)
        }
        #expect(try TestEngine.handle("(call $get (i32.const 17) (i32.const 1))", parts: parts, host: host) == "\u{1}\u{2}")
    }

    @Test func `A start function cannot call the host, _initialize can`() throws {
        var parts = Wat()
        parts.imports = WatImport.log
        parts.more = "(func $begin (call $log (i32.const 1) (i32.const 16) (i32.const 5))) (start $begin)"
        try TestEngine.expect(.failed, "start function") { _ = try TestEngine.handle(Wat.echo, parts: parts) }
        parts.more = #"(func (export "_initialize") (call $log (i32.const 1) (i32.const 16) (i32.const 5)))"#
        let host = TestHost()
        #expect(try TestEngine.handle(Wat.echo, parts: parts, host: host) == "event")
        #expect(host.lines == ["hello"])
    }
}
