import Crypto
import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore

@testable import WSSecurity

/// The targets of the session profile (bytes of gzipped envelope plus an HTTP head of a realistic size), so that a
/// fatter header is noticed here and not in the benchmark.
@Suite struct WireSizeTests {
    private static let requestHead = """
        POST /wsemail HTTP/1.1\r\nHost: mail.capicom.test:8443\r\nContent-Type: application/soap+xml; charset=utf-8; \
        action="urn:wsemail:2:Retrieve"\r\nContent-Encoding: gzip\r\nAccept-Encoding: gzip\r\nContent-Length: 1234\r\n\r\n
        """.utf8.count
    private static let replyHead = """
        HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Encoding: gzip\r\n\
        Content-Length: 1234\r\n\r\n
        """.utf8.count

    private static func digest() -> String { Base64.encodeToString(RandomID.bytes(32)) }

    /// A message with a body of 1 KB that does not compress to nothing.
    private static func message() -> String {
        let words = "the of mail server signed session message domain window receipt key time body header for and".split(
            separator: " ")
        var text = ""
        while text.utf8.count < 1024 { text += (words.randomElement() ?? "") + " \(Int.random(in: 0..<100_000)) " }
        return """
            <Message xmlns="urn:wsemail:2"><Id>\(RandomID.urn())</Id><From>alice@capicom.test</From>\
            <To>bob@scopio.test</To><Subject>Quarterly figures</Subject><Date>2026-11-23T19:25:38Z</Date>\
            <Body><Text>\(text.prefix(1024))</Text></Body></Message>
            """
    }

    /// A postmark or receipt with its own P-256 signature.
    private static func signed(_ name: String, _ content: String) -> String {
        """
        <\(name) xmlns="urn:wsemail:2" Id="p"><MessageId>\(RandomID.urn())</MessageId><MessageDigest>\(digest())</MessageDigest>\
        <Domain>capicom.test</Domain>\(content)<Time>2026-11-23T19:25:38Z</Time><Certificate>\(digest())</Certificate>\
        <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod \
        Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod \
        Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"></ds:SignatureMethod><ds:Reference URI="#p">\
        <ds:DigestValue>\(digest())</ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue>\(digest())\
        \(digest())</ds:SignatureValue></ds:Signature></\(name)>
        """
    }

    private func sizes(_ operation: MailOperation, _ request: String, _ reply: String) async throws -> (Int, Int) {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.client.protect(
            operation, to: Fixture.service, credential: .session(session.call()), now: fixture.now
        ) { writer in
            writer.start(Tags.w(operation.rawValue))
            _ = try writer.embed(canonical: Array(request.utf8))
            _ = writer.end()
        }
        let authenticated = try await fixture.verify(call.bytes)
        let answer = try fixture.protector.reply(to: authenticated, now: fixture.now) { writer in
            writer.start(Tags.w(operation.rawValue + "Response"))
            for part in reply.split(separator: "\n") { _ = try writer.embed(canonical: Array(part.utf8)) }
            _ = writer.end()
        }
        let packed = (try GZip.compress(call.bytes).count, try GZip.compress(answer).count)
        print("\(operation.rawValue): request \(call.bytes.count) -> \(packed.0), reply \(answer.count) -> \(packed.1)")
        return (packed.0 + Self.requestHead, packed.1 + Self.replyHead)
    }

    @Test func deleteStaysUnder3000ForBoth() async throws {
        let (request, reply) = try await sizes(
            .delete, "<w:Id xmlns:w=\"urn:wsemail:2\">\(RandomID.urn())</w:Id>", "<w:Deleted xmlns:w=\"urn:wsemail:2\">1</w:Deleted>")
        #expect(request + reply <= 3000)
    }

    @Test func sendStaysUnder3600() async throws {
        let receipt = Self.signed("Receipt", "<Recipient status=\"accepted\">bob@scopio.test</Recipient>")
        let (request, _) = try await sizes(.send, Self.message(), receipt)
        #expect(request <= 3600)
    }

    @Test func aRetrieveReplyStaysUnder3072() async throws {
        let postmark = Self.signed("Postmark", "<Destination>scopio.test</Destination><Recipient>bob@scopio.test</Recipient>")
        let (_, reply) = try await sizes(
            .retrieve, "<w:Id xmlns:w=\"urn:wsemail:2\">\(RandomID.urn())</w:Id>", Self.message() + "\n" + postmark)
        #expect(reply <= 3072)
    }
}
