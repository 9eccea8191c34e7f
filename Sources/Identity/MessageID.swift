/// A `urn:uuid:` identifier in canonical lower case: of a message (the intent) or of a call (the attempt).
public struct MessageID: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    private static let scheme = "urn:uuid:"

    /// `urn:uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, lower case.
    public let urn: String

    /// Parses any spelling in upper or lower case of any UUID version (RFC 9562 §4).
    /// - Throws: ``IdentityError`` `.invalidIdentifier`.
    public init(_ string: String) throws(IdentityError) {
        let bytes = Array(string.utf8)
        let scheme = Array(Self.scheme.utf8)
        guard bytes.count == scheme.count + 36,
            zip(bytes, scheme).allSatisfy({ $0 == $1 || (0x41...0x5A).contains($0) && $0 | 0x20 == $1 })
        else { throw IdentityError(.invalidIdentifier, "not a urn:uuid: identifier") }
        for (index, byte) in bytes.dropFirst(scheme.count).enumerated() {
            let isHyphen = index == 8 || index == 13 || index == 18 || index == 23
            guard isHyphen ? byte == UInt8(ascii: "-") : Hex.value(byte) != nil else {
                throw IdentityError(.invalidIdentifier, "not a urn:uuid: identifier")
            }
        }
        urn = string.lowercased()
    }

    /// A new random (version 4) identifier.
    public static func random() -> MessageID {
        var bytes = RandomID.bytes(16)
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return MessageID(uuid: bytes)
    }

    private init(uuid bytes: [UInt8]) {
        let groups = [bytes[0..<4], bytes[4..<6], bytes[6..<8], bytes[8..<10], bytes[10..<16]]
        urn = Self.scheme + groups.map { Hex.encode($0) }.joined(separator: "-")
    }

    public var description: String { urn }

    public static func < (one: MessageID, other: MessageID) -> Bool { one.urn < other.urn }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(urn)
    }
}
