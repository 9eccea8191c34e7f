import Foundation
import SOAP
import WSSecurity
import XMLSecurity

/// Time, replays, sequences, and sessions of others.
enum HostileReplay {
    static let attacks: [Attack] = times + replays + sequences + sessions

    private static func at(_ seconds: TimeInterval, _ arena: HostileArena) -> Forge {
        var call = arena.call()
        call.created = Date().addingTimeInterval(seconds)
        return call
    }

    private static func stamp(_ content: String) -> String { "<u:Timestamp u:Id=\"t\">\(content)</u:Timestamp>" }

    private static let times: [Attack] = [
        Attack.session("a call of just now minus 4 minutes", .accepted) { try at(-240, $0).sealed() },
        Attack.session("a call of 6 minutes ago", .staleTimestamp) { try at(-360, $0).sealed() },
        Attack.session("a call of last year", .staleTimestamp) { try at(-31_536_000, $0).sealed() },
        Attack.session("a call of the future", .staleTimestamp) { try at(360, $0).sealed() },
        Attack.session("a call of the year 9999", .staleTimestamp) { arena in
            var call = arena.call()
            call.timestamp = stamp("<u:Created>9999-12-31T23:59:59Z</u:Created>")
            return try call.sealed()
        },
        Attack.session("old Created, late Expires", .staleTimestamp) { arena in
            var call = arena.call()
            call.timestamp = Forge.timestamp(Date().addingTimeInterval(-3_600), life: 86_400)
            return try call.sealed()
        },
        Attack.session("Expires before Created", .malformedEnvelope) { arena in
            var call = arena.call()
            call.timestamp = Forge.timestamp(Date(), life: -10)
            return try call.sealed()
        },
        Attack.session("Created twice", .malformedEnvelope) { arena in
            var call = arena.call()
            let created = "<u:Created>\(DateTime.format(Date()))</u:Created>"
            call.timestamp = stamp(created + created)
            return try call.sealed()
        },
        Attack.session("Created without zone", .malformedEnvelope) { arena in
            var call = arena.call()
            call.timestamp = stamp("<u:Created>2026-01-01T00:00:00</u:Created>")
            return try call.sealed()
        },
        Attack.session("Created is no time", .malformedEnvelope) { arena in
            var call = arena.call()
            call.timestamp = stamp("<u:Created>now</u:Created>")
            return try call.sealed()
        },
        Attack.session("no Created", .malformedEnvelope) { arena in
            var call = arena.call()
            call.timestamp = stamp("")
            return try call.sealed()
        },
        Attack("x509: a stale call", .staleTimestamp) { arena in
            var call = arena.call(under: arena.identity)
            call.created = Date().addingTimeInterval(-360)
            return Shot(try call.sealed())
        },
        Attack("password: a stale call", .staleTimestamp) { arena in
            var call = arena.call(user: "alice@capicom.test", password: TestDomain.password)
            call.created = Date().addingTimeInterval(-360)
            return Shot(try call.sealed())
        },
    ]

    /// The same bytes a second time.
    private static func twice(_ text: String, _ arena: HostileArena) async throws -> String {
        let first = try await arena.post(Shot(text))
        guard first.status == 200 else { throw ForgeFailure("the first of two calls was refused") }
        return text
    }

    private static let replays: [Attack] = [
        Attack.session("session call replayed", .replay) { arena in try await twice(arena.call().sealed(), arena) },
        Attack("x509 call replayed", .replay) { arena in
            Shot(try await twice(arena.call(under: arena.identity).sealed(), arena))
        },
        Attack("x509 call replayed under another MessageID", .replay) { arena in
            // As zeep and JAX-WS sign: Body and Timestamp, no addressing.
            var call = arena.call(under: arena.identity)
            call.signed = ["b", "t"]
            let text = try await twice(call.sealed(), arena)
            return Shot(
                try text.replacing(text.element("a:MessageID"), by: "<a:MessageID u:Id=\"m\">urn:uuid:\(UUID())</a:MessageID>"))
        },
        Attack("password call replayed", .replay) { arena in
            Shot(try await twice(arena.call(user: "alice@capicom.test", password: TestDomain.password).sealed(), arena))
        },
    ]

    private static func numbered(_ number: String, _ arena: HostileArena) throws -> String {
        var call = arena.call()
        call.sequence = number
        return try call.sealed()
    }

    private static let sequences: [Attack] = [
        Attack.session("a sequence number used again", .replay) { arena in
            let number = String(arena.own.number())
            _ = try await twice(numbered(number, arena), arena)
            return try numbered(number, arena)
        },
        Attack.session("sequence number 0", .staleSequence) { try numbered("0", $0) },
        Attack.session("a sequence number that is negative", .malformedEnvelope) { try numbered("-1", $0) },
        Attack.session("a sequence number with a sign", .malformedEnvelope) { try numbered("+7", $0) },
        Attack.session("a sequence number beyond 64 bits", .malformedEnvelope) { try numbered("18446744073709551616", $0) },
        Attack.session("a sequence number near overflow", .staleSequence) { try numbered("18446744073709551615", $0) },
        Attack.session("a sequence number in Arabic digits", .malformedEnvelope) { try numbered("\u{0661}\u{0662}", $0) },
        Attack.session("an empty sequence number", .malformedEnvelope) { try numbered("", $0) },
    ]

    private static let sessions: [Attack] = [
        Attack.session("another user's session with one's own secret", .failedCheck) { arena in
            var call = arena.call()
            call.tokens = SessionPen.token(arena.others.session.id)
            return try call.sealed()
        },
        Attack.session("the token swapped after signing", .failedCheck) { arena in
            try arena.call().sealed().replacing(arena.own.session.id, by: arena.others.session.id)
        },
        Attack.session("the token moved aside", .failedCheck) { arena in
            try arena.call().sealed().wrapping(
                "c:SecurityContextToken", replacement: SessionPen.token(arena.others.session.id, as: "s2"))
        },
        Attack.session("a session nobody knows", .unknownSession) { arena in
            var call = arena.call()
            call.tokens = SessionPen.token("urn:uuid:00000000-0000-4000-8000-000000000000")
            return try call.sealed()
        },
        Attack.session("a session id with SQL in it", .unknownSession) { arena in
            var call = arena.call()
            call.tokens = SessionPen.token("' OR 1=1 --")
            return try call.sealed()
        },
        Attack.session("an empty session id", .malformedEnvelope) { arena in
            var call = arena.call()
            call.tokens = SessionPen.token("")
            return try call.sealed()
        },
        Attack.session("a session id too long", .malformedEnvelope) { arena in
            var call = arena.call()
            call.tokens = SessionPen.token(String(repeating: "x", count: 300))
            return try call.sealed()
        },
        Attack.session("a key instance of the session", .malformedEnvelope) { arena in
            var call = arena.call()
            call.tokens = try call.tokens.replacing("</c:Identifier>", by: "</c:Identifier><c:Instance>1</c:Instance>")
            return try call.sealed()
        },
        Attack.session("renewal of another user's session", .forbidden) { arena in
            try arena.call(.renewToken, trust("Renew", "Renew", arena.others.session.id)).sealed()
        },
        Attack.session("cancellation of another user's session", .forbidden) { arena in
            try arena.call(.cancelToken, trust("Cancel", "Cancel", arena.others.session.id)).sealed()
        },
        Attack.session("request type and action differ", .actionMismatch) { arena in
            try arena.call(.renewToken, trust("Cancel", "Cancel", arena.own.session.id)).sealed()
        },
    ]

    private static func trust(_ type: String, _ target: String, _ id: String) -> String {
        "<t:RequestSecurityToken><t:TokenType>\(URIs.securityContextToken)</t:TokenType>"
            + "<t:RequestType>\(Namespaces.wst)/\(type)</t:RequestType><t:\(target)Target>\(SessionPen.token(id, as: "r"))"
            + "</t:\(target)Target></t:RequestSecurityToken>"
    }
}
