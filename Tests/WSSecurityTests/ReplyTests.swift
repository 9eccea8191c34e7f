import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct ReplyTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func code(_ reply: [UInt8], for call: ProtectedRequest, at time: Date? = nil) async throws
        -> WSSecurityError.Code?
    {
        do {
            _ = try await fixture.check(reply, for: call, at: time)
            return nil
        } catch let error as WSSecurityError {
            return error.code
        }
    }

    private func exchange(_ credential: ClientCredential) async throws -> (ProtectedRequest, [UInt8]) {
        let call = try fixture.protect(.list, credential)
        return (call, try fixture.reply(to: try await fixture.verify(call.bytes)))
    }

    @Test func aReplyBelongsToOneCall() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let (one, reply) = try await exchange(.session(session.call()))
        let (two, _) = try await exchange(.session(session.call()))
        #expect(try await code(reply, for: one) == nil)
        #expect(try await code(reply, for: two) == .wrongReply)
        let (three, signed) = try await exchange(.certificate(fixture.keys.alice, embed: true))
        let (four, _) = try await exchange(.password(fixture.alice, "correct horse"))
        #expect(try await code(signed, for: three) == nil)
        #expect(try await code(signed, for: four) == .wrongReply)
    }

    @Test func aReusedMessageIDStillTellsRequestsApart() async throws {
        let id = RequestProtector.newMessageID()
        let alice = ClientCredential.certificate(fixture.keys.alice, embed: true)
        let one = try fixture.protect(.list, alice, messageID: id)
        let two = try fixture.protect(.list, alice, at: fixture.now.addingTimeInterval(1), messageID: id)
        let reply = try fixture.reply(to: try await fixture.verify(one.bytes))
        #expect(try await code(reply, for: one) == nil)
        #expect(try await code(reply, for: two) == .wrongReply)
    }

    @Test func anotherSessionsReplyIsWorthless() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        var (_, other) = fixture.open(.user(fixture.bob))
        let (_, reply) = try await exchange(.session(session.call()))
        let (call, _) = try await exchange(.session(other.call()))
        #expect(try await code(reply, for: call) == .badSignature)
    }

    @Test func aRequestIsNoReply() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        #expect(try await code(call.bytes, for: call) == .badSignature)
    }

    @Test(arguments: ["ds:Signature", "o:Security", "u:Timestamp", "a:RelatesTo", "a:Action", "k:SignatureConfirmation"])
    func nothingMayBeMissing(tag: String) async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let (call, reply) = try await exchange(.session(session.call()))
        #expect(try await code(try reply.removing(tag), for: call) != nil)
    }

    @Test(arguments: ["s:Body", "a:RelatesTo", "a:Action"])
    func nothingMayBeMovedAside(tag: String) async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let (call, reply) = try await exchange(.session(session.call()))
        let original = try reply.element(tag)
        let evil = original.withoutId().replacing("done", with: "evil")
        let bytes = try reply.replacing(original, with: evil).addingHeader("<x:W xmlns:x=\"urn:x\">\(original)</x:W>")
        #expect(try await code(bytes, for: call) == .unsigned)
    }

    @Test func anUnsignedFaultIsShownAndNotBelieved() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        var envelope = OutgoingEnvelope()
        envelope.header(Tags.wsaAction, MailOperation.faultAction, id: nil)
        envelope.header(Tags.wsaRelatesTo, call.messageID, id: nil)
        envelope.body(id: nil, isFault: true) { SOAPFault(.unknownSession, "Gone.").write(into: &$0) }
        let forged = envelope.finish(signature: nil)
        let error = await #expect(throws: WSSecurityError.self) { try await fixture.check(forged, for: call) }
        #expect(error?.code == .untrustedFault && error?.untrusted?.subcode == .unknownSession)
    }

    @Test func aFaultOfAStrangerIsNotBelieved() async throws {
        let call = try fixture.protect(.list, .password(fixture.alice, "correct horse"))
        let binding = ReplyBinding.unverified(try IncomingEnvelope(parsing: call.bytes), channel: ChannelFacts(tls: true))
        let stranger = ReplyProtector(identity: fixture.keys.otherServer)
        let forged = try stranger.fault(SOAPFault(.failedAuthentication, "No."), binding: binding, now: fixture.now)
        #expect(try await code(forged, for: call) == .untrustedFault)
        let user = ReplyProtector(identity: fixture.keys.alice)
        let byUser = try user.fault(SOAPFault(.failedAuthentication, "No."), binding: binding, now: fixture.now)
        #expect(try await code(byUser, for: call) == .untrustedFault)
    }

    @Test func aFaultOfAnotherCallIsNotBelieved() async throws {
        let one = try fixture.protect(.list, .password(fixture.alice, "wrong"))
        let two = try fixture.protect(.list, .password(fixture.alice, "correct horse"))
        let rejection = try await fixture.rejection(one.bytes)
        let fault = try fixture.protector.fault(rejection.fault, binding: rejection.binding, now: fixture.now)
        await #expect(throws: SOAPFault.self) { try await fixture.check(fault, for: one) }
        #expect(try await code(fault, for: two) == .untrustedFault)
        let unbound = try fixture.protector.fault(
            rejection.fault, binding: .unknown(channel: ChannelFacts(tls: true)), now: fixture.now)
        #expect(try await code(unbound, for: one) == .untrustedFault)
    }

    @Test func aGoodReplyInASessionComesUnderTheSessionsKey() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        let request = try await fixture.verify(call.bytes)
        let binding = request.binding.protected(by: .certificate(rsa: false))
        let forged = AuthenticatedRequest(
            operation: request.operation, principal: request.principal, method: request.method, session: nil,
            certificate: nil, assertion: nil, payload: request.payload, messageID: request.messageID, to: request.to, binding: binding)
        #expect(try await code(try fixture.reply(to: forged), for: call) == .untrustedSigner)
    }

    @Test func staleRepliesAndOtherOperations() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let (call, reply) = try await exchange(.session(session.call()))
        #expect(try await code(reply, for: call, at: fixture.now.addingTimeInterval(301)) == .staleReply)
        let request = try await fixture.verify(try fixture.protect(.list, .session(session.call())).bytes)
        let wrong = try fixture.protector.reply(to: request, now: fixture.now) { $0.element(Tags.w("SendResponse"), "") }
        let expectation = ReplyExpectation(
            operation: .list, messageID: request.messageID ?? "", signatureValue: nil,
            session: call.expectation.session)
        let claimed = ProtectedRequest(bytes: [], action: "", messageID: "", expectation: expectation)
        #expect(try await code(wrong, for: claimed) == .wrongReply)
        #expect(try await code(Array("<html/>".utf8), for: call) == .malformed)
    }

    @Test func clocksThatDisagreeStillTransportTheFaultAboutIt() async throws {
        var (_, session) = fixture.open(.user(fixture.alice))
        let early = fixture.now.addingTimeInterval(-3600)
        let call = try fixture.protect(.list, .session(session.call()), at: early)
        let rejection = try await fixture.rejection(call.bytes)
        let reply = try fixture.protector.fault(rejection.fault, binding: rejection.binding, now: fixture.now)
        let fault = await #expect(throws: SOAPFault.self) { try await fixture.check(reply, for: call, at: early) }
        #expect(fault?.detail.serverTime == fixture.now)
    }
}
