import Foundation
import Identity
import SOAP
import Testing
import XMLCore

@testable import MailModel

/// Requests about attachments, and their answers, on the wire.
@Suite struct AttachmentsTests {
    private static let guid = "0123456789abcdef0123456789abcdef"
    private static let digest = [UInt8](repeating: 7, count: 32)
    private static let date = Date(timeIntervalSince1970: 1_790_000_000.5)

    private func address(_ text: String) throws -> Address { try Address(text) }

    private func calls() throws -> [AttachmentCall] {
        let readers = [try address("bob@far.example"), try address("δοκιμή@far.example")]
        return [
            .upload(.init(digest: Self.digest, size: .max)), .get(.init(guid: Self.guid)),
            .get(.init(guid: Self.guid, resume: Self.guid, inline: true)), .describe(.init(guid: Self.guid)), .list(.init()),
            .list(.init(messageID: .random(), after: Self.guid, limit: 200)), .log(.init(guid: Self.guid)),
            .revoke(.init(guid: Self.guid)), .revoke(.init(guid: Self.guid, readers: readers)),
            .share(.init(guid: Self.guid, readers: readers)), .answer(.init(guid: Self.guid, request: Self.guid, grant: true)),
            .answer(.init(guid: Self.guid, request: Self.guid, grant: false)),
        ]
    }

    @Test func requestsSurviveTheWire() throws {
        for call in try calls() {
            let octets = call.octets()
            #expect(try AttachmentCall.parse(octets) == call)
            #expect(try ExtensionOperation.canonical(octets) == octets)
        }
    }

    private func facts(_ limited: Bool) throws -> AttachmentAnswer.Facts {
        AttachmentAnswer.Facts(
            guid: Self.guid, messageID: .random(), from: try address("ann@here.example"), to: try address("bob@far.example"),
            name: "a \"b\" <c>&\n.txt", mediaType: "text/plain", size: 1 << 40, digest: Self.digest, created: Self.date,
            expires: limited ? Self.date : nil, remaining: limited ? 0 : nil)
    }

    private func survives<Answer: AttachmentElement>(_ answer: Answer) throws {
        let octets = answer.octets()
        #expect(try Answer(octets: octets) == answer)
        #expect(try ExtensionOperation.canonical(octets) == octets)
    }

    @Test func answersSurviveTheWire() throws {
        try survives(AttachmentAnswer.Upload.complete)
        try survives(AttachmentAnswer.Upload.open(id: "a-1_B", ticket: [0xFB, 0xFF, 1], offset: 5, expires: Self.date))
        for limited in [true, false] {
            try survives(AttachmentAnswer.Get(facts(limited), fetch: 3, source: .data([0, 255])))
            let download = AttachmentAnswer.Get.Source.download(
                path: "/wsemail/files/\(Self.guid)", ticket: Self.digest, ticketID: Self.guid, expires: Self.date)
            try survives(AttachmentAnswer.Get(facts(limited), fetch: 3, source: download))
            let version = AttachmentAnswer.Version(
                messageID: .random(), name: "x", guid: Self.guid, digest: Self.digest, size: 0, created: Self.date)
            try survives(
                AttachmentAnswer.Describe(facts(limited), onForward: .forbid, replacements: [version], replaces: [version, version]))
            let listed = AttachmentAnswer.Listed(
                guid: Self.guid, messageID: .random(), name: "x", mediaType: "y", size: 1, digest: Self.digest, created: Self.date,
                expires: limited ? Self.date : nil, fetches: 2, maxFetches: limited ? 3 : nil, onForward: .allow, isRevoked: limited)
            try survives(AttachmentAnswer.List(attachments: [listed, listed], more: limited))
        }
        let events = try AttachmentAnswer.Event.Kind.allCases.map {
            AttachmentAnswer.Event($0, time: Self.date, who: try address("a@b.example"), by: nil)
        }
        try survives(AttachmentAnswer.Log(events: events))
        try survives(AttachmentAnswer.Revoke(count: 3))
        try survives(AttachmentAnswer.Share(.granted))
        try survives(AttachmentAnswer.Share(.asked, request: Self.guid))
        try survives(AttachmentAnswer.Answer())
        for onForward in AttachmentKeep.OnForward.allCases {
            try survives(AttachmentKeep(expires: Self.date, maxFetches: 1, onForward: onForward, digest: Self.digest))
        }
        try survives(AttachmentKeep())
    }

    @Test(arguments: [
        "<Get guid='G'/>", "<Get xmlns='urn:other' guid='G'/>", "<Got N guid='G'/>", "<Get N/>", "<Get N guid='0123'/>",
        "<Get N guid='G' more='1'/>",
        "<Get N guid='G'>x</Get>", "<Get N guid='G'><x/></Get>", "<Get N guid='G' inline='yes'/>", "<Get N guid='G' resume=''/>",
        "<Upload N sha256='AAAA' size='1'/>", "<Upload N sha256='D' size='-1'/>", "<Upload N sha256='D' size='01'/>",
        "<Upload N sha256='D' size='18446744073709551616'/>", "<List N limit='0'/>", "<List N limit='201'/>", "<List N messageId='x'/>",
        "<Share N guid='G'/>", "<Share N guid='G'><Reader>bob</Reader></Share>",
        "<Share N guid='G'><Reader>b@c.example</Reader><Reader>B@C.example</Reader></Share>",
        "<Share N guid='G'><Reader a='b'>b@c.example</Reader></Share>",
        "<Share N guid='G'><Reader xmlns='urn:x'>b@c.example</Reader></Share>",
        "<Answer N guid='G' request='G'/>", "<Answer N guid='G' request='x' grant='true'/>", "", "x",
    ])
    func aRequestIsStrict(_ text: String) {
        let text = text.replacing(" N", with: " xmlns='urn:wsemail:2:attachments'").replacing("'G'", with: "'\(Self.guid)'")
            .replacing("'D'", with: "'\(Base64.encodeToString(Self.digest))'")
        #expect(throws: MailModelError.self) { try AttachmentCall.parse(Array(text.utf8)) }
    }

    @Test func manyReadersAreTooMany() throws {
        let readers = try (0..<201).map { try address("r\($0)@far.example") }
        let good = AttachmentCall.Share(guid: Self.guid, readers: Array(readers.prefix(200)))
        #expect(try AttachmentCall.Share(octets: good.octets()) == good)
        #expect(throws: MailModelError.self) {
            try AttachmentCall.Share(octets: AttachmentCall.Share(guid: Self.guid, readers: readers).octets())
        }
    }

    @Test(arguments: ["maxFetches='0'", "maxFetches='1000000001'", "expires='2026-01-01'", "onForward='maybe'", "sha256='AA=='", "x='y'"])
    func termsAreStrict(_ attribute: String) {
        let text = "<Keep xmlns='urn:wsemail:2:attachments' \(attribute)/>"
        #expect(throws: MailModelError.self) { try AttachmentKeep(octets: Array(text.utf8)) }
    }

    /// A server that is attacked must not lead a client elsewhere.
    @Test(arguments: ["//evil.example/x", "wsemail", "https://evil.example/", "/a/../b", ""])
    func aDownloadIsOnTheSameServer(_ path: String) throws {
        let source = AttachmentAnswer.Get.Source.download(path: path, ticket: [1], ticketID: Self.guid, expires: Self.date)
        let octets = AttachmentAnswer.Get(try facts(true), fetch: 1, source: source).octets()
        #expect(throws: MailModelError.self) { try AttachmentAnswer.Get(octets: octets) }
    }

    @Test(arguments: ["", "a/b", "..", "a b", "ä"])
    func anUploadIsOneSegment(_ id: String) {
        let octets = AttachmentAnswer.Upload.open(id: id, ticket: [1], offset: 0, expires: Self.date).octets()
        #expect(throws: MailModelError.self) { try AttachmentAnswer.Upload(octets: octets) }
    }

    @Test func ticketsHaveOneSpelling() {
        for count in 1...64 {
            let octets = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 251) }
            let text = AttachmentsXML.ticketText(octets)
            #expect(AttachmentsXML.ticket(text) == octets)
            #expect(text.utf8.allSatisfy { !"+/=".utf8.contains($0) })
        }
        for bad in ["", "A", "AB", "AA==", "+_", "/w", "A A", String(repeating: "A", count: 87)] {
            #expect(AttachmentsXML.ticket(bad) == nil)
        }
    }
}

/// A call's challenge.
@Suite struct ChallengeAttributeTests {
    private func read(_ text: String) throws -> ExtensionOperation.Request {
        try ExtensionOperation.Request.parse(XMLDocument.parse(Array(text.utf8)).root)
    }

    @Test(arguments: [1, 32, 256]) func aChallengeSurvivesTheWire(_ count: Int) throws {
        let challenge = [UInt8](repeating: 0xFE, count: count)
        let sent = try ExtensionOperation.Request(identifier: "urn:a:b", content: Array("<a></a>".utf8), challenge: challenge)
        var writer = XMLWriter()
        try sent.write(into: &writer)
        #expect(try read(String(decoding: writer.bytes, as: UTF8.self)).challenge == challenge)
    }

    @Test(arguments: ["", "=", "AAAAA", String(repeating: "AAAA", count: 86), String(repeating: "A", count: 4_096)])
    func whatIsNoChallengeIsRefused(_ text: String) {
        #expect(throws: MailModelError.self) {
            try read("<Extension xmlns='urn:wsemail:2' identifier='urn:a:b' challenge='\(text)'><a/></Extension>")
        }
    }

    @Test func noneIsNone() throws {
        #expect(try read("<Extension xmlns='urn:wsemail:2' identifier='urn:a:b'><a/></Extension>").challenge == nil)
        #expect(throws: MailModelError.self) { try ExtensionOperation.Request(identifier: "urn:a:b", content: [], challenge: []) }
    }
}
