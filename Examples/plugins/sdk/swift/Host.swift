// What a plug-in may ask of the server. Each function needs its capability in the manifest, granted by the administrator.
// A function that a plug-in does not call is not imported: the linker drops it. One that is not granted refuses the load.
// Errors (limits, bad addresses) end the call; the host then follows the plug-in's failure policy.

@_extern(wasm, module: "wsemail", name: "log") @_extern(c)
func wsemail_log(_ level: Int32, _ text: UnsafeRawPointer?, _ count: Int)
@_extern(wasm, module: "wsemail", name: "now") @_extern(c)
func wsemail_now() -> Int64
@_extern(wasm, module: "wsemail", name: "kv_get") @_extern(c)
func wsemail_kv_get(_ key: UnsafeRawPointer?, _ count: Int) -> Int64
@_extern(wasm, module: "wsemail", name: "kv_set") @_extern(c)
func wsemail_kv_set(_ key: UnsafeRawPointer?, _ count: Int, _ value: UnsafeRawPointer?, _ valueCount: Int) -> Int32
@_extern(wasm, module: "wsemail", name: "kv_delete") @_extern(c)
func wsemail_kv_delete(_ key: UnsafeRawPointer?, _ count: Int) -> Int32
@_extern(wasm, module: "wsemail", name: "kv_list") @_extern(c)
func wsemail_kv_list(_ prefix: UnsafeRawPointer?, _ count: Int, _ cursor: UnsafeRawPointer?, _ cursorCount: Int, _ limit: Int32) -> Int64
@_extern(wasm, module: "wsemail", name: "send") @_extern(c)
func wsemail_send(_ message: UnsafeRawPointer?, _ count: Int) -> Int32
@_extern(wasm, module: "wsemail", name: "lookup") @_extern(c)
func wsemail_lookup(_ address: UnsafeRawPointer?, _ count: Int) -> Int32

@_extern(c)
func wsemail_alloc(_ count: Int) -> UnsafeMutableRawPointer?
@_extern(c)
func wsemail_dealloc(_ block: UnsafeMutableRawPointer?)

enum LogLevel: Int32 {
    case debug = 0
    case info, warning, error
}

/// Writes a line to the server's log. (`log`)
func log(_ level: LogLevel, _ text: Bytes) {
    text.withUnsafeBytes { wsemail_log(level.rawValue, $0.baseAddress, $0.count) }
}

/// Milliseconds since 1970. (`clock`)
func now() -> Int64 { wsemail_now() }

/// The plug-in's own values, which survive calls and restarts. Writes take hold when the delivery, submission or answer
/// commits. Keys have 1 to 512 octets, values up to 64 KiB. (`key-value`)
enum KeyValue {
    static func get(_ key: Bytes) -> Bytes? {
        let packed = key.withUnsafeBytes { wsemail_kv_get($0.baseAddress, $0.count) }
        return packed == 0 ? nil : take(packed)
    }

    static func set(_ key: Bytes, _ value: Bytes) {
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                _ = wsemail_kv_set(key.baseAddress, key.count, value.baseAddress, value.count)
            }
        }
    }

    static func delete(_ key: Bytes) {
        key.withUnsafeBytes { _ = wsemail_kv_delete($0.baseAddress, $0.count) }
    }

    /// Up to `limit` (1 to 1,000) stored keys that begin with `prefix`, in order, those after `cursor`. Does not see what this call wrote.
    static func keys(prefix: Bytes, after cursor: Bytes = [], limit: Int) -> [Bytes] {
        let packed = prefix.withUnsafeBytes { prefix in
            cursor.withUnsafeBytes { cursor in
                wsemail_kv_list(prefix.baseAddress, prefix.count, cursor.baseAddress, cursor.count, Int32(limit))
            }
        }
        guard packed != 0 else { return [] }
        var keys: [Bytes] = []
        for field in FrameReader.fields(of: take(packed)) where field.tag == Tag.name.rawValue { keys.append(field.value) }
        return keys
    }
}

enum Sender {
    /// The mailbox for which the plug-in acts.
    case principal
    /// `plugins@` of this domain.
    case service
}

/// Sends a message when the call commits; at most 10 a call. (`send`)
func send(from sender: Sender, to recipients: [Bytes], subject: Bytes, text: Bytes, inReplyTo: Bytes? = nil) {
    var frame = FrameWriter()
    switch sender {
    case .principal: frame.add(.sender, "principal")
    case .service: frame.add(.sender, "service")
    }
    for recipient in recipients { frame.add(.to, recipient) }
    frame.add(.subject, subject)
    frame.add(.text, text)
    if let inReplyTo { frame.add(.inReplyTo, inReplyTo) }
    frame.octets.withUnsafeBytes { _ = wsemail_send($0.baseAddress, $0.count) }
}

enum Standing: Int32 {
    /// A local address without mailbox.
    case unknown = 0
    case mailbox, foreign
}

/// What an address is on this server. (`look-up`)
func lookUp(_ address: Bytes) -> Standing {
    address.withUnsafeBytes { Standing(rawValue: wsemail_lookup($0.baseAddress, $0.count)) ?? .unknown }
}

/// Copies what the host put into our memory, and gives that block back.
private func take(_ packed: Int64) -> Bytes {
    let block = UnsafeMutableRawPointer(bitPattern: Int(truncatingIfNeeded: packed >> 32))
    let count = Int(truncatingIfNeeded: packed & 0xFFFF_FFFF)
    let octets = Bytes(UnsafeRawBufferPointer(start: block, count: count))
    wsemail_dealloc(block)
    return octets
}
