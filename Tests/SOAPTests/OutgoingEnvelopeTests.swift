import Testing
import XMLCore

@testable import SOAP

@Suite struct OutgoingEnvelopeTests {
    @Test func signedPartsAreCanonicalAsWritten() throws {
        var envelope = OutgoingEnvelope()
        envelope.header(Tags.wsaTo, "urn:a&b", id: "o")
        envelope.header(Tags.wsaAction, "urn:wsemail:2:List", id: "a")
        envelope.header(Tags.sequence, "7", id: "q")
        envelope.security { writer, parts in
            writer.start(Tags.timestamp, selfContained: true)
            writer.attribute(Tags.wsuId, "t")
            writer.element(Tags.created, "2026-11-23T19:25:38Z")
            parts.append(.init(id: "t", range: writer.end()))
        }
        envelope.body(id: "b") { $0.element(Tags.w("List"), "x < y") }
        let before = envelope.bytes
        let parts = envelope.parts
        #expect(parts.map(\.id) == ["o", "a", "q", "t", "b"])
        let signature = Array("<ds:Signature xmlns:ds=\"\(Namespaces.ds)\"></ds:Signature>".utf8)
        let incoming = try IncomingEnvelope(parsing: envelope.finish(signature: signature))
        let security = try #require(try incoming.header(Names.security))
        let elements: [XMLElement?] = [
            incoming.addressing.to?.element, incoming.addressing.action?.element, try incoming.header(Names.sequence),
            security.first(Names.timestamp), incoming.body,
        ]
        for (part, element) in zip(parts, elements) {
            #expect(try #require(element).canonicalBytes() == Array(before[part.range]))
        }
        #expect(security.children.map(\.localName) == ["Timestamp", "Signature"])
    }

    @Test func worksWithoutAnything() throws {
        var envelope = OutgoingEnvelope()
        envelope.body(id: nil) { $0.element(Tags.w("Metadata"), "") }
        let incoming = try IncomingEnvelope(parsing: envelope.finish(signature: nil))
        #expect(incoming.payload?.isNamed(Names.wsemail("Metadata")) == true)
    }
}
