import Foundation
import SOAP

/// What is no XML of the SOAP profile.
enum HostileXML {
    static let attacks: [Attack] = markup + trees + characters + truncations

    /// An anonymous call with something put into its Body or Header.
    private static func challenge(_ content: String = "", attributes: String = "", header: String = "") -> String {
        "<s:Envelope \(Forge.names)><s:Header><a:Action>urn:wsemail:2:Challenge</a:Action>\(header)</s:Header>"
            + "<s:Body><w:Challenge\(attributes)>\(content)</w:Challenge></s:Body></s:Envelope>"
    }

    private static func row(_ name: String, _ subcode: FaultSubcode = .malformedEnvelope, _ text: String) -> Attack {
        Attack("xml: " + name, subcode) { _ in Shot(text) }
    }

    private static let bomb =
        "<!DOCTYPE b [<!ENTITY a \"aaaaaaaaaa\">"
        + (1...9).map { "<!ENTITY a\($0) \"&a\($0 == 1 ? "" : String($0 - 1));&a;&a;&a;&a;\">" }.joined() + "]>"

    private static let markup: [Attack] = [
        Attack("xml: a plain anonymous call", .accepted) { _ in Shot(challenge()) },
        row("empty request", .malformedEnvelope, ""),
        row("not XML", .malformedEnvelope, "hello"),
        row("JSON", .malformedEnvelope, "{\"Send\":{}}"),
        row("document type declaration", .malformedEnvelope, "<!DOCTYPE s:Envelope>" + challenge()),
        row("entity bomb", .malformedEnvelope, bomb + challenge("&a9;")),
        row("external entity", .malformedEnvelope, "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" + challenge("&e;")),
        row("parameter entity", .malformedEnvelope, "<!DOCTYPE x [<!ENTITY % e SYSTEM \"http://127.0.0.1/\"> %e;]>" + challenge()),
        row("undefined entity", .malformedEnvelope, challenge("&nbsp;")),
        row("processing instruction", .malformedEnvelope, challenge("<?php echo 1 ?>")),
        row("style sheet instruction", .malformedEnvelope, "<?xml-stylesheet href=\"http://127.0.0.1/x\"?>" + challenge()),
        row("XML 1.1", .malformedEnvelope, "<?xml version=\"1.1\"?>" + challenge()),
        row("another encoding declared", .malformedEnvelope, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + challenge()),
        row("attribute twice", .malformedEnvelope, challenge(attributes: " x=\"1\" x=\"2\"")),
        row(
            "attribute twice by two prefixes", .malformedEnvelope,
            challenge(attributes: " xmlns:p=\"urn:x\" xmlns:q=\"urn:x\" p:x=\"1\" q:x=\"2\"")),
        row("unbound prefix", .malformedEnvelope, challenge("<z:a/>")),
        row("prefix undeclared", .malformedEnvelope, challenge("<w:a xmlns:w=\"\"/>")),
        row("prefix xml rebound", .malformedEnvelope, challenge("<a xmlns:xml=\"urn:x\"/>")),
        row("relative namespace name", .malformedEnvelope, challenge("<a xmlns=\"../x\"/>")),
        row("]]> in text", .malformedEnvelope, challenge("]]>")),
        row("-- in a comment", .malformedEnvelope, challenge("<!-- -- -->")),
        row("< in an attribute", .malformedEnvelope, challenge(attributes: " x=\"<\"")),
        row("content after the root", .malformedEnvelope, challenge() + "<x/>"),
        row("two envelopes", .malformedEnvelope, challenge() + challenge()),
        row("end tag of another element", .malformedEnvelope, challenge("<a></b>")),
    ]

    private static let trees: [Attack] = [
        row("nested too deeply", .tooLarge, challenge(String(repeating: "<a>", count: 62) + String(repeating: "</a>", count: 62))),
        row("nested without end", .tooLarge, challenge(String(repeating: "<a>", count: 200_000))),
        row("too many attributes", .tooLarge, challenge(attributes: (0..<65).map { " a\($0)=\"\"" }.joined())),
        row("too many namespaces", .tooLarge, challenge(attributes: (0..<33).map { " xmlns:p\($0)=\"urn:\($0)\"" }.joined())),
        row("name too long", .tooLarge, challenge("<\(String(repeating: "n", count: 257))/>")),
        row("attribute too long", .tooLarge, challenge(attributes: " a=\"\(String(repeating: "v", count: 65_537))\"")),
        row("too many elements", .tooLarge, challenge(String(repeating: "<a/>", count: 1 << 18))),
    ]

    private static let characters: [Attack] =
        [
            ("overlong form", [0xC0, 0xAF]), ("overlong NUL", [0xC0, 0x80]), ("overlong three bytes", [0xE0, 0x80, 0xAF]),
            ("surrogate", [0xED, 0xA0, 0x80]), ("surrogate pair", [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]),
            ("lone continuation", [0x80]), ("cut sequence", [0xE2, 0x82]), ("byte FE", [0xFE]), ("byte FF", [0xFF]),
            ("beyond Unicode", [0xF4, 0x90, 0x80, 0x80]), ("five bytes", [0xF8, 0x88, 0x80, 0x80, 0x80]), ("NUL", [0]),
            ("control character", [0x1B]), ("noncharacter FFFE", [0xEF, 0xBF, 0xBE]), ("Latin-1", [0xE4]),
        ].map { (name: String, bad: [UInt8]) in
            Attack("utf-8: " + name, .malformedEnvelope) { _ in
                let parts = challenge("@").components(separatedBy: "@")
                return Shot(bytes: parts[0].bytes + bad + parts[1].bytes)
            }
        } + [
            row("reference to NUL", .malformedEnvelope, challenge("&#0;")),
            row("reference to a surrogate", .malformedEnvelope, challenge("&#xD800;")),
            row("reference beyond Unicode", .malformedEnvelope, challenge("&#x110000;")),
            row("reference that overflows", .malformedEnvelope, challenge("&#99999999999999999999;")),
            Attack("xml: UTF-16", .malformedEnvelope) { _ in
                Shot(bytes: [0xFF, 0xFE] + challenge().utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
            },
        ]

    private static let truncations: [Attack] = (1...9).map { tenth in
        Attack.session("truncated at \(tenth)0 %", .malformedEnvelope) { arena in
            let text = try arena.call().sealed()
            return String(text.prefix(text.count * tenth / 10))
        }
    }
}
