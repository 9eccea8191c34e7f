import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdHTTP2
import HummingbirdTLS
import Identity
import Logging
import NIOCore
import NIOSSL
import SOAP
import WSSecurity

/// HTTP in front of the endpoint: paths, content types, compression and limits (docs/protocol.md, "HTTP").
struct HTTPFront: HTTPResponder {
    typealias Context = ConnectionContext

    let endpoint: Endpoint
    let publisher: MetadataPublisher
    let health: HealthReporter
    let maxBodyBytes: Int
    /// For a request's body to arrive.
    let bodyTimeout: Duration
    /// What `soap12:address` in the WSDL says.
    let publicAddress: String
    let isTLS: Bool
    /// /metrics is served on the listener for the machine itself only.
    let servesMetrics: Bool
    /// Files beside SOAP; nil: there are none.
    var files: FileTransfers?

    static let servicePath = "/wsemail"
    static let rsaPath = "/wsemail/rsa"
    static let metadataPath = "/.well-known/wsemail"

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        // What goes over these paths is for its reader alone.
        if isTLS, let files, let response = await files.response(to: request, context: context) { return response }  // model: tls
        switch (request.method, request.uri.path) {
        case (.post, HTTPFront.servicePath) where isTLS: return await call(request, context, prefersRSA: false)
        case (.post, HTTPFront.rsaPath) where isTLS: return await call(request, context, prefersRSA: true)
        case (.get, HTTPFront.servicePath) where isTLS:
            return HTTPFront.document(WSDL.document(address: publicAddress), type: WSDL.contentType)
        case (.get, HTTPFront.rsaPath) where isTLS:
            return HTTPFront.document(
                WSDL.document(address: publicAddress.replacing(HTTPFront.servicePath, with: HTTPFront.rsaPath)),
                type: WSDL.contentType)
        case (.get, HTTPFront.metadataPath) where isTLS:
            guard let octets = try? await publisher.octets() else { return HTTPFront.text(.serviceUnavailable, "try again") }
            return HTTPFront.document(octets, type: "application/xml; charset=utf-8")
        case (.get, "/health"):
            let isHealthy = await health.isHealthy()
            return HTTPFront.text(isHealthy ? .ok : .serviceUnavailable, isHealthy ? "ok" : "not well: see the log")
        case (.get, "/metrics") where servesMetrics:
            return HTTPFront.document(
                Array(await health.metricsText().utf8), type: "text/plain; version=0.0.4; charset=utf-8")
        case (_, HTTPFront.servicePath), (_, HTTPFront.rsaPath):
            return HTTPFront.text(.methodNotAllowed, "POST a SOAP 1.2 envelope, or GET \(HTTPFront.servicePath)?wsdl")
        default: return HTTPFront.text(.notFound, "there is nothing here; the service is at \(HTTPFront.servicePath)")
        }
    }

    private func call(_ request: Request, _ context: ConnectionContext, prefersRSA: Bool) async -> Response {
        let type = request.headers[.contentType].flatMap(MediaType.init(parsing:))
        guard let type, type.isSOAP12 && type.isUTF8 || MTOM.isPackage(type) else {
            return HTTPFront.text(
                .unsupportedMediaType, "send application/soap+xml; charset=utf-8 (SOAP 1.2), or it as multipart/related (MTOM)")
        }
        let content: Content
        do {
            content = try await self.content(of: request, type)
        } catch let refusal as BodyRefusal {
            return HTTPFront.text(refusal.status, refusal.reason)
        } catch is TimeoutError {
            return HTTPFront.text(.requestTimeout, "the request was not complete in time")
        } catch {
            // The connection broke, or the content is larger than the limit.
            return HTTPFront.text(.contentTooLarge, "the request is larger than \(maxBodyBytes) bytes, or incomplete")
        }
        let facts = CallFacts(
            channel: ChannelFacts(tls: isTLS, prefersRSA: prefersRSA), peerAddress: context.peerAddress,
            contentAction: content.action)
        let answer = await endpoint.answer(content.envelope, facts)
        if MTOM.isPackage(type), let package = packed(answer) { return package }
        return response(answer, acceptsGZip: HTTPFront.acceptsGZip(request.headers[.acceptEncoding]))
    }

    /// What a request carries, its binary data in place.
    private struct Content {
        let envelope: [UInt8]
        let action: String?
    }

    private func content(of request: Request, _ type: SOAP.MediaType) async throws -> Content {
        let body = try await body(of: request)
        guard MTOM.isPackage(type) else { return Content(envelope: body, action: type.action) }
        do {
            let unpacked = try MTOM.unpack(body, type: type, limits: MTOMLimits(maxEnvelopeBytes: maxBodyBytes))
            return Content(envelope: unpacked.envelope, action: unpacked.action)
        } catch {
            switch error.code {
            case .limitExceeded: throw BodyRefusal(status: .contentTooLarge, reason: "the package: \(error.reason)")
            case .unsupported: throw BodyRefusal(status: .unsupportedMediaType, reason: "the package: \(error.reason)")
            default: throw BodyRefusal(status: .badRequest, reason: "the package: \(error.reason)")
            }
        }
    }

    /// The answer to a package is one, too, if there is data in it that gains by it; nil if not.
    private func packed(_ answer: CallAnswer) -> Response? {
        let texts = MTOM.binaryTexts(in: answer.body)
        guard !texts.isEmpty else { return nil }
        guard let package = try? MTOM.pack(answer.body, texts: texts, boundary: RandomID.hex(16)) else { return nil }
        return Response(
            status: HTTPFront.status(answer), headers: [.contentType: package.contentType, .acceptEncoding: "gzip"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: package.body)))
    }

    private static func status(_ answer: CallAnswer) -> HTTPResponse.Status { answer.status == 200 ? .ok : .internalServerError }

    private struct BodyRefusal: Error {
        let status: HTTPResponse.Status
        let reason: String
    }

    private func body(of request: Request) async throws -> [UInt8] {
        // A body that trickles in would hold its connection for ever.
        let buffer = try await withTimeout(bodyTimeout, graceAtShutdown: .seconds(5)) { [maxBodyBytes] in
            var request = request
            return try await request.collectBody(upTo: maxBodyBytes)
        }
        let bytes = Array(buffer: buffer)
        switch request.headers[.contentEncoding]?.lowercased() {
        case nil, "identity": return bytes
        case "gzip":
            do { return try GZip.decompress(bytes, limit: maxBodyBytes) } catch {
                throw BodyRefusal(
                    status: error.code == .limitExceeded ? .contentTooLarge : .badRequest,
                    reason: error.code == .limitExceeded
                        ? "the request inflates to more than \(maxBodyBytes) bytes" : "the gzip data is damaged")
            }
        default: throw BodyRefusal(status: .unsupportedMediaType, reason: "Content-Encoding may be gzip")
        }
    }

    private func response(_ answer: CallAnswer, acceptsGZip: Bool) -> Response {
        // RFC 7694 §3: tells the caller that requests may be gzip, too.
        var headers: HTTPFields = [.contentType: HTTPFront.soapType, .acceptEncoding: "gzip"]
        var body = answer.body
        if acceptsGZip, answer.mayCompress, body.count > 512, let compressed = try? GZip.compress(body) {
            body = compressed
            headers[.contentEncoding] = "gzip"
        }
        return Response(
            status: HTTPFront.status(answer), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    private static let soapType = "application/soap+xml; charset=utf-8"

    private static func acceptsGZip(_ value: String?) -> Bool {
        guard let value else { return false }
        // What our own clients say.
        if value == "gzip" { return true }
        return value.split(separator: ",").contains { coding in
            let parts = coding.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
            return parts.first == "gzip" && !parts.dropFirst().contains("q=0")
        }
    }

    private static func document(_ bytes: [UInt8], type: String) -> Response {
        Response(status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
