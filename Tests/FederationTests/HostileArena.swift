import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import TestSupport
import Testing
import WSSecurity
import XMLCore
import XMLSecurity

@testable import MailServer

/// A session whose secret the attacker holds: their own.
final class SessionPen: Sendable {
    let session: ClientSession
    let keys: SessionKeys
    private let next = Mutex<UInt64>(100)

    init(_ session: ClientSession) {
        self.session = session
        keys = SessionKeys(secret: session.secret, session: session.id)
    }

    func number() -> UInt64 {
        next.withLock { number in
            number += 1
            return number
        }
    }

    var token: String { SessionPen.token(session.id) }

    static func token(_ id: String, as name: String = "s") -> String {
        "<c:SecurityContextToken u:Id=\"\(name)\"><c:Identifier>\(id)</c:Identifier></c:SecurityContextToken>"
    }
}

/// One real server over TLS, two of its users, and their keys and sessions in the attacker's hands.
final class HostileArena: Sendable {
    static let bodyLimit = 3 << 19

    let dns: TestDNS
    let home: TestDomain
    let alice: TestUser
    let transport = TLSTransport()
    let own: SessionPen
    let others: SessionPen
    /// Alice's enrolled keys.
    let identity: SigningIdentity
    let rsaIdentity: SigningIdentity
    private let openers: [TestUser]

    init() async throws {
        dns = try TestDNS([])
        home = try await TestDomain.start("capicom.test", port: try freePort(), dns: dns, users: ["alice", "carol", "dave"]) {
            $0.maxBodyBytes = HostileArena.bodyLimit
            $0.maxMessageBytes = 1 << 19
            $0.loginFailures = 50
        }
        alice = try TestUser("alice", of: home)
        let openers = [try TestUser("alice", of: home), try TestUser("carol", of: home)]
        self.openers = openers
        own = try await HostileArena.session(openers[0])
        others = try await HostileArena.session(openers[1])
        identity = try await alice.enroll(.generateP256())
        rsaIdentity = try await alice.enroll(.generateRSA())
    }

    private static func session(_ user: TestUser) async throws -> SessionPen {
        try await user.caller.open(at: user.destination)
        return SessionPen(try #require(await user.caller.session))
    }

    func remove() async throws {
        for user in openers + [alice] { await user.close() }
        await transport.shutDown()
        try await home.remove()
        dns.stop()
    }

    var service: String { ServiceName.domain(home.domain) }

    // MARK: Good calls, to be spoilt

    static let list = "<w:List><w:Limit>1</w:Limit></w:List>"

    /// A call of alice in her session.
    func call(_ operation: MailOperation = .list, _ payload: String = HostileArena.list) -> Forge {
        call(operation, payload, by: own)
    }

    func call(_ operation: MailOperation, _ payload: String, by pen: SessionPen) -> Forge {
        Forge(
            to: service, action: operation.action, sequence: String(pen.number()), tokens: pen.token, payload: payload,
            key: .hmac(pen.keys.client), keyInfo: .reference(id: "s", valueType: URIs.securityContextToken))
    }

    /// A call under an X.509 key, the certificate sent along.
    func call(
        _ operation: MailOperation = .list, _ payload: String = HostileArena.list, under identity: SigningIdentity
    ) -> Forge {
        Forge(
            to: service, action: operation.action, tokens: HostileArena.token(identity.certificate), payload: payload,
            key: identity.key, keyInfo: .reference(id: "x", valueType: URIs.x509v3))
    }

    static func token(_ certificate: MailCertificate) -> String {
        "<o:BinarySecurityToken EncodingType=\"\(URIs.base64Binary)\" ValueType=\"\(URIs.x509v3)\" u:Id=\"x\">"
            + Base64.encodeToString(certificate.der) + "</o:BinarySecurityToken>"
    }

    /// A call with a password.
    func call(
        _ operation: MailOperation = .list, _ payload: String = HostileArena.list, user: String, password: String,
        type: String = URIs.passwordText
    ) -> Forge {
        Forge(
            to: service, action: operation.action,
            tokens: "<o:UsernameToken><o:Username>\(user)</o:Username><o:Password Type=\"\(type)\">\(password)</o:Password>"
                + "</o:UsernameToken>",
            payload: payload)
    }

    // MARK: The wire

    func post(_ shot: Shot) async throws -> HTTPReply {
        var headers = shot.headers
        if !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            headers.append(HTTPField("Content-Type", "application/soap+xml; charset=utf-8"))
        }
        return try await transport.send(
            HTTPCall(
                to: alice.destination, method: shot.method, path: shot.path, headers: headers, body: shot.bytes,
                timeout: .seconds(30), mayCompress: false))
    }

    /// The fault in a reply, after every check that a client makes: signed by this server over Body, Timestamp, Action and
    /// RelatesTo, and silent about the server's inside.
    func fault(in reply: HTTPReply, session: SessionPen?) throws -> SOAPFault {
        let envelope = try IncomingEnvelope(parsing: reply.body)
        guard let fault = envelope.fault else { throw ForgeFailure("accepted: \(envelope.payload?.localName ?? "nothing")") }
        let security = try #require(try envelope.header(Names.security))
        let signature = try security.only(Names.signature)
        let verified = try SignatureVerifier().verify(signature, in: envelope.document.root) { hint throws(SignatureError) in
            try key(hint, security, session)
        }
        var parts = [envelope.body, try security.only(Names.timestamp)]
        parts.append(try #require(envelope.addressing.action?.element))
        if let related = envelope.addressing.relatesTo { parts.append(related.element) }
        for part in parts {
            guard verified.verified(part) != nil else { throw ForgeFailure("\(part.localName) of the fault is not signed") }
        }
        guard envelope.addressing.action?.value == MailOperation.faultAction else { throw ForgeFailure("the fault's Action") }
        try requireSilence(String(decoding: reply.body[envelope.body.sourceRange], as: UTF8.self))
        return fault
    }

    private func key(
        _ hint: KeyHint, _ security: XMLElement, _ session: SessionPen?
    ) throws(SignatureError) -> VerificationKey {
        if case .none = hint, let session { return .hmac(session.keys.server) }
        let keys = home.server.core.keys
        guard case .reference = hint,
            let der = try? security.only(Names.binarySecurityToken).base64Bytes(limit: 1 << 16),
            let own = [keys.server, keys.rsaServer].first(where: { $0.der == der })
        else { throw SignatureError(.unknownKey, "the fault is signed by somebody else") }
        return own.publicKey
    }

    private func requireSilence(_ text: String) throws {
        let inside = [
            home.configuration.dataDirectory, TestDomain.password, ".swift", "Optional(", "Error(", "SQL", "GRDB", "0x0000",
            "SignatureError", "XMLError", "IdentityError", "MailModelError", own.session.id,
        ]
        for word in inside where text.contains(word) { throw ForgeFailure("the fault tells \"\(word)\": \(text)") }
    }
}

extension TestUser {
    /// Has a key certified by the user's domain.
    func enroll(_ key: SigningKey) async throws -> SigningIdentity {
        let request = try CertificateRequest.make(address: address, key: key)
        let response = try await call(EnrollOperation.self, .init(request: request.der))
        return SigningIdentity(key: key, certificate: try MailCertificate(der: try #require(response.certificates.first)))
    }
}

/// What is sent.
struct Shot: Sendable {
    var bytes: [UInt8]
    var headers: [HTTPField] = []
    var path = "/wsemail"
    var method = HTTPCall.Method.post
    /// Whose key may sign the fault, beside the server's certificate.
    var session: SessionPen?

    init(_ text: String, session: SessionPen? = nil) {
        bytes = text.bytes
        self.session = session
    }

    init(bytes: [UInt8], headers: [HTTPField] = []) {
        self.bytes = bytes
        self.headers = headers
    }
}

/// One row of the table: what is sent, and how it must be refused.
struct Attack: Sendable {
    enum Outcome: Sendable, Equatable {
        case fault(FaultSubcode)
        /// Refused by the HTTP front: one of these.
        case status([Int])
        /// A harmless variant that must pass, lest the others be refused for a wrong reason.
        case accepted
    }

    let name: String
    let outcome: Outcome
    let make: @Sendable (HostileArena) async throws -> Shot

    init(_ name: String, _ subcode: FaultSubcode, _ make: @escaping @Sendable (HostileArena) async throws -> Shot) {
        self.init(name, .fault(subcode), make)
    }

    init(_ name: String, _ outcome: Outcome, _ make: @escaping @Sendable (HostileArena) async throws -> Shot) {
        self.name = name
        self.outcome = outcome
        self.make = make
    }

    /// In alice's session: the fault may come under its key.
    static func session(
        _ name: String, _ outcome: Outcome, _ make: @escaping @Sendable (HostileArena) async throws -> String
    ) -> Attack {
        Attack(name, outcome) { arena in Shot(try await make(arena), session: arena.own) }
    }

    static func session(
        _ name: String, _ subcode: FaultSubcode, _ make: @escaping @Sendable (HostileArena) async throws -> String
    ) -> Attack {
        session(name, .fault(subcode), make)
    }
}
