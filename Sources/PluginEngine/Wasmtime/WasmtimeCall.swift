import Foundation
import PluginAPI

/// One instance for one call: made, used and gone on one thread.
///
/// The store's data pointer and the deadline's environment point to this object, unretained: it deletes the store in
/// `deinit`, so they cannot outlive it.
final class WasmtimeCall {
    private let module: WasmtimeModule
    private let library: WasmtimeLibrary
    private let limits: CallLimits
    private let host: (any HostCalls)?
    private let deadline: UInt64
    private var store: WasmtimeHandle?
    private var context: WasmtimeHandle?
    private var instance = WasmtimeItem()
    private var memory: WasmtimeItem?
    private var allocator: WasmtimeItem?
    /// Why the host ended the call; what wasmtime then reports is only its echo.
    private var pending: PluginError?
    private var isAllocating = false
    private var logLines = 0

    /// - Parameter host: nil: imports may not be called.
    init(_ module: WasmtimeModule, _ limits: CallLimits, host: (any HostCalls)?) {
        self.module = module
        library = module.engine.library
        self.limits = limits
        self.host = host
        let seconds = limits.seconds.isFinite ? min(max(limits.seconds, 0), 86_400) : 86_400
        deadline = Self.clock() + UInt64(seconds * 1e9)
    }

    deinit {
        if let store { library.deleteStore(store) }
    }

    /// Makes the instance and initialises it.
    func start() throws(PluginError) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        guard let store = library.newStore(module.engine.handle, me, nil) else {
            throw PluginError(.unavailable, "wasmtime made no store")
        }
        self.store = store
        // A negative number would mean no limit.
        library.limitStore(store, Int64(max(limits.memory, 0)), 10_000, 1, 4, 1)
        // Asked at every epoch, the clock decides: the ticker need not be exact.
        library.onDeadline(store, Self.onEpoch, me, nil)
        let context = library.storeContext(store)
        self.context = context
        library.setEpochDeadline(context, 1)
        var trap: WasmtimeHandle?
        let error = library.instantiate(module.preinstance, context, &instance, &trap)
        try settle(error, trap)
        memory = try export("memory", kind: 3)
        allocator = try export("alloc", kind: 0)
        if module.shape.hasInitializer { _ = try call(try export(ModuleShape.initializer, kind: 0), []) }
    }

    /// Calls `describe`.
    func describe() throws(PluginError) -> [UInt8]? {
        try answer(try call(try export("describe", kind: 0), []))
    }

    /// Calls `handle`.
    func handle(_ kind: CallKind, _ event: [UInt8]) throws(PluginError) -> [UInt8]? {
        let place = try place(event)
        let arguments = [UInt32(bitPattern: kind.rawValue), UInt32(truncatingIfNeeded: place >> 32), UInt32(truncatingIfNeeded: place)]
        return try answer(try call(try export("handle", kind: 0), arguments))
    }

    // MARK: For imports

    /// The host's side, if it is there for this call.
    func enterHost() throws(PluginError) -> any HostCalls {
        guard memory != nil else {
            throw PluginError(.failed, "its start function called the host; that is for _initialize, describe and handle")
        }
        guard let host else { throw PluginError(.failed, "it called the host while it was to describe itself") }
        return host
    }

    func countLogLine() throws(PluginError) {
        logLines += 1
        guard logLines <= HostImport.logLimit else {
            throw PluginError(.limitExceeded, "it logged more than \(HostImport.logLimit) lines in one call")
        }
    }

    /// Copies octets out of the module's memory. Throws ``PluginError`` `.failed` when they are not all inside.
    /// - Parameter keeping: copy no more than this.
    func octets(at address: UInt32, count: UInt32, keeping limit: Int = .max) throws(PluginError) -> [UInt8] {
        let place = try place(at: address, count: count)
        return [UInt8](UnsafeRawBufferPointer(start: place, count: min(Int(count), limit)))
    }

    /// Copies octets into memory that the module's `alloc` gives, and answers address and count as the ABI packs them.
    func place(_ octets: [UInt8]) throws(PluginError) -> UInt64 {
        guard let allocator, let count = Int32(exactly: octets.count) else {
            throw PluginError(.limitExceeded, "\(octets.count) octets are too many for a module")
        }
        guard !isAllocating else { throw PluginError(.failed, "its alloc called a function of the host that needs alloc") }
        isAllocating = true
        defer { isAllocating = false }
        // An empty value has an address too: 0 would mean that there is none.
        let address = UInt32(truncatingIfNeeded: try call(allocator, [UInt32(max(count, 1))]))
        guard address != 0 else { throw exhausted("its alloc found no room for \(count) octets") }
        let target = try place(at: address, count: UInt32(count))
        octets.withUnsafeBytes { source in
            if let base = source.baseAddress { target.copyMemory(from: base, byteCount: source.count) }
        }
        return UInt64(address) << 32 | UInt64(count)
    }

    func checkDeadline() throws(PluginError) {
        guard Self.clock() < deadline else { throw overdue }
    }

    /// Keeps the error for the caller of the plug-in and answers a trap that ends the module's code.
    func trap(_ error: PluginError) -> WasmtimeHandle? {
        if pending == nil { pending = error }
        let text: StaticString = "ended by the host"
        return library.newTrap(text.utf8Start, text.utf8CodeUnitCount)
    }

    // MARK: Inside

    private static let onEpoch: WasmtimeLibrary.DeadlineFunction = { _, environment, further, kind in
        guard let environment else { return nil }
        let call = Unmanaged<WasmtimeCall>.fromOpaque(environment).takeUnretainedValue()
        guard clock() < call.deadline else {
            if call.pending == nil { call.pending = call.overdue }
            return call.library.newError("out of time")
        }
        further?.pointee = 1
        kind?.pointee = 0
        return nil
    }

    private static func clock() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    private var overdue: PluginError { PluginError(.timedOut, "it took longer than its \(limits.seconds) s") }

    /// Looks up an export whose type ``ModuleShape`` has checked.
    private func export(_ name: StaticString, kind: UInt8) throws(PluginError) -> WasmtimeItem {
        try export(name.utf8Start, name.utf8CodeUnitCount, kind)
    }

    private func export(_ name: String, kind: UInt8) throws(PluginError) -> WasmtimeItem {
        let name = [UInt8](name.utf8)
        return try export(name, name.count, kind)
    }

    private func export(_ name: UnsafePointer<UInt8>, _ count: Int, _ kind: UInt8) throws(PluginError) -> WasmtimeItem {
        let found: WasmtimeItem? = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { buffer in
            guard let base = buffer.baseAddress, let context, library.export(context, &instance, name, count, base),
                base.load(as: UInt8.self) == kind
            else { return nil }
            return base.load(fromByteOffset: 8, as: WasmtimeItem.self)
        }
        guard let found else { throw PluginError(.failed, "an export is gone") }
        return found
    }

    /// Calls a function with up to 3 `i32`; answers its first result (undefined if it has none).
    private func call(_ function: WasmtimeItem, _ arguments: [UInt32]) throws(PluginError) -> UInt64 {
        guard let context else { throw PluginError(.failed, "not started") }
        // The same limit that guards against code without end applies between calls, where no code asks the clock.
        try checkDeadline()
        var trap: WasmtimeHandle?
        var error: WasmtimeHandle?
        let result: UInt64 = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { slots in
            guard let base = slots.baseAddress else { return 0 }
            for (index, argument) in arguments.prefix(4).enumerated() {
                base.storeBytes(of: UInt64(argument), toByteOffset: 16 * index, as: UInt64.self)
            }
            error = withUnsafePointer(to: function) { library.call(context, $0, base, 4, &trap) }
            return base.load(as: UInt64.self)
        }
        try settle(error, trap)
        return result
    }

    /// Turns what wasmtime reported into this call's error.
    private func settle(_ error: WasmtimeHandle?, _ trap: WasmtimeHandle?) throws(PluginError) {
        if let pending {
            library.discard(error, trap)
            throw pending
        }
        guard let stop = library.stop(error, trap) else { return }
        switch stop.cause {
        case .interrupted: throw overdue
        case .stackOverflow:
            throw PluginError(.failed, "its calls nest too deeply: \(WasmtimeConfiguration.stack >> 10) KiB of stack are full")
        case .unreachable: throw exhausted("it gave up (unreachable)")
        case .other where stop.text.contains("exceeds memory limits"):
            throw PluginError(.limitExceeded, "it starts with more memory than its limit of \(mebibytes(limits.memory)) MiB")
        case .other: throw exhausted(stop.text)
        }
    }

    /// A failure that a lack of memory explains, if the memory is nearly as big as it may get.
    private func exhausted(_ reason: String) -> PluginError {
        guard let context, let memory else { return PluginError(.failed, reason) }
        let size = withUnsafePointer(to: memory) { library.memorySize(context, $0) }
        let text = "\(reason); its memory had grown to \(mebibytes(size)) of \(mebibytes(limits.memory)) MiB"
        guard size + max(65_536, limits.memory / 8) > limits.memory else {
            return PluginError(.failed, size > limits.memory / 2 ? text : reason)
        }
        return PluginError(.limitExceeded, "memory limit: " + text)
    }

    private func mebibytes(_ count: Int) -> String { String(format: "%.1f", Double(count) / 1_048_576) }

    /// Copies out what `describe` or `handle` answered: address << 32 | count, 0 for nothing.
    private func answer(_ packed: UInt64) throws(PluginError) -> [UInt8]? {
        try checkDeadline()
        guard packed != 0 else { return nil }
        let address = UInt32(truncatingIfNeeded: packed >> 32)
        let count = UInt32(truncatingIfNeeded: packed)
        guard Int(count) <= limits.answer else {
            throw PluginError(.limitExceeded, "its answer has \(count) octets, more than \(limits.answer)")
        }
        guard address != 0 else { throw PluginError(.failed, "its answer is at address 0") }
        return try octets(at: address, count: count)
    }

    /// Where octets are in our address space: valid until the module runs again.
    private func place(at address: UInt32, count: UInt32) throws(PluginError) -> UnsafeMutableRawPointer {
        guard let context, let memory else { throw PluginError(.failed, "not started") }
        let (size, data) = withUnsafePointer(to: memory) { (library.memorySize(context, $0), library.memoryData(context, $0)) }
        // Both are below 2^32, Int has 64 bits wherever wasmtime runs: the sum cannot overflow.
        guard let data, Int(address) + Int(count) <= size else {
            throw PluginError(.failed, "it passed a pointer outside its memory: \(count) octets at \(address), of \(size)")
        }
        return data + Int(address)
    }
}
