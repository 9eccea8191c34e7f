import Crypto
import Foundation
import PluginAPI

/// Runs WebAssembly with wasmtime, loaded at run time from a file that the administrator names.
///
/// Time is limited by epochs: a thread advances them while calls run. Memory is limited per call; its address space is not
/// reserved beforehand. Compiled code is kept in a private folder, if there is one.
///
/// `@unchecked Sendable`: immutable but for the parts that guard themselves; an engine of wasmtime may be used from any
/// thread at once.
public final class WasmtimeEngine: PluginEngine, @unchecked Sendable {
    /// Such as `wasmtime 50 cranelift`.
    public let identification: String
    /// What an administrator should know: no cache, no machine code, an untried version. One line each.
    public let notices: [String]
    /// Whether modules run as machine code, and not interpreted.
    public let isCompiling: Bool

    let library: WasmtimeLibrary
    let handle: WasmtimeHandle
    let ticker: EpochTicker
    let cache: ModuleCache?
    private let options: WasmtimeOptions
    /// What compiled code depends on: library, generator, settings, processor.
    private let identity: [UInt8]

    /// - Parameters:
    ///   - path: of `libwasmtime.so`, versions 44 to 50.
    ///   - cacheFolder: private to this user, made if it is not there; nil: modules are compiled at every start.
    /// - Throws: ``PluginError`` `.unavailable`, saying what to do. A cache that cannot be used is only a notice.
    public init(
        library path: String, cacheFolder: String?, options: WasmtimeOptions = WasmtimeOptions()
    ) throws(PluginError) {
        let library = try WasmtimeLibrary(path: path)
        let machine = try EngineProbe.start(library, options.execution)
        var identity: [UInt8] = []
        var notices = machine.notices
        var cache: ModuleCache?
        do throws(PluginError) {
            identity = try EngineProbe.identity(library, machine)
            if let cacheFolder { cache = try ModuleCache(folder: cacheFolder, limit: options.cacheLimit) }
        } catch {
            notices.append("no cache of compiled plug-ins: \(error.reason)")
        }
        self.library = library
        self.options = options
        self.identity = identity
        self.cache = cache
        self.notices = notices
        handle = machine.engine
        isCompiling = !machine.isInterpreted
        identification = "wasmtime \(machine.version) \(machine.isInterpreted ? "pulley" : "cranelift")"
        // Captured as an address: a pointer is not Sendable. stop() ends the ticks before the engine goes.
        let address = UInt(bitPattern: machine.engine)
        ticker = EpochTicker {
            if let engine = WasmtimeHandle(bitPattern: address) { library.incrementEpoch(engine) }
        }
    }

    deinit {
        ticker.stop()
        library.deleteEngine(handle)
    }

    public func shutDown() { ticker.stop() }

    public func compile(
        _ module: [UInt8], digest: [UInt8], granted: Set<PluginCapability>
    ) throws(PluginError) -> any PluginModule {
        guard module.count <= options.moduleLimit else {
            throw PluginError(.limitExceeded, "the module has \(module.count) octets, more than \(options.moduleLimit)")
        }
        // Anything else would be taken for WebAssembly text, or a component.
        guard module.starts(with: [0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00]) else {
            throw PluginError(.invalidModule, "the module is not WebAssembly, version 1")
        }
        // The cache believes the digest.
        guard Array(SHA256.hash(data: module)) == digest else {
            throw PluginError(.invalidModule, "the module's digest does not match")
        }
        let name = Data(SHA256.hash(data: digest + identity)).map { String(format: "%02x", $0) }.joined()
        if let cached = restore(name) {
            return try WasmtimeModule(cached, self, granted: granted, isFromCache: true)
        }
        var compiled: WasmtimeHandle?
        if let error = library.newModule(handle, module, module.count, &compiled) {
            throw PluginError(.invalidModule, "the module does not compile: \(library.text(ofError: error))")
        }
        guard let compiled else { throw PluginError(.unavailable, "wasmtime compiled nothing") }
        let result = try WasmtimeModule(compiled, self, granted: granted, isFromCache: false)
        keep(compiled, name)
        return result
    }

    /// Runs a call while epochs advance.
    func counted<Result>(_ body: () throws(PluginError) -> Result) throws(PluginError) -> Result {
        guard ticker.begin() else { throw PluginError(.unavailable, "the engine for plug-ins has been shut down") }
        defer { ticker.end() }
        return try body()
    }

    /// The module in WebAssembly text as octets; for tests.
    func assemble(_ text: String) throws(PluginError) -> [UInt8] {
        typealias Assembler = @convention(c) (UnsafePointer<UInt8>, Int, WasmtimeLibrary.Vector) -> WasmtimeHandle?
        guard let assembler = library.optional("wasmtime_wat2wasm", as: Assembler.self) else {
            throw PluginError(.unavailable, "this wasmtime does not read text")
        }
        let octets = [UInt8](text.utf8)
        var result = WasmtimeVector()
        if let error = assembler(octets, octets.count, &result) {
            throw PluginError(.invalidModule, library.text(ofError: error))
        }
        return library.octets(&result)
    }

    private func restore(_ name: String) -> WasmtimeHandle? {
        guard let cache, let octets = cache.read(name) else { return nil }
        var module: WasmtimeHandle?
        if let error = library.deserialize(handle, octets, octets.count, &module) {
            library.discard(error, nil)
            cache.remove(name)
            return nil
        }
        return module
    }

    private func keep(_ module: WasmtimeHandle, _ name: String) {
        guard let cache else { return }
        var octets = WasmtimeVector()
        if let error = library.serialize(module, &octets) {
            library.discard(error, nil)
            return
        }
        cache.write(library.octets(&octets), name)
    }
}
