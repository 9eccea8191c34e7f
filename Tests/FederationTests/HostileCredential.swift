import Foundation
import Identity
import MailModel
import SOAP
import TestSupport
import WSSecurity
import XMLCore
import XMLSecurity

@testable import MailServer

/// Passwords and certificates.
enum HostileCredential {
    static let attacks: [Attack] = passwords + certificates + logins + roles

    private static func password(
        _ name: String, _ subcode: FaultSubcode, user: String = "alice@capicom.test", _ secret: String,
        type: String = URIs.passwordText
    ) -> Attack {
        Attack("password: " + name, subcode) { Shot(try $0.call(user: user, password: secret, type: type).sealed()) }
    }

    private static let digest =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"

    private static let passwords: [Attack] = [
        Attack("password: a plain call", .accepted) {
            Shot(try $0.call(user: "alice@capicom.test", password: TestDomain.password).sealed())
        },
        password("wrong", .failedAuthentication, "wrong horse battery"),
        password("empty", .failedAuthentication, ""),
        password("too long", .failedAuthentication, String(repeating: "x", count: 1_025)),
        password("digest type", .failedAuthentication, "3JXrzn==", type: digest),
        password("unknown type", .failedAuthentication, TestDomain.password, type: "urn:plain"),
        password("of nobody", .failedAuthentication, user: "nobody@capicom.test", TestDomain.password),
        password("of another domain", .failedAuthentication, user: "alice@scopio.test", TestDomain.password),
        password("without domain", .failedAuthentication, user: "alice", TestDomain.password),
        password("of an account's SQL", .failedAuthentication, user: "' OR ''='@capicom.test", TestDomain.password),
        Attack("password: no nonce helps a missing password", .malformedEnvelope) { arena in
            var call = arena.call(user: "alice@capicom.test", password: "")
            call.tokens = "<o:UsernameToken><o:Username>alice@capicom.test</o:Username></o:UsernameToken>"
            return Shot(try call.sealed())
        },
        Attack("password: two users", .malformedEnvelope) { arena in
            var call = arena.call(user: "alice@capicom.test", password: TestDomain.password)
            call.tokens = try call.tokens.replacing("</o:Username>", by: "</o:Username><o:Username>carol@capicom.test</o:Username>")
            return Shot(try call.sealed())
        },
        Attack("password: two tokens", .malformedEnvelope) { arena in
            var call = arena.call(user: "alice@capicom.test", password: TestDomain.password)
            call.tokens += call.tokens
            return Shot(try call.sealed())
        },
        Attack("password: no MessageID", .missingHeader) { arena in
            var call = arena.call(user: "alice@capicom.test", password: TestDomain.password)
            call.messageID = nil
            return Shot(try call.sealed())
        },
        Attack("password: no Timestamp", .missingHeader) { arena in
            var call = arena.call(user: "alice@capicom.test", password: TestDomain.password)
            call.timestamp = ""
            return Shot(try call.sealed())
        },
    ]

    /// A certificate for alice that is not the domain's.
    private static func forged(by authority: DomainAuthority, _ key: SigningKey, _ address: Address) throws -> SigningIdentity {
        let request = try CertificateRequest.make(address: address, key: key)
        return SigningIdentity(
            key: key, certificate: try authority.issueUserCertificate(request: request, address: address, now: Date()))
    }

    private static let certificates: [Attack] = [
        Attack("x509: a plain call", .accepted) { Shot(try $0.call(under: $0.identity).sealed()) },
        Attack("x509: a plain call with RSA", .accepted) { Shot(try $0.call(under: $0.rsaIdentity).sealed()) },
        Attack("x509: certificate of one, key of another", .failedCheck) { arena in
            var call = arena.call(under: arena.identity)
            call.key = .generateP256()
            return Shot(try call.sealed())
        },
        Attack("x509: certificate swapped after signing", .failedCheck) { arena in
            let text = try arena.call(under: arena.identity).sealed()
            let server = HostileArena.token(arena.home.server.core.keys.server)
            return Shot(try text.replacing(text.element("o:BinarySecurityToken"), by: server))
        },
        Attack("x509: a certificate of another authority of the same name", .untrustedCertificate) { arena in
            let authority = try DomainAuthority.create(domain: arena.home.domain, now: Date())
            let alice = try forged(by: authority, .generateP256(), arena.alice.address)
            return Shot(try arena.call(under: alice).sealed())
        },
        Attack("x509: a user of another domain", .untrustedCertificate) { arena in
            let other = try DomainAuthority.create(domain: MailDomain("scopio.test"), now: Date())
            let bob = try forged(by: other, .generateP256(), Address("bob@scopio.test"))
            return Shot(try arena.call(under: bob).sealed())
        },
        Attack("x509: our authority's certificate that was never registered", .untrustedCertificate) { arena in
            let authority = arena.home.server.core.keys.authority
            return Shot(try arena.call(under: forged(by: authority, .generateP256(), arena.alice.address)).sealed())
        },
        Attack("x509: a TLS certificate", .untrustedCertificate) { arena in
            let key = SigningKey.generateP256()
            let authority = arena.home.server.core.keys.authority
            let certificate = try authority.issueTLSCertificate(publicKey: key.publicKey, now: Date())
            return Shot(try arena.call(under: SigningIdentity(key: key, certificate: certificate)).sealed())
        },
        Attack("x509: an unknown thumbprint", .unknownCertificate) { arena in
            var call = arena.call(under: arena.identity)
            call.tokens = ""
            call.keyInfo = .thumbprintSHA256([UInt8](repeating: 9, count: 32))
            return Shot(try call.sealed())
        },
        Attack("x509: the Body is not signed", .unsignedPart) { arena in
            var call = arena.call(under: arena.identity)
            call.signed = ["t", "a", "o", "m"]
            return Shot(try call.sealed())
        },
        Attack("x509: the Timestamp is not signed", .unsignedPart) { arena in
            var call = arena.call(under: arena.identity)
            call.signed = ["b", "a", "o", "m"]
            return Shot(try call.sealed())
        },
        Attack("x509: a token that is no certificate", .malformedEnvelope) { arena in
            var call = arena.call(under: arena.identity)
            call.tokens = try call.tokens.replacing(call.tokens.element("o:BinarySecurityToken").dropTag, by: "AAAA")
            return Shot(try call.sealed())
        },
        Attack("x509: five certificates", .malformedEnvelope) { arena in
            var call = arena.call(under: arena.identity)
            let more = try call.tokens.replacing(" u:Id=\"x\"", by: "")
            call.tokens += String(repeating: more, count: 4)
            return Shot(try call.sealed())
        },
        Attack("x509: two certificates of one id", .duplicateId) { arena in
            var call = arena.call(under: arena.identity)
            call.tokens += HostileArena.token(arena.rsaIdentity.certificate)
            call.keyInfo = .thumbprintSHA256(arena.identity.certificate.thumbprintSHA256)
            return Shot(try call.sealed())
        },
    ]

    static func issue(_ content: String = "") -> String {
        "<t:RequestSecurityToken><t:TokenType>\(URIs.securityContextToken)</t:TokenType>"
            + "<t:RequestType>\(Namespaces.wst)/Issue</t:RequestType>\(content)</t:RequestSecurityToken>"
    }

    private static func challenge(_ arena: HostileArena) async throws -> String {
        let call = Forge(to: arena.service, action: MailOperation.challenge.action, payload: "<w:Challenge/>")
        let reply = try await arena.post(Shot(call.sealed()))
        let payload = try IncomingEnvelope(parsing: reply.body).payload
        guard let payload else { throw ForgeFailure("no challenge") }
        return try payload.only(Names.wsemail("Challenge")).simpleText()
    }

    private static let logins: [Attack] = [
        Attack("login by certificate without challenge", .failedAuthentication) {
            Shot(try $0.call(.issueToken, issue(), under: $0.identity).sealed())
        },
        Attack("login by certificate with a challenge of one's own", .failedAuthentication) {
            let own = "<w:Challenge>\(Base64.encodeToString([UInt8](repeating: 5, count: 32)))</w:Challenge>"
            return Shot(try $0.call(.issueToken, issue(own), under: $0.identity).sealed())
        },
        Attack("login with a challenge used before", .failedAuthentication) { arena in
            let content = issue("<w:Challenge>\(try await challenge(arena))</w:Challenge>")
            let first = try await arena.post(Shot(arena.call(.issueToken, content, under: arena.identity).sealed()))
            guard first.status == 200 else { throw ForgeFailure("the login failed") }
            return Shot(try arena.call(.issueToken, content, under: arena.identity).sealed())
        },
        Attack("login by certificate, addressing not signed", .unsignedPart) { arena in
            let content = issue("<w:Challenge>\(try await challenge(arena))</w:Challenge>")
            var call = arena.call(.issueToken, content, under: arena.identity)
            call.signed = ["b", "t"]
            return Shot(try call.sealed())
        },
        Attack("login for another kind of token", .forbidden) { arena in
            let content = try issue().replacing(URIs.securityContextToken, by: "urn:oasis:names:tc:SAML:2.0:assertion")
            return Shot(try arena.call(.issueToken, content, user: "alice@capicom.test", password: TestDomain.password).sealed())
        },
        Attack.session("a session opens another", .forbidden) { try $0.call(.issueToken, issue()).sealed() },
        Attack("login as our own server", .staleMetadata) { arena in
            let keys = arena.home.server.core.keys
            let content = issue("<w:Challenge>\(try await challenge(arena))</w:Challenge>")
            return Shot(try arena.call(.issueToken, content, under: keys.signing).sealed())
        },
    ]

    private static let roles: [Attack] = [
        Attack("nobody lists", .failedAuthentication) { arena in
            Shot(try Forge(to: arena.service, action: MailOperation.list.action, payload: HostileArena.list).sealed())
        },
        Attack.session("a user delivers", .forbidden) {
            try $0.call(.deliver, "<w:Deliver><w:Item/></w:Deliver>").sealed()
        },
        Attack.session("a user asks as a peer", .forbidden) { try $0.call(.peerStatus, "<w:PeerStatus/>").sealed() },
        Attack("a user delivers under X.509", .forbidden) {
            Shot(try $0.call(.deliver, "<w:Deliver><w:Item/></w:Deliver>", under: $0.identity).sealed())
        },
        Attack("a certificate enrols another", .forbidden) { arena in
            let request = try CertificateRequest.make(address: arena.alice.address, key: .generateP256())
            let content = "<w:Enroll><w:CSR>\(Base64.encodeToString(request.der))</w:CSR></w:Enroll>"
            return Shot(try arena.call(.enroll, content, under: arena.identity).sealed())
        },
        Attack("a session opened by certificate enrols another", .forbidden) { arena in
            let user = try TestUser("alice", of: arena.home, credentials: .certificate(arena.identity))
            try await user.caller.open(at: user.destination)
            guard let session = await user.caller.session else { throw ForgeFailure("no session") }
            await user.transport.shutDown()
            let pen = SessionPen(session)
            let request = try CertificateRequest.make(address: arena.alice.address, key: .generateP256())
            let content = "<w:Enroll><w:CSR>\(Base64.encodeToString(request.der))</w:CSR></w:Enroll>"
            var shot = Shot(try arena.call(.enroll, content, by: pen).sealed())
            shot.session = pen
            return shot
        },
        Attack("a stranger asks whom this server knows", .failedAuthentication) { arena in
            let call = Forge(
                to: arena.service, action: MailOperation.metadata.action,
                payload: "<w:Metadata><w:Domain>scopio.test</w:Domain></w:Metadata>")
            return Shot(try call.sealed())
        },
        Attack.session("a wrong old password", .failedAuthentication) {
            try $0.call(
                .changePassword, "<w:ChangePassword><w:Old>wrong horse battery</w:Old><w:New>another good one</w:New></w:ChangePassword>"
            ).sealed()
        },
        Attack.session("a new password too short", .invalidMessage) {
            let old = TestDomain.password
            return try $0.call(.changePassword, "<w:ChangePassword><w:Old>\(old)</w:Old><w:New>short</w:New></w:ChangePassword>").sealed()
        },
    ]
}
