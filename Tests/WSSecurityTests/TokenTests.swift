import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore

@testable import WSSecurity

@Suite struct TokenTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func ask(_ request: TokenRequest, _ operation: MailOperation, _ credential: ClientCredential) async throws
        -> (call: ProtectedRequest, request: AuthenticatedRequest)
    {
        let call = try fixture.client.protect(
            operation, to: Fixture.service, credential: credential, now: fixture.now
        ) { try request.write(into: &$0, now: fixture.now) }
        return (call, try await fixture.verify(call.bytes))
    }

    @Test func aSessionIsOpenedUsedRenewedAndEnded() async throws {
        let (call, request) = try await ask(
            TokenRequest(.issue, context: "urn:ctx", lifetime: 3600), .issueToken,
            .password(fixture.alice, "correct horse"))
        let parsed = try TokenRequest.parse(request, now: fixture.now)
        #expect(parsed.kind == .issue && parsed.context == "urn:ctx" && parsed.lifetime == 3600)
        let record = SessionIssuer().issue(
            principal: request.principal, method: request.method, requested: parsed.lifetime, now: fixture.now)
        #expect(record.expires == fixture.now.addingTimeInterval(3600))
        fixture.tables.state.withLock { $0.sessions[record.id] = record }
        let metadata = Array("<DomainMetadata xmlns=\"urn:wsemail:2\" Id=\"m\"></DomainMetadata>".utf8)
        let reply = try fixture.protector.reply(to: request, now: fixture.now) { writer in
            try TokenResponse.issued(record, context: parsed.context, metadata: metadata).write(into: &writer)
        }
        let verified = try await fixture.check(reply, for: call)
        let response = try TokenResponse.parse(verified.payload)
        #expect(response.context == "urn:ctx" && response.metadata == metadata)
        var session = try ClientSession(response)
        #expect(session.id == record.id && session.secret == record.secret && session.expires == record.expires)
        let (_, renewal) = try await ask(
            TokenRequest(.renew, target: session.id), .renewToken, .session(session.call()))
        #expect(try TokenRequest.parse(renewal, now: fixture.now).target == record.id)
        let (last, cancellation) = try await ask(
            TokenRequest(.cancel, target: session.id), .cancelToken, .session(session.call()))
        #expect(try TokenRequest.parse(cancellation, now: fixture.now).kind == .cancel)
        let bye = try fixture.protector.reply(to: cancellation, now: fixture.now) {
            try TokenResponse.cancelled().write(into: &$0)
        }
        let ended = try TokenResponse.parse(try await fixture.check(bye, for: last).payload)
        #expect(ended.session == nil)
        #expect(throws: WSSecurityError.self) { try ClientSession(ended) }
    }

    @Test func aLoginByCertificateSignsAChallenge() async throws {
        let alice = ClientCredential.certificate(fixture.keys.alice, embed: true)
        let (_, with) = try await ask(TokenRequest(.issue, challenge: [1, 2, 3]), .issueToken, alice)
        #expect(try TokenRequest.parse(with, now: fixture.now).challenge == [1, 2, 3])
        let (_, without) = try await ask(TokenRequest(.issue), .issueToken, alice)
        #expect(throws: SOAPFault.self) { try TokenRequest.parse(without, now: fixture.now) }
    }

    @Test func aSessionEndsOnlyItself() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let (other, _) = fixture.open(.user(fixture.bob))
        let (_, request) = try await ask(
            TokenRequest(.cancel, target: other.id), .cancelToken, .session(session.call()))
        let fault = #expect(throws: SOAPFault.self) { try TokenRequest.parse(request, now: fixture.now) }
        #expect(fault?.subcode == .forbidden)
    }

    @Test func kindAndActionMustAgree() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let (_, request) = try await ask(TokenRequest(.cancel), .renewToken, .session(session.call()))
        let fault = #expect(throws: SOAPFault.self) { try TokenRequest.parse(request, now: fixture.now) }
        #expect(fault?.subcode == .actionMismatch)
    }

    @Test func sessionsAreNotOpenedBySessions() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.issueToken, .session(session.call()))
        #expect(try await fixture.refusal(call.bytes) == .forbidden)
        let renew = try fixture.protect(.renewToken, .password(fixture.alice, "correct horse"))
        #expect(try await fixture.refusal(renew.bytes) == .forbidden)
    }

    @Test func lifetimesAreClamped() {
        let issuer = SessionIssuer(lifetime: 1000)
        for (asked, given) in [(nil, 1000), (5000, 1000), (500, 500), (1, 60), (-5, 60)] as [(Double?, Double)] {
            let record = issuer.issue(principal: .anonymous, method: .password, requested: asked, now: Keys.now)
            #expect(record.expires.timeIntervalSince(Keys.now) == given)
        }
    }

    @Test(arguments: ["t:RequestedSecurityToken", "t:RequestedProofToken", "t:Lifetime", "u:Expires"])
    func incompleteResponses(tag: String) throws {
        let record = SessionIssuer().issue(principal: .anonymous, method: .password, now: Keys.now)
        var writer = XMLWriter()
        try TokenResponse.issued(record).write(into: &writer)
        let root = try XMLDocument.parse(try writer.bytes.removing(tag)).root
        #expect(throws: WSSecurityError.self) { try TokenResponse.parse(root) }
    }
}
