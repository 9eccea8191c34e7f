import NIOConcurrencyHelpers
import NIOHTTP1
import SOAP

/// gzip in both directions: which peers take it, and the bounded inflation of replies.
final class ContentCoding: Sendable {
    private let accepting = NIOLockedValueBox<Set<String>>([])
    private static let capacity = 10_000

    /// True when that server has said that it takes gzip requests.
    func accepts(_ name: String) -> Bool {
        accepting.withLockedValue { $0.contains(name) }
    }

    /// RFC 7694 §3: Accept-Encoding in a *response* says what the server takes in requests.
    func learn(from headers: HTTPHeaders, name: String) {
        let codings = headers[canonicalForm: "accept-encoding"].map { $0.lowercased() }
        guard !codings.isEmpty else { return }
        let takesGzip = codings.contains { coding in
            let parts = coding.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            let isRefused = parts.dropFirst().contains { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
            return parts.first == "gzip" && !isRefused
        }
        accepting.withLockedValue { known in
            if takesGzip {
                if known.count >= Self.capacity { known.removeAll() }
                known.insert(name)
            } else {
                known.remove(name)
            }
        }
    }

    /// After 415: send plain until the server says otherwise.
    func forget(_ name: String) {
        accepting.withLockedValue { _ = $0.remove(name) }
    }

    /// The body as the server meant it, at most `limit` bytes.
    static func decode(_ body: [UInt8], headers: HTTPHeaders, limit: Int) throws(SOAPClientError) -> [UInt8] {
        let codings = headers[canonicalForm: "content-encoding"].map { $0.lowercased() }.filter { $0 != "identity" }
        guard let coding = codings.first else { return body }
        guard codings.count == 1, coding == "gzip" || coding == "x-gzip" else {
            throw SOAPClientError(.malformedReply, "unknown content encoding")
        }
        do {
            return try GZip.decompress(body, limit: limit)
        } catch  where error.code == .limitExceeded {
            throw SOAPClientError(.replyTooLarge, "the inflated reply is longer than \(limit) bytes")
        } catch {
            throw SOAPClientError(.malformedReply, "gzip: \(error.reason)")
        }
    }
}
