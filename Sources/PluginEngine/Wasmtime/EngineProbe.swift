import Crypto
import Foundation
import PluginAPI

/// Starts an engine and finds out what it is: the C API has no function that says so.
struct EngineProbe {
    let engine: WasmtimeHandle
    let isInterpreted: Bool
    /// Such as `50`.
    let version: String
    let notices: [String]

    /// A module with one function `probe` that answers 42.
    private static let module: [UInt8] = [
        0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7F, 0x03, 0x02, 0x01, 0x00, 0x07,
        0x09, 0x01, 0x05, 0x70, 0x72, 0x6F, 0x62, 0x65, 0x00, 0x00, 0x0A, 0x06, 0x01, 0x04, 0x00, 0x41, 0x2A, 0x0B,
    ]

    /// - Throws: ``PluginError`` `.unavailable`.
    static func start(
        _ library: WasmtimeLibrary, _ execution: WasmtimeOptions.Execution
    ) throws(PluginError) -> EngineProbe {
        guard execution == .automatic else { return try start(library, isInterpreted: execution == .interpreted, []) }
        let refusal: PluginError
        do throws(PluginError) {
            return try start(library, isInterpreted: false, [])
        } catch {
            refusal = error
        }
        // Most likely memory must not become executable (SELinux, MemoryDenyWriteExecute): interpreted code needs none.
        let notice = "plug-ins run interpreted, 10 to 30 times slower, as machine code is refused: \(refusal.reason)"
        do throws(PluginError) {
            return try start(library, isInterpreted: true, [notice])
        } catch {
            throw PluginError(.unavailable, "\(refusal.reason); and interpreted: \(error.reason)")
        }
    }

    private static func start(
        _ library: WasmtimeLibrary, isInterpreted: Bool, _ notices: [String]
    ) throws(PluginError) -> EngineProbe {
        let engine = try WasmtimeConfiguration.engine(library, isInterpreted: isInterpreted)
        do throws(PluginError) {
            let version = try probe(engine, library)
            var notices = notices
            if let major = Int(version.prefix { $0.isNumber }), !WasmtimeLibrary.supported.contains(major) {
                notices.append("wasmtime \(version) is untried here; tried are \(WasmtimeLibrary.versions)")
            }
            return EngineProbe(engine: engine, isInterpreted: isInterpreted, version: version, notices: notices)
        } catch {
            library.deleteEngine(engine)
            throw error
        }
    }

    /// Compiles and runs the module, and reads the version from its compiled form.
    private static func probe(_ engine: WasmtimeHandle, _ library: WasmtimeLibrary) throws(PluginError) -> String {
        func failure(_ error: WasmtimeHandle?, _ trap: WasmtimeHandle? = nil) -> PluginError? {
            library.stop(error, trap).map { PluginError(.unavailable, "wasmtime runs no code here: \($0.text)") }
        }
        var compiled: WasmtimeHandle?
        if let error = failure(library.newModule(engine, module, module.count, &compiled)) { throw error }
        guard let compiled, let linker = library.newLinker(engine), let store = library.newStore(engine, nil, nil) else {
            throw PluginError(.unavailable, "wasmtime made no module")
        }
        defer {
            library.deleteStore(store)
            library.deleteLinker(linker)
            library.deleteModule(compiled)
        }
        var linked: WasmtimeHandle?
        if let error = failure(library.preinstantiate(linker, compiled, &linked)) { throw error }
        guard let linked else { throw PluginError(.unavailable, "wasmtime linked nothing") }
        defer { library.deletePreinstance(linked) }
        let context = library.storeContext(store)
        library.setEpochDeadline(context, 1_000_000)
        var instance = WasmtimeItem()
        var trap: WasmtimeHandle?
        let error = library.instantiate(linked, context, &instance, &trap)
        if let error = failure(error, trap) { throw error }
        guard call(context, &instance, library) == 42 else {
            throw PluginError(.unavailable, "wasmtime computes wrongly here: is it one of \(WasmtimeLibrary.versions)?")
        }
        var octets = WasmtimeVector()
        if let error = failure(library.serialize(compiled, &octets)) { throw error }
        return version(in: library.octets(&octets)) ?? "unknown"
    }

    private static func call(
        _ context: WasmtimeHandle, _ instance: inout WasmtimeItem, _ library: WasmtimeLibrary
    ) -> UInt32? {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { buffer in
            let name = Array("probe".utf8)
            guard let base = buffer.baseAddress, library.export(context, &instance, name, name.count, base), base.load(as: UInt8.self) == 0
            else { return nil }
            let function = base.load(fromByteOffset: 8, as: WasmtimeItem.self)
            var trap: WasmtimeHandle?
            let error = withUnsafePointer(to: function) { library.call(context, $0, base, 1, &trap) }
            guard error == nil, trap == nil else {
                library.discard(error, trap)
                return nil
            }
            return base.load(as: UInt32.self)
        }
    }

    /// Compiled code carries, before its target, an octet 0, the version's length and the version.
    private static func version(in code: [UInt8]) -> String? {
        for target in ["x86_64-", "aarch64-", "pulley64-"] {
            guard let range = code.firstRange(of: target.utf8) else { continue }
            // The target's own length comes between.
            let before = code[..<range.lowerBound].dropLast()
            let text = before.reversed().prefix { (0x30...0x39).contains($0) || $0 == 0x2E }.reversed()
            guard !text.isEmpty, before.dropLast(text.count).last == UInt8(text.count) else { continue }
            return String(decoding: text, as: UTF8.self)
        }
        return nil
    }

    /// What compiled code depends on.
    /// - Throws: ``PluginError`` `.unavailable` when the library's file cannot be read.
    static func identity(_ library: WasmtimeLibrary, _ probe: EngineProbe) throws(PluginError) -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: library.path) else {
            throw PluginError(.unavailable, "\(library.path) cannot be read")
        }
        defer { try? file.close() }
        var hash = SHA256()
        do {
            while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty { hash.update(data: chunk) }
        } catch {
            throw PluginError(.unavailable, "\(library.path) cannot be read: \(error.localizedDescription)")
        }
        let settings = "\(probe.version) \(probe.isInterpreted) \(WasmtimeConfiguration.revision) \(processor)"
        hash.update(data: Data(settings.utf8))
        return Array(hash.finalize())
    }

    /// The processor and its features. wasmtime checks them too; here they only separate the files.
    private static var processor: String {
        var name = utsname()
        uname(&name)
        let machine = withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let facts = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let features = facts.split(separator: "\n").first { $0.hasPrefix("flags") || $0.hasPrefix("Features") }
        return machine + " " + (features.map(String.init) ?? "")
    }
}
