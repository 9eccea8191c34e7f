import PluginAPI

/// A function that modules may import from `wsemail`.
struct HostImport: Sendable {
    static let module = "wsemail"
    /// Lines that one call may log.
    static let logLimit = 100

    let name: String
    let capability: PluginCapability
    let shape: FunctionShape
    let function: WasmtimeLibrary.HostFunction

    static let all: [String: HostImport] = {
        let functions = [
            HostImport(name: "log", capability: .log, shape: FunctionShape([.i32, .i32, .i32]), function: log),
            HostImport(name: "now", capability: .clock, shape: FunctionShape([], [.i64]), function: now),
            HostImport(name: "kv_get", capability: .keyValue, shape: FunctionShape([.i32, .i32], [.i64]), function: getValue),
            HostImport(
                name: "kv_set", capability: .keyValue, shape: FunctionShape([.i32, .i32, .i32, .i32], [.i32]), function: setValue),
            HostImport(name: "kv_delete", capability: .keyValue, shape: FunctionShape([.i32, .i32], [.i32]), function: deleteValue),
            HostImport(
                name: "kv_list", capability: .keyValue, shape: FunctionShape([.i32, .i32, .i32, .i32, .i32], [.i64]),
                function: listKeys),
            HostImport(name: "send", capability: .send, shape: FunctionShape([.i32, .i32], [.i32]), function: send),
            HostImport(name: "lookup", capability: .lookUp, shape: FunctionShape([.i32, .i32], [.i32]), function: lookUp),
        ]
        return Dictionary(uniqueKeysWithValues: functions.map { ($0.name, $0) })
    }()

    /// The slots of a call from the module: arguments in, result out.
    private struct Slots {
        let base: WasmtimeHandle

        func word(_ index: Int) -> UInt32 { base.load(fromByteOffset: 16 * index, as: UInt32.self) }

        /// The octets that two arguments point to.
        func octets(_ index: Int, in call: WasmtimeCall) throws(PluginError) -> [UInt8] {
            try call.octets(at: word(index), count: word(index + 1))
        }
    }

    /// Runs a function of the host for the module that called it. Its error becomes a trap, and the call's error.
    private static func run(
        _ environment: WasmtimeHandle?, _ caller: WasmtimeHandle?, _ slots: WasmtimeHandle?,
        _ body: (_ call: WasmtimeCall, _ host: any HostCalls, _ arguments: Slots) throws(PluginError) -> UInt64?
    ) -> WasmtimeHandle? {
        // All four are there by the contract of wasmtime; the library outlives every call.
        guard let environment, let caller, let slots else { return nil }
        let library = Unmanaged<WasmtimeLibrary>.fromOpaque(environment).takeUnretainedValue()
        guard let data = library.contextData(library.callerContext(caller)) else { return nil }
        let call = Unmanaged<WasmtimeCall>.fromOpaque(data).takeUnretainedValue()
        do throws(PluginError) {
            let result = try body(call, try call.enterHost(), Slots(base: slots))
            try call.checkDeadline()
            if let result { slots.storeBytes(of: result, as: UInt64.self) }
            return nil
        } catch {
            return call.trap(error)
        }
    }

    private static let log: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            try call.countLogLine()
            let level = PluginLogLevel(rawValue: Int(Int32(bitPattern: arguments.word(0)))) ?? .info
            // Read no more than is kept.
            let text = try call.octets(at: arguments.word(1), count: arguments.word(2), keeping: 4_000)
            try host.log(level, PlainText.line(text, limit: 1_000))
            return nil
        }
    }

    private static let now: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { _, host, _ throws(PluginError) in UInt64(bitPattern: try host.now()) }
    }

    private static let getValue: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            guard let value = try host.value(for: try arguments.octets(0, in: call)) else { return 0 }
            return try call.place(value)
        }
    }

    private static let setValue: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            try host.setValue(try arguments.octets(2, in: call), for: try arguments.octets(0, in: call))
            return 0
        }
    }

    private static let deleteValue: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            try host.setValue(nil, for: try arguments.octets(0, in: call))
            return 0
        }
    }

    private static let listKeys: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            let prefix = try arguments.octets(0, in: call)
            let cursor = arguments.word(3) == 0 ? nil : try arguments.octets(2, in: call)
            let keys = try host.keys(withPrefix: prefix, after: cursor, limit: Int(Int32(bitPattern: arguments.word(4))))
            guard !keys.isEmpty else { return 0 }
            var frame = PluginFrame()
            for key in keys { frame.add(.name, key) }
            return try call.place(frame.octets)
        }
    }

    private static let send: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            try host.send(try arguments.octets(0, in: call))
            return 0
        }
    }

    private static let lookUp: WasmtimeLibrary.HostFunction = { environment, caller, slots, _ in
        run(environment, caller, slots) { call, host, arguments throws(PluginError) in
            guard let address = String(validating: try arguments.octets(0, in: call), as: UTF8.self) else {
                throw PluginError(.invalid, "it looked up an address that is not UTF-8")
            }
            return UInt64(UInt32(bitPattern: try host.lookUp(address)))
        }
    }
}
