import Foundation
import Testing
import XMLCore
import XMLTestSupport

func canonical(_ text: String, _ prefixes: [String] = []) throws -> String {
    String(decoding: try parse(text).root.canonicalBytes(inclusivePrefixes: prefixes), as: UTF8.self)
}

extension XMLElement {
    /// The element and all below it, in document order.
    var subtree: [XMLElement] { [self] + children.flatMap(\.subtree) }
}

@Suite struct CanonicalTests {
    @Test(arguments: [
        ("<a/>", "<a></a>"), ("<a  />", "<a></a>"), ("<a ></a >", "<a></a>"),
        ("<!-- x --><a><!-- y -->1<!-- z -->2</a>\n", "<a>12</a>"),
        ("<a c='1' b='2'/>", "<a b=\"2\" c=\"1\"></a>"), ("<a\n b = \"1\"/>", "<a b=\"1\"></a>"),
        ("<a b='\"&lt;&gt;>&apos;&#39;'/>", "<a b=\"&quot;&lt;>>''\"></a>"),
        ("<a b='\"'/>", "<a b=\"&quot;\"></a>"), ("<a b='x' c=\"'\"/>", "<a b=\"x\" c=\"'\"></a>"),
        ("<a b='&#9;&#10;&#13;\t\n'/>", "<a b=\"&#x9;&#xA;&#xD;  \"></a>"),
        ("<a>&lt;&gt;>&amp;&quot;&apos;\"'</a>", "<a>&lt;&gt;&gt;&amp;\"'\"'</a>"),
        ("<a>1\r\n2\r3&#13;4&#xD;\t&#9;</a>", "<a>1\n2\n3&#xD;4&#xD;\t\t</a>"),
        ("<a><![CDATA[<&>\r\n\"]]></a>", "<a>&lt;&amp;&gt;\n\"</a>"),
        ("<a>&#x65E5;&#128512;</a>", "<a>日😀</a>"),
        ("<a xml:space='preserve' b='1'/>", "<a b=\"1\" xml:space=\"preserve\"></a>"),
    ])
    func writesXMLAsCanonicalXMLDoes(_ text: String, _ expected: String) throws {
        #expect(try canonical(text) == expected)
    }

    @Test(arguments: [
        ("<a xmlns:p='urn:p'/>", "<a></a>"), ("<a xmlns:p='urn:p' p:b=''/>", "<a xmlns:p=\"urn:p\" p:b=\"\"></a>"),
        ("<a xmlns:p='urn:p'><p:b/><p:c/></a>", "<a><p:b xmlns:p=\"urn:p\"></p:b><p:c xmlns:p=\"urn:p\"></p:c></a>"),
        ("<p:a xmlns:p='urn:p'><p:b xmlns:p='urn:p'/></p:a>", "<p:a xmlns:p=\"urn:p\"><p:b></p:b></p:a>"),
        (
            "<p:a xmlns:p='urn:p'><p:b xmlns:p='urn:q'><p:c xmlns:p='urn:p'/></p:b></p:a>",
            "<p:a xmlns:p=\"urn:p\"><p:b xmlns:p=\"urn:q\"><p:c xmlns:p=\"urn:p\"></p:c></p:b></p:a>"
        ),
        ("<a xmlns=''/>", "<a></a>"), ("<a xmlns='urn:1'><b xmlns=''/></a>", "<a xmlns=\"urn:1\"><b xmlns=\"\"></b></a>"),
        (
            "<a xmlns='urn:1' xmlns:p='urn:p'><p:b xmlns=''><c/></p:b></a>",
            "<a xmlns=\"urn:1\"><p:b xmlns:p=\"urn:p\"><c xmlns=\"\"></c></p:b></a>"
        ),
        (
            "<z:a xmlns:z='urn:1' xmlns:y='urn:2' xmlns='urn:3' y:b='' z:b='' b='' xml:lang=''/>",
            "<z:a xmlns:y=\"urn:2\" xmlns:z=\"urn:1\" b=\"\" xml:lang=\"\" z:b=\"\" y:b=\"\"></z:a>"
        ),
        ("<a xmlns='urn:&amp;&#x9;'/>", "<a xmlns=\"urn:&amp;&#x9;\"></a>"),
        (
            "<a><b xmlns:p='urn:p' p:x='1'/><p:b xmlns:p='urn:p'/></a>",
            "<a><b xmlns:p=\"urn:p\" p:x=\"1\"></b><p:b xmlns:p=\"urn:p\"></p:b></a>"
        ),
    ])
    func rendersNamespacesWhereTheyAreUsed(_ text: String, _ expected: String) throws {
        #expect(try canonical(text) == expected)
    }

    @Test(
        arguments: [
            (["p"], "<a xmlns:p='urn:p'/>", "<a xmlns:p=\"urn:p\"></a>"), (["q"], "<a xmlns:p='urn:p'/>", "<a></a>"),
            (["p"], "<a xmlns:p='urn:p'><p:b/></a>", "<a xmlns:p=\"urn:p\"><p:b></p:b></a>"),
            (
                ["p"], "<a xmlns:p='urn:p'><b xmlns:p='urn:q'><c xmlns:p='urn:q'/></b></a>",
                "<a xmlns:p=\"urn:p\"><b xmlns:p=\"urn:q\"><c></c></b></a>"
            ),
            (["#default"], "<p:a xmlns:p='urn:p' xmlns='urn:1'/>", "<p:a xmlns=\"urn:1\" xmlns:p=\"urn:p\"></p:a>"),
            (
                ["#default"], "<p:a xmlns:p='urn:p' xmlns='urn:1'><p:b xmlns=''/></p:a>",
                "<p:a xmlns=\"urn:1\" xmlns:p=\"urn:p\"><p:b xmlns=\"\"></p:b></p:a>"
            ),
            (["xml"], "<a xml:lang='de'/>", "<a xml:lang=\"de\"></a>"),
        ] as [([String], String, String)])
    func honoursInclusivePrefixes(_ prefixes: [String], _ text: String, _ expected: String) throws {
        #expect(try canonical(text, prefixes) == expected)
    }

    @Test func bringsAlongNamespacesOfAncestorsButNotTheirXMLAttributes() throws {
        let root = try parse("<a xmlns='urn:1' xmlns:p='urn:p' xml:lang='de'><p:b><c/></p:b></a>").root
        let apex = try root.only(XMLName("urn:p", "b"))
        #expect(
            String(decoding: apex.canonicalBytes(), as: UTF8.self)
                == "<p:b xmlns:p=\"urn:p\"><c xmlns=\"urn:1\"></c></p:b>")
        #expect(
            String(decoding: apex.canonicalBytes(inclusivePrefixes: ["#default"]), as: UTF8.self)
                == "<p:b xmlns=\"urn:1\" xmlns:p=\"urn:p\"><c></c></p:b>")
    }

    @Test func leavesOutASubtree() throws {
        let root = try parse("<a>1<b>2<c/></b>3<b/></a>").root
        let excluded = try #require(root.first(XMLName("", "b")))
        #expect(String(decoding: root.canonicalBytes(excluding: excluded), as: UTF8.self) == "<a>13<b></b></a>")
        #expect(root.canonicalBytes(excluding: root).isEmpty)
    }

    @Test func streamsWhatItReturns() throws {
        for seed in 0..<50 as Range<UInt64> {
            let document = try parse(RandomDocument(seed: seed).text)
            var streamed: [UInt8] = []
            document.root.canonicalize { streamed.append(contentsOf: $0) }
            #expect(streamed == document.root.canonicalBytes())
        }
        let long = String(repeating: "0123456789&amp;", count: 3000)
        let document = try parse("<a><b c=\"\(long)\">\(long)</b ><b>\(long)\r</b></a>")
        var streamed: [UInt8] = []
        document.root.canonicalize { streamed.append(contentsOf: $0) }
        #expect(streamed == document.root.canonicalBytes())
    }

    @Test func isIdempotent() throws {
        for seed in 0..<300 as Range<UInt64> {
            let document = try parse(RandomDocument(seed: seed).text)
            let octets = document.root.canonicalBytes()
            #expect(try XMLDocument.parse(octets).root.canonicalBytes() == octets, "seed \(seed)")
        }
    }
}

@Suite struct VectorTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Vectors")

    static func octets(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: path)))
    }

    @Test(
        arguments: ["exc-without-comments/test-0", "exc-without-comments/test-1"]
            + [1, 3, 4, 5, 7].map { "without-comments/example-\($0)" })
    func refusesVectorsWithDTDOrInstructions(_ name: String) throws {
        #expect(refusal(try Self.octets("\(name).xml")) == .forbiddenConstruct)
    }

    @Test func refusesTheVectorInAnotherEncoding() throws {
        #expect(refusal(try Self.octets("without-comments/example-6.xml")) != nil)
    }

    @Test(
        arguments: [
            ("exc-without-comments/test-2", XMLName("http://www.w3.org/2000/09/xmldsig#", "SignedInfo"), []),
            ("exc-without-comments/merlin-c14n-two-09", XMLName("http://example.org/bar", "Something"), []),
            ("exc-without-comments/merlin-c14n-two-10", XMLName("http://example.org/bar", "Something"), []),
            ("exc-without-comments/merlin-c14n-two-18", XMLName("http://example.org/bar", "Something"), ["#default"]),
            ("without-comments/example-2", XMLName("", "doc"), []),
        ] as [(String, XMLName, [String])])
    func matchesVectors(_ name: String, _ apex: XMLName, _ prefixes: [String]) throws {
        let document = try XMLDocument.parse(try Self.octets("\(name).xml"))
        let element = try #require(document.root.subtree.first { $0.isNamed(apex) })
        let expected = String(decoding: try Self.octets("\(name).canonical"), as: UTF8.self)
        #expect(String(decoding: element.canonicalBytes(inclusivePrefixes: prefixes), as: UTF8.self) == expected)
    }

    /// The DTD of these only gives e9 an attribute; written out, they fit.
    @Test(arguments: [("test-0", []), ("test-1", ["a"])] as [(String, [String])])
    func matchesVectorsRidOfTheirDTD(_ name: String, _ prefixes: [String]) throws {
        let text = String(decoding: try Self.octets("exc-without-comments/\(name).xml"), as: UTF8.self)
            .replacing("<!DOCTYPE doc [<!ATTLIST e9 attr CDATA \"default\">]>", with: "")
            .replacing("<e9 ", with: "<e9 attr=\"default\" ")
        let element = try #require(try parse(text).root.subtree.first { $0.localName == "e6" })
        let expected = String(decoding: try Self.octets("exc-without-comments/\(name).canonical"), as: UTF8.self)
        #expect(String(decoding: element.canonicalBytes(inclusivePrefixes: prefixes), as: UTF8.self) == expected)
    }
}

/// libxml2 as the judge.
@Suite struct CanonicalJudgeTests {
    @Test func agreesWithLibxml2OnSubtreesPrefixListsAndExclusions() throws {
        var random = SeededGenerator(seed: 1)
        var jobs: [JudgeJob] = []
        var ours: [[UInt8]] = []
        for seed in 0..<600 as Range<UInt64> {
            let text = RandomDocument(seed: seed).text
            let elements = try parse(text).root.subtree
            var job = JudgeJob(op: "c14n", xml: Array(text.utf8))
            job.apex = Int.random(in: 0..<elements.count, using: &random)
            let apex = elements[job.apex]
            let below = elements.indices.filter { $0 != job.apex && apex.contains(elements[$0]) }
            if random.chance(30), !below.isEmpty { job.excluded = random.pick(below) }
            if random.chance(50) {
                job.prefixes = ["#default", "p", "q", "n1", "none"].filter { _ in random.chance(40) }
            }
            jobs.append(job)
            let excluded = job.excluded < 0 ? nil : elements[job.excluded]
            ours.append(apex.canonicalBytes(inclusivePrefixes: job.prefixes, excluding: excluded))
        }
        let theirs = try Tools.judge(jobs)
        for (seed, (our, their)) in zip(ours, theirs).enumerated() {
            #expect(their.error == nil, "seed \(seed)")
            #expect(
                String(decoding: our, as: UTF8.self) == String(decoding: their.octets ?? Data(), as: UTF8.self),
                "seed \(seed): \(String(decoding: jobs[seed].xml, as: UTF8.self)) \(jobs[seed].apex) \(jobs[seed].prefixes)")
        }
    }

    @Test func agreesWithXmllintOnWholeDocuments() throws {
        let folder = try TemporaryFolder()
        var files: [String] = []
        var ours: [UInt8] = []
        for seed in 1000..<1200 as Range<UInt64> {
            // xmllint keeps comments.
            let text = RandomDocument(seed: seed, hasComments: false).text
            files.append(try folder.write("\(seed).xml", Data(text.utf8)).path)
            ours += try parse(text).root.canonicalBytes()
        }
        let theirs = try Tools.run("xmllint", ["--nonet", "--exc-c14n"] + files, package: "libxml2-utils")
        #expect(theirs.status == 0, "\(theirs.errors)")
        // It ends each document with a line end or not, by version: compare without those between documents.
        let clean = { (octets: [UInt8]) in
            String(decoding: octets, as: UTF8.self).replacing(">\n<", with: "><")
        }
        #expect(clean(ours) == clean(Array(theirs.output)).trimmingCharacters(in: .newlines))
    }

    /// What libxml2 refuses as not well formed we refuse, and the other way round, but for what our profile leaves out.
    @Test func agreesWithXmllintOnWhatIsWellFormed() throws {
        let folder = try TemporaryFolder()
        var random = SeededGenerator(seed: 7)
        var expected: [String: Bool] = [:]
        for seed in 2000..<2150 as Range<UInt64> {
            var bytes = Array(RandomDocument(seed: seed).text.utf8)
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                Mutation.apply(to: &bytes, &random)
            }
            let code = refusal(bytes)
            // Recoverable for libxml2, or beyond its notion of an error.
            if code == .forbiddenConstruct || code == .invalidNamespace { continue }
            let name = "\(seed).xml"
            try folder.write(name, Data(bytes))
            expected[folder.url.appending(path: name).path] = code == nil
        }
        for (file, isAccepted) in expected {
            let result = try Tools.run("xmllint", ["--nonet", "--noout", file], package: "libxml2-utils")
            // Characters that no URI has are an error to libxml2, which then goes on.
            let errors = result.errors.split(separator: "\n").filter { !$0.contains("is not a valid URI") }
            let isClean = result.status == 0 && !errors.contains { $0.contains("namespace error") }
            let text = String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
            #expect(isClean == isAccepted, "\(text)\n\(result.errors)")
        }
    }
}
