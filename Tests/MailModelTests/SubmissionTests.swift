import Identity
import SOAP
import Testing
import XMLCore

@testable import MailModel

/// Files that go along with Send.
@Suite struct SubmissionTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private static func reference(_ blob: [UInt8], size: UInt64? = nil) -> AttachmentReference {
        AttachmentReference(
            name: "a.bin", mediaType: "application/octet-stream", size: size ?? UInt64(blob.count),
            digest: Fingerprint(of: blob).bytes)
    }

    private func request(_ references: [AttachmentReference], _ blobs: [[UInt8]]) throws -> SendOperation.Request {
        SendOperation.Request(message: try fixture.message { $0.attachments = references }, bcc: [fixture.alice], blobs: blobs)
    }

    private func read(_ request: SendOperation.Request, _ change: (String) -> String = { $0 }) throws -> SendOperation.Request {
        var writer = XMLWriter()
        try request.write(into: &writer)
        let text = change(String(decoding: writer.bytes, as: UTF8.self))
        return try SendOperation.Request.parse(XMLDocument.parse(Array(text.utf8)).root)
    }

    @Test func blobsSurviveTheWire() throws {
        let blobs: [[UInt8]] = [Array(0...255), [], Array("hello".utf8)]
        let sent = try request(blobs.map { Self.reference($0) }, blobs)
        let read = try read(sent)
        #expect(read.blobs == blobs && read.bcc == [fixture.alice])
        #expect(read.message.octets == sent.message.octets)
    }

    @Test func aReferenceNeedsNoBlob() throws {
        let references = [Self.reference([1]), Self.reference([2])]
        #expect(try read(request(references, [])).blobs.isEmpty)
        #expect(try read(request(references, [[2]])).blobs == [[2]])
    }

    @Test func equalFilesShareOneBlob() throws {
        let references = [Self.reference([1]), Self.reference([1])]
        #expect(try read(request(references, [[1]])).blobs == [[1]])
        #expect(throws: MailModelError.self) { try read(request(references, [[1], [1]])) }
    }

    @Test func whatTheMessageDoesNotReferToIsRefused() throws {
        #expect(throws: MailModelError.self) { try read(request([], [[1]])) }
        #expect(throws: MailModelError.self) { try read(request([Self.reference([1])], [[2]])) }
        #expect(throws: MailModelError.self) { try read(request([Self.reference([1])], [[1], [2]])) }
        #expect(throws: MailModelError.self) { try read(request([Self.reference([1])], [[1], [1]])) }
    }

    @Test func theSizeMustBeTheOneThatTheMessageTells() throws {
        for size in [0, 2, UInt64.max] {
            #expect(throws: MailModelError.self) { try read(request([Self.reference([1], size: size)], [[1]])) }
        }
        let disagreeing = [Self.reference([1]), Self.reference([1], size: 2)]
        #expect(throws: MailModelError.self) { try read(request(disagreeing, [[1]])) }
    }

    @Test func blobsHaveALimit() throws {
        let blobs = (0..<64).map { [UInt8($0)] }
        let full = try request(blobs.map { Self.reference($0) }, blobs)
        #expect(try read(full).blobs.count == 64)
        let error = #expect(throws: MailModelError.self) {
            try read(full) { $0.replacing("</w:Send>", with: "<w:Blob>AA==</w:Blob></w:Send>") }
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test func aBlobOfMoreThan16MiBIsTooLargeInItsOwnOctets() throws {
        for (count, isGood) in [(16 << 20, true), (16 << 20 + 1, false)] {
            let blob = [UInt8](repeating: 7, count: count)
            var writer = XMLWriter()
            try request([Self.reference(blob)], [blob]).write(into: &writer)
            let element = try XMLDocument.parse(writer.bytes, limits: XMLLimits(maxBytes: 32 << 20)).root
            guard !isGood else {
                #expect(try SendOperation.Request.parse(element).blobs.first?.count == count)
                continue
            }
            let error = #expect(throws: MailModelError.self) { try SendOperation.Request.parse(element) }
            #expect(error?.code == .limitExceeded)
            #expect(error?.reason.hasPrefix("a file of 16777217 octets is too large") == true, "\(error?.reason ?? "")")
        }
    }

    @Test(arguments: [
        ("an attribute", "<w:Blob name=\"x\">AQ==</w:Blob>"), ("no base64", "<w:Blob>=</w:Blob>"),
        ("an element", "<w:Blob><b/>AQ==</w:Blob>"), ("a stranger", "<w:Blobs>AQ==</w:Blobs>"),
        ("another namespace", "<Blob xmlns=\"urn:x\">AQ==</Blob>"),
    ])
    func aBlobIsBase64AndNothingElse(name: String, blob: String) throws {
        let good = try request([Self.reference([1])], [[1]])
        #expect(throws: MailModelError.self, "\(name)") { try read(good) { $0.replacing("<w:Blob>AQ==</w:Blob>", with: blob) } }
    }

    // MARK: Options

    private func option(_ content: String = "<a></a>", _ identifier: String = "urn:x:y") throws -> SendOperation.Option {
        try SendOperation.Option(identifier: identifier, content: Array(content.utf8))
    }

    @Test func optionsSurviveTheWireInTheirOrder() throws {
        var sent = try request([Self.reference([1])], [[1]])
        sent.options = [try option(), try option(#"<b xmlns="urn:wsemail:2"></b>"#), try option("<a></a>", "https://a.example/b")]
        #expect(try read(sent).options == sent.options)
    }

    @Test func optionsHaveLimits() throws {
        var sent = try request([], [])
        sent.options = Array(repeating: try option(), count: 16)
        #expect(try read(sent).options.count == 16)
        sent.options.append(try option())
        #expect(throws: MailModelError.self) { try read(sent) }
        let frame = "<a></a>".utf8.count
        _ = try option("<a>\(String(repeating: "x", count: 65_536 - frame))</a>")
        #expect(throws: MailModelError.self) { try option("<a>\(String(repeating: "x", count: 65_537 - frame))</a>") }
        #expect(throws: MailModelError.self) { try option("<a></a>", "no uri") }
    }

    @Test(arguments: [
        "<w:Option identifier=\"urn:x:y\"></w:Option>", "<w:Option identifier=\"urn:x:y\"><a/><b/></w:Option>",
        "<w:Option><a/></w:Option>", "<w:Option identifier=\"urn:x:y\" more=\"1\"><a/></w:Option>",
        "<w:Option identifier=\"urn:x:y\">text<a/></w:Option>", "<w:Option identifier=\"urn:x:y\"><a/></w:Option><w:Blob>AQ==</w:Blob>",
        "<w:Option identifier=\"x\"><a/></w:Option>",
    ])
    func anOptionIsStrictAndLast(_ text: String) throws {
        let good = try request([Self.reference([1])], [])
        #expect(throws: MailModelError.self) { try read(good) { $0.replacing("</w:Send>", with: text + "</w:Send>") } }
        #expect(throws: Never.self) {
            try read(good) { $0.replacing("</w:Send>", with: "<w:Option identifier=\"urn:x:y\"><a/></w:Option></w:Send>") }
        }
    }
}
