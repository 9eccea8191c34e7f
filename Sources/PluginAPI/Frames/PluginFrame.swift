/// The encoding in which events go to, and verdicts come from, plug-ins outside the process or in a sandbox
/// (docs/plugins.md, "ABI"): fields one after the other, each a tag (1 octet), a length (4 octets, little-endian) and so
/// many octets. A reader passes over tags it does not know; a tag may occur several times where its description says so.
public struct PluginFrame: Sendable, Hashable {
    public private(set) var octets: [UInt8] = []

    public init() {}

    public mutating func add(_ tag: FrameTag, _ value: some Collection<UInt8>) {
        octets.append(tag.rawValue)
        let count = UInt32(value.count)
        for shift in [0, 8, 16, 24] as [UInt32] { octets.append(UInt8(truncatingIfNeeded: count >> shift)) }
        octets += value
    }

    public mutating func add(_ tag: FrameTag, _ text: String) { add(tag, text.utf8) }

    /// One field of a frame.
    public struct Field: Sendable {
        public let tag: UInt8
        public let value: ArraySlice<UInt8>

        public var isKnown: FrameTag? { FrameTag(rawValue: tag) }

        /// The value as text. Throws ``PluginError`` `.invalid` when it is not UTF-8.
        public func text() throws(PluginError) -> String {
            guard let text = String(validating: value, as: UTF8.self) else {
                throw PluginError(.invalid, "field \(tag) is not UTF-8")
            }
            return text
        }
    }

    /// Splits a frame into its fields. Throws ``PluginError`` `.invalid` when a length points beyond the end, or above
    /// `maxFields` fields.
    public static func fields(of octets: [UInt8], maxFields: Int = 10_000) throws(PluginError) -> [Field] {
        var fields: [Field] = []
        var index = 0
        while index < octets.count {
            guard octets.count - index >= 5 else { throw PluginError(.invalid, "a frame ends inside a field's head") }
            let count =
                Int(octets[index + 1]) | Int(octets[index + 2]) << 8 | Int(octets[index + 3]) << 16 | Int(octets[index + 4]) << 24
            guard count <= octets.count - index - 5 else { throw PluginError(.invalid, "a field is longer than its frame") }
            guard fields.count < maxFields else { throw PluginError(.limitExceeded, "a frame has more than \(maxFields) fields") }
            fields.append(Field(tag: octets[index], value: octets[(index + 5)..<(index + 5 + count)]))
            index += 5 + count
        }
        return fields
    }
}

/// Tags of fields, version 1 of the ABI. Text is UTF-8; numbers are decimal text; times are `2026-11-23T22:00:00Z`.
public enum FrameTag: UInt8, Sendable, CaseIterable {
    // Events
    /// `sending`, `delivery`, `extension` or `resolver`.
    case role = 1
    case eventID = 2
    /// `urn:uuid:…`
    case messageID = 3
    case from = 4
    /// Repeated.
    case to = 5
    /// Repeated.
    case cc = 6
    case date = 7
    case inReplyTo = 8
    case size = 9
    /// Repeated: `automatic`, `form`.
    case trait = 10
    /// Repeated; a frame of `attachmentName`, `mediaType`, `size`, `sha256`.
    case attachment = 11
    case attachmentName = 12
    case mediaType = 13
    /// 32 octets.
    case sha256 = 14
    /// Repeated at `sending`: To, Cc and Bcc together. At `delivery`: the one recipient.
    case recipient = 15
    case hops = 16
    /// The domain that the Postmark proved.
    case domain = 17
    /// `content`
    case subject = 18
    /// `content`
    case text = 19
    /// `content`
    case html = 20
    /// `raw-xml`: the Message.
    case messageXML = 21
    /// `raw-xml`: the Postmark.
    case postmarkXML = 22
    /// `identity`: address or domain.
    case principal = 23
    /// `identity`: `password`, `x509`, `session`, `federated`.
    case method = 24
    /// `tokens`
    case token = 25
    case extensionIdentifier = 26
    /// At `extension`: one XML element.
    case requestXML = 27
    /// At `resolver`: the address asked for.
    case address = 28
    /// Repeated; a frame of `name` and `value`.
    case setting = 29
    case name = 30
    case value = 31
    /// The message id of the earlier message that this one replaces.
    case replaces = 32
    /// At `sending`, repeated, 32 octets each: attachments whose octets are here. (`files`)
    case presentFile = 33
    /// At `sending`, repeated; a frame of `extensionIdentifier` and `requestXML`: what the author says to this plug-in.
    case option = 34

    // Verdicts
    /// `proceed`, `drop`, `redirect`, `keep`, `refuse`, `file`, `consume`, `later`, `answer`, `resolved`, `unknown`.
    case verdict = 64
    /// For people, at most 500 characters.
    case reason = 65
    case folder = 66
    /// Repeated: `seen`, `flagged`.
    case flag = 67
    /// Repeated, 32 octets each: attachments to take out.
    case drop = 68
    /// Repeated: whom to pass it on to. At `sending` inside `replacement`.
    case target = 69
    /// Repeated; a frame of one `recipient` and its `target`s.
    case replacement = 70
    /// For `later`.
    case seconds = 71
    /// At `refuse`: `yes` if the caller may try again.
    case transient = 72
    /// The XML element answered.
    case answerXML = 73
    /// Repeated; a frame of `sha256` and `name`, the GUID: files to keep. (`blobs`, which no package can have)
    case keep = 74

    // Description (the answer of `describe`)
    /// `1`
    case abi = 96
    /// Repeated: roles that `handle` takes.
    case describedRole = 97

    // Messages sent (the argument of `send`)
    /// `principal` or `service`.
    case sender = 112
}
