import Foundation
// xmlfuzz [SECONDS [SEED]]   mutates samples until the time is over. A finding traps.
import FuzzTargets

struct Mutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

    private static let pieces = [
        "<", ">", "&", "\"", "'", "/>", "=", ":", " ", "]]>", "<!--", "-->", "<![CDATA[", "&#", ";", " xmlns=\"\"",
        " xmlns:p='urn:p'", "<p:a>", "</a>", "\0", "\r\n", "é", "<?x?>", "&amp;", "&#xD;", " Id=\"body\"", "#body", "\u{FFFF}",
    ].map { Array($0.utf8) }

    mutating func mutate(_ bytes: inout [UInt8]) {
        let place = below(bytes.count + 1)
        let end = min(bytes.count, place + below(60))
        switch below(5) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: Self.pieces[below(Self.pieces.count)], at: place)
        case 2 where place < bytes.count: bytes[place] = UInt8(below(256))
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count + 1))
        default: bytes.replaceSubrange(place..<end, with: Self.pieces[below(Self.pieces.count)])
        }
    }
}

let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
let seconds = arguments.first ?? 10
let seed = arguments.dropFirst().first ?? 1
var mutator = Mutator(seed: seed)
let samples = [
    FuzzTargets.sample.bytes,
    Array("<?xml version='1.0'?><p:a xmlns:p='urn:p' b = '1 &lt;\t2'><![CDATA[<&>]]><c xmlns='urn:c' p:d=''/>é&#xD;</p:a>".utf8),
]
let file = FileManager.default.temporaryDirectory.appending(path: "xmlfuzz-input-\(seed)")
try Data().write(to: file)
let input = try FileHandle(forWritingTo: file)
let end = Date().addingTimeInterval(TimeInterval(seconds))
var count = 0
print("seed \(seed); after a trap its input is in \(file.path)")
while Date() < end {
    for sample in samples {
        var bytes = sample
        for _ in 0..<8 {
            mutator.mutate(&bytes)
            try input.truncate(atOffset: 0)
            try input.write(contentsOf: bytes)
            FuzzTargets.parse(bytes)
            FuzzTargets.verify(bytes)
            count += 1
        }
    }
}
try FileManager.default.removeItem(at: file)
print("\(count) inputs, nothing found")
