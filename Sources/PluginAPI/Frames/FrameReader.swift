import Identity

/// The fields of one frame by tag. Tags that this version does not know are passed over.
struct FrameReader {
    private var values: [FrameTag: [ArraySlice<UInt8>]] = [:]

    /// - Parameter allowed: nil: any. A known tag outside of it is an error: the writer means something that would be ignored.
    /// - Throws: ``PluginError`` `.invalid`, `.limitExceeded`.
    init(_ octets: [UInt8], allowed: Set<FrameTag>? = nil) throws(PluginError) {
        for field in try PluginFrame.fields(of: octets) {
            guard let tag = field.isKnown else { continue }
            if let allowed, !allowed.contains(tag) { throw PluginError(.invalid, "\"\(tag)\" does not belong here") }
            values[tag, default: []].append(field.value)
        }
    }

    func has(_ tag: FrameTag) -> Bool { values[tag] != nil }

    func many(_ tag: FrameTag) -> [[UInt8]] { (values[tag] ?? []).map { Array($0) } }

    /// The one value of a field; nil without it. Throws `.invalid` when it is repeated.
    func optional(_ tag: FrameTag) throws(PluginError) -> [UInt8]? {
        guard let all = values[tag] else { return nil }
        guard all.count == 1, let value = all.first else { throw PluginError(.invalid, "\"\(tag)\" is repeated") }
        return Array(value)
    }

    func one(_ tag: FrameTag) throws(PluginError) -> [UInt8] {
        guard let value = try optional(tag) else { throw PluginError(.invalid, "\"\(tag)\" is missing") }
        return value
    }

    func optionalText(_ tag: FrameTag) throws(PluginError) -> String? {
        guard let value = try optional(tag) else { return nil }
        return try Self.text(value, tag)
    }

    func text(_ tag: FrameTag) throws(PluginError) -> String { try Self.text(one(tag), tag) }

    func texts(_ tag: FrameTag) throws(PluginError) -> [String] {
        var texts: [String] = []
        for value in many(tag) { texts.append(try Self.text(value, tag)) }
        return texts
    }

    /// Decimal digits without sign, at most 18.
    func number(_ tag: FrameTag) throws(PluginError) -> Int {
        let value = try one(tag)
        guard (1...18).contains(value.count), value.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw PluginError(.invalid, "\"\(tag)\" is no number")
        }
        return value.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    func address(_ tag: FrameTag) throws(PluginError) -> Address { try Self.address(text(tag)) }

    func addresses(_ tag: FrameTag) throws(PluginError) -> [Address] {
        var addresses: [Address] = []
        for text in try texts(tag) { addresses.append(try Self.address(text)) }
        return addresses
    }

    static func address(_ text: String) throws(PluginError) -> Address {
        do { return try Address(text) } catch { throw PluginError(.invalid, error.reason) }
    }

    private static func text(_ value: [UInt8], _ tag: FrameTag) throws(PluginError) -> String {
        guard let text = String(validating: value, as: UTF8.self) else {
            throw PluginError(.invalid, "\"\(tag)\" is not UTF-8")
        }
        return text
    }
}
