import Foundation
import SOAP
import SOAPClient

/// What the HTTP front refuses before a byte of it is parsed as XML.
enum HostileHTTP {
    static let attacks: [Attack] = types + codings + sizes

    private static func row(
        _ name: String, _ statuses: [Int], type: String? = nil, headers: [HTTPField] = [], path: String = "/wsemail",
        method: HTTPCall.Method = .post, body: (@Sendable ([UInt8]) throws -> [UInt8])? = nil
    ) -> Attack {
        Attack("http: " + name, .status(statuses)) { arena in
            let good = try arena.call().sealed().bytes
            var shot = Shot(bytes: method == .get ? [] : try body?(good) ?? good, headers: headers)
            if let type { shot.headers.append(HTTPField("Content-Type", type)) }
            shot.path = path
            shot.method = method
            return shot
        }
    }

    private static let types: [Attack] = [
        row("SOAP 1.1's content type", [415], type: "text/xml; charset=utf-8"),
        row("plain XML", [415], type: "application/xml"), row("a form", [415], type: "application/x-www-form-urlencoded"),
        row("UTF-16", [415], type: "application/soap+xml; charset=utf-16"), row("a broken type", [415], type: "application/soap+xml;;=;"),
        row("an endless type", [415], type: "application/soap+xml; x=\"\(String(repeating: "y", count: 3_000))\""),
        row("another path", [404], path: "/admin"), row("a path that climbs", [400, 404], path: "/wsemail/../../etc/passwd"),
        row("metrics from outside", [404], path: "/metrics", method: .get),
    ]

    private static let gzip = [HTTPField("Content-Encoding", "gzip")]

    private static let codings: [Attack] = [
        Attack("http: a good call in gzip", .accepted) { arena in
            Shot(bytes: try GZip.compress(arena.call().sealed().bytes), headers: gzip)
        },
        row("broken gzip", [400], headers: gzip) { try GZip.compress($0).dropLast(9) + [1, 2, 3] },
        row("cut gzip", [400], headers: gzip) { Array(try GZip.compress($0).prefix(40)) },
        row("no gzip at all", [400], headers: gzip),
        row("empty gzip", [400], headers: gzip) { _ in [] },
        row("gzip bomb", [413], headers: gzip) { _ in try GZip.compress([UInt8](repeating: 0x20, count: 200 << 20)) },
        row("gzip in gzip", [415], headers: [HTTPField("Content-Encoding", "gzip, gzip")]),
        row("an unknown coding", [415], headers: [HTTPField("Content-Encoding", "br")]),
    ]

    /// 0: the connection is closed while we still send.
    private static let sizes: [Attack] = [
        row("a body too large", [413, 0]) { _ in [UInt8](repeating: 0x20, count: HostileArena.bodyLimit + 1) },
        row("a body far too large", [413, 0]) { _ in [UInt8](repeating: 0x20, count: 32 << 20) },
        row("too many headers", [400, 431, 0], headers: (0..<150).map { HTTPField("X-\($0)", "y") }),
        row("a header too long", [400, 431, 0], headers: [HTTPField("X-Long", String(repeating: "y", count: 40_000))]),
    ]
}
