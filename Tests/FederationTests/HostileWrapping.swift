import Foundation
import SOAP

/// Signed parts moved aside and others in their place; parts not signed at all; ids given twice.
enum HostileWrapping {
    static let attacks: [Attack] = bodies + headers + tokens + unsigned + ids

    private static let evil = "<w:Delete><w:Id>urn:uuid:00000000-0000-4000-8000-000000000000</w:Id></w:Delete>"

    /// A call to Delete, whose action fits the evil payload.
    private static func delete(_ arena: HostileArena) throws -> String {
        try arena.call(.delete, "<w:Delete><w:Id>urn:uuid:11111111-0000-4000-8000-000000000000</w:Id></w:Delete>").sealed()
    }

    private static let bodies: [Attack] = [
        Attack.session("body in a header, another without id", .unsignedPart) {
            try delete($0).wrapping("s:Body", replacement: "<s:Body>\(evil)</s:Body>")
        },
        Attack.session("body in a header, another with another id", .unsignedPart) {
            try delete($0).wrapping("s:Body", replacement: "<s:Body u:Id=\"b2\">\(evil)</s:Body>")
        },
        Attack.session("body in a header, another with its id", .duplicateId) {
            try delete($0).wrapping("s:Body", replacement: "<s:Body u:Id=\"b\">\(evil)</s:Body>")
        },
        Attack.session("body in the Security header", .malformedEnvelope) {
            let text = try delete($0)
            let body = try text.element("s:Body")
            return try text.replacing(body, by: "<s:Body>\(evil)</s:Body>").addingToken(body)
        },
        Attack.session("body inside the new body", .unsignedPart) {
            let text = try delete($0)
            let body = try text.element("s:Body")
            return try text.replacing(body, by: "<s:Body><w:Delete>\(body)</w:Delete></s:Body>")
        },
        Attack.session("body inside an embedded Message", .failedCheck) {
            let text = try delete($0)
            let body = try text.element("s:Body")
            return try text.replacing(body, by: "<s:Body><w:Delete><w:Message>\(body)</w:Message></w:Delete></s:Body>")
        },
        Attack.session("body inside ds:Object", .failedCheck) {
            let text = try delete($0)
            let body = try text.element("s:Body")
            return try text.replacing(body, by: "<s:Body>\(evil)</s:Body>")
                .replacing("</ds:Signature>", by: "<ds:Object>\(body)</ds:Object></ds:Signature>")
        },
        Attack.session("payload changed", .failedCheck) { try delete($0).replacing("uuid:11111111", by: "uuid:22222222") },
        Attack.session("a child added to the payload", .failedCheck) {
            try delete($0).replacing("</w:Delete>", by: "<w:Id>urn:uuid:22222222-0000-4000-8000-000000000000</w:Id></w:Delete>")
        },
        Attack.session("an attribute added to the payload", .failedCheck) { try delete($0).replacing("<w:Delete", by: "<w:Delete x=\"\"") },
        Attack.session("the payload's namespace rebound", .actionMismatch) {
            try delete($0).replacing("<s:Body", by: "<s:Body xmlns:w=\"urn:x\"")
        },
    ]

    private static let headers: [Attack] =
        ["a:To", "a:Action", "a:MessageID", "w:Sequence"].flatMap { tag in
            [
                Attack.session("\(tag) moved aside", .unsignedPart) {
                    let text = try $0.call().sealed()
                    return try text.wrapping(tag, replacement: text.element(tag).anonymous)
                },
                Attack.session("\(tag) twice", .malformedEnvelope) {
                    let text = try $0.call().sealed()
                    return try text.addingHeader(text.element(tag).anonymous)
                },
            ]
        } + [
            Attack.session("Timestamp moved aside, a fresh one in its place", .unsignedPart) { arena in
                var call = arena.call()
                call.created = Date().addingTimeInterval(-3_600)
                return try call.sealed().wrapping("u:Timestamp", replacement: Forge.timestamp(Date()).anonymous)
            },
            Attack.session("Timestamp changed", .failedCheck) { arena in
                let call = arena.call()
                let later = Forge.timestamp(call.created.addingTimeInterval(60))
                return try call.sealed().replacing(call.sealed().element("u:Timestamp"), by: later)
            },
            Attack.session("Sequence changed", .failedCheck) {
                let call = $0.call()
                let text = try call.sealed()
                return try text.replacing(text.element("w:Sequence"), by: "<w:Sequence u:Id=\"q\">9999</w:Sequence>")
            },
            Attack.session("RelatesTo nobody signed", .unsignedPart) {
                try $0.call().sealed().addingHeader("<a:RelatesTo>urn:x</a:RelatesTo>")
            },
        ]

    private static let tokens: [Attack] =
        ["u:Timestamp", "c:SecurityContextToken", "ds:Signature"].map { tag in
            Attack.session("two \(tag)", .malformedEnvelope) {
                let text = try $0.call().sealed()
                return try text.addingToken(text.element(tag).anonymous)
            }
        } + [
            Attack.session("two Security headers", .malformedEnvelope) {
                let text = try $0.call().sealed()
                let copy = try text.element("o:Security").replacingOccurrences(of: " u:Id=\"", with: " x=\"")
                return try text.addingHeader(copy)
            },
            Attack.session("a Security header for somebody else", .failedAuthentication) {
                try $0.call().sealed().replacing("<o:Security", by: "<o:Security s:role=\"urn:other\"")
            },
            Attack.session("an unknown token", .malformedEnvelope) {
                try $0.call().sealed().addingToken("<x:Token xmlns:x=\"urn:x\"/>")
            },
            Attack.session("a password beside the session", .failedAuthentication) {
                try $0.call().sealed().addingToken(
                    "<o:UsernameToken><o:Username>carol@capicom.test</o:Username><o:Password>x</o:Password></o:UsernameToken>")
            },
            Attack.session("a token without signature", .unsignedPart) { arena in
                var call = arena.call()
                call.key = nil
                return try call.sealed()
            },
        ]

    private static let unsigned: [Attack] =
        [("b", "Body"), ("t", "Timestamp"), ("a", "Action"), ("o", "To"), ("m", "MessageID"), ("q", "Sequence")].map { id, name in
            Attack.session("\(name) is not signed", .unsignedPart) {
                var call = $0.call()
                call.signed.removeAll { $0 == id }
                return try call.sealed()
            }
        }

    private static let ids: [Attack] = [
        Attack.session("an id twice, in the header", .duplicateId) {
            try $0.call().sealed().addingHeader("<x:H xmlns:x=\"urn:x\" u:Id=\"b\"/>")
        },
        Attack.session("an id twice, in the body", .duplicateId) {
            try $0.call(.list, "<w:List u:Id=\"t\"/>").sealed()
        },
        Attack.session("an id twice, the other one of another kind", .duplicateId) {
            try $0.call().sealed().addingHeader("<x:H xmlns:x=\"urn:x\" Id=\"b\"/>")
        },
        Attack.session("an id twice that nobody refers to", .duplicateId) {
            try $0.call().sealed().addingHeader("<x:H xmlns:x=\"urn:x\" ID=\"z\"/><x:H xmlns:x=\"urn:x\" ID=\"z\"/>")
        },
        Attack.session("an id of the envelope inside an embedded Message", .invalidMessage) {
            try $0.call(.send, "<w:Send><Message xmlns=\"urn:wsemail:2\" Id=\"b\"><x:y xmlns:x=\"urn:x\" Id=\"t\"/></Message></w:Send>")
                .sealed()
        },
    ]
}
