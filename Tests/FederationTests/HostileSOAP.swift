import Foundation
import SOAP
import WSSecurity

/// The envelope's shape and addressing.
enum HostileSOAP {
    static let attacks: [Attack] = shape + addressing + missing

    private static let shape: [Attack] = [
        Attack.session("a plain session call", .accepted) { try $0.call().sealed() },
        Attack.session("SOAP 1.1", .unsupportedVersion) {
            try $0.call().sealed().replacingOccurrences(of: Namespaces.soap12, with: Namespaces.soap11)
        },
        Attack.session("envelope of no SOAP", .unsupportedVersion) {
            try $0.call().sealed().replacingOccurrences(of: Namespaces.soap12, with: "urn:soap")
        },
        Attack.session("root is no Envelope", .malformedEnvelope) {
            try $0.call().sealed().replacingOccurrences(of: "s:Envelope", with: "s:Letter")
        },
        Attack.session("no Body", .malformedEnvelope) { try $0.call().sealed().removing("s:Body") },
        Attack.session("two Bodies", .malformedEnvelope) {
            let text = try $0.call().sealed()
            return try text.replacing("</s:Envelope>", by: text.element("s:Body").anonymous + "</s:Envelope>")
        },
        Attack.session("two Headers", .malformedEnvelope) {
            try $0.call().sealed().replacing("<s:Body", by: "<s:Header/><s:Body")
        },
        Attack.session("Body before Header", .malformedEnvelope) {
            let text = try $0.call().sealed()
            let body = try text.element("s:Body")
            return try text.replacing(body, by: "").replacing("<s:Header>", by: body + "<s:Header>")
        },
        Attack.session("two payloads", .malformedEnvelope) {
            try $0.call(.list, HostileArena.list + HostileArena.list).sealed()
        },
        Attack.session("empty Body", .malformedEnvelope) { try $0.call(.list, "").sealed() },
        Attack.session("mandatory header nobody knows", .mustUnderstand) {
            try $0.call().sealed().addingHeader("<x:H xmlns:x=\"urn:x\" s:mustUnderstand=\"true\"/>")
        },
        Attack.session("mustUnderstand is maybe", .malformedEnvelope) {
            try $0.call().sealed().addingHeader("<x:H xmlns:x=\"urn:x\" s:mustUnderstand=\"maybe\"/>")
        },
    ]

    private static let addressing: [Attack] = [
        Attack.session("unknown action", .unknownAction) {
            var call = $0.call()
            call.action = "urn:wsemail:2:Format"
            return try call.sealed()
        },
        Attack.session("a reply's action", .unknownAction) {
            var call = $0.call()
            call.action = MailOperation.list.replyAction
            return try call.sealed()
        },
        Attack.session("action and payload differ", .actionMismatch) {
            var call = $0.call()
            call.action = MailOperation.delete.action
            return try call.sealed()
        },
        Attack.session("payload of a foreign namespace", .actionMismatch) {
            try $0.call(.list, "<x:List xmlns:x=\"urn:x\"/>").sealed()
        },
        Attack.session("action changed after signing", .actionMismatch) {
            try $0.call().sealed().replacing(">urn:wsemail:2:List<", by: ">urn:wsemail:2:Delete<")
        },
        Attack.session("To names another domain", .wrongDestination) {
            var call = $0.call()
            call.to = "urn:wsemail:domain:scopio.test"
            return try call.sealed()
        },
        Attack.session("To names another endpoint", .wrongDestination) {
            var call = $0.call()
            call.to = "https://mail.scopio.test/wsemail"
            return try call.sealed()
        },
        Attack.session("replies asked for elsewhere", .malformedEnvelope) {
            try $0.call().sealed().addingHeader("<a:ReplyTo><a:Address>http://127.0.0.1:9/</a:Address></a:ReplyTo>")
        },
        Attack.session("faults asked for elsewhere", .malformedEnvelope) {
            try $0.call().sealed().addingHeader("<a:FaultTo><a:Address>http://127.0.0.1:9/</a:Address></a:FaultTo>")
        },
        Attack.session("an element inside the action", .malformedEnvelope) {
            var call = $0.call()
            call.action = "urn:wsemail:2:List<x/>"
            return try call.sealed()
        },
        Attack.session("MessageID too long", .malformedEnvelope) {
            var call = $0.call()
            call.messageID = "urn:" + String(repeating: "x", count: 1_024)
            return try call.sealed()
        },
        Attack.session("blank MessageID", .malformedEnvelope) {
            var call = $0.call()
            call.messageID = " "
            return try call.sealed()
        },
    ]

    private static let missing: [Attack] = [
        Attack.session("no MessageID", .missingHeader) {
            var call = $0.call()
            call.messageID = nil
            return try call.sealed()
        },
        Attack.session("no Action", .missingHeader) {
            var call = $0.call()
            call.action = nil
            return try call.sealed()
        },
        Attack.session("no To", .missingHeader) {
            var call = $0.call()
            call.to = nil
            return try call.sealed()
        },
        Attack.session("no Sequence", .missingHeader) {
            var call = $0.call()
            call.sequence = nil
            return try call.sealed()
        },
        Attack.session("no Timestamp", .missingHeader) {
            var call = $0.call()
            call.timestamp = ""
            return try call.sealed()
        },
        Attack.session("MessageID taken away after signing", .missingHeader) { try $0.call().sealed().removing("a:MessageID") },
        Attack.session("Timestamp taken away after signing", .missingHeader) { try $0.call().sealed().removing("u:Timestamp") },
        Attack.session("no Signature", .unsignedPart) { try $0.call().sealed().removing("ds:Signature") },
        Attack.session("no token", .unknownCertificate) { arena in
            var call = arena.call()
            call.tokens = ""
            call.keyInfo = .thumbprintSHA256([UInt8](repeating: 7, count: 32))
            return try call.sealed()
        },
        Attack.session("no Security header", .failedAuthentication) { try $0.call().sealed().removing("o:Security") },
        Attack.session("no Header", .failedAuthentication) { try $0.call().sealed().removing("s:Header") },
    ]
}
