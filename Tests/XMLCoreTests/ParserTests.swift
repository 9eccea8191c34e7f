import Testing
import XMLCore

func parse(_ text: String, limits: XMLLimits = .standard) throws -> XMLDocument {
    try XMLDocument.parse(Array(text.utf8), limits: limits)
}

/// The code a document is refused with; nil if it is accepted.
func refusal(_ bytes: [UInt8], limits: XMLLimits = .standard) -> XMLError.Code? {
    do {
        _ = try XMLDocument.parse(bytes, limits: limits)
        return nil
    } catch {
        return error.code
    }
}

func refusal(_ text: String, limits: XMLLimits = .standard) -> XMLError.Code? {
    refusal(Array(text.utf8), limits: limits)
}

@Suite struct ParserTests {
    @Test(arguments: [
        "<a/>", "<a></a>", "<a\n/>", "<a ></a >", "<_a.-1/>", "<Größe/>", "<a\u{B7}/>", "<\u{10000}/>",
        "\u{FEFF}<a/>", "<?xml version=\"1.0\"?><a/>", "<?xml version='1.0' encoding='UTF-8'?>\n<a/>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\" ?><a/>",
        "\u{FEFF}<?xml version = '1.0'\tencoding = 'utf-8'?><a/>",
        "<!-- a --><a/><!-- b -->\n", "<a><!----></a>", "<a>]] ></a>", "<a>></a>",
        "<a b='\"' c=\"'\" d='>'/>", "<a><![CDATA[]]]]></a>", "<a><![CDATA[<&]]></a>", "<a>&#x10FFFF;&#0009;</a>",
        "<a xml:lang='de' xml:space='preserve'/>", "<a>\u{7F}\u{80}\u{FEFF}\u{1FFFE}</a>",
    ])
    func acceptsWellFormed(_ text: String) {
        #expect(refusal(text) == nil)
    }

    @Test(arguments: [
        "", " ", "text", "<", "<a", "<a>", "<a></b>", "<a></a", "<a></ab>", "<ab></a>", "</a>", "<a/><b/>", "<a/>x",
        "<a><b></a></b>", "< a/>", "<1/>", "<-a/>", "<a b/>", "<a b=c/>", "<a b='1'c='2'/>", "<a b='<'/>", "<a b='1/>",
        "<a / >", "<a/ >", "<a>]]></a>", "<a><!-- -- --></a>", "<a><!-- ---></a>", "<a><!--></a>", "<a><!-- </a>",
        "<a><![CDATA[</a>", "<a><![cdata[]]></a>", "<a>&#;</a>", "<a>&#x;</a>", "<a>&#12</a>", "<a>&#X41;</a>",
        "<a:b:c xmlns:a='urn:a'/>", "<:a/>", "<a:/>", "<a b='1' =''/>", "<a><</a>", "<!ELEMENT a ANY><a/>",
        "<![CDATA[]]><a/>", "<a/><![CDATA[]]>", "&amp;<a/>", "<a><!x></a>", "<a\u{D7}/>",
        "<?xml version='1.0'encoding='utf-8'?><a/>", "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0' encoding='utf-8' foo='bar'?><a/>", "<?xml version='1.0'><a/>",
    ])
    func refusesWhatIsNotWellFormed(_ text: String) {
        #expect(refusal(text) == .malformed)
    }

    @Test(arguments: [
        "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<?xml version='1.0'?><!DOCTYPE a SYSTEM 'x'><a/>",
        "<?pi?><a/>", "<a><?pi x?></a>", "<a/><?pi?>", " <?xml version='1.0'?><a/>", "<a><?xml version='1.0'?></a>",
        "<?xml version='1.1'?><a/>", "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>", "<?xml encoding='utf-8'?><a/>", "<?xml ?><a/>",
        "<?xml-stylesheet href='x'?><a/>",
    ])
    func refusesWhatIsOutsideTheProfile(_ text: String) {
        #expect(refusal(text) == .forbiddenConstruct)
    }

    @Test(arguments: ["<a>&x;</a>", "<a>&AMP;</a>", "<a>& </a>", "<a>&lt</a>", "<a b='&nbsp;'/>", "<a>&&amp;</a>"])
    func refusesUndefinedEntities(_ text: String) {
        #expect(refusal(text) == .undefinedEntity)
    }

    @Test(arguments: [
        "<a>\u{0}</a>", "<a>\u{1}</a>", "<a b='\u{B}'/>", "<a><!--\u{1F}--></a>", "<a>\u{FFFE}</a>", "<a>\u{FFFF}</a>",
        "<a>&#0;</a>", "<a>&#x1F;</a>", "<a>&#xD800;</a>", "<a>&#xFFFE;</a>", "<a>&#x110000;</a>",
        "<a>&#99999999999999999999;</a>", "<a b='&#8;'/>", "<a><![CDATA[\u{C}]]></a>", "<a>1234567\u{0}</a>",
    ])
    func refusesForbiddenCharacters(_ text: String) {
        #expect(refusal(text) == .invalidCharacter)
    }

    @Test(
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0x80], [0xBF], [0xC3], [0xC3, 0x28], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xFF], [0xFE], [0xFC, 0x80],
        ] as [[UInt8]])
    func refusesWhatIsNotUTF8(_ bytes: [UInt8]) {
        let places = ["<a>|</a>", "<a b='|'/>", "<a|/>", "<a><!--|--></a>", "|<a/>", "<a/>|", "<a>12345678|90123</a>"]
        for place in places {
            let parts = place.split(separator: "|", omittingEmptySubsequences: false)
            #expect(refusal(Array(parts[0].utf8) + bytes + Array(parts[1].utf8)) == .invalidUTF8)
        }
    }

    @Test func refusesOtherEncodingsOfUnicode() {
        let text = "<?xml version='1.0'?><a/>"
        #expect(refusal([0xFF, 0xFE] + text.utf8.flatMap { [$0, 0] }) == .invalidUTF8)
        #expect(refusal(text.utf8.flatMap { [0, $0] }) == .invalidCharacter)
    }

    @Test func refusesADocumentCutAnywhere() {
        let text = """
            \u{FEFF}<?xml version="1.0"?><!-- c --><p:a xmlns:p="urn:p" p:b='1 &lt; "2"'>x &amp; &#x41; é\
            <!-- c --><![CDATA[ d ]]><c/><Größe>日本</Größe></p:a>
            """
        let bytes = Array(text.utf8)
        #expect(refusal(bytes) == nil)
        for length in 0..<bytes.count {
            #expect(refusal(Array(bytes[..<length])) != nil, "cut at \(length)")
        }
    }

    @Test func tellsWhere() throws {
        let error = #expect(throws: XMLError.self) { try parse("<a>\n<b c='1' c='2'/></a>") }
        #expect(error?.code == .duplicateAttribute)
        #expect(error?.offset == 13)
        #expect(error?.isTransient == false)
    }
}

@Suite struct NamespaceTests {
    @Test(arguments: [
        "<p:a/>", "<a p:b=''/>", "<a><b xmlns:p='urn:p'/><p:c/></a>", "<xmlns:a/>", "<a xmlns:p='urn:p'><q:b/></a>",
        "<XML:a/>",
    ])
    func refusesUnboundPrefixes(_ text: String) {
        #expect(refusal(text) == .unboundPrefix)
    }

    @Test(arguments: [
        "<a xmlns:p=''/>", "<a xmlns:xmlns='urn:x'/>", "<a xmlns:xml='urn:x'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='relative'/>", "<a xmlns:p='../x'/>", "<a xmlns:p='1a:b'/>", "<a xmlns:p=' '/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/names&#112;ace'/>",
    ])
    func refusesForbiddenDeclarations(_ text: String) {
        #expect(refusal(text) == .invalidNamespace)
    }

    @Test(arguments: [
        "<a b='1' b='2'/>", "<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>", "<a xmlns:p='urn:x' xmlns:p='urn:y'/>",
        "<a xmlns='urn:x' xmlns='urn:x'/>", "<a xmlns:p='urn:x' xmlns:q='urn:&#120;' q:b='1' c='' p:b='2'/>",
        "<a z='' y='' x='' w='' z=''/>", "<a xml:lang='' xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang=''/>",
    ])
    func refusesAttributesGivenTwice(_ text: String) {
        #expect(refusal(text) == .duplicateAttribute)
    }

    @Test func scopesDeclarations() throws {
        let document = try parse(
            "<a xmlns='urn:1' xmlns:p='urn:2' p:x='1' x='2'><b xmlns=''><p:c xmlns:p='urn:3' xmlns='urn:4'/><c/></b><b/></a>")
        let root = document.root
        #expect(root.name == XMLName("urn:1", "a"))
        #expect(root.attribute("x") == "2")
        #expect(root.attribute("x", namespace: "urn:2") == "1")
        #expect(root.attribute("x", namespace: "urn:1") == nil)
        let inner = try #require(root.first(XMLName("", "b")))
        #expect(inner.children.map(\.name) == [XMLName("urn:3", "c"), XMLName("", "c")])
        #expect(root.children.map(\.name) == [XMLName("", "b"), XMLName("urn:1", "b")])
        let deepest = try #require(inner.children.first { _ in true })
        #expect(deepest.namespaceURI(forPrefix: "p") == "urn:3")
        #expect(deepest.namespaceURI(forPrefix: "") == "urn:4")
        #expect(inner.namespaceURI(forPrefix: "") == "")
        #expect(inner.namespaceURI(forPrefix: "xml") == "http://www.w3.org/XML/1998/namespace")
        #expect(inner.namespaceURI(forPrefix: "q") == nil)
    }

    @Test func takesNamespaceNamesAsNormalisedValues() throws {
        let root = try parse("<p:a xmlns:p='urn:a&amp;b'/>").root
        #expect(root.namespace == "urn:a&b")
        #expect(String(decoding: root.canonicalBytes(), as: UTF8.self) == "<p:a xmlns:p=\"urn:a&amp;b\"></p:a>")
    }
}
