import PluginAPI

/// What libwasmtime reports, as text. Everything handed in is freed.
extension WasmtimeLibrary {
    /// Why code stopped.
    struct Stop {
        enum Cause { case stackOverflow, unreachable, interrupted, other }
        let cause: Cause
        let text: String
    }

    /// The message of an error, in one line.
    func text(ofError error: Handle) -> String {
        var message = WasmtimeVector()
        errorMessage(error, &message)
        deleteError(error)
        return line(&message)
    }

    /// What a call answered: nil if it succeeded.
    func stop(_ error: Handle?, _ trap: Handle?) -> Stop? {
        if let error {
            if let trap { deleteTrap(trap) }
            return Stop(cause: .other, text: text(ofError: error))
        }
        guard let trap else { return nil }
        var code: UInt8 = 255
        let hasCode = trapCode(trap, &code)
        var message = WasmtimeVector()
        trapMessage(trap, &message)
        deleteTrap(trap)
        let text = line(&message)
        // The numbers of these three never changed; that of "out of fuel" did.
        switch hasCode ? code : 255 {
        case 0: return Stop(cause: .stackOverflow, text: text)
        case 9: return Stop(cause: .unreachable, text: text)
        case 10: return Stop(cause: .interrupted, text: text)
        default: return Stop(cause: .other, text: text)
        }
    }

    /// Frees what a call answered.
    func discard(_ error: Handle?, _ trap: Handle?) {
        if let error { deleteError(error) }
        if let trap { deleteTrap(trap) }
    }

    /// Takes the octets out of a vector and frees it.
    func octets(_ vector: inout WasmtimeVector) -> [UInt8] {
        defer { deleteVector(&vector) }
        guard let items = vector.items else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: items, count: vector.count))
    }

    /// The cause at the end of wasmtime's chain ("error while executing … Caused by: …"), or its first line.
    private func line(_ message: inout WasmtimeVector) -> String {
        let octets = octets(&message).prefix { $0 != 0 }
        var text = Substring(String(decoding: octets, as: UTF8.self))
        if let range = text.firstRange(of: "Stack backtrace:") { text = text[..<range.lowerBound] }
        if let range = text.firstRange(of: "Caused by:") { text = text[range.upperBound...] }
        let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }
        return PlainText.line(lines.joined(separator: "; "), limit: 300)
    }
}
