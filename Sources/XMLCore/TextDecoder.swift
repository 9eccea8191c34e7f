/// From characters as written to their value: references resolved, line ends (XML 1.0 §2.11) and attribute white
/// space (§3.3.3) normalised. Only for what the parser has accepted.
enum TextDecoder {
    @inline(__always)
    static func text(_ source: ByteView, _ range: Range<Int>, _ emit: (UInt8) -> Void) {
        decode(source, range, isAttribute: false, hasReferences: true, emit)
    }

    @inline(__always)
    static func cdata(_ source: ByteView, _ range: Range<Int>, _ emit: (UInt8) -> Void) {
        decode(source, range, isAttribute: false, hasReferences: false, emit)
    }

    @inline(__always)
    static func attributeValue(_ source: ByteView, _ range: Range<Int>, _ emit: (UInt8) -> Void) {
        decode(source, range, isAttribute: true, hasReferences: true, emit)
    }

    @inline(__always)
    private static func decode(
        _ source: ByteView, _ range: Range<Int>, isAttribute: Bool, hasReferences: Bool, _ emit: (UInt8) -> Void
    ) {
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = source[index]
            if byte == 0x26, hasReferences, let reference = try? Reference(source, at: index) {
                reference.scalar.forEachUTF8(emit)
                index = reference.end
                continue
            }
            index &+= 1
            if byte == 0x0D {
                // CR LF is one line end: the LF speaks for both.
                if source[index] == 0x0A, index < range.upperBound { continue }
                emit(isAttribute ? 0x20 : 0x0A)
            } else if isAttribute, byte == 0x0A || byte == 0x09 {
                emit(0x20)
            } else {
                emit(byte)
            }
        }
    }
}
