import Testing
import XMLCore

@testable import SOAP

/// Packages as they are seen in the wild, and our own.
@Suite struct MTOMTests {
    @Test func putsAPartInPlaceOfItsInclude() throws {
        let data = Array("a\r\n--b\u{0}\r\n".utf8)
        let package = TestPackage(parts: [.root(include("1@x")), .data("1@x", data)])
        #expect(try package.unpacked().envelope == envelope(data))
    }

    @Test func aPackageWithoutAttachmentsIsItsRoot() throws {
        #expect(try TestPackage(parts: [.root("<a/>")]).unpacked().envelope == Array("<a/>".utf8))
    }

    @Test(arguments: [0, 1, 2, 3, 1000, 70_001])
    func goesThereAndBack(size: Int) throws {
        let data = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let envelope = envelope(data)
        let texts = MTOM.binaryTexts(in: envelope, atLeast: 1)
        #expect(texts.count == (size == 0 ? 0 : 1))
        let packed = try MTOM.pack(envelope, texts: texts, boundary: "0123456789abcdef", action: "urn:x")
        let type = try #require(MediaType(parsing: packed.contentType))
        #expect(MTOM.isPackage(type))
        let unpacked = try MTOM.unpack(packed.body, type: type, limits: MTOMLimits(maxEnvelopeBytes: 1 << 20))
        #expect(unpacked == MTOM.Unpacked(envelope: envelope, action: "urn:x"))
    }

    @Test(arguments: [
        // Reference and Content-ID: as RFC 2392 has it, escaped on one side, on both, brackets left out.
        ("http%3A%2F%2Ftempuri.org%2F1%2F635", "<http://tempuri.org/1/635>"), ("a:*/b", "<a:*/b>"),
        ("a%3Ab", "<a%3Ab>"), ("a%253Ab", "<a%3Ab>"), ("a:b", "<a%3Ab>"), ("a@b", "a@b"), ("urn%3auuid%3a1", "<urn:uuid:1>"),
    ])
    func findsPartsHoweverTheirNamesAreEscaped(reference: String, identifier: String) throws {
        let package = TestPackage(parts: [.root(include(reference)), .data(identifier, [1, 2, 3])])
        #expect(try package.unpacked().envelope == envelope([1, 2, 3]))
    }

    @Test(arguments: [
        "----=_Part_1_23.45", "uuid:1-2+id=3", "a/b", "MIMEBoundary'()+_,-./:=?", String(repeating: "b", count: 70), "=+/=",
    ])
    func takesEveryBoundary(boundary: String) throws {
        var package = TestPackage(parts: [.root(include("1")), .data("1", [0xFF])])
        package.boundary = boundary
        #expect(try package.unpacked().envelope == envelope([0xFF]))
        package.type = "multipart/related;type=application/xop+xml;boundary=\(boundary);start=<root>"
        if !boundary.contains(",") { #expect(try package.unpacked().envelope == envelope([0xFF])) }
    }

    @Test(arguments: [
        "multipart/related; type=\"application/xop+xml\"; boundary=B",
        "multipart/related; type=\"application/xop+xml\"; boundary=B; start=\"root\"",
        "Multipart/Related; type=\"Application/XOP+xml\"; boundary=\"B\"; start=\"<root>\"; start-info=\"application/soap+xml\"",
        "multipart/related; boundary=B; type=\"application/xop+xml\"; start-info=\"application/soap+xml; action=\\\"urn:x\\\"\"",
        "multipart/related; boundary=B; type=\"application/xop+xml\"; action=\"urn:x\"",
    ])
    func takesTypesWithAndWithoutTheirParameters(type: String) throws {
        var package = TestPackage(parts: [.data("1", [7]), .root(include("1"))])
        package.type = type
        let unpacked = try package.unpacked()
        #expect(unpacked.envelope == envelope([7]))
        #expect(unpacked.action == (type.contains("urn:x") ? "urn:x" : nil))
    }

    @Test func theRootPartMayNameTheAction() throws {
        var root = TestPackage.Part.root("<a/>")
        root.head = "Content-Type: application/xop+xml;\r\n\ttype=\"application/soap+xml; action=\\\"urn:y\\\"\"\r\nContent-ID: <root>\r\n"
        #expect(try TestPackage(parts: [root]).unpacked().action == "urn:y")
    }

    @Test(arguments: ["binary", "8bit", "7bit", "Binary"])
    func takesPlainEncodings(encoding: String) throws {
        var part = TestPackage.Part.data("1", Array("x=20\r\n".utf8))
        part.head += "Content-Transfer-Encoding: \(encoding)\r\n"
        #expect(try TestPackage(parts: [.root(include("1")), part]).unpacked().envelope == envelope(Array("x=20\r\n".utf8)))
    }

    @Test func takesBase64PartsAndSpellsThemRight() throws {
        var part = TestPackage.Part.data("1", Array("AQID\r\nBAUG\r\n".utf8))
        part.head += "Content-Transfer-Encoding: base64\r\n"
        #expect(try TestPackage(parts: [.root(include("1")), part]).unpacked().envelope == envelope([1, 2, 3, 4, 5, 6]))
        part.content = Array("AQID*".utf8)
        #expect(TestPackage(parts: [.root(include("1")), part]).code == .malformed)
        part.head = part.head.replacing("base64", with: "quoted-printable")
        #expect(TestPackage(parts: [.root(include("1")), part]).code == .unsupported)
    }

    @Test func dataMayEndInLineEndsOrBeEmpty() throws {
        for data in [[0x0D, 0x0A], [0x0D, 0x0A, 0x0D, 0x0A], [], [0x0D], [0x0A], [0x2D, 0x2D]] as [[UInt8]] {
            #expect(try TestPackage(parts: [.root(include("1")), .data("1", data)]).unpacked().envelope == envelope(data))
        }
    }

    @Test func preambleAndEpilogueAreIgnored() throws {
        var package = TestPackage(parts: [.root(include("1")), .data("1", [9])])
        package.preamble = "This is a multi-part message.\r\n--Bother\r\n\r\n".replacing("--B", with: "-- B")
        package.epilogue = "\r\n--B\r\nmore"
        #expect(try package.unpacked().envelope == envelope([9]))
        package.preamble = "\r\n"
        #expect(try package.unpacked().envelope == envelope([9]))
    }

    @Test func headersMayEndTheirLinesWithLFAlone() throws {
        var package = TestPackage(parts: [.root(include("1")), .data("1", [9])])
        package.headerLineEnd = "\n"
        #expect(try package.unpacked().envelope == envelope([9]))
    }

    @Test func anIncludeMayHaveWhiteSpaceAndCommentsAround() throws {
        let root = "<a> <!--<Include/>-->\n<Include xmlns='\(MTOM.includeName.namespace)' href='CID:1'>  </Include></a>"
        let result = try TestPackage(parts: [.root(root), .data("1", [1])]).unpacked().envelope
        #expect(result == Array("<a> <!--<Include/>-->\nAQ==</a>".utf8))
    }

    @Test func whatOnlyLooksLikeAnIncludeStays() throws {
        let inner = "<x:Include xmlns:x='\(MTOM.includeName.namespace)' href='cid:1'/>"
        for root in [
            "<a><!--\(inner)--></a>", "<a><![CDATA[\(inner)]]></a>", "<a><Include href='cid:1'/></a>",
            "<a b=\"Include\">\(inner.replacing("<", with: "&lt;"))</a>",
        ] {
            #expect(try TestPackage(parts: [.root(root), .data("1", [1])]).unpacked().envelope == Array(root.utf8))
        }
    }

    @Test func onlyWholeBase64TextsBecomeParts() throws {
        let long = String(repeating: "QUJD", count: 10)
        let text =
            "<a b=\"\(long)>\"><c>\(long)</c><d>\(long) </d><e>\(long)<f/></e><g>x&gt;\(long)</g><h>\(long)QQ==</h><i>\(long)QR==</i><j><![CDATA[\(long)]]></j></a>"
        let bytes = Array(text.utf8)
        let found = MTOM.binaryTexts(in: bytes, atLeast: 40).map { String(decoding: bytes[$0], as: UTF8.self) }
        #expect(found == [long, long + "QQ=="])
        #expect(MTOM.binaryTexts(in: bytes, atLeast: 41).count == 1)
        #expect(MTOM.binaryTexts(in: bytes, atLeast: 40, atMost: 1).count == 1)
    }
}

func include(_ reference: String) -> String {
    "<s:E xmlns:s=\"urn:s\"><d><xop:Include xmlns:xop=\"\(MTOM.includeName.namespace)\" href=\"cid:\(reference)\"/></d></s:E>"
}

func envelope(_ data: [UInt8]) -> [UInt8] {
    Array("<s:E xmlns:s=\"urn:s\"><d>\(Base64.encodeToString(data))</d></s:E>".utf8)
}

/// A package to be written as a test likes.
struct TestPackage {
    struct Part {
        /// Lines with their ends, without the empty one.
        var head: String
        var content: [UInt8]

        static func root(_ text: String) -> Part {
            Part(
                head: "Content-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"\r\nContent-ID: <root>\r\n",
                content: Array(text.utf8))
        }

        static func data(_ identifier: String, _ content: [UInt8]) -> Part {
            Part(head: "content-id: \(identifier)\r\nContent-Type: application/octet-stream\r\n", content: content)
        }
    }

    var parts: [Part]
    var boundary = "B"
    var type: String?
    var preamble = ""
    var epilogue = ""
    var headerLineEnd = "\r\n"
    var limits = MTOMLimits(maxEnvelopeBytes: 1 << 20)

    init(parts: [Part]) { self.parts = parts }

    var body: [UInt8] {
        var body = Array(preamble.utf8)
        for (index, part) in parts.enumerated() {
            body += Array((index == 0 ? "" : "\r\n").utf8) + Array("--\(boundary)\(headerLineEnd)".utf8)
            body += Array(part.head.replacing("\r\n", with: headerLineEnd).utf8) + Array(headerLineEnd.utf8) + part.content
        }
        return body + Array("\r\n--\(boundary)--\(epilogue)".utf8)
    }

    func unpacked(_ body: [UInt8]? = nil) throws -> MTOM.Unpacked {
        let text = type ?? "multipart/related; type=\"application/xop+xml\"; start=\"<root>\"; boundary=\"\(boundary)\""
        return try MTOM.unpack(body ?? self.body, type: try #require(MediaType(parsing: text)), limits: limits)
    }

    /// Why it is refused; nil if it is not.
    var code: MTOMError.Code? { code(nil) }

    func code(_ body: [UInt8]?) -> MTOMError.Code? {
        do {
            _ = try unpacked(body)
            return nil
        } catch { return (error as? MTOMError)?.code }
    }
}
