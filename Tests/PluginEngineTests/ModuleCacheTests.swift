import Foundation
import PluginAPI
import Testing

@testable import PluginEngine

/// Compiled modules on disk: only what the cache wrote itself is ever loaded.
@Suite struct ModuleCacheTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wsemail-cache-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func engine(_ folder: String, _ options: WasmtimeOptions = WasmtimeOptions()) throws -> WasmtimeEngine {
        try WasmtimeEngine(library: try TestEngine.library(), cacheFolder: folder, options: options)
    }

    /// Compiles a module (by its number) and answers whether it came from the cache.
    private func load(_ engine: WasmtimeEngine, _ number: Int = 1) throws -> Bool {
        var parts = Wat()
        parts.more = "(func (export \"number\") (result i32) (i32.const \(number)))"
        let module = try TestEngine.compile(parts.text, with: engine)
        #expect(try module.describe(TestEngine.limits) == Array("hello".utf8))
        return module.isFromCache
    }

    private func entries(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0 != "key" }.sorted()
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func `A module is compiled once and then read, also by another engine`() throws {
        try withFolder { folder in
            let first = try engine(folder)
            #expect(first.notices.isEmpty)
            #expect(try load(first) == false)
            #expect(try load(first) == true)
            #expect(try load(first, 2) == false)
            #expect(try load(try engine(folder)) == true)
            #expect(try mode(folder) == 0o700)
            for name in try entries(folder) + ["key"] { #expect(try mode(folder + "/" + name) == 0o600) }
            #expect(try entries(folder).count == 2)
        }
    }

    @Test func `A cached module is judged like a new one`() throws {
        try withFolder { folder in
            let engine = try engine(folder)
            var parts = Wat()
            parts.imports = WatImport.send
            #expect(try TestEngine.compile(parts.text, granted: [.send], with: engine).isFromCache == false)
            let error = #expect(throws: PluginError.self) { try TestEngine.compile(parts.text, granted: [.log], with: engine) }
            #expect(error?.code == .notGranted)
        }
    }

    @Test(arguments: ["start", "middle", "end", "short", "empty", "longer", "garbage"])
    func `A tampered entry is deleted and the module compiled anew`(_ damage: String) throws {
        try withFolder { folder in
            let engine = try engine(folder)
            #expect(try load(engine) == false)
            let path = folder + "/" + (try #require(try entries(folder).first))
            var octets = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            switch damage {
            case "start": octets[30] ^= 1
            case "middle": octets[octets.count / 2] ^= 1
            case "end": octets[octets.count - 1] ^= 1
            case "short": octets.removeLast(100)
            case "empty": octets = []
            case "longer": octets.append(0)
            default: octets = Array(repeating: 7, count: 50_000)
            }
            let handle = try #require(FileHandle(forWritingAtPath: path))
            try handle.truncate(atOffset: 0)
            try handle.write(contentsOf: Data(octets))
            try handle.close()
            #expect(try load(engine) == false)
            #expect(try load(engine) == true)
        }
    }

    @Test func `An entry under another name, of another folder or open to others is not used`() throws {
        try withFolder { folder in
            try withFolder { other in
                let engine = try engine(folder)
                #expect(try load(engine, 1) == false)
                let one = try #require(try entries(folder).first)
                #expect(try load(engine, 2) == false)
                let two = try #require(try entries(folder).first { $0 != one })
                // Swapped: module 2 must not run as module 1.
                try FileManager.default.removeItem(atPath: "\(folder)/\(one)")
                try FileManager.default.copyItem(atPath: "\(folder)/\(two)", toPath: "\(folder)/\(one)")
                #expect(try load(engine, 1) == false)
                // Another folder has another key.
                let foreign = try self.engine(other)
                try FileManager.default.copyItem(atPath: "\(folder)/\(one)", toPath: "\(other)/\(one)")
                #expect(try load(foreign, 1) == false)
                #expect(try load(foreign, 1) == true)
                // Others could have written it.
                #expect(chmod("\(folder)/\(two)", 0o620) == 0)
                #expect(try load(engine, 2) == false)
                #expect(try load(engine, 2) == true)
                // A link to a good entry is not followed.
                #expect(rename("\(folder)/\(two)", "\(folder)/moved") == 0)
                #expect(symlink("moved", "\(folder)/\(two)") == 0)
                #expect(try load(engine, 2) == false)
            }
        }
    }

    @Test(arguments: [0o755, 0o770, 0o701, 0o777]) func `A folder open to others is refused, and the engine works without`(_ mode: Int)
        throws
    {
        try withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            #expect(chmod(folder, mode_t(mode)) == 0)
            let engine = try engine(folder)
            #expect(engine.notices.count == 1 && engine.notices[0].contains("open to other users"), "\(engine.notices)")
            #expect(try load(engine) == false)
            #expect(try load(engine) == false)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        }
    }

    @Test func `What is no folder, is another's, or has an open key is refused`() throws {
        try withFolder { folder in
            try withFolder { link in
                _ = try engine(folder)
                #expect(symlink(folder, link) == 0)
                #expect(try engine(link).notices.first?.contains("cannot be opened") == true)
            }
            #expect(chmod(folder + "/key", 0o640) == 0)
            #expect(try engine(folder).notices.first?.contains("open to other users") == true)
            #expect(chmod(folder + "/key", 0o600) == 0)
            #expect(try engine(folder).notices.isEmpty)
            // Only root can give a folder away; others cannot own one of root's.
            if geteuid() == 0 {
                #expect(chown(folder, 65_534, 65_534) == 0)
                #expect(try engine(folder).notices.first?.contains("another user's") == true)
            } else {
                #expect(try engine("/root").notices.count == 1)
            }
        }
        try withFolder { file in
            #expect(FileManager.default.createFile(atPath: file, contents: Data()))
            let engine = try engine(file)
            #expect(engine.notices.count == 1)
        }
        #expect(try engine("/nowhere/at/all").notices.first?.contains("cannot be made") == true)
    }

    @Test func `A cut-off key is replaced, and its entries are compiled anew`() throws {
        try withFolder { folder in
            #expect(try load(try engine(folder)) == false)
            #expect(truncate(folder + "/key", 5) == 0)
            let engine = try engine(folder)
            #expect(engine.notices.isEmpty)
            #expect(try load(engine) == false)
            #expect(try load(try self.engine(folder)) == true)
        }
    }

    @Test func `An engine of another kind does not read the entries`() throws {
        try withFolder { folder in
            #expect(try load(try engine(folder)) == false)
            let interpreter = try engine(folder, WasmtimeOptions(execution: .interpreted))
            #expect(try load(interpreter) == false)
            #expect(try load(interpreter) == true)
            #expect(try entries(folder).count == 2)
        }
    }

    /// Even under the right name with a good HMAC, wasmtime checks what it made.
    @Test func `Code that wasmtime does not accept is deleted`() throws {
        try withFolder { folder in
            let engine = try engine(folder)
            #expect(try load(engine) == false)
            let name = try #require(try entries(folder).first)
            engine.cache?.write(Array(repeating: 0, count: 10_000), name)
            #expect(try load(engine) == false)
            #expect(try load(engine) == true)
        }
    }

    @Test func `The cache stays within its limit, the oldest goes first`() throws {
        try withFolder { folder in
            let cache = try ModuleCache(folder: folder, limit: 10_000)
            let octets = [UInt8](repeating: 1, count: 3_000)
            for (index, name) in ["one", "two", "three"].enumerated() {
                cache.write(octets, name)
                // As if written long ago, in this order.
                let date = Date(timeIntervalSince1970: 1_000_000 + Double(index))
                try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: "\(folder)/\(name)")
            }
            #expect(try entries(folder) == ["one", "three", "two"])
            #expect(cache.read("one") == octets)
            cache.write(octets, "four")
            #expect(try entries(folder) == ["four", "one", "three"])
            #expect(cache.read("two") == nil)
            cache.write([UInt8](repeating: 1, count: 20_000), "huge")
            #expect(try entries(folder) == ["four", "one", "three"])
        }
    }
}
