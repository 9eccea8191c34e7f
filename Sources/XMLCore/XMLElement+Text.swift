/// Character data. Comments do not cut it: what stands on both sides is one text, as in the canonical form.
extension XMLElement {
    /// The character data directly in this element, references resolved, CDATA sections included.
    public var text: String {
        if let range = plainRange { return document.string(range.lowerBound, length: range.count) }
        return String(decoding: collectedText(), as: UTF8.self)
    }

    /// ``text`` as UTF-8.
    public var textBytes: [UInt8] {
        if let range = plainRange { return Array(document.bytes[range]) }
        return collectedText()
    }

    /// ``text`` of an element that may hold nothing else; an element child is an error.
    public func simpleText() throws(XMLError) -> String {
        try refuseChildren()
        return text
    }

    /// The octets of `xs:base64Binary` content: strict base64 with XML white space anywhere.
    ///
    /// - Parameter limit: the most octets to accept.
    public func base64Bytes(limit: Int) throws(XMLError) -> [UInt8] {
        try refuseChildren()
        let decoded: [UInt8]?
        if let range = plainRange {
            decoded = document.withSource {
                Base64.decode($0.slice(range.lowerBound, range.upperBound), allowingSpace: true)
            }
        } else {
            decoded = collectedText().withUnsafeBufferPointer { Base64.decode($0, allowingSpace: true) }
        }
        guard let decoded else {
            throw XMLError(.invalidValue, at: sourceRange.lowerBound, "not base64")
        }
        guard decoded.count <= limit else {
            throw XMLError(.limitExceeded, at: sourceRange.lowerBound, "more than \(limit) octets of base64")
        }
        return decoded
    }

    private func refuseChildren() throws(XMLError) {
        let record = record
        guard Int(record.next) == index + 1 else {
            let child = document.elements[index + 1]
            throw XMLError(.unexpectedElement, at: Int(child.start), "element in simple content")
        }
    }

    /// The source range of the text if it is one run, as written.
    private var plainRange: Range<Int>? {
        let record = record
        if record.lastToken <= record.firstToken + 1 { return Int(record.start)..<Int(record.start) }
        guard record.lastToken == record.firstToken + 2 else { return nil }
        let token = document.tokens[Int(record.firstToken) + 1]
        guard token.kind == .text || token.kind == .cdata, token.form.contains(.plain) else { return nil }
        return Int(token.start)..<Int(token.end)
    }

    private func collectedText() -> [UInt8] {
        var result: [UInt8] = []
        let record = record
        document.withSource { source in
            var position = Int(record.firstToken) + 1
            while position < Int(record.lastToken) {
                let token = document.tokens[position]
                let range = Int(token.start)..<Int(token.end)
                switch token.kind {
                case .start, .empty: position = Int(document.elements[Int(token.element)].lastToken)
                case .text: TextDecoder.text(source, range) { result.append($0) }
                case .cdata: TextDecoder.cdata(source, range) { result.append($0) }
                case .end, .comment: break
                }
                position += 1
            }
        }
        return result
    }
}
