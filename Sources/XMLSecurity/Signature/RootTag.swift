/// What signing has to know of the tags of a canonical document's root.
struct RootTag {
    private let startTag: ArraySlice<UInt8>
    /// Where the end tag begins.
    let endTagStart: Int

    /// nil if `octets` do not begin and end like canonical XML.
    init?(_ octets: [UInt8]) {
        guard octets.first == UInt8(ascii: "<"), octets.last == UInt8(ascii: ">") else { return nil }
        // ">" may stand in an attribute value, "<" may not.
        var isInValue = false
        let end = octets.firstIndex { byte in
            if byte == UInt8(ascii: "\"") { isInValue.toggle() }
            return byte == UInt8(ascii: ">") && !isInValue
        }
        guard let end, let last = octets.lastIndex(of: UInt8(ascii: "<")), last > end,
            octets[last + 1] == UInt8(ascii: "/")
        else { return nil }
        startTag = octets[..<end]
        endTagStart = last
    }

    func hasId(_ id: String) -> Bool {
        has(" Id=\"\(id)\"") || has(" ID=\"\(id)\"")
    }

    /// Then a `ds:Signature` below it would not declare the prefix in canonical form.
    var declaresSignaturePrefix: Bool { has(" xmlns:ds=\"") }

    private func has(_ attribute: String) -> Bool {
        let pattern = Array(attribute.utf8)
        guard startTag.count >= pattern.count else { return false }
        return (startTag.startIndex...(startTag.endIndex - pattern.count)).contains { index in
            startTag[index..<(index + pattern.count)].elementsEqual(pattern)
        }
    }
}
