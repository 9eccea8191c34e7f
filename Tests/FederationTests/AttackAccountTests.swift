import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import SOAPClient
import TestSupport
import Testing
import WSSecurity

@testable import MailServer

/// Credentials that end, end at once; guesses get slow; calls are executed once.
@Suite struct AttackAccountTests {
    private func withArena(_ body: (HostileArena) async throws -> Void) async throws {
        let arena = try await HostileArena()
        do { try await body(arena) } catch { Issue.record(error) }
        try await arena.remove()
    }

    /// The subcode of the fault that answers a call, nil if it is executed.
    private func outcome(_ call: Forge, _ arena: HostileArena, session: SessionPen? = nil) async throws -> FaultSubcode? {
        let reply = try await arena.post(Shot(call.sealed()))
        if reply.status == 200 { return nil }
        return try arena.fault(in: reply, session: session).subcode
    }

    @Test func aPasswordChangeEndsAllSessions() async throws {
        try await withArena { (arena) async throws in
            let other = try TestUser("alice", of: arena.home, credentials: .certificate(arena.identity))
            try await other.caller.open(at: other.destination)
            let byKey = SessionPen(try #require(await other.caller.session))
            #expect(try await outcome(arena.call(), arena) == nil)
            #expect(try await outcome(arena.call(.list, HostileArena.list, by: byKey), arena) == nil)
            _ = try await arena.alice.call(
                ChangePasswordOperation.self, .init(old: TestDomain.password, new: "a new one, and long"))
            #expect(try await outcome(arena.call(), arena) == .unknownSession)
            #expect(try await outcome(arena.call(.list, HostileArena.list, by: byKey), arena) == .unknownSession)
            let address = arena.alice.address.description
            #expect(try await outcome(arena.call(user: address, password: TestDomain.password), arena) == .failedAuthentication)
            #expect(try await outcome(arena.call(user: address, password: "a new one, and long"), arena) == nil)
            // Carol's stay.
            #expect(try await outcome(arena.call(.list, HostileArena.list, by: arena.others), arena) == nil)
            await other.transport.shutDown()
        }
    }

    @Test func aDisabledUserIsRefusedEverywhere() async throws {
        try await withArena { (arena) async throws in
            let address = arena.alice.address.description
            #expect(try await outcome(arena.call(user: address, password: TestDomain.password), arena) == nil)
            #expect(try await outcome(arena.call(under: arena.identity), arena) == nil)
            try await arena.home.admin(AdminRequest(.userDisable, [.address: address]))
            #expect(try await outcome(arena.call(), arena) == .unknownSession)
            #expect(try await outcome(arena.call(user: address, password: TestDomain.password), arena) == .failedAuthentication)
            #expect(try await outcome(arena.call(under: arena.identity), arena) == .untrustedCertificate)
            let message = try TestUser("carol", of: arena.home).message(to: [arena.alice.address])
            let text = "<w:Send>\(String(decoding: try message.octets(), as: UTF8.self))</w:Send>"
            let refusal = try await outcome(arena.call(.send, text, by: arena.others), arena, session: arena.others)
            #expect(refusal == .unknownRecipient)
        }
    }

    @Test func aRevokedKeyIsRefusedAtOnce() async throws {
        try await withArena { (arena) async throws in
            #expect(try await outcome(arena.call(under: arena.identity), arena) == nil)
            try await arena.home.admin(
                AdminRequest(.keyRevoke, [.fingerprint: arena.identity.certificate.fingerprint.description]))
            #expect(try await outcome(arena.call(under: arena.identity), arena) == .untrustedCertificate)
            #expect(try await outcome(arena.call(under: arena.rsaIdentity), arena) == nil)
            // Whoever held the key may have opened sessions with it.
            #expect(try await outcome(arena.call(), arena) == .unknownSession)
        }
    }

    @Test func guessesAreSlowedDownAndOthersAreNot() async throws {
        let dns = try TestDNS([])
        let home = try await TestDomain.start("capicom.test", port: try freePort(), dns: dns, users: ["alice", "carol"]) {
            $0.loginFailures = 3
        }
        let transport = TLSTransport()
        func login(_ user: String, _ password: String) async throws -> FaultSubcode? {
            let tokens =
                "<o:UsernameToken><o:Username>\(user)@capicom.test</o:Username><o:Password>\(password)</o:Password></o:UsernameToken>"
            let call = Forge(
                to: ServiceName.domain(home.domain), action: MailOperation.list.action, tokens: tokens, payload: "<w:List/>")
            let reply = try await transport.send(
                HTTPCall(
                    to: home.destination, headers: [HTTPField("Content-Type", MediaType.soap(action: nil))],
                    body: call.sealed().bytes, mayCompress: false))
            return try IncomingEnvelope(parsing: reply.body).fault?.subcode
        }
        for _ in 0..<3 { #expect(try await login("alice", "a wrong guess") == .failedAuthentication) }
        #expect(try await login("alice", "a wrong guess") == .busy)
        #expect(try await login("alice", TestDomain.password) == .busy, "the wait must not tell a right guess from a wrong one")
        #expect(try await login("carol", TestDomain.password) == nil)
        await transport.shutDown()
        try await home.remove()
        dns.stop()
    }

    @Test func manyGuessesAtOnceAreNoMoreThanManyInARow() async throws {
        let dns = try TestDNS([])
        let home = try await TestDomain.start("capicom.test", port: try freePort(), dns: dns, users: ["alice"]) {
            $0.loginFailures = 3
        }
        let address = try home.address("alice")
        let transport = TLSTransport()
        let answers = await withTaskGroup(of: FaultSubcode?.self) { group in
            for number in 0..<24 {
                group.addTask {
                    let tokens =
                        "<o:UsernameToken><o:Username>\(address)</o:Username><o:Password>guess \(number)</o:Password></o:UsernameToken>"
                    let call = Forge(
                        to: ServiceName.domain(home.domain), action: MailOperation.list.action, tokens: tokens, payload: "<w:List/>")
                    guard let body = try? call.sealed().bytes else { return nil }
                    let reply = try? await transport.send(
                        HTTPCall(
                            to: home.destination, headers: [HTTPField("Content-Type", MediaType.soap(action: nil))], body: body,
                            mayCompress: false))
                    return reply.flatMap { try? IncomingEnvelope(parsing: $0.body).fault?.subcode }
                }
            }
            return await group.reduce(into: [FaultSubcode?]()) { $0.append($1) }
        }
        #expect(answers.count { $0 == .failedAuthentication } <= 3)
        #expect(answers.allSatisfy { $0 == .failedAuthentication || $0 == .busy })
        await transport.shutDown()
        try await home.remove()
        dns.stop()
    }

    @Test func renewalGivesANewSecretAndEndsTheOldOne() async throws {
        try await withArena { (arena) async throws in
            let payload =
                "<t:RequestSecurityToken><t:TokenType>\(URIs.securityContextToken)</t:TokenType>"
                + "<t:RequestType>\(URIs.trustRenew)</t:RequestType></t:RequestSecurityToken>"
            let reply = try await arena.post(Shot(arena.call(.renewToken, payload).sealed()))
            let element = try #require(try IncomingEnvelope(parsing: reply.body).payload)
            let renewed = SessionPen(try ClientSession(try TokenResponse.parse(element)))
            #expect(renewed.session.id != arena.own.session.id)
            #expect(renewed.session.secret != arena.own.session.secret)
            #expect(try await outcome(arena.call(.list, HostileArena.list, by: renewed), arena) == nil)
            #expect(try await outcome(arena.call(), arena) == .unknownSession)
            #expect(try await outcome(arena.call(.renewToken, payload), arena) == .unknownSession)
            // The reply with the secret is never compressed, whatever the caller accepts.
            let again = try await arena.transport.send(
                HTTPCall(
                    to: arena.alice.destination, headers: [HTTPField("Content-Type", MediaType.soap(action: nil))],
                    body: arena.call(.renewToken, payload, by: renewed).sealed().bytes, mayCompress: false))
            #expect(again.header("Content-Encoding") == nil)
        }
    }

    @Test func aCancelledSessionIsOver() async throws {
        try await withArena { (arena) async throws in
            let payload = "<t:RequestSecurityToken><t:RequestType>\(URIs.trustCancel)</t:RequestType></t:RequestSecurityToken>"
            #expect(try await outcome(arena.call(.cancelToken, payload), arena) == nil)
            #expect(try await outcome(arena.call(), arena) == .unknownSession)
        }
    }

    @Test func sessionsSurviveARestartAndRecordedCallsDoNot() async throws {
        let arena = try await HostileArena()
        let recorded = try arena.call().sealed()
        let signed = try arena.call(under: arena.identity).sealed()
        #expect(try await arena.post(Shot(recorded)).status == 200)
        #expect(try await arena.post(Shot(signed)).status == 200)
        try await arena.home.stop()
        let again = try await TestDomain.resume(arena.home.configuration, folder: arena.home.configuration.dataDirectory)
        let replayed = try arena.fault(in: try await arena.post(Shot(recorded)), session: arena.own)
        #expect(replayed.subcode == .staleSequence)
        let next = try #require(replayed.detail.next)
        #expect(try arena.fault(in: try await arena.post(Shot(signed)), session: nil).subcode == .staleTimestamp)
        var call = arena.call()
        call.sequence = String(next)
        #expect(try await arena.post(Shot(call.sealed())).status == 200)
        // Our own client goes on by itself.
        #expect(try await arena.alice.list().headers.isEmpty)
        await arena.alice.close()
        await arena.transport.shutDown()
        try await again.remove()
        arena.dns.stop()
    }

    @Test func aRepeatedSendIsAcknowledgedTheSameAndDeliveredOnce() async throws {
        try await withArena { (arena) async throws in
            let sealed = try SealedMessage(arena.alice.message(to: [arena.alice.address], subject: "Once"))
            // The reply to the first is lost; the client sends the same message in a new call, in another session too.
            let first = try await arena.alice.call(SendOperation.self, .init(message: sealed))
            let second = try await arena.alice.call(SendOperation.self, .init(message: sealed))
            let other = try TestUser("alice", of: arena.home)
            let third = try await other.call(SendOperation.self, .init(message: sealed))
            #expect(first.receipt == second.receipt && second.receipt == third.receipt)
            #expect(try await arena.alice.list().headers.map(\.subject) == ["Once"])
            #expect(try await arena.alice.list("Sent").headers.map(\.subject) == ["Once"])
            await other.close()
        }
    }
}
