import PluginAPI

/// Compiled code, linked with the host's functions; each call makes an instance of it.
///
/// `@unchecked Sendable`: immutable; modules and pre-instances of wasmtime may be used from any thread at once.
final class WasmtimeModule: PluginModule, @unchecked Sendable {
    /// Outlives the module: the handles below belong to it.
    let engine: WasmtimeEngine
    let shape: ModuleShape
    /// Whether it came from the cache on disk; for tests.
    let isFromCache: Bool
    let preinstance: WasmtimeHandle
    private let handle: WasmtimeHandle

    /// Takes `handle`, also when it throws.
    init(
        _ handle: WasmtimeHandle, _ engine: WasmtimeEngine, granted: Set<PluginCapability>, isFromCache: Bool
    ) throws(PluginError) {
        do throws(PluginError) {
            shape = try ModuleShape(of: handle, engine.library, granted: granted)
            preinstance = try Self.link(handle, shape, engine)
        } catch {
            engine.library.deleteModule(handle)
            throw error
        }
        self.handle = handle
        self.engine = engine
        self.isFromCache = isFromCache
    }

    deinit {
        engine.library.deletePreinstance(preinstance)
        engine.library.deleteModule(handle)
    }

    func describe(_ limits: CallLimits) throws(PluginError) -> [UInt8] {
        let answer = try engine.counted { () throws(PluginError) in
            let call = WasmtimeCall(self, limits, host: nil)
            try call.start()
            return try call.describe()
        }
        guard let answer else { throw PluginError(.failed, "its describe answered nothing") }
        return answer
    }

    func handle(
        _ kind: CallKind, _ event: [UInt8], limits: CallLimits, host: any HostCalls
    ) throws(PluginError) -> [UInt8]? {
        try engine.counted { () throws(PluginError) in
            let call = WasmtimeCall(self, limits, host: host)
            try call.start()
            return try call.handle(kind, event)
        }
    }

    private static func link(
        _ module: WasmtimeHandle, _ shape: ModuleShape, _ engine: WasmtimeEngine
    ) throws(PluginError) -> WasmtimeHandle {
        let library = engine.library
        guard let linker = library.newLinker(engine.handle) else { throw PluginError(.unavailable, "wasmtime made no linker") }
        defer { library.deleteLinker(linker) }
        let environment = Unmanaged.passUnretained(library).toOpaque()
        let source = [UInt8](HostImport.module.utf8)
        for wanted in shape.imports.values {
            let type = try functionType(wanted.shape, library)
            defer { library.deleteFunctionType(type) }
            let name = [UInt8](wanted.name.utf8)
            if let error = library.defineFunction(
                linker, source, source.count, name, name.count, type, wanted.function, environment, nil)
            {
                throw PluginError(.unavailable, "wasmtime took no function \(wanted.name): \(library.text(ofError: error))")
            }
        }
        var result: WasmtimeHandle?
        if let error = library.preinstantiate(linker, module, &result) {
            throw PluginError(.invalidModule, "the module cannot be linked: \(library.text(ofError: error))")
        }
        guard let result else { throw PluginError(.unavailable, "wasmtime linked nothing") }
        return result
    }

    private static func functionType(
        _ shape: FunctionShape, _ library: WasmtimeLibrary
    ) throws(PluginError) -> WasmtimeHandle {
        func list(_ kinds: [ValueKind]) -> WasmtimeVector {
            var vector = WasmtimeVector()
            library.newValueTypes(&vector, kinds.count, kinds.map { library.newValueType($0.rawValue) })
            return vector
        }
        var parameters = list(shape.parameters)
        var results = list(shape.results)
        guard let type = library.newFunctionType(&parameters, &results) else {
            throw PluginError(.unavailable, "wasmtime made no type")
        }
        return type
    }
}
