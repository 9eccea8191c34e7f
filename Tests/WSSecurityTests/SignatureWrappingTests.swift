import FoundationEssentials
import SOAP
import Testing
import XMLCore

@testable import WSSecurity

/// Signed parts moved aside, other content in their place: what is checked is the element, never its name or id.
@Suite struct SignatureWrappingTests {
    private let fixture: Fixture
    private let call: ProtectedRequest

    init() throws {
        fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        call = try fixture.protect(.delete, .session(session.call()))
    }

    private func moved(_ tag: String, replacement: String) throws -> [UInt8] {
        let original = try call.bytes.element(tag)
        let replaced = try call.bytes.replacing(original, with: replacement)
        return try replaced.addingHeader("<x:Wrapper xmlns:x=\"urn:x\">\(original)</x:Wrapper>")
    }

    @Test func aBodyMovedIntoAHeader() async throws {
        let evil = "<s:Body><w:Delete xmlns:w=\"urn:wsemail:2\"><w:Id>evil</w:Id></w:Delete></s:Body>"
        #expect(try await fixture.refusal(try moved("s:Body", replacement: evil)) == .unsignedPart)
    }

    @Test func aBodyMovedWithItsIdKeptOnTheNewOne() async throws {
        let evil = try call.bytes.element("s:Body").replacing("Inbox", with: "Secret")
        #expect(try await fixture.refusal(try moved("s:Body", replacement: evil)) == .duplicateId)
    }

    @Test func aBodyMovedIntoTheSecurityHeader() async throws {
        let original = try call.bytes.element("s:Body")
        let bytes = try call.bytes.replacing(original, with: original.withoutId().replacing("Inbox", with: "Secret"))
        let inside = try bytes.replacing("</o:Security>", with: original + "</o:Security>")
        #expect(try await fixture.refusal(inside) == .malformedEnvelope)
    }

    @Test func aBodyMovedIntoTheNewBody() async throws {
        let original = try call.bytes.element("s:Body")
        let evil = "<s:Body><w:Delete xmlns:w=\"urn:wsemail:2\">\(original)</w:Delete></s:Body>"
        #expect(try await fixture.refusal(try call.bytes.replacing(original, with: evil)) == .unsignedPart)
    }

    @Test func aTimestampMovedAside() async throws {
        let fresh = try call.bytes.element("u:Timestamp").withoutId()
        #expect(try await fixture.refusal(try moved("u:Timestamp", replacement: fresh)) == .unsignedPart)
    }

    @Test(arguments: ["a:Action", "a:To", "a:MessageID", "w:Sequence"])
    func aHeaderMovedAside(tag: String) async throws {
        let copy = try call.bytes.element(tag).withoutId()
        #expect(try await fixture.refusal(try moved(tag, replacement: copy)) == .unsignedPart)
    }

    @Test(arguments: ["a:Action", "a:To", "a:MessageID", "w:Sequence"])
    func aSecondHeader(tag: String) async throws {
        let copy = try call.bytes.element(tag).withoutId()
        #expect(try await fixture.refusal(try call.bytes.addingHeader(copy)) == .malformedEnvelope)
    }

    @Test func anUnsignedRelatesTo() async throws {
        let header = "<a:RelatesTo xmlns:a=\"\(Namespaces.wsa)\">urn:x</a:RelatesTo>"
        #expect(try await fixture.refusal(try call.bytes.addingHeader(header)) == .unsignedPart)
    }

    @Test func theTokenMovedAside() async throws {
        let (bob, _) = fixture.open(.user(fixture.bob))
        let original = try call.bytes.element("c:SecurityContextToken")
        let evil = original.withoutId().replacing(/urn:uuid:[-0-9a-f]+/, with: bob.id)
        #expect(try await fixture.refusal(try moved("c:SecurityContextToken", replacement: evil)) == .failedCheck)
    }

    @Test(arguments: ["u:Timestamp", "c:SecurityContextToken", "ds:Signature"])
    func twoOfAKind(tag: String) async throws {
        let copy = try call.bytes.element(tag).withoutId()
        let bytes = try call.bytes.replacing("</o:Security>", with: copy + "</o:Security>")
        #expect(try await fixture.refusal(bytes) == .malformedEnvelope)
    }

    @Test func twoSecurityHeaders() async throws {
        let copy = try call.bytes.element("o:Security").withoutId()
        #expect(try await fixture.refusal(try call.bytes.addingHeader(copy)) == .malformedEnvelope)
    }

    @Test func aSecurityHeaderForSomebodyElseIsNotRead() async throws {
        let bytes = try call.bytes.replacing("<o:Security", with: "<o:Security s:role=\"urn:other\"")
        #expect(try await fixture.refusal(bytes) == .failedAuthentication)
    }

    @Test func anIdInsideADocumentOfItsOwnIsNotMeant() async throws {
        let original = try call.bytes.element("s:Body")
        let evil = "<s:Body><w:Delete xmlns:w=\"urn:wsemail:2\"><w:Message>\(original)</w:Message></w:Delete></s:Body>"
        #expect(try await fixture.refusal(try call.bytes.replacing(original, with: evil)) == .failedCheck)
    }

    @Test func aSignatureTakenAway() async throws {
        #expect(try await fixture.refusal(try call.bytes.removing("ds:Signature")) == .unsignedPart)
    }

    @Test func aMandatoryHeaderWeDoNotKnow() async throws {
        let header = "<x:New xmlns:x=\"urn:x\" s:mustUnderstand=\"1\"/>"
        #expect(try await fixture.refusal(try call.bytes.addingHeader(header)) == .mustUnderstand)
    }
}
