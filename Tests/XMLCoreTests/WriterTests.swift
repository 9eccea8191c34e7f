import Testing
import XMLCore
import XMLTestSupport

@Suite struct WriterTests {
    let a = XMLTag("", "", "a")
    let pa = XMLTag("p", "urn:p", "a")
    let da = XMLTag("", "urn:d", "a")

    func written(_ body: (inout XMLWriter) -> Void) -> String {
        var writer = XMLWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func declaresNamespacesOnce() {
        let text = written {
            $0.start(pa)
            $0.element(pa, "1")
            $0.start(da)
            $0.element(pa, "2")
            $0.element(a, "3")
            $0.end()
            $0.element(da, "4")
            $0.end()
        }
        #expect(
            text == "<p:a xmlns:p=\"urn:p\"><p:a>1</p:a><a xmlns=\"urn:d\"><p:a>2</p:a><a xmlns=\"\">3</a></a>"
                + "<a xmlns=\"urn:d\">4</a></p:a>")
    }

    @Test func sortsAttributesAndEscapes() {
        let text = written {
            $0.start(pa)
            $0.attribute("z", "<>&\"'\t\n\r")
            $0.attribute(XMLTag("q", "urn:a", "y"), "1")
            $0.attribute(XMLTag("p", "urn:p", "y"), "2")
            $0.attribute("b", "")
            $0.text("<>&\"'\t\n\ré")
            $0.end()
        }
        #expect(
            text == "<p:a xmlns:p=\"urn:p\" xmlns:q=\"urn:a\" b=\"\" z=\"&lt;>&amp;&quot;'&#x9;&#xA;&#xD;\" q:y=\"1\" "
                + "p:y=\"2\">&lt;&gt;&amp;\"'\t\n&#xD;é</p:a>")
    }

    @Test func replacesWhatXMLForbids() {
        #expect(
            written { $0.element(a, "1\u{0}2\u{1F}3\u{FFFE}4\u{FFFF}5\u{FFFD}\u{FE0F}") }
                == "<a>1\u{FFFD}2\u{FFFD}3\u{FFFD}4\u{FFFD}5\u{FFFD}\u{FE0F}</a>")
        let bytes: [UInt8] = [0x31, 0xFF, 0x3C, 0xC3, 0xA9, 0xED, 0xA0, 0x80, 0x32]
        let text = written {
            $0.start(a)
            $0.text(utf8: bytes)
            $0.end()
        }
        #expect(text.hasPrefix("<a>1\u{FFFD}&lt;é\u{FFFD}") && text.hasSuffix("2</a>"))
        #expect(refusal(text) == nil)
    }

    @Test func writesBase64() {
        let text = written {
            $0.start(a)
            $0.base64([1, 2, 3, 4])
            $0.end()
        }
        #expect(text == "<a>AQIDBA==</a>")
    }

    @Test func selfContainedElementsAreTheirOwnCanonicalForm() throws {
        var writer = XMLWriter()
        writer.start(pa)
        writer.start(pa, selfContained: true)
        writer.element(pa, "x")
        writer.element(da, "y")
        let range = writer.end()
        writer.element(pa, "z")
        writer.end()
        let root = try XMLDocument.parse(writer.bytes).root
        let inner = try #require(root.children.first { _ in true })
        #expect(inner.sourceRange == range)
        #expect(inner.canonicalBytes() == Array(writer.bytes[range]))
    }

    @Test func anElementOfNoNamespaceNeverFallsIntoADefaultOne() throws {
        var writer = XMLWriter()
        writer.start(da)
        writer.start(a, selfContained: true)
        writer.element(a, "")
        writer.end()
        writer.end()
        let root = try XMLDocument.parse(writer.bytes).root
        #expect(root.subtree.map(\.namespace) == ["urn:d", "", ""])
    }

    @Test func declarationsForContentStay() throws {
        var writer = XMLWriter()
        writer.start(a)
        writer.declare(prefix: "q", namespace: "urn:q")
        writer.text("q:name")
        writer.start(XMLTag("q", "urn:q", "b"))
        writer.end()
        writer.end()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "<a xmlns:q=\"urn:q\">q:name<q:b></q:b></a>")
    }

    @Test func insertsFinishedFragments() {
        var writer = XMLWriter()
        writer.start(a)
        writer.text("")
        let place = writer.bytes.count
        writer.element(a, "2")
        writer.insert(Array("<a>1</a>".utf8), at: place)
        #expect(writer.end() == 0..<writer.bytes.count)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "<a><a>1</a><a>2</a></a>")
    }

    // MARK: Random programs

    static let tags =
        ["", "p", "q"].flatMap { prefix in
            ["urn:1", "urn:2"].flatMap { namespace in
                ["a", "b"].map { XMLTag(prefix, namespace, $0) }
            }
        } + [XMLTag("", "", "a")]

    /// Writes elements at random; tells the ranges of those that are self-contained.
    static func program(_ seed: UInt64, selfContained: Bool) -> (bytes: [UInt8], ranges: [Range<Int>]) {
        var random = SeededGenerator(seed: seed)
        var writer = XMLWriter(reserving: 0)
        var open: [Bool] = []
        var ranges: [Range<Int>] = []
        func start() {
            // One self-contained element inside another may share its prefixes.
            let isApex = selfContained && !open.contains(true) && random.chance(30)
            let tag = random.pick(tags)
            writer.start(tag, selfContained: isApex && !tag.namespace.isEmpty)
            open.append(isApex && !tag.namespace.isEmpty)
            for name in ["x", "y", "é"].shuffled(using: &random) where random.chance(30) {
                writer.attribute(name, random.pick(["", "1 < 2", "\"&\t", "é\r\n"]))
            }
            let attribute = random.pick(tags)
            if random.chance(30), !attribute.prefix.isEmpty, attribute.prefix != tag.prefix {
                writer.attribute(attribute, "v")
            }
        }
        start()
        while !open.isEmpty {
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where open.count < 8: start()
            case 1 where open.count < 4: start()
            case 2: writer.text(random.pick(["", "text", "a<b>&c\r", "]]>", "\u{0}", "日本"]))
            case 3: writer.base64([UInt8](repeating: 7, count: open.count))
            default:
                let range = writer.end()
                if open.removeLast() { ranges.append(range) }
            }
        }
        return (writer.bytes, ranges)
    }

    @Test func whatIsWrittenIsCanonical() throws {
        for seed in 0..<1000 as Range<UInt64> {
            let bytes = Self.program(seed, selfContained: false).bytes
            let canonical = try XMLDocument.parse(bytes).root.canonicalBytes()
            #expect(
                String(decoding: canonical, as: UTF8.self) == String(decoding: bytes, as: UTF8.self), "seed \(seed)")
        }
    }

    @Test func selfContainedRangesAreCanonical() throws {
        for seed in 0..<1000 as Range<UInt64> {
            let (bytes, ranges) = Self.program(seed, selfContained: true)
            let elements = try XMLDocument.parse(bytes).root.subtree
            for range in ranges {
                let element = try #require(elements.first { $0.sourceRange == range })
                let undeclares = String(decoding: bytes[range], as: UTF8.self).contains("xmlns=\"\"")
                if undeclares { continue }
                #expect(
                    String(decoding: element.canonicalBytes(), as: UTF8.self)
                        == String(decoding: bytes[range], as: UTF8.self), "seed \(seed)")
            }
        }
    }

    @Test func embeddingKeepsTheWholeCanonical() throws {
        var outcomes = [true: 0, false: 0]
        for seed in 0..<1000 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            let content = try XMLDocument.parse(Self.program(seed + 5000, selfContained: false).bytes).root
            let octets = content.canonicalBytes()
            var writer = XMLWriter()
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                writer.start(random.pick(Self.tags))
            }
            outcomes[try writer.embed(canonical: octets), default: 0] += 1
            writer.element(random.pick(Self.tags), "after")
            var ended = 0..<0
            repeat { ended = writer.end() } while ended.lowerBound > 0
            let root = try XMLDocument.parse(writer.bytes).root
            #expect(
                String(decoding: root.canonicalBytes(), as: UTF8.self)
                    == String(decoding: writer.bytes, as: UTF8.self), "seed \(seed)")
            let embedded = try #require(
                root.subtree.first { $0.canonicalBytes() == octets },
                "seed \(seed): \(String(decoding: octets, as: UTF8.self)) in \(String(decoding: writer.bytes, as: UTF8.self))")
            #expect(embedded.subtree.map(\.name) == content.subtree.map(\.name))
        }
        #expect(outcomes.values.allSatisfy { $0 > 50 }, "\(outcomes)")
    }

    @Test func embeddingCopiesWhatSharesNoPrefix() throws {
        let octets = Array("<a xmlns=\"urn:d\"><b>1</b></a>".utf8)
        var writer = XMLWriter()
        writer.start(pa)
        #expect(try writer.embed(canonical: octets))
        writer.end()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == "<p:a xmlns:p=\"urn:p\"><a xmlns=\"urn:d\"><b>1</b></a></p:a>")
        writer = XMLWriter()
        writer.start(da)
        #expect(try !writer.embed(canonical: octets))
        writer.end()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "<a xmlns=\"urn:d\"><a><b>1</b></a></a>")
    }

    @Test func embeddingRefusesWhatIsNoXML() {
        var writer = XMLWriter()
        writer.start(pa)
        #expect(throws: XMLError.self) { try writer.embed(canonical: Array("<p:b xmlns:p=\"urn:p\">".utf8)) }
    }
}
