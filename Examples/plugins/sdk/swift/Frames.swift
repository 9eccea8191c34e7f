/// Tags of fields, version 1 of the ABI (docs/plugins.md lists them with their meaning).
enum Tag: UInt8 {
    case role = 1
    case eventID, messageID, from, to, cc, date, inReplyTo, size, trait, attachment, attachmentName, mediaType, sha256, recipient
    case hops, domain, subject, text, html, messageXML, postmarkXML, principal, method, token, extensionIdentifier, requestXML
    case address, setting, name, value
    case verdict = 64
    case reason, folder, flag, drop, target, replacement, seconds, transient, answerXML
    case abi = 96
    case describedRole
    case sender = 112
}

/// Fields one after the other: a tag (1 octet), a length (4, little-endian), so many octets. Plug-ins may use frames
/// for their own values too, with any tags.
struct FrameWriter {
    private(set) var octets: Bytes = []

    mutating func add(_ tag: UInt8, _ value: Bytes) {
        octets.reserveCapacity(octets.count + value.count + 5)
        octets.append(tag)
        let count = UInt32(truncatingIfNeeded: value.count)
        octets.append(UInt8(truncatingIfNeeded: count))
        octets.append(UInt8(truncatingIfNeeded: count >> 8))
        octets.append(UInt8(truncatingIfNeeded: count >> 16))
        octets.append(UInt8(truncatingIfNeeded: count >> 24))
        octets += value
    }

    mutating func add(_ tag: Tag, _ value: Bytes) { add(tag.rawValue, value) }
}

/// Walks over a frame's fields without copying them; ends at its end, or where it is damaged.
struct FrameReader {
    private let octets: UnsafeRawBufferPointer
    private var index = 0

    init(_ octets: UnsafeRawBufferPointer) { self.octets = octets }

    /// The next field. `value` is good as long as the frame's memory is.
    mutating func next() -> (tag: UInt8, value: UnsafeRawBufferPointer)? {
        guard octets.count - index >= 5 else { return nil }
        var count = 0
        for offset in 1...4 { count |= Int(octets[index + offset]) << (8 * (offset - 1)) }
        guard count >= 0, count <= octets.count - index - 5 else { return nil }
        let field = (octets[index], UnsafeRawBufferPointer(rebasing: octets[(index + 5)..<(index + 5 + count)]))
        index += 5 + count
        return field
    }

    /// All fields of a frame in an array, copied.
    static func fields(of frame: Bytes) -> [(tag: UInt8, value: Bytes)] {
        var fields: [(tag: UInt8, value: Bytes)] = []
        frame.withUnsafeBytes { octets in
            var reader = FrameReader(octets)
            while let (tag, value) = reader.next() { fields.append((tag, Bytes(value))) }
        }
        return fields
    }
}
