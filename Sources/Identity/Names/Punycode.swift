/// The bootstring encoding of one domain label (RFC 3492), without the `xn--` prefix.
enum Punycode {
    // RFC 3492 §5
    private static let base = 36
    private static let tMin = 1
    private static let tMax = 26
    private static let skew = 38
    private static let damp = 700
    private static let initialBias = 72
    private static let initialN = 128

    /// Encodes scalars to lower-case ASCII; `nil` on arithmetic overflow (labels are short, so never in practice).
    static func encode(_ input: [Unicode.Scalar]) -> [UInt8]? {
        var output = input.filter(\.isASCII).map { UInt8($0.value) }
        let basicCount = output.count
        if basicCount > 0 { output.append(UInt8(ascii: "-")) }
        var n = initialN
        var delta = 0
        var bias = initialBias
        var handled = basicCount
        while handled < input.count {
            guard let next = input.lazy.map({ Int($0.value) }).filter({ $0 >= n }).min() else { return nil }
            let (product, overflow) = (next - n).multipliedReportingOverflow(by: handled + 1)
            guard !overflow else { return nil }
            delta += product
            n = next
            for scalar in input {
                let value = Int(scalar.value)
                if value < n { delta += 1 }
                if value == n {
                    appendVariableLength(delta, bias: bias, to: &output)
                    bias = adapt(delta, count: handled + 1, first: handled == basicCount)
                    delta = 0
                    handled += 1
                }
            }
            delta += 1
            n += 1
        }
        return output
    }

    /// Decodes ASCII; `nil` if the input is not punycode of Unicode scalars.
    static func decode(_ input: some Collection<UInt8>) -> [Unicode.Scalar]? {
        let bytes = Array(input)
        var output: [Unicode.Scalar] = []
        var index = 0
        if let delimiter = bytes.lastIndex(of: UInt8(ascii: "-")) {
            guard bytes[..<delimiter].allSatisfy({ $0 < 128 }) else { return nil }
            output = bytes[..<delimiter].map { Unicode.Scalar($0) }
            index = delimiter + 1
        }
        var n = initialN
        var i = 0
        var bias = initialBias
        while index < bytes.count {
            let previous = i
            guard let advance = readVariableLength(bytes, at: &index, bias: bias) else { return nil }
            i += advance
            let count = output.count + 1
            bias = adapt(i - previous, count: count, first: previous == 0)
            n += i / count
            i %= count
            guard n <= 0x10FFFF, n >= initialN, let scalar = Unicode.Scalar(UInt32(n)) else { return nil }
            output.insert(scalar, at: i)
            i += 1
        }
        return output
    }

    private static func appendVariableLength(_ delta: Int, bias: Int, to output: inout [UInt8]) {
        var q = delta
        var k = base
        while true {
            let t = threshold(k, bias)
            if q < t { break }
            output.append(digit(t + (q - t) % (base - t)))
            q = (q - t) / (base - t)
            k += base
        }
        output.append(digit(q))
    }

    private static func readVariableLength(_ bytes: [UInt8], at index: inout Int, bias: Int) -> Int? {
        var result = 0
        var weight = 1
        var k = base
        while true {
            guard index < bytes.count, let digit = value(bytes[index]) else { return nil }
            index += 1
            // A label has at most 63 octets and a scalar 21 bits: anything near 2^40 is an attack.
            guard weight < 1 << 40 else { return nil }
            result += digit * weight
            guard result < 1 << 40 else { return nil }
            let t = threshold(k, bias)
            if digit < t { return result }
            weight *= base - t
            k += base
        }
    }

    private static func threshold(_ k: Int, _ bias: Int) -> Int { min(max(k - bias, tMin), tMax) }

    /// RFC 3492 §6.1
    private static func adapt(_ delta: Int, count: Int, first: Bool) -> Int {
        var delta = first ? delta / damp : delta / 2
        delta += delta / count
        var k = 0
        while delta > ((base - tMin) * tMax) / 2 {
            delta /= base - tMin
            k += base
        }
        return k + (base - tMin + 1) * delta / (delta + skew)
    }

    private static func digit(_ value: Int) -> UInt8 {
        UInt8(value < 26 ? value + 97 : value - 26 + 48)
    }

    private static func value(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte) - 97
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte) - 65
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 48 + 26
        default: nil
        }
    }
}
