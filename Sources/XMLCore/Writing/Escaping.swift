/// Characters as canonical XML writes them (Canonical XML 1.0 §2.3).
enum Escaping {
    enum Place { case text, attribute }

    static func append(_ string: String, to output: inout [UInt8], _ place: Place) {
        var string = string
        string.withUTF8 { appendValid($0, to: &output, place) }
    }

    static func append(utf8 bytes: some Sequence<UInt8>, to output: inout [UInt8], _ place: Place) {
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { appendAny($0, to: &output, place) }
        if isDone == nil {
            Array(bytes).withUnsafeBufferPointer { appendAny($0, to: &output, place) }
        }
    }

    private static func appendAny(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8], _ place: Place) {
        if isUTF8(ByteView(bytes)) {
            appendValid(bytes, to: &output, place)
        } else {
            append(String(decoding: bytes, as: UTF8.self), to: &output, place)
        }
    }

    private static func isUTF8(_ view: ByteView) -> Bool {
        var index = 0
        while index < view.count {
            if let word = view.word(at: index), word & Word.tops == 0 {
                index &+= 8
            } else if view[index] < 0x80 {
                index &+= 1
            } else {
                let length = CharacterScan.sequenceLength(view, index)
                if length == 0 { return false }
                index &+= length
            }
        }
        return true
    }

    /// Copies runs of bytes that stand for themselves, and what is between them as it must be written.
    private static func appendValid(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8], _ place: Place) {
        let view = ByteView(bytes)
        output.reserveCapacity(output.count + bytes.count)
        var index = 0
        while index < view.count {
            let stop = nextStop(view, index)
            output.append(contentsOf: view.slice(index, stop))
            index = stop
            guard index < view.count else { return }
            if view[index] == 0xEF {
                let isForbidden = view[index + 1] == 0xBF && view[index + 2] >= 0xBE
                if isForbidden {
                    output.append(contentsOf: replacement)
                } else {
                    output.append(contentsOf: view.slice(index, index + 3))
                }
                index += 3
            } else {
                appendEscaped(view[index], to: &output, place)
                index += 1
            }
        }
    }

    /// U+FFFD
    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    private static func appendEscaped(_ byte: UInt8, to output: inout [UInt8], _ place: Place) {
        switch (byte, place) {
        case (UInt8(ascii: "&"), _): output.append(contentsOf: "&amp;".utf8)
        case (UInt8(ascii: "<"), _): output.append(contentsOf: "&lt;".utf8)
        case (UInt8(ascii: ">"), .text): output.append(contentsOf: "&gt;".utf8)
        case (UInt8(ascii: "\""), .attribute): output.append(contentsOf: "&quot;".utf8)
        case (0x0D, _): output.append(contentsOf: "&#xD;".utf8)
        case (0x09, .attribute): output.append(contentsOf: "&#x9;".utf8)
        case (0x0A, .attribute): output.append(contentsOf: "&#xA;".utf8)
        case (0x09, _), (0x0A, _), (0x20..., _): output.append(byte)
        default: output.append(contentsOf: replacement)
        }
    }

    /// The first byte from `index` that may not stand for itself: a control character, one of `"&<>`, or 0xEF, which
    /// begins U+FFFE and U+FFFF.
    @inline(__always)
    private static func nextStop(_ view: ByteView, _ index: Int) -> Int {
        var index = index
        while let word = view.word(at: index) {
            let low = word & ~Word.tops
            // Top bits are masked off for the subtraction, and the bytes that had them taken out again.
            let controls = Word.controls(low) & ~word
            let stops =
                controls | Word.angles(word) | Word.equal(word, 0x26) | Word.equal(word, 0x22)
                | Word.equal(word, 0xEF)
            if stops != 0 { return index &+ Word.firstByte(stops) }
            index &+= 8
        }
        while index < view.count {
            let byte = view[index]
            if byte < 0x20 || byte == 0x26 || byte == 0x22 || byte == 0x3C || byte == 0x3E || byte == 0xEF {
                return index
            }
            index &+= 1
        }
        return index
    }
}
