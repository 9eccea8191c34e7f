import Foundation
import Identity
import PluginAPI

/// Events and verdicts of every shape.
enum FrameSamples {
    static func address(_ text: String) -> Address {
        do { return try Address(text) } catch { fatalError("a sample is no address: \(text)") }
    }

    static let ann = address("ann@example.org")
    static let bob = address("bob@example.org")
    static let digest = [UInt8](repeating: 7, count: 32)
    static let guid = "0123456789abcdef0123456789abcdef"

    static func message(full: Bool) -> MessageFacts {
        MessageFacts(
            id: "urn:uuid:0b1f0a52-0000-4000-8000-000000000001", from: ann, to: [bob, address("δοκιμή@example.org")], cc: [ann],
            date: Date(timeIntervalSince1970: 1_780_315_200), inReplyTo: full ? "urn:uuid:0b1f0a52-0000-4000-8000-000000000002" : nil,
            replaces: full ? "urn:uuid:0b1f0a52-0000-4000-8000-000000000003" : nil, size: 4_321, isAutomatic: full, hasForm: full,
            attachments: [.init(name: "a \"b\".pdf", mediaType: "application/pdf", size: 1 << 40, digest: digest)],
            content: full ? .init(subject: "Grüße", text: "line\nline", html: "<p/>") : nil, octets: full ? [0, 255, 1] : nil)
    }

    static func events() throws -> [PluginEvent] {
        let caller = CallerIdentity(principal: "ann@example.org", method: "x509", token: [1, 2, 3])
        let domain = try MailDomain("example.org")
        return [
            .sending(
                SubmissionEvent(
                    message: message(full: true), recipients: [bob, ann], identity: caller,
                    files: [digest, [UInt8](repeating: 9, count: 32)],
                    options: [
                        SubmissionOption(identifier: "urn:x", content: Array("<a/>".utf8)),
                        SubmissionOption(identifier: "urn:x", content: Array("<b/>".utf8)),
                    ])),
            .sending(SubmissionEvent(message: message(full: false), recipients: [], identity: nil)),
            .delivery(
                DeliveryEvent(
                    eventID: "e1", message: message(full: true), recipient: bob, hops: 3, domain: domain, postmark: [60, 62])),
            .delivery(
                DeliveryEvent(eventID: "", message: message(full: false), recipient: bob, hops: 0, domain: domain, postmark: nil)),
            .extension(ExtensionEvent(identifier: "urn:x", request: Array("<a/>".utf8), caller: caller)),
            .resolver(bob),
        ]
    }

    static let sendings: [SendingVerdict] = [
        .proceed, .dropAttachments([digest]), .keep([digest: guid, [UInt8](repeating: 8, count: 32): String(repeating: "0", count: 32)]),
        .redirect([bob: [ann], ann: [ann, bob]]), .refuse(reason: "no", isTransient: false),
        .refuse(reason: "later, please", isTransient: true),
    ]
    static let deliveries: [DeliveryVerdict] = [
        .proceed, .file(folder: "Lists/Swift", flags: [.seen, .flagged]), .file(folder: "x", flags: []), .consume, .redirect([ann]),
        .refuse(reason: "no"), .later(seconds: 86_400, reason: "busy"),
    ]
    static let answers: [ExtensionVerdict] = [
        .answer(Array("<a/>".utf8)), .refuse(PluginFault("no")), .refuse(PluginFault("wait", isTransient: true)),
    ]
    static let message = OutgoingMessage(
        sender: .service, to: [ann, bob], subject: "Away", text: "I am away.\n", inReplyTo: "urn:uuid:0b1f0a52-0000-4000-8000-000000000001")
}

/// A generator that gives the same numbers at each run.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
