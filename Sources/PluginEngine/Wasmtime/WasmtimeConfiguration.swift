import PluginAPI

/// How a server runs WebAssembly.
public struct WasmtimeOptions: Sendable, Hashable {
    public enum Execution: Sendable, Hashable {
        /// Machine code; interpreted where the system forbids to make memory executable.
        case automatic
        /// Machine code or nothing.
        case compiled
        /// Interpreted (wasmtime's Pulley): for systems that kill, rather than refuse, a process that wants executable
        /// memory. 10 to 30 times slower.
        case interpreted
    }

    public var execution: Execution
    /// Octets of one module.
    public var moduleLimit: Int
    /// Octets that the cache on disk may hold.
    public var cacheLimit: Int

    public init(execution: Execution = .automatic, moduleLimit: Int = 8 << 20, cacheLimit: Int = 256 << 20) {
        self.execution = execution
        self.moduleLimit = moduleLimit
        self.cacheLimit = cacheLimit
    }
}

/// The engine's settings. They go into the cache's key: raise `revision` with every change.
enum WasmtimeConfiguration {
    static let revision = 1
    /// Octets of native stack for a plug-in's calls; the calling thread must have that much and some more.
    static let stack = 256 << 10

    /// Proposals that no plug-in needs. What is off cannot have a bug that lets a module out; and types that come with some
    /// of them make functions of the C API abort the process.
    private static let unwanted = [
        "wasm_threads", "shared_memory", "wasm_tail_call", "wasm_function_references", "wasm_gc", "gc_support", "wasm_simd",
        "wasm_relaxed_simd", "wasm_multi_memory", "wasm_memory64", "wasm_wide_arithmetic", "wasm_exceptions",
        "wasm_custom_page_sizes", "wasm_stack_switching", "wasm_component_model",
    ]

    /// A new engine.
    /// - Throws: ``PluginError`` `.unavailable`.
    static func engine(_ library: WasmtimeLibrary, isInterpreted: Bool) throws(PluginError) -> WasmtimeHandle {
        guard let configuration = library.newConfiguration() else {
            throw PluginError(.unavailable, "wasmtime made no configuration")
        }
        // What a version does not know is not on in it.
        func set(_ name: String, _ value: Bool) {
            typealias Setter = @convention(c) (WasmtimeHandle, Bool) -> Void
            library.optional("wasmtime_config_\(name)_set", as: Setter.self)?(configuration, value)
        }
        func set(_ name: String, octets: UInt64) {
            typealias Setter = @convention(c) (WasmtimeHandle, UInt64) -> Void
            library.optional("wasmtime_config_\(name)_set", as: Setter.self)?(configuration, octets)
        }
        if isInterpreted {
            if let error = library.setTarget(configuration, "pulley64") {
                throw PluginError(.unavailable, "this wasmtime has no interpreter: \(library.text(ofError: error))")
            }
        }
        set("epoch_interruption", true)
        set("max_wasm_stack", octets: UInt64(stack))
        // Checks in the code instead of a handler of SIGSEGV: the process's handlers stay as they are. Without reserved
        // address space and guard pages `ulimit -v` can be used, and memory comes from malloc instead of mmap: a call
        // that does nothing takes 2 µs instead of 22 (of 32 with wasmtime's presets). Only above 2 MiB of first memory
        // is zeroing it slower. The price: a wrong bounds check of the compiler would meet no guard page.
        set("signals_based_traps", false)
        set("memory_reservation", octets: 0)
        set("memory_reservation_for_growth", octets: 1 << 20)
        set("memory_guard_size", octets: 0)
        set("memory_may_move", true)
        set("memory_init_cow", false)
        // No pool of threads for something that happens at start and install.
        set("parallel_compilation", false)
        for name in unwanted { set(name, false) }
        guard let engine = library.newEngine(configuration) else {
            throw PluginError(.unavailable, "wasmtime made no engine")
        }
        return engine
    }
}
