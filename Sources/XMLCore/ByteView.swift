/// A bounds-checked look at bytes that someone else owns: the only way XMLCore reads a document.
///
/// Reading past the end gives 0, which no document contains (``CharacterScan`` refuses it first), so scanning loops
/// stop there by themselves and truncated input cannot be read beyond. A view never leaves the closure that made it.
struct ByteView {
    private let base: UnsafePointer<UInt8>?
    let count: Int

    init(_ buffer: UnsafeBufferPointer<UInt8>) {
        base = buffer.baseAddress
        count = buffer.count
    }

    @inline(__always)
    subscript(_ index: Int) -> UInt8 {
        guard UInt(bitPattern: index) < UInt(bitPattern: count), let base else { return 0 }
        return base[index]
    }

    /// The eight bytes from `index`, the first in the lowest bits; nil if fewer are left.
    @inline(__always)
    func word(at index: Int) -> UInt64? {
        guard index >= 0, index &+ 8 <= count, let base else { return nil }
        return UInt64(littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
    }

    /// The bytes of `range`, clamped to what there is.
    @inline(__always)
    func slice(_ start: Int, _ end: Int) -> UnsafeBufferPointer<UInt8> {
        let from = max(0, min(start, count))
        let to = max(from, min(end, count))
        guard let base else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: base + from, count: to - from)
    }

    /// Whether `length` bytes at `first` are those at `second`.
    @inline(__always)
    func equal(_ first: Int, _ second: Int, length: Int) -> Bool {
        var offset = 0
        while let left = word(at: first &+ offset), let right = word(at: second &+ offset), offset &+ 8 <= length {
            if left != right { return false }
            offset &+= 8
        }
        while offset < length {
            if self[first &+ offset] != self[second &+ offset] { return false }
            offset &+= 1
        }
        return true
    }

    func has(_ literal: StaticString, at index: Int) -> Bool {
        let expected = UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
        for (offset, byte) in expected.enumerated() where self[index &+ offset] != byte { return false }
        return true
    }
}

/// Whether two runs of bytes are the same, eight at a time.
@inline(__always)
func sameBytes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    let (left, right) = (ByteView(left), ByteView(right))
    var offset = 0
    while let first = left.word(at: offset), let second = right.word(at: offset) {
        if first != second { return false }
        offset &+= 8
    }
    while offset < left.count {
        if left[offset] != right[offset] { return false }
        offset &+= 1
    }
    return true
}

/// Whether bytes are the UTF-8 of a string.
@inline(__always)
func sameBytes(_ left: UnsafeBufferPointer<UInt8>, _ right: String) -> Bool {
    right.utf8.withContiguousStorageIfAvailable { sameBytes(left, $0) } ?? right.utf8.elementsEqual(left)
}

/// Lexicographic order of octets, which for UTF-8 is the order of code points that canonical XML sorts by.
func precedes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
    left.lexicographicallyPrecedes(right)
}
