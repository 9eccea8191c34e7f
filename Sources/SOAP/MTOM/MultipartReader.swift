/// A part of a package, still where it stands.
struct PackagePart: Sendable {
    enum Encoding: Sendable { case identity, base64 }

    /// Content-ID without its angle brackets, as written; nil if there is none.
    var identifier: String?
    var contentType: MediaType?
    var encoding: Encoding
    /// Of the content in the package's octets.
    var range: Range<Int>

    /// Without the angle brackets, which some leave out.
    static func identifier(_ text: String) -> String {
        let text = XMLText.trimmed(text)
        guard text.hasPrefix("<"), text.hasSuffix(">"), text.utf8.count > 2 else { return String(text) }
        return String(text.dropFirst().dropLast())
    }

    /// The part of that identifier: as RFC 2392 has it, else as written, else with escapes resolved on both sides.
    /// .NET escapes the reference only, CXF both.
    /// - Parameter isEscaped: `reference` comes from a `cid:` URL.
    static func index(of reference: String, isEscaped: Bool, in parts: [PackagePart]) throws(MTOMError) -> Int? {
        let plain = PercentCoding.decode(reference)
        let rules: [(PackagePart) -> Bool] = [
            { isEscaped && $0.identifier == plain },
            { $0.identifier == reference },
            { $0.identifier.map { PercentCoding.decode($0) } == plain },
        ]
        for rule in rules {
            let found = parts.indices.filter { rule(parts[$0]) }
            if found.count > 1 { throw MTOMError(.ambiguous, "two parts of one Content-ID") }
            if let index = found.first { return index }
        }
        return nil
    }
}

/// Percent escapes of RFC 3986 §2.1.
enum PercentCoding {
    /// What is no escape stays as it is.
    static func decode(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        let source = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < source.count {
            if source[index] == UInt8(ascii: "%"), index + 2 < source.count, let high = digit(source[index + 1]),
                let low = digit(source[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(source[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

/// Cuts a multipart body into its parts (RFC 2046 §5.1.1), and refuses what two readers would cut differently.
struct MultipartReader {
    private let limits: MTOMLimits
    /// LF, two hyphens, the boundary.
    private let delimiter: ByteSearch

    init(boundary: String, limits: MTOMLimits) throws(MTOMError) {
        let bytes = Array(boundary.utf8)
        guard !bytes.isEmpty, bytes.count <= MTOM.maximumBoundaryLength else {
            throw MTOMError(.limitExceeded, "a boundary has 1 to \(MTOM.maximumBoundaryLength) characters")
        }
        guard bytes.allSatisfy(MultipartReader.isBoundaryByte), bytes.last != 0x20 else {
            throw MTOMError(.malformed, "a character that no boundary may have")
        }
        self.limits = limits
        delimiter = ByteSearch([0x0A, 0x2D, 0x2D] + bytes)
    }

    // RFC 2046 `bchars`, and what else stands there in the wild and is no trouble.
    private static func isBoundaryByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: " '()+_,-./:=?*@!#$%&^`{|}~".utf8.contains(byte)
        }
    }

    /// At least one part; the order is the package's.
    func parts(of package: [UInt8]) throws(MTOMError) -> [PackagePart] {
        try package.withUnsafeBufferPointer { bytes in
            Result { () throws(MTOMError) in try parts(of: bytes) }
        }.get()
    }

    private func parts(of bytes: UnsafeBufferPointer<UInt8>) throws(MTOMError) -> [PackagePart] {
        var parts: [PackagePart] = []
        guard var line = try next(in: bytes, from: 0) else { throw MTOMError(.malformed, "the boundary does not occur") }
        while !line.isLast {
            guard parts.count < limits.maxParts else { throw MTOMError(.limitExceeded, "more than \(limits.maxParts) parts") }
            guard let following = try next(in: bytes, from: line.end - 1) else {
                throw MTOMError(.malformed, "the package ends before its last boundary")
            }
            guard following.start >= line.end else { throw MTOMError(.malformed, "a part of nothing at all") }
            parts.append(try part(bytes, line.end..<following.start))
            line = following
        }
        guard !parts.isEmpty else { throw MTOMError(.malformed, "no part") }
        return parts
    }

    private struct Delimiter {
        /// Where the line end before it starts, which belongs to it.
        var start: Int
        /// Behind its own line end.
        var end: Int
        var isLast: Bool
    }

    /// The next line that begins with the boundary. The search begins at an LF, or at the very beginning.
    private func next(in bytes: UnsafeBufferPointer<UInt8>, from: Int) throws(MTOMError) -> Delimiter? {
        let start: Int
        var position: Int
        if from == 0, delimiter.matchesTail(bytes, at: 0) {
            (start, position) = (0, delimiter.count - 1)
        } else {
            guard let found = delimiter.first(in: bytes, from: from) else { return nil }
            // The end of the boundary line before it may be a mere LF, its own line end may not: data may hold that.
            let hasReturn = found > 0 && bytes[found - 1] == 0x0D
            guard hasReturn else { throw MTOMError(.ambiguous, "a boundary after a mere LF") }
            (start, position) = (found - 1, found + delimiter.count)
        }
        let isLast = position + 1 < bytes.count && bytes[position] == 0x2D && bytes[position + 1] == 0x2D
        if isLast { position += 2 }
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        if position == bytes.count, isLast { return Delimiter(start: start, end: position, isLast: true) }
        if position < bytes.count, bytes[position] == 0x0D { position += 1 }
        // RFC 2046 would end the part here, many readers would not.
        guard position < bytes.count, bytes[position] == 0x0A else {
            throw MTOMError(.ambiguous, "more than the boundary on its line")
        }
        return Delimiter(start: start, end: position + 1, isLast: isLast)
    }

    // MARK: Header fields

    private func part(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) throws(MTOMError) -> PackagePart {
        let (lines, content) = try fieldLines(bytes, range)
        var fields: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
                throw MTOMError(.malformed, "a header field without a name")
            }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            guard ["content-id", "content-type", "content-transfer-encoding"].contains(name) else { continue }
            let value = XMLText.trimmed(String(decoding: line[line.index(after: colon)...], as: UTF8.self))
            guard fields.updateValue(String(value), forKey: name) == nil else { throw MTOMError(.ambiguous, "\(name) given again") }
        }
        let type = fields["content-type"].flatMap { MediaType(parsing: $0) }
        if type?.type.hasPrefix("multipart/") == true { throw MTOMError(.unsupported, "a multipart in a part") }
        return PackagePart(
            identifier: fields["content-id"].map(PackagePart.identifier), contentType: type,
            encoding: try MultipartReader.encoding(fields["content-transfer-encoding"]), range: content)
    }

    private static func encoding(_ value: String?) throws(MTOMError) -> PackagePart.Encoding {
        switch value?.lowercased() {
        case nil, "binary", "8bit", "7bit": return .identity
        case "base64": return .base64
        default: throw MTOMError(.unsupported, "Content-Transfer-Encoding may be binary, 8bit, 7bit or base64")
        }
    }

    /// The header's lines, unfolded, and where the content stands. All end in CR LF or all in LF.
    private func fieldLines(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) throws(MTOMError) -> (lines: [[UInt8]], content: Range<Int>) {
        var lines: [[UInt8]] = []
        var position = range.lowerBound
        var returns: Bool?
        while position < range.upperBound {
            let bound = min(range.upperBound, range.lowerBound + limits.maxPartHeaderBytes)
            guard let end = bytes[position..<bound].firstIndex(of: 0x0A) ?? (bound == range.upperBound ? bound : nil) else {
                throw MTOMError(.limitExceeded, "more than \(limits.maxPartHeaderBytes) octets of a part's header")
            }
            let hasReturn = end > position && bytes[end - 1] == 0x0D
            if end < range.upperBound {
                guard returns == nil || returns == hasReturn else { throw MTOMError(.ambiguous, "line ends of both kinds in a header") }
                returns = hasReturn
            }
            let line = bytes[position..<(hasReturn ? end - 1 : end)]
            position = min(end + 1, range.upperBound)
            if line.isEmpty { break }
            guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw MTOMError(.malformed, "a control character in a part's header")
            }
            if line.first == 0x20 || line.first == 0x09 {
                guard let last = lines.indices.last else { throw MTOMError(.malformed, "a header begins with a continued line") }
                lines[last].append(contentsOf: line)
            } else {
                guard lines.count < limits.maxPartHeaderFields else {
                    throw MTOMError(.limitExceeded, "more than \(limits.maxPartHeaderFields) header fields of a part")
                }
                lines.append(Array(line))
            }
        }
        return (lines, position..<range.upperBound)
    }
}
