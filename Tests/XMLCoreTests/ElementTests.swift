import Testing
import XMLCore

@Suite struct ElementTests {
    @Test func navigates() throws {
        let root = try parse("<a><b>1</b>text<c><b>2</b></c><b>3</b></a>").root
        #expect(root.children.map(\.localName) == ["b", "c", "b"])
        #expect(root.all(XMLName("", "b")).map(\.text) == ["1", "3"])
        #expect(root.first(XMLName("", "b"))?.text == "1")
        #expect(root.first(XMLName("urn:x", "b")) == nil)
        let inner = try root.only(XMLName("", "c")).only(XMLName("", "b"))
        #expect(inner.text == "2")
        #expect(inner.parent?.parent == root)
        #expect(root.parent == nil)
        #expect(root.contains(inner) && root.contains(root) && !inner.contains(root))
        #expect(try root.optional(XMLName("", "d")) == nil)
        #expect(String(decoding: inner.document.bytes[inner.sourceRange], as: UTF8.self) == "<b>2</b>")
    }

    @Test func onlyAndOptionalRefuseMore() throws {
        let root = try parse("<a><b/><b/></a>").root
        #expect { try root.only(XMLName("", "b")) } throws: { ($0 as? XMLError)?.code == .unexpectedElement }
        #expect { try root.optional(XMLName("", "b")) } throws: { ($0 as? XMLError)?.code == .unexpectedElement }
        #expect { try root.only(XMLName("", "c")) } throws: { ($0 as? XMLError)?.code == .missingElement }
    }

    @Test func handlesAreEqualByIdentity() throws {
        let text = "<a><b/><b/></a>"
        let first = try parse(text).root
        let second = try parse(text).root
        #expect(first != second)
        #expect(first == first.children.first { _ in true }?.parent)
        #expect(Set(first.children).count == 2)
        #expect(!first.contains(second))
    }

    @Test(arguments: [
        ("<a/>", ""), ("<a></a>", ""), ("<a> x </a>", " x "), ("<a>1<b>2</b>3<c/>4</a>", "134"),
        ("<a>al<!-- x -->ice</a>", "alice"), ("<a>&lt;&#x41;&#66;&apos;&quot;&gt;&amp;</a>", "<AB'\">&"),
        ("<a>1\r\n2\r3\n4&#13;5</a>", "1\n2\n3\n4\r5"), ("<a><![CDATA[<b>&amp;\r\n]]>]]&gt;</a>", "<b>&amp;\n]]>"),
        ("<a>\r</a>", "\n"), ("<a>\r<b/>\n</a>", "\n\n"), ("<a>&#x1F600;é</a>", "😀é"), ("<a><!-- --></a>", ""),
    ])
    func joinsText(_ text: String, _ expected: String) throws {
        let root = try parse(text).root
        #expect(root.text == expected)
        #expect(root.textBytes == Array(expected.utf8))
    }

    @Test func simpleTextRefusesElements() throws {
        #expect(try parse("<a>x<!-- y -->z</a>").root.simpleText() == "xz")
        #expect { try parse("<a>x<b/></a>").root.simpleText() } throws: {
            ($0 as? XMLError)?.code == .unexpectedElement
        }
    }

    @Test(arguments: [
        ("a\tb\nc\rd\r\ne", "a b c d e"), ("&#9;&#10;&#13;&#32;", "\t\n\r "), ("  x  ", "  x  "),
        ("&lt;&amp;&gt;", "<&>"), ("é😀", "é😀"),
    ])
    func normalisesAttributeValues(_ written: String, _ expected: String) throws {
        let root = try parse("<a b='\(written)'/>").root
        #expect(root.attribute("b") == expected)
        #expect(root.attributes.map(\.value) == [expected])
    }

    @Test func listsAttributesWithoutDeclarations() throws {
        let root = try parse("<a xmlns:p='urn:p' x='1' p:y='2' xml:lang='de'/>").root
        #expect(
            root.attributes.map(\.name) == [
                XMLName("", "x"), XMLName("urn:p", "y"), XMLName("http://www.w3.org/XML/1998/namespace", "lang"),
            ])
        #expect(root.attribute("xmlns") == nil)
        #expect(root.attribute("p") == nil)
    }

    @Test func readsBase64() throws {
        func octets(_ content: String, limit: Int = 100) throws -> [UInt8] {
            try parse("<a>\(content)</a>").root.base64Bytes(limit: limit)
        }
        #expect(try octets("") == [])
        #expect(try octets("AQID") == [1, 2, 3])
        #expect(try octets(" AQ\r\nI\tD ") == [1, 2, 3])
        #expect(try octets("A<!-- x -->Q<![CDATA[ID]]>") == [1, 2, 3])
        #expect(try octets("&#65;QID") == [1, 2, 3])
        #expect(try octets("AQIDBA==", limit: 4) == [1, 2, 3, 4])
        #expect { try octets("AQIDBA==", limit: 3) } throws: { ($0 as? XMLError)?.code == .limitExceeded }
        #expect { try octets("AQ.D") } throws: { ($0 as? XMLError)?.code == .invalidValue }
        #expect { try octets("AQID<b/>") } throws: { ($0 as? XMLError)?.code == .unexpectedElement }
    }

    @Test func findsCommentsOfASubtreeOnly() throws {
        let root = try parse("<!-- --><a><b/><c><!-- --></c></a>").root
        #expect(root.containsComments)
        #expect(root.children.map(\.containsComments) == [false, true])
    }
}

@Suite struct Base64Tests {
    @Test(arguments: 0..<70)
    func roundTrips(_ length: Int) {
        let octets = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
        let text = Base64.encode(octets)
        #expect(text.count == (length + 2) / 3 * 4)
        #expect(Base64.decode(text) == octets)
        #expect(Base64.decode(Base64.encodeToString(octets[...])) == octets)
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func encodesAsRFC4648(_ plain: String, _ text: String) {
        #expect(Base64.encodeToString(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
    }

    @Test(arguments: [
        "A", "AA", "AAA", "AA=", "A===", "====", "=", "AA==A", "AA=A", "AAA==", "AAAA=", "AAAA====", "AB==", "AAB=",
        "AA-_", "AA==\n", " AA==", "AAAA\u{0}", "ÄAAA", "Zg==Zg==",
    ])
    func refusesOtherSpellings(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test func skipsWhiteSpaceOnlyWhenAsked() {
        #expect(Base64.decode("A A\r\n=\t= ", allowingSpace: true) == [0])
        #expect(Base64.decode("AA\u{B}==", allowingSpace: true) == nil)
    }
}

@Suite struct IdentifierIndexTests {
    let ids = [XMLName("urn:u", "Id"), XMLName("", "Id")]

    @Test func findsElementsByTheAttributesNamed() throws {
        let root = try parse(
            "<a xmlns:u='urn:u' Id='1'><b u:Id='2'/><c xml:id='3' id='4'/><u:d xmlns:v='urn:v' v:Id='5'/></a>"
        ).root
        let index = try XMLIdentifierIndex(scope: root, attributes: ids)
        #expect(index["1"] == root)
        #expect(index["2"]?.localName == "b")
        #expect(["3", "4", "5", "", "1 "].allSatisfy { index[$0] == nil })
    }

    @Test(arguments: [
        "<a Id='1'><b Id='1'/></a>", "<a xmlns:u='urn:u' Id='1' u:Id='1'/>",
        "<a xmlns:u='urn:u'><b><c u:Id='x'/></b><d><e Id='x'/></d></a>",
        "<a>" + (0..<50).map { "<b Id='\($0)'/>" }.joined() + "<b Id='49'/></a>",
    ])
    func refusesDuplicates(_ text: String) throws {
        let root = try parse(text).root
        #expect { try XMLIdentifierIndex(scope: root, attributes: ids) } throws: {
            ($0 as? XMLError)?.code == .duplicateIdentifier
        }
    }

    @Test func doesNotLookIntoOpaqueElementsBelowTheScope() throws {
        let root = try parse("<m Id='1'><m Id='1'><b Id='2'/></m><b Id='2'/></m>").root
        let index = try XMLIdentifierIndex(scope: root, attributes: ids, opaque: [XMLName("", "m")])
        #expect(index["1"] == root)
        #expect(index["2"]?.parent == root)
    }

    @Test func refusesIdsWrittenWithReferences() throws {
        let root = try parse("<a Id='&#49;'/>").root
        #expect { try XMLIdentifierIndex(scope: root, attributes: ids) } throws: {
            ($0 as? XMLError)?.code == .invalidValue
        }
    }
}
