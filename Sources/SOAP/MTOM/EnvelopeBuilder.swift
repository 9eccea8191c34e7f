import XMLCore

/// Puts the parts of a package into its root part, each in place of the Include that names it (XOP 1.0 §3.2).
struct EnvelopeBuilder {
    let package: [UInt8]
    let parts: [PackagePart]
    let root: Int
    let limits: MTOMLimits

    private static let include = ByteSearch(Array("Include".utf8))

    private struct Replacement {
        /// The Include in the root part.
        var range: Range<Int>
        var part: Int
    }

    func envelope() throws(MTOMError) -> [UInt8] {
        let source = try octets(of: root)
        guard source.count <= limits.maxEnvelopeBytes else { throw tooLarge }
        // Without the word there is no such element: names are written without references.
        let mayInclude = source.withUnsafeBufferPointer { EnvelopeBuilder.include.first(in: $0, from: 0) != nil }
        guard mayInclude else { return source }
        let document: XMLDocument
        do { document = try XMLDocument.parse(source, limits: limits.xml) } catch {
            throw MTOMError(error.code == .limitExceeded ? .limitExceeded : .badEnvelope, "the root part: \(error.reason)")
        }
        var replacements: [Replacement] = []
        var used: Set<Int> = [root]
        try collect(document.root, &replacements, &used)
        return try replacing(replacements, in: source)
    }

    private var tooLarge: MTOMError {
        MTOMError(.limitExceeded, "the envelope has more than \(limits.maxEnvelopeBytes) octets")
    }

    /// In document order; the parser's limit on depth bounds the recursion.
    private func collect(_ element: XMLElement, _ found: inout [Replacement], _ used: inout Set<Int>) throws(MTOMError) {
        if element.isNamed(MTOM.includeName) {
            let part = try part(for: element)
            guard part != root else { throw MTOMError(.badInclude, "the root part includes itself") }
            guard used.insert(part).inserted else { throw MTOMError(.partRepeated, "a part is included twice") }
            found.append(Replacement(range: element.sourceRange, part: part))
            return
        }
        for child in element.children { try collect(child, &found, &used) }
    }

    private func part(for include: XMLElement) throws(MTOMError) -> Int {
        guard let parent = include.parent, isBlank(parent.textBytes), Array(parent.children.prefix(2)).count == 1 else {
            throw MTOMError(.badInclude, "an Include is not the only content of its element")
        }
        guard isBlank(include.textBytes), Array(include.children.prefix(1)).isEmpty else {
            throw MTOMError(.badInclude, "an Include is not empty")
        }
        guard let reference = include.attribute("href"), reference.lowercased().hasPrefix("cid:") else {
            throw MTOMError(.badInclude, "an Include names no part by a cid: URL")
        }
        guard let part = try PackagePart.index(of: String(reference.dropFirst(4)), isEscaped: true, in: parts) else {
            throw MTOMError(.missingPart, "there is no part that an Include names")
        }
        return part
    }

    private func isBlank(_ text: [UInt8]) -> Bool {
        text.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
    }

    private func replacing(_ replacements: [Replacement], in source: [UInt8]) throws(MTOMError) -> [UInt8] {
        // What will come out is known, or known to be no more than this, before anything is decoded.
        var size = source.count
        for one in replacements {
            let length = parts[one.part].encoding == .identity ? (parts[one.part].range.count + 2) / 3 * 4 : 0
            size += length - one.range.count
        }
        guard size <= limits.maxEnvelopeBytes else { throw tooLarge }
        var result: [UInt8] = []
        result.reserveCapacity(size)
        var position = 0
        for one in replacements {
            result.append(contentsOf: source[position..<one.range.lowerBound])
            result.append(contentsOf: try base64(of: one.part))
            position = one.range.upperBound
            guard result.count <= limits.maxEnvelopeBytes else { throw tooLarge }
        }
        result.append(contentsOf: source[position...])
        guard result.count <= limits.maxEnvelopeBytes else { throw tooLarge }
        return result
    }

    private func base64(of index: Int) throws(MTOMError) -> [UInt8] {
        switch parts[index].encoding {
        case .identity: Base64.encode(package[parts[index].range])
        // Again, in the one right spelling: the sender signed that.
        case .base64: Base64.encode(try octets(of: index))
        }
    }

    private func octets(of index: Int) throws(MTOMError) -> [UInt8] {
        let content = package[parts[index].range]
        guard parts[index].encoding == .base64 else { return Array(content) }
        guard let octets = Base64.decode(content, allowingSpace: true) else {
            throw MTOMError(.malformed, "a part is not the base64 that it says it is")
        }
        return octets
    }
}
