import Testing
import XMLCore

@testable import SOAP

@Suite struct IncomingEnvelopeTests {
    static let s = Namespaces.soap12
    static let a = Namespaces.wsa

    static func envelope(header: String = "", body: String = "<w:List/>") -> [UInt8] {
        Array(
            """
            <s:Envelope xmlns:s="\(s)" xmlns:a="\(a)" xmlns:w="urn:wsemail:2" xmlns:x="urn:x">\
            \(header.isEmpty ? "" : "<s:Header>\(header)</s:Header>")<s:Body>\(body)</s:Body></s:Envelope>
            """.utf8)
    }

    private func refusal(_ bytes: [UInt8]) -> FaultSubcode? {
        do {
            _ = try IncomingEnvelope(parsing: bytes)
            return nil
        } catch {
            return error.subcode
        }
    }

    @Test func readsAddressingWithSpaceAround() throws {
        let envelope = try IncomingEnvelope(
            parsing: Self.envelope(
                header: "<a:To>\n urn:to </a:To><a:Action>urn:wsemail:2:List</a:Action><a:MessageID>urn:1</a:MessageID>"))
        #expect(envelope.addressing.to?.value == "urn:to")
        #expect(envelope.addressing.action?.value == "urn:wsemail:2:List")
        #expect(envelope.addressing.messageID?.value == "urn:1")
        #expect(envelope.addressing.relatesTo == nil)
        #expect(envelope.payload?.isNamed(Names.wsemail("List")) == true)
    }

    @Test func toleratesAByteOrderMark() throws {
        let envelope = try IncomingEnvelope(parsing: [0xEF, 0xBB, 0xBF] + Self.envelope())
        #expect(envelope.payload != nil)
    }

    @Test func anEmptyBodyIsAllowedHere() throws {
        #expect(try IncomingEnvelope(parsing: Self.envelope(body: "")).payload == nil)
    }

    @Test(arguments: [
        "<s:Envelope xmlns:s='S'/>", "<s:Envelope xmlns:s='S'><s:Header/></s:Envelope>",
        "<s:Envelope xmlns:s='S'><s:Body/><s:Body/></s:Envelope>",
        "<s:Envelope xmlns:s='S'><s:Body/><s:Header/></s:Envelope>",
        "<s:Envelope xmlns:s='S'><s:Header/><s:Header/><s:Body/></s:Envelope>",
        "<s:Envelope xmlns:s='S'><s:Header/><s:Body/><x/></s:Envelope>",
        "<s:Envelope xmlns:s='S'><x/><s:Body/></s:Envelope>", "<s:Envelope xmlns:s='S'><s:Body><x/><y/></s:Body></s:Envelope>",
        "<s:Envelope xmlns:s='S'><Body/></s:Envelope>", "<Other/>", "", "not xml", "<a><b></a>",
    ])
    func refusesOtherShapes(text: String) {
        let bytes = Array(text.replacing("'S'", with: "'\(Self.s)'").utf8)
        #expect(refusal(bytes) == .malformedEnvelope)
    }

    @Test(arguments: [Namespaces.soap11, "urn:other", ""])
    func otherVersionsAreNamed(namespace: String) {
        let text = "<Envelope xmlns=\"\(namespace)\"><Body/></Envelope>"
        #expect(refusal(Array(text.utf8)) == .unsupportedVersion)
    }

    @Test(arguments: ["To", "Action", "MessageID", "RelatesTo", "ReplyTo", "FaultTo"])
    func addressingHeadersOccurOnce(name: String) {
        let address = name.hasSuffix("yTo") || name == "FaultTo"
        let content = address ? "<a:Address>\(Self.a)/anonymous</a:Address>" : "urn:x"
        let header = "<a:\(name)>\(content)</a:\(name)>"
        #expect(refusal(Self.envelope(header: header)) == nil)
        #expect(refusal(Self.envelope(header: header + header)) == .malformedEnvelope)
    }

    @Test func addressingValuesAreTextOfFiniteLength() {
        let inside = String(repeating: "x", count: Addressing.maximumLength)
        #expect(refusal(Self.envelope(header: "<a:MessageID>\(inside)</a:MessageID>")) == nil)
        #expect(refusal(Self.envelope(header: "<a:MessageID>\(inside)x</a:MessageID>")) == .malformedEnvelope)
        #expect(refusal(Self.envelope(header: "<a:To> </a:To>")) == .malformedEnvelope)
        #expect(refusal(Self.envelope(header: "<a:To>urn:<x:y/></a:To>")) == .malformedEnvelope)
    }

    @Test func repliesElsewhereAreRefused() {
        for name in ["ReplyTo", "FaultTo"] {
            let header = "<a:\(name)><a:Address>http://127.0.0.1:8080/</a:Address></a:\(name)>"
            #expect(refusal(Self.envelope(header: header)) == .malformedEnvelope)
        }
    }

    @Test func whatMustBeUnderstoodIs() {
        for flag in ["1", "true", " true "] {
            #expect(refusal(Self.envelope(header: "<x:New s:mustUnderstand=\"\(flag)\"/>")) == .mustUnderstand)
            #expect(refusal(Self.envelope(header: "<a:To s:mustUnderstand=\"\(flag)\">urn:x</a:To>")) == nil)
        }
        #expect(refusal(Self.envelope(header: "<x:New s:mustUnderstand=\"0\"/>")) == nil)
        #expect(refusal(Self.envelope(header: "<x:New/>")) == nil)
        #expect(refusal(Self.envelope(header: "<x:New s:mustUnderstand=\"yes\"/>")) == .malformedEnvelope)
        #expect(refusal(Self.envelope(header: "<x:New s:mustUnderstand=\"1\" s:role=\"urn:someone\"/>")) == nil)
        let next = "<x:New s:mustUnderstand=\"1\" s:role=\"\(URIs.roleNext)\"/>"
        #expect(refusal(Self.envelope(header: next)) == .mustUnderstand)
    }

    @Test func headersForOthersAreNotOurs() throws {
        let header = "<w:Sequence s:role=\"urn:someone\">1</w:Sequence><w:Sequence>2</w:Sequence>"
        let envelope = try IncomingEnvelope(parsing: Self.envelope(header: header))
        #expect(try envelope.header(Names.sequence)?.text == "2")
        let double = try IncomingEnvelope(parsing: Self.envelope(header: "<w:Sequence>1</w:Sequence><w:Sequence>2</w:Sequence>"))
        #expect(throws: SOAPFault.self) { try double.header(Names.sequence) }
    }

    @Test func parserLimitsAreTooLarge() {
        let deep = String(repeating: "<x:a>", count: 100) + String(repeating: "</x:a>", count: 100)
        #expect(refusal(Self.envelope(body: deep)) == .tooLarge)
    }
}
