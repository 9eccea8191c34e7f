import Foundation
import SOAP
import SOAPClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ContentCodingTests {
    let scopio: TestIdentity
    let transport = TLSTransport()
    let text = [UInt8](repeating: 97, count: 5000)

    init() throws {
        scopio = try TestIdentity("scopio.test")
    }

    func destination(_ server: TestTLSServer) -> HTTPDestination {
        HTTPDestination(
            name: "scopio.test", endpoints: [.init(address: "127.0.0.1", port: server.port)],
            roots: .certificates([scopio.authority.certificate.der]))
    }

    @Test func compressesOnceThePeerHasSaidThatItMay() async throws {
        let server = try await TestTLSServer.start(tls: try scopio.serverContext()) { _ in
            .reply(200, [("Accept-Encoding", "br;q=1, gzip")])
        }
        let call = HTTPCall(to: destination(server), body: text)
        _ = try await transport.send(call)
        let second = try await transport.send(call)
        #expect(server.requests[0].header("Content-Encoding") == nil && server.requests[0].body == text)
        #expect(server.requests[1].header("Content-Encoding") == "gzip")
        #expect(try GZip.decompress(server.requests[1].body, limit: 10_000) == text)
        #expect(second.traffic.sent < 1000)
        // Never beside a secret, and not where it gains nothing.
        var secret = call
        secret.mayCompress = false
        _ = try await transport.send(secret)
        var short = call
        short.body = [1, 2, 3]
        _ = try await transport.send(short)
        #expect(server.requests[2].header("Content-Encoding") == nil && server.requests[3].header("Content-Encoding") == nil)
        await server.stop()
    }

    @Test(arguments: ["identity", "gzip;q=0", "gzip; q=0.000", ""])
    func doesNotCompressForWhoDoesNotTakeIt(accepts: String) async throws {
        let server = try await TestTLSServer.start(tls: try scopio.serverContext()) { _ in .reply(200, [("Accept-Encoding", accepts)]) }
        for _ in 0..<2 { _ = try await transport.send(HTTPCall(to: destination(server), body: text)) }
        #expect(server.requests.allSatisfy { $0.body == text })
        await server.stop()
    }

    @Test func goesBackToPlainWhenThePeerChangedItsMind() async throws {
        let server = try await TestTLSServer.start(tls: try scopio.serverContext()) { request in
            request.header("Content-Encoding") == nil ? .reply(200, [("Accept-Encoding", "gzip")], request.body) : .reply(415)
        }
        let call = HTTPCall(to: destination(server), body: text)
        _ = try await transport.send(call)
        let reply = try await transport.send(call)
        #expect(reply.status == 200 && reply.body == text && server.requests.count == 3)
        await server.stop()
    }

    @Test func inflatesReplies() async throws {
        let packed = try GZip.compress(text)
        let server = try await TestTLSServer.start(tls: try scopio.serverContext()) { _ in
            .reply(200, [("Content-Encoding", "gzip")], packed)
        }
        let reply = try await transport.send(HTTPCall(to: destination(server), maxReplyBytes: text.count))
        #expect(reply.body == text && server.requests[0].header("Accept-Encoding") == "gzip")
        await server.stop()
    }

    @Test func aGzipBombIsRefused() async throws {
        let bomb = try GZip.compress([UInt8](repeating: 0, count: 8 << 20))
        let server = try await TestTLSServer.start(tls: try scopio.serverContext()) { _ in .reply(200, [("Content-Encoding", "gzip")], bomb)
        }
        let error = await #expect(throws: SOAPClientError.self) {
            try await transport.send(HTTPCall(to: destination(server), maxReplyBytes: 1 << 20))
        }
        #expect(error?.code == .replyTooLarge)
        await server.stop()
    }

    @Test(arguments: [("br", [1, 2, 3]), ("gzip", [1, 2, 3]), ("gzip, gzip", [])] as [(String, [UInt8])])
    func unreadableCodingsAreRefused(coding: String, body: [UInt8]) async throws {
        let server = try await TestTLSServer.start(tls: try scopio.serverContext()) { _ in .reply(200, [("Content-Encoding", coding)], body)
        }
        let error = await #expect(throws: SOAPClientError.self) { try await transport.send(HTTPCall(to: destination(server))) }
        #expect(error?.code == .malformedReply)
        await server.stop()
    }
}
