import Testing
import XMLCore
import XMLTestSupport

/// Small damage to a document.
enum Mutation {
    private static let pieces = [
        "<", ">", "&", "\"", "'", "/", "=", ":", " ", "]]>", "<!--", "-->", "<![CDATA[", "&#", ";", "xmlns", "xmlns:p=''",
        "<a>", "</a>", "\0", "\r", "é", "<?x?>", "&amp;", "-", "!", "\u{FFFF}",
    ].map { Array($0.utf8) }

    static func apply(to bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...6, using: &random))
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: random.pick(pieces), at: place)
        case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
        default: bytes.replaceSubrange(place..<end, with: random.pick(pieces))
        }
    }
}

@Suite struct MutationTests {
    /// Whatever comes, the parser answers; and what it accepts has one canonical form.
    @Test(arguments: 0..<8 as Range<UInt64>)
    func damagedDocumentsAreRefusedOrHaveOneCanonicalForm(_ part: UInt64) throws {
        var random = SeededGenerator(seed: part)
        var accepted = 0
        for seed in (part * 250)..<(part * 250 + 250) {
            var bytes = Array(RandomDocument(seed: seed).text.utf8)
            for _ in 0..<4 {
                Mutation.apply(to: &bytes, &random)
                guard let document = try? XMLDocument.parse(bytes) else { continue }
                accepted += 1
                for element in document.root.subtree {
                    _ = element.text
                    _ = element.attributes
                }
                let octets = document.root.canonicalBytes(inclusivePrefixes: ["p", "#default"])
                let again = try XMLDocument.parse(octets).root
                #expect(again.canonicalBytes(inclusivePrefixes: ["p", "#default"]) == octets)
                #expect(again.canonicalBytes() == document.root.canonicalBytes())
            }
        }
        #expect(accepted > 10)
    }
}
