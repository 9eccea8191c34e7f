import XMLCore

/// Writing packages.
extension MTOM {
    /// A package to send.
    public struct Package: Sendable, Equatable {
        public var contentType: String
        public var body: [UInt8]
    }

    /// Smaller data costs more as a part than it saves.
    public static let worthwhileLength = 1 << 10

    /// The texts of an envelope that are base64 and nothing else: elements without attributes or children are not
    /// asked for their meaning, as a part may stand for any of them.
    ///
    /// - Parameters:
    ///   - length: shorter texts are left out.
    ///   - count: the longest so many.
    /// - Returns: their ranges in `envelope`, ascending; none if it is not well formed.
    public static func binaryTexts(
        in envelope: [UInt8], atLeast length: Int = worthwhileLength, atMost count: Int = 63
    ) -> [Range<Int>] {
        guard envelope.count > length else { return [] }
        var limits = XMLLimits.standard
        limits.maxBytes = envelope.count
        guard let document = try? XMLDocument.parse(envelope, limits: limits) else { return [] }
        var found: [Range<Int>] = []
        collect(document.root, length, &found)
        guard found.count > count else { return found }
        return found.sorted { $0.count > $1.count }.prefix(count).sorted { $0.lowerBound < $1.lowerBound }
    }

    private static func collect(_ element: XMLElement, _ length: Int, _ found: inout [Range<Int>]) {
        guard element.sourceRange.count >= length else { return }
        var isLeaf = true
        for child in element.children {
            isLeaf = false
            collect(child, length, &found)
        }
        guard isLeaf, let range = content(of: element), range.count >= length, isBase64(element.document.bytes[range]) else { return }
        found.append(range)
    }

    /// What stands between the tags of an element without children.
    private static func content(of element: XMLElement) -> Range<Int>? {
        let bytes = element.document.bytes
        var quote: UInt8?
        var start = element.sourceRange.lowerBound
        while start < element.sourceRange.upperBound {
            let byte = bytes[start]
            start += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                break
            }
        }
        guard let end = bytes[start..<element.sourceRange.upperBound].lastIndex(of: UInt8(ascii: "<")) else { return nil }
        return start..<end
    }

    /// Whether decoding and encoding again gives the same, so that the signature still fits.
    private static func isBase64(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.count.isMultiple(of: 4), let tail = Base64.decode(text.suffix(4)), !tail.isEmpty else { return false }
        return text.dropLast(4).allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F: true
            default: false
            }
        }
    }

    /// The package that stands for `envelope`, whose other octets go out as they are.
    ///
    /// - Parameters:
    ///   - texts: base64 in its one right spelling, ascending, the whole text of its element each; such as
    ///     ``binaryTexts(in:atLeast:atMost:)`` gives.
    ///   - boundary: must not occur in the data: random, 20 characters or more. Also makes the Content-IDs.
    public static func pack(
        _ envelope: [UInt8], texts: [Range<Int>], boundary: String, action: String? = nil
    ) throws(MTOMError) -> Package {
        guard !boundary.isEmpty, boundary.utf8.count <= maximumBoundaryLength, boundary.utf8.allSatisfy(isPlain) else {
            throw MTOMError(.malformed, "a boundary of letters, digits and hyphens is asked for")
        }
        var root: [UInt8] = []
        var parts: [UInt8] = []
        parts.reserveCapacity(texts.reduce(4096) { $0 + $1.count / 4 * 3 })
        var position = 0
        for (number, range) in texts.enumerated() {
            guard range.lowerBound >= position, range.upperBound <= envelope.count, let octets = Base64.decode(envelope[range]) else {
                throw MTOMError(.malformed, "a range that is not base64")
            }
            let identifier = "\(number + 1).\(boundary)@wsemail"
            root.append(contentsOf: envelope[position..<range.lowerBound])
            root.append(contentsOf: "<xop:Include xmlns:xop=\"\(includeName.namespace)\" href=\"cid:\(identifier)\"/>".utf8)
            position = range.upperBound
            parts.append(contentsOf: head(boundary, identifier, "application/octet-stream").utf8)
            parts.append(contentsOf: octets)
        }
        root.append(contentsOf: envelope[position...])
        let identifier = "root.\(boundary)@wsemail"
        let innerType = action.flatMap { isPlainAction($0) ? "; action=\"\($0)\"" : nil } ?? ""
        var body = Array(
            head(boundary, identifier, "application/xop+xml; charset=utf-8; type=\"application/soap+xml\"\(innerType)").utf8.dropFirst(2))
        body.append(contentsOf: root)
        body.append(contentsOf: parts)
        body.append(contentsOf: "\r\n--\(boundary)--\r\n".utf8)
        let type =
            "multipart/related; boundary=\"\(boundary)\"; type=\"application/xop+xml\"; start=\"<\(identifier)>\"; "
            + "start-info=\"application/soap+xml\"\(innerType)"
        return Package(contentType: type, body: body)
    }

    private static func head(_ boundary: String, _ identifier: String, _ type: String) -> String {
        "\r\n--\(boundary)\r\nContent-Type: \(type)\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <\(identifier)>\r\n\r\n"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func isPlainAction(_ action: String) -> Bool {
        action.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
    }
}
