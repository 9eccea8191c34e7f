import PluginAPI

/// Types of values in the ABI, with wasmtime's numbers.
enum ValueKind: UInt8, Sendable, Hashable {
    case i32 = 0
    case i64 = 1

    var name: String { self == .i32 ? "i32" : "i64" }
}

/// The type of a function of the ABI.
struct FunctionShape: Sendable, Hashable, CustomStringConvertible {
    let parameters: [ValueKind]
    let results: [ValueKind]

    init(_ parameters: [ValueKind], _ results: [ValueKind] = []) {
        self.parameters = parameters
        self.results = results
    }

    var description: String {
        func list(_ kinds: [ValueKind]) -> String { "(" + kinds.map(\.name).joined(separator: ", ") + ")" }
        return "\(list(parameters)) -> \(list(results))"
    }
}

/// What a module wants and offers, compared with the ABI (docs/plugins.md). After this, values may be passed unchecked.
struct ModuleShape {
    /// Exports besides `memory`.
    static let exports: [String: FunctionShape] = [
        "alloc": FunctionShape([.i32], [.i32]),
        "dealloc": FunctionShape([.i32]),
        "describe": FunctionShape([], [.i64]),
        "handle": FunctionShape([.i32, .i32, .i32], [.i64]),
    ]
    static let initializer = "_initialize"
    private static let kindNames = ["function", "global", "table", "memory", "tag"]

    /// Imports in use, by name.
    let imports: [String: HostImport]
    let hasInitializer: Bool

    /// - Throws: ``PluginError`` `.invalidModule` or `.notGranted`.
    init(
        of module: WasmtimeHandle, _ library: WasmtimeLibrary, granted: Set<PluginCapability>
    ) throws(PluginError) {
        imports = try Self.imports(of: module, library, granted)
        hasInitializer = try Self.checkExports(of: module, library)
    }

    private static func imports(
        of module: WasmtimeHandle, _ library: WasmtimeLibrary, _ granted: Set<PluginCapability>
    ) throws(PluginError) -> [String: HostImport] {
        var list = WasmtimeVector()
        library.moduleImports(module, &list)
        defer { library.deleteImports(&list) }
        var found: [String: HostImport] = [:]
        for item in handles(list) {
            let source = text(library.importModule(item))
            let name = text(library.importName(item))
            let type = library.importType(item)
            guard library.externalKind(type) == 0 else {
                throw invalid("it imports the \(kind(type, library)) \(source).\(name); only functions can be imported")
            }
            guard source == HostImport.module, let known = HostImport.all[name] else {
                throw invalid("it imports \(source).\(name), which this server does not have")
            }
            guard shape(type, library) == known.shape else {
                throw invalid("it imports \(source).\(name) with a wrong type; it is \(known.shape)")
            }
            guard granted.contains(known.capability) else {
                throw PluginError(
                    .notGranted, "it imports \(source).\(name), which needs the capability \(known.capability.rawValue): not granted")
            }
            found[name] = known
        }
        return found
    }

    /// Answers whether there is an `_initialize`.
    private static func checkExports(of module: WasmtimeHandle, _ library: WasmtimeLibrary) throws(PluginError) -> Bool {
        var list = WasmtimeVector()
        library.moduleExports(module, &list)
        defer { library.deleteExports(&list) }
        var missing = Set(exports.keys).union(["memory"])
        var hasInitializer = false
        for item in handles(list) {
            let name = text(library.exportName(item))
            let type = library.exportType(item)
            if name == "memory" {
                guard library.externalKind(type) == 3 else { throw invalid("its export memory is a \(kind(type, library))") }
            } else if let wanted = name == initializer ? FunctionShape([]) : exports[name] {
                guard library.externalKind(type) == 0, shape(type, library) == wanted else {
                    throw invalid("its export \(name) is not a function \(wanted)")
                }
                if name == initializer { hasInitializer = true }
            }
            missing.remove(name)
        }
        guard missing.isEmpty else { throw invalid("it does not export \(missing.sorted().joined(separator: ", "))") }
        return hasInitializer
    }

    /// The type of a function; nil if it has values that the ABI does not know.
    private static func shape(_ type: WasmtimeHandle, _ library: WasmtimeLibrary) -> FunctionShape? {
        guard let function = library.asFunctionType(type) else { return nil }
        func kinds(_ list: UnsafeRawPointer) -> [ValueKind]? {
            let all = handles(list.load(as: WasmtimeVector.self))
            let known = all.compactMap { ValueKind(rawValue: library.valueKind($0)) }
            return known.count == all.count ? known : nil
        }
        guard let parameters = kinds(library.parameters(function)), let results = kinds(library.results(function)) else { return nil }
        return FunctionShape(parameters, results)
    }

    private static func handles(_ list: WasmtimeVector) -> [WasmtimeHandle] {
        guard let items = list.items else { return [] }
        return UnsafeBufferPointer(start: items.assumingMemoryBound(to: WasmtimeHandle?.self), count: list.count).compactMap { $0 }
    }

    private static func text(_ name: UnsafeRawPointer) -> String {
        let name = name.load(as: WasmtimeVector.self)
        return PlainText.line(UnsafeRawBufferPointer(start: name.items, count: name.items == nil ? 0 : name.count), limit: 100)
    }

    private static func kind(_ type: WasmtimeHandle, _ library: WasmtimeLibrary) -> String {
        let kind = Int(library.externalKind(type))
        return kindNames.indices.contains(kind) ? kindNames[kind] : "unknown thing"
    }

    private static func invalid(_ reason: String) -> PluginError {
        PluginError(.invalidModule, "the module cannot be used: \(reason)")
    }
}
