import Foundation
import PluginAPI

/// Something that lives in libwasmtime: an engine, a module, a store, an error.
typealias WasmtimeHandle = UnsafeMutableRawPointer

/// `wasmtime_func_t`, `wasmtime_memory_t` or `wasmtime_instance_t`: 16 to 24 octets, meaningful only to their store.
struct WasmtimeItem {
    var store: UInt64 = 0
    var place: (UInt64, UInt64, UInt64) = (0, 0, 0)
}

/// `wasm_byte_vec_t` and the vectors of types, which have the same shape.
struct WasmtimeVector {
    var count = 0
    var items: UnsafeMutableRawPointer?
}

/// libwasmtime's C API, bound at run time: a server without WebAssembly plug-ins needs no such library, and an
/// administrator may replace it without a new build. Once loaded it stays: it has thread-local state of its own.
///
/// The "unchecked" calls pass values as 16-octet slots without their types, which makes the binding independent of
/// structures that changed between versions; what they do not check, ``ModuleShape`` has checked before.
///
/// `@unchecked Sendable`: immutable after `init`, and C functions may be called from any thread. What may not be shared
/// between threads (stores) is never handed out by this class.
final class WasmtimeLibrary: @unchecked Sendable {
    /// What the binding was tested with. Older ones have no interpreter, then lack functions.
    static let supported = 44...50

    static var versions: String { "\(supported.lowerBound) to \(supported.upperBound)" }

    typealias Handle = WasmtimeHandle
    typealias Octets = UnsafePointer<UInt8>
    /// To a ``WasmtimeVector``; to a ``WasmtimeItem``. C function types cannot name structures of Swift.
    typealias Vector = UnsafeMutableRawPointer
    typealias ConstantVector = UnsafeRawPointer
    typealias Item = UnsafeRawPointer
    typealias Out = UnsafeMutablePointer<Handle?>
    /// Environment, caller, slots, their number; answers a trap to raise.
    typealias HostFunction = @convention(c) @Sendable (Handle?, Handle?, Handle?, Int) -> Handle?
    /// Context, environment, further epochs, kind (0: go on); answers an error to raise.
    typealias DeadlineFunction =
        @convention(c) (Handle?, Handle?, UnsafeMutablePointer<UInt64>?, UnsafeMutablePointer<UInt8>?) -> Handle?
    typealias Finalizer = @convention(c) (Handle?) -> Void

    let path: String
    private let handle: Handle

    // Configuration and engine
    let newConfiguration: @convention(c) () -> Handle?
    let setTarget: @convention(c) (Handle, UnsafePointer<CChar>) -> Handle?
    /// Takes the configuration; aborts the process if the settings contradict each other.
    let newEngine: @convention(c) (Handle) -> Handle?
    let deleteEngine: @convention(c) (Handle) -> Void
    let incrementEpoch: @convention(c) (Handle) -> Void
    // Modules
    let newModule: @convention(c) (Handle, Octets?, Int, Out) -> Handle?
    let deleteModule: @convention(c) (Handle) -> Void
    let serialize: @convention(c) (Handle, Vector) -> Handle?
    let deserialize: @convention(c) (Handle, Octets?, Int, Out) -> Handle?
    let moduleImports: @convention(c) (Handle, Vector) -> Void
    let moduleExports: @convention(c) (Handle, Vector) -> Void
    // Types
    let deleteImports: @convention(c) (Vector) -> Void
    let deleteExports: @convention(c) (Vector) -> Void
    let importModule: @convention(c) (Handle) -> ConstantVector
    let importName: @convention(c) (Handle) -> ConstantVector
    let importType: @convention(c) (Handle) -> Handle
    let exportName: @convention(c) (Handle) -> ConstantVector
    let exportType: @convention(c) (Handle) -> Handle
    let externalKind: @convention(c) (Handle) -> UInt8
    let asFunctionType: @convention(c) (Handle) -> Handle?
    let parameters: @convention(c) (Handle) -> ConstantVector
    let results: @convention(c) (Handle) -> ConstantVector
    let valueKind: @convention(c) (Handle) -> UInt8
    let newValueType: @convention(c) (UInt8) -> Handle?
    let newValueTypes: @convention(c) (Vector, Int, UnsafePointer<Handle?>) -> Void
    let newFunctionType: @convention(c) (Vector, Vector) -> Handle?
    let deleteFunctionType: @convention(c) (Handle) -> Void
    // Linking
    let newLinker: @convention(c) (Handle) -> Handle?
    let deleteLinker: @convention(c) (Handle) -> Void
    let defineFunction: @convention(c) (Handle, Octets, Int, Octets, Int, Handle, HostFunction, Handle?, Finalizer?) -> Handle?
    let preinstantiate: @convention(c) (Handle, Handle, Out) -> Handle?
    let deletePreinstance: @convention(c) (Handle) -> Void
    // Stores and instances
    let newStore: @convention(c) (Handle, Handle?, Finalizer?) -> Handle?
    let deleteStore: @convention(c) (Handle) -> Void
    let storeContext: @convention(c) (Handle) -> Handle
    let limitStore: @convention(c) (Handle, Int64, Int64, Int64, Int64, Int64) -> Void
    let contextData: @convention(c) (Handle) -> Handle?
    let setEpochDeadline: @convention(c) (Handle, UInt64) -> Void
    let onDeadline: @convention(c) (Handle, DeadlineFunction, Handle?, Finalizer?) -> Void
    let instantiate: @convention(c) (Handle, Handle, UnsafeMutableRawPointer, Out) -> Handle?
    /// The last argument points to a `wasmtime_extern_t`: kind at 0, the item at 8, at most 40 octets.
    let export: @convention(c) (Handle, Item, Octets, Int, Handle) -> Bool
    let call: @convention(c) (Handle, Item, Handle?, Int, Out) -> Handle?
    let callerContext: @convention(c) (Handle) -> Handle
    let memoryData: @convention(c) (Handle, Item) -> Handle?
    let memorySize: @convention(c) (Handle, Item) -> Int
    // Errors
    let deleteVector: @convention(c) (Vector) -> Void
    let newError: @convention(c) (UnsafePointer<CChar>) -> Handle?
    let errorMessage: @convention(c) (Handle, Vector) -> Void
    let deleteError: @convention(c) (Handle) -> Void
    let newTrap: @convention(c) (Octets, Int) -> Handle?
    let trapMessage: @convention(c) (Handle, Vector) -> Void
    let trapCode: @convention(c) (Handle, UnsafeMutablePointer<UInt8>) -> Bool
    let deleteTrap: @convention(c) (Handle) -> Void

    /// - Throws: ``PluginError`` `.unavailable`, saying what to do.
    init(path: String) throws(PluginError) {
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "no reason given"
            throw PluginError(
                .unavailable,
                "WebAssembly plug-ins need libwasmtime (\(Self.versions)), which did not load: \(reason). Install it and set its path")
        }
        self.path = path
        self.handle = handle
        let symbols = WasmtimeSymbols(library: handle, path: path)
        newConfiguration = try symbols.find("wasm_config_new")
        setTarget = try symbols.find("wasmtime_config_target_set")
        newEngine = try symbols.find("wasm_engine_new_with_config")
        deleteEngine = try symbols.find("wasm_engine_delete")
        incrementEpoch = try symbols.find("wasmtime_engine_increment_epoch")
        newModule = try symbols.find("wasmtime_module_new")
        deleteModule = try symbols.find("wasmtime_module_delete")
        serialize = try symbols.find("wasmtime_module_serialize")
        deserialize = try symbols.find("wasmtime_module_deserialize")
        moduleImports = try symbols.find("wasmtime_module_imports")
        moduleExports = try symbols.find("wasmtime_module_exports")
        deleteImports = try symbols.find("wasm_importtype_vec_delete")
        deleteExports = try symbols.find("wasm_exporttype_vec_delete")
        importModule = try symbols.find("wasm_importtype_module")
        importName = try symbols.find("wasm_importtype_name")
        importType = try symbols.find("wasm_importtype_type")
        exportName = try symbols.find("wasm_exporttype_name")
        exportType = try symbols.find("wasm_exporttype_type")
        externalKind = try symbols.find("wasm_externtype_kind")
        asFunctionType = try symbols.find("wasm_externtype_as_functype_const")
        parameters = try symbols.find("wasm_functype_params")
        results = try symbols.find("wasm_functype_results")
        valueKind = try symbols.find("wasm_valtype_kind")
        newValueType = try symbols.find("wasm_valtype_new")
        newValueTypes = try symbols.find("wasm_valtype_vec_new")
        newFunctionType = try symbols.find("wasm_functype_new")
        deleteFunctionType = try symbols.find("wasm_functype_delete")
        newLinker = try symbols.find("wasmtime_linker_new")
        deleteLinker = try symbols.find("wasmtime_linker_delete")
        defineFunction = try symbols.find("wasmtime_linker_define_func_unchecked")
        preinstantiate = try symbols.find("wasmtime_linker_instantiate_pre")
        deletePreinstance = try symbols.find("wasmtime_instance_pre_delete")
        newStore = try symbols.find("wasmtime_store_new")
        deleteStore = try symbols.find("wasmtime_store_delete")
        storeContext = try symbols.find("wasmtime_store_context")
        limitStore = try symbols.find("wasmtime_store_limiter")
        contextData = try symbols.find("wasmtime_context_get_data")
        setEpochDeadline = try symbols.find("wasmtime_context_set_epoch_deadline")
        onDeadline = try symbols.find("wasmtime_store_epoch_deadline_callback")
        instantiate = try symbols.find("wasmtime_instance_pre_instantiate")
        export = try symbols.find("wasmtime_instance_export_get")
        call = try symbols.find("wasmtime_func_call_unchecked")
        callerContext = try symbols.find("wasmtime_caller_context")
        memoryData = try symbols.find("wasmtime_memory_data")
        memorySize = try symbols.find("wasmtime_memory_data_size")
        deleteVector = try symbols.find("wasm_byte_vec_delete")
        newError = try symbols.find("wasmtime_error_new")
        errorMessage = try symbols.find("wasmtime_error_message")
        deleteError = try symbols.find("wasmtime_error_delete")
        newTrap = try symbols.find("wasmtime_trap_new")
        trapMessage = try symbols.find("wasm_trap_message")
        trapCode = try symbols.find("wasmtime_trap_code")
        deleteTrap = try symbols.find("wasm_trap_delete")
    }

    /// A function that not every supported version has.
    func optional<Function>(_ name: String, as type: Function.Type) -> Function? {
        dlsym(handle, name).map { unsafeBitCast($0, to: type) }
    }
}

/// Finds functions by name.
private struct WasmtimeSymbols {
    let library: WasmtimeHandle
    let path: String

    func find<Function>(_ name: String) throws(PluginError) -> Function {
        guard let symbol = dlsym(library, name) else {
            throw PluginError(
                .unavailable,
                "\(path) has no function \(name): it is not libwasmtime, or none of the versions \(WasmtimeLibrary.versions)")
        }
        return unsafeBitCast(symbol, to: Function.self)
    }
}
