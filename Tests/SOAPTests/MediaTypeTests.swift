import Testing

@testable import SOAP

@Suite struct MediaTypeTests {
    @Test func readsOurOwn() throws {
        let type = try #require(MediaType(parsing: MediaType.soap(action: "urn:wsemail:2:Send")))
        #expect(type.isSOAP12 && type.isUTF8)
        #expect(type.action == "urn:wsemail:2:Send")
    }

    @Test(
        arguments: [
            ("application/soap+xml", nil, true), ("Application/SOAP+XML; Charset=UTF-8", nil, true),
            ("application/soap+xml;charset=\"utf-8\";action=\"a\\\"b\"", "a\"b", true),
            ("application/soap+xml; charset=utf-16; action=urn:x", nil, false), ("application/soap+xml;", nil, true),
            ("application/soap+xml; action=\"\"", nil, true),
        ] as [(String, String?, Bool)])
    func readsWhatStacksSend(text: String, action: String?, utf8: Bool) {
        let type = MediaType(parsing: text)
        // `urn:x` is no token: an unquoted colon makes the value malformed.
        if text.contains("action=urn:x") { #expect(type == nil); return }
        #expect(type?.isSOAP12 == true)
        #expect(type?.action == action)
        #expect(type?.isUTF8 == utf8)
    }

    @Test(arguments: [
        "", "soap", "a/", "/b", "a/b c", "a/b; x", "a/b; x=", "a/b; x=\"y", "a/b; x=1; x=2", "a/b; x=\"\u{1}\"", "a/b x=1",
    ])
    func refusesMalformedOnes(text: String) {
        #expect(MediaType(parsing: text) == nil)
    }

    @Test func limitsAreFinite() {
        let inside = "a/b; x=" + String(repeating: "y", count: MediaType.maximumLength - 7)
        #expect(MediaType(parsing: inside) != nil)
        #expect(MediaType(parsing: inside + "y") == nil)
        let parameters = (0..<16).map { "; p\($0)=1" }.joined()
        #expect(MediaType(parsing: "a/b" + parameters) != nil)
        #expect(MediaType(parsing: "a/b" + parameters + "; q=1") == nil)
    }

    @Test func aHostileActionIsNotWritten() {
        #expect(!MediaType.soap(action: "x\"\r\nSet-Cookie: a").contains("action"))
    }

    @Test func otherTypesAreNotSOAP() {
        #expect(MediaType(parsing: "text/xml; charset=utf-8")?.isSOAP12 == false)
    }
}
