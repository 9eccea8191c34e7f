import SOAP
import Testing
import XMLCore

@testable import MailModel

@Suite struct ExtensionTests {
    private func written(_ payload: some Payload) throws -> String {
        var writer = XMLWriter()
        try payload.write(into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func request(_ text: String) throws -> ExtensionOperation.Request {
        try ExtensionOperation.Request.parse(XMLDocument.parse(Array(text.utf8)).root)
    }

    private func response(_ text: String) throws -> ExtensionOperation.Response {
        try ExtensionOperation.Response.parse(XMLDocument.parse(Array(text.utf8)).root)
    }

    /// Also names of our own namespace and prefix: what is inside is the plug-in's business.
    @Test(arguments: [
        "<a></a>", "<status xmlns=\"urn:vacation:1\" b=\"1\"><c>&amp;x</c></status>", "<Extension xmlns=\"urn:wsemail:2\"></Extension>",
        "<w:x xmlns:w=\"urn:other\"><w:y></w:y></w:x>", "<w:Message xmlns:w=\"urn:wsemail:2\">text</w:Message>",
    ])
    func contentSurvivesTheWire(_ content: String) throws {
        let octets = Array(content.utf8)
        #expect(try ExtensionOperation.canonical(octets) == octets)
        let sent = try ExtensionOperation.Request(identifier: "urn:example:vacation:1", content: octets)
        let read = try request(written(sent))
        #expect(read.identifier == sent.identifier && read.content == octets)
        #expect(try response(written(ExtensionOperation.Response(content: octets))).content == octets)
    }

    @Test func contentIsTheCanonicalFormOfOneElement() throws {
        let spelling = "<?xml version='1.0'?><!-- c -->\n<a  b='1'><c/></a>\n"
        #expect(try ExtensionOperation.canonical(Array(spelling.utf8)) == Array("<a b=\"1\"><c></c></a>".utf8))
        // Declared around it, but not used in it.
        let read = try request(
            "<w:Extension xmlns:w=\"urn:wsemail:2\" xmlns:x=\"urn:x\" identifier=\"urn:a:b\"> <a b='1'><c/></a> </w:Extension>")
        #expect(read.content == Array("<a b=\"1\"><c></c></a>".utf8))
    }

    @Test(arguments: ["", "text", "<a>", "<a/><b/>", "<!DOCTYPE a><a/>", "<?pi?><a/>"])
    func whatIsNoSingleElementIsRefused(_ text: String) {
        #expect(throws: MailModelError.self) { try ExtensionOperation.canonical(Array(text.utf8)) }
    }

    @Test(arguments: [
        "<Extension xmlns=\"urn:wsemail:2\" identifier=\"urn:a:b\"/>", "<Extension xmlns=\"urn:wsemail:2\"><a/></Extension>",
        "<Extension xmlns=\"urn:wsemail:2\" identifier=\"urn:a:b\"><a/><b/></Extension>",
        "<Extension xmlns=\"urn:wsemail:2\" identifier=\"urn:a:b\">x<a/></Extension>",
        "<Extension xmlns=\"urn:wsemail:2\" identifier=\"urn:a:b\" as=\"bob\"><a/></Extension>",
        "<Extension xmlns=\"urn:wsemail:2\" identifier=\"a b:c\"><a/></Extension>",
        "<Extension xmlns=\"urn:other\" identifier=\"urn:a:b\"><a/></Extension>",
        "<ExtensionResponse xmlns=\"urn:wsemail:2\"><a/></ExtensionResponse>",
    ])
    func aRequestIsStrict(_ text: String) {
        #expect(throws: MailModelError.self) { try request(text) }
    }

    @Test(arguments: [
        "<ExtensionResponse xmlns=\"urn:wsemail:2\"/>", "<ExtensionResponse xmlns=\"urn:wsemail:2\"><a/><a/></ExtensionResponse>",
        "<ExtensionResponse xmlns=\"urn:wsemail:2\">x<a/></ExtensionResponse>",
        "<ExtensionResponse xmlns=\"urn:wsemail:2\" x=\"1\"><a/></ExtensionResponse>",
    ])
    func aResponseIsStrict(_ text: String) {
        #expect(throws: MailModelError.self) { try response(text) }
    }

    @Test(arguments: [
        "urn:example:vacation:1", "https://example.org/x?a=b&c=(d);e@f", "a:b", "x+y-z.1:%41", "urn:" + String(repeating: "x", count: 196),
    ])
    func absoluteURIsNameExtensions(_ text: String) throws {
        #expect(ExtensionOperation.isIdentifier(text))
        #expect(try ExtensionOperation.Request(identifier: text, content: []).identifier == text)
    }

    @Test(arguments: [
        "", ":", "urn:", ":x", "vacation", "/x", "1a:b", "a b:c", "urn:a b", "urn:a\n", "urn:a#b", "urn:ä", "urn:<a>", "ürn:a",
        "urn:" + String(repeating: "x", count: 197),
    ])
    func nothingElseDoes(_ text: String) {
        #expect(!ExtensionOperation.isIdentifier(text))
        #expect(throws: MailModelError.self) { try ExtensionOperation.Request(identifier: text, content: []) }
    }
}
