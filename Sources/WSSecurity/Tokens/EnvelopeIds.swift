/// Ids of one envelope's signed parts: a random prefix, so that nothing that was written before can be meant.
struct EnvelopeIds {
    private let prefix: String

    private static let letters = Array("abcdefghijklmnopqrstuvwxyz".utf8)

    init() {
        var generator = SystemRandomNumberGenerator()
        var bits = generator.next() as UInt64
        var bytes: [UInt8] = []
        bytes.reserveCapacity(5)
        for _ in 0..<5 {
            bytes.append(Self.letters[Int(bits % 26)])
            bits /= 26
        }
        prefix = String(decoding: bytes, as: UTF8.self)
    }

    var to: String { prefix + "o" }
    var action: String { prefix + "a" }
    var messageID: String { prefix + "m" }
    var relatesTo: String { prefix + "r" }
    var sequence: String { prefix + "q" }
    var timestamp: String { prefix + "t" }
    var body: String { prefix + "b" }
    var contextToken: String { prefix + "s" }
    var binaryToken: String { prefix + "x" }
    var confirmation: String { prefix + "c" }
}
