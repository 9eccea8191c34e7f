import Testing
import XMLCore

@testable import SOAP

/// Packages that want more than their share, or to be read in two ways.
@Suite struct MTOMAttackTests {
    private let xop = MTOM.includeName.namespace

    @Test func aMissingPartIsRefused() {
        #expect(TestPackage(parts: [.root(include("2")), .data("1", [1])]).code == .missingPart)
        #expect(TestPackage(parts: [.root(include("1"))]).code == .missingPart)
        var package = TestPackage(parts: [.root("<a/>")])
        package.type = "multipart/related; type=\"application/xop+xml\"; boundary=B; start=\"<other>\""
        #expect(package.code == .missingPart)
    }

    @Test func aPartIsIncludedOnce() {
        let one = "<d><i:Include xmlns:i='\(xop)' href='cid:1'/></d>"
        #expect(TestPackage(parts: [.root("<a>\(one)</a>"), .data("1", [1])]).code == nil)
        #expect(TestPackage(parts: [.root("<a>\(one)\(one)</a>"), .data("1", [1])]).code == .partRepeated)
        #expect(TestPackage(parts: [.root(include("root"))]).code == .badInclude)
    }

    @Test func twoPartsOfOneNameAreRefusedWhenItIsUsed() {
        #expect(TestPackage(parts: [.root(include("1")), .data("1", [1]), .data("<1>", [2])]).code == .ambiguous)
        #expect(TestPackage(parts: [.root(include("a:b")), .data("a%3Ab", [1]), .data("a%3ab", [2])]).code == .ambiguous)
        #expect(TestPackage(parts: [.root("<a/>"), .root("<b/>")]).code == .ambiguous)
    }

    @Test func partsThatNothingIncludesAreIgnored() throws {
        let package = TestPackage(parts: [.root("<a/>"), .data("1", [1]), .data("1", [2])])
        #expect(try package.unpacked().envelope == Array("<a/>".utf8))
    }

    @Test(arguments: [
        "<d>x<i:Include xmlns:i='X' href='cid:1'/></d>", "<d><i:Include xmlns:i='X' href='cid:1'/><e/></d>",
        "<d><e/><i:Include xmlns:i='X' href='cid:1'/></d>", "<d><i:Include xmlns:i='X' href='cid:1'><e/></i:Include></d>",
        "<d><i:Include xmlns:i='X' href='cid:1'>x</i:Include></d>", "<d><i:Include xmlns:i='X'/></d>",
        "<d><i:Include xmlns:i='X' href='http://example.org/'/></d>", "<d><i:Include xmlns:i='X' href='file:///etc/passwd'/></d>",
        "<d><i:Include xmlns:i='X' i:href='cid:1'/></d>", "<i:Include xmlns:i='X' href='cid:1'/>",
        "<d><i:Include xmlns:i='X' href='cid:1'/>&#x41;</d>", "<d><![CDATA[x]]><i:Include xmlns:i='X' href='cid:1'/></d>",
        "<d><i:Include xmlns:i='X' href='cid:1'><i:Include href='cid:2'/></i:Include></d>",
    ])
    func anIncludeIsTheOnlyContentAndEmpty(root: String) {
        let root = root.replacing("'X'", with: "'\(xop)'")
        #expect(TestPackage(parts: [.root(root), .data("1", [1]), .data("2", [2])]).code == .badInclude)
    }

    @Test func theRootMustBeXML() {
        #expect(TestPackage(parts: [.root("<a>Include")]).code == .badEnvelope)
        #expect(TestPackage(parts: [.root("<!DOCTYPE a><a>Include</a>")]).code == .badEnvelope)
        var deep = TestPackage(parts: [.root(String(repeating: "<a>", count: 65) + "Include" + String(repeating: "</a>", count: 65))])
        #expect(deep.code == .limitExceeded)
        deep.limits.xml.maxDepth = 65
        #expect(deep.code == nil)
    }

    @Test func nestedPackagesAndOtherEnvelopesAreRefused() {
        var part = TestPackage.Part.data("1", [1])
        part.head = "Content-ID: <1>\r\nContent-Type: multipart/mixed; boundary=C\r\n"
        #expect(TestPackage(parts: [.root("<a/>"), part]).code == .unsupported)
        var root = TestPackage.Part.root("<a/>")
        root.head = root.head.replacing("application/soap+xml", with: "text/xml")
        #expect(TestPackage(parts: [root]).code == .unsupported)
        root.head = "Content-ID: <root>\r\nContent-Type: text/xml\r\n"
        #expect(TestPackage(parts: [root]).code == .unsupported)
        root.head = "Content-ID: <root>\r\nContent-Type: application/xop+xml; charset=utf-16\r\n"
        #expect(TestPackage(parts: [root]).code == .unsupported)
        var package = TestPackage(parts: [.root("<a/>")])
        package.type = "multipart/related; type=\"application/xop+xml\"; boundary=B; start-info=\"text/xml\""
        #expect(package.code == .unsupported)
        package.type = "multipart/related; type=\"text/xml\"; boundary=B"
        #expect(package.code == .unsupported)
        package.type = "multipart/related; type=\"application/xop+xml\""
        #expect(package.code == .unsupported)
    }

    @Test func partsAreLimited() {
        let data = (1..<64).map { TestPackage.Part.data("\($0)", []) }
        #expect(TestPackage(parts: [.root("<a/>")] + data).code == nil)
        #expect(TestPackage(parts: [.root("<a/>")] + data + [.data("64", [])]).code == .limitExceeded)
    }

    @Test func headersAreLimited() {
        var part = TestPackage.Part.data("1", [])
        let (limits, start) = (MTOMLimits(maxEnvelopeBytes: 1), part.head)
        part.head = start + "x: " + String(repeating: "y", count: limits.maxPartHeaderBytes - start.utf8.count - 7) + "\r\n"
        #expect(TestPackage(parts: [.root("<a/>"), part]).code == nil)
        part.head = start + "x: " + String(repeating: "y", count: limits.maxPartHeaderBytes - start.utf8.count - 6) + "\r\n"
        #expect(TestPackage(parts: [.root("<a/>"), part]).code == .limitExceeded)
        part.head = start + String(repeating: "x: y\r\n", count: limits.maxPartHeaderFields - 2)
        #expect(TestPackage(parts: [.root("<a/>"), part]).code == nil)
        part.head += "x: y\r\n"
        #expect(TestPackage(parts: [.root("<a/>"), part]).code == .limitExceeded)
    }

    @Test(arguments: [
        ("Content-ID: <1>\r\nContent-ID: <2>\r\n", MTOMError.Code.ambiguous), ("no colon\r\n", .malformed), (": empty\r\n", .malformed),
        (" folded: first\r\n", .malformed), ("a: \u{0}\r\n", .malformed), ("a: b\r\nc: d\n", .ambiguous), ("a: b\rc: d\r\n", .malformed),
    ])
    func damagedHeadersAreRefused(head: String, code: MTOMError.Code) {
        #expect(TestPackage(parts: [.root("<a/>"), .init(head: head, content: [])]).code == code)
    }

    @Test func boundariesAreLimitedAndPlain() {
        var package = TestPackage(parts: [.root("<a/>")])
        package.boundary = String(repeating: "b", count: 71)
        #expect(package.code == .limitExceeded)
        for boundary in ["", "a ", "a[b", "\u{E4}"] {
            package.boundary = boundary
            #expect(package.code != nil)
        }
    }

    @Test func aBoundaryInsideDataIsNotReadInTwoWays() throws {
        // Not at the beginning of a line: data.
        let data = Array("x--B\r\n --B--\r\n-B".utf8)
        #expect(try TestPackage(parts: [.root(include("1")), .data("1", data)]).unpacked().envelope == envelope(data))
        for text in ["x\r\n--Bother", "x\n--B", "x\n--B--", "x\r\n--B--x", "x\r\n--B\rx", "\n--B\r\n"] {
            #expect(TestPackage(parts: [.root(include("1")), .data("1", Array(text.utf8))]).code == .ambiguous, "\(text)")
        }
        // A boundary line in data ends the part: what follows is a part, and the data is cut.
        let cut = TestPackage(parts: [.root(include("1")), .data("1", Array("x\r\n--B\r\nContent-ID: <2>\r\n\r\ny".utf8))])
        #expect(try cut.unpacked().envelope == envelope([0x78]))
    }

    @Test func aCutPackageIsRefused() {
        let body = TestPackage(parts: [.root(include("1")), .data("1", [1, 2, 3])]).body
        for length in 0..<body.count {
            let code = TestPackage(parts: []).code(Array(body.prefix(length)))
            #expect(code == .malformed || code == .ambiguous, "\(length)")
        }
        #expect(TestPackage(parts: []).code(Array("--B--".utf8)) == .malformed)
        #expect(TestPackage(parts: []).code(Array("--B\r\n--B--".utf8)) == .malformed)
    }

    @Test func theInflatedEnvelopeIsLimited() throws {
        var package = TestPackage(parts: [.root(include("1")), .data("1", [UInt8](repeating: 0, count: 3000))])
        let size = try package.unpacked().envelope.count
        package.limits = MTOMLimits(maxEnvelopeBytes: size)
        #expect(package.code == nil)
        package.limits = MTOMLimits(maxEnvelopeBytes: size - 1)
        #expect(package.code == .limitExceeded)
        package = TestPackage(parts: [
            .root(include("1")), .data("1", Array(Base64.encodeToString([UInt8](repeating: 0, count: 3000)).utf8)),
        ])
        package.parts[1].head += "Content-Transfer-Encoding: base64\r\n"
        package.limits = MTOMLimits(maxEnvelopeBytes: size)
        #expect(package.code == nil)
        package.limits = MTOMLimits(maxEnvelopeBytes: size - 1)
        #expect(package.code == .limitExceeded)
        package = TestPackage(parts: [.root("<a></a>")])
        package.limits = MTOMLimits(maxEnvelopeBytes: 7)
        #expect(package.code == nil)
        package.limits = MTOMLimits(maxEnvelopeBytes: 6)
        #expect(package.code == .limitExceeded)
    }

    @Test func onlyBase64IsPacked() {
        let bytes = Array("<a>AQID</a>".utf8)
        #expect((try? MTOM.pack(bytes, texts: [3..<7], boundary: "b")) != nil)
        for texts in [[3..<6], [2..<6], [3..<7, 3..<7], [3..<99]] as [[Range<Int>]] {
            #expect(throws: MTOMError.self) { try MTOM.pack(bytes, texts: texts, boundary: "b") }
        }
        for boundary in ["", "a b", "\r\n", String(repeating: "b", count: 71)] {
            #expect(throws: MTOMError.self) { try MTOM.pack(bytes, texts: [], boundary: boundary) }
        }
    }

    @Test func changedOctetsNeverCrash() {
        var generator = SystemRandomNumberGenerator()
        let body = TestPackage(parts: [.root(include("1")), .data("1", Array("data".utf8))]).body
        for _ in 0..<2000 {
            var changed = body
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = changed.indices.randomElement(using: &generator) ?? 0
                changed[index] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = TestPackage(parts: []).code(changed)
        }
    }
}
