import FoundationEssentials
import Identity
import SOAP
import Testing
import XMLCore
import XMLSecurity

@testable import WSSecurity

@Suite struct SessionProfileTests {
    @Test func aGoodCallIsAcceptedAndAnswered() async throws {
        let fixture = try Fixture()
        var (record, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        let request = try await fixture.verify(call.bytes)
        #expect(request.principal == .user(fixture.alice))
        #expect(request.method == .session && request.session == record)
        #expect(request.operation == .list && request.messageID == call.messageID)
        #expect(request.payload.element.isNamed(Names.wsemail("List")))
        guard case .signed(let body) = request.payload.protection else { throw TestFailure.accepted }
        #expect(body.element == request.payload.element.parent)
        let reply = try await fixture.check(try fixture.reply(to: request), for: call)
        #expect(reply.payload.text == "done" && reply.certificate == nil)
    }

    @Test func eachSequenceNumberCountsOnce() async throws {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        let first = try fixture.protect(.list, .session(session.call()))
        let second = try fixture.protect(.list, .session(session.call()))
        #expect(try await fixture.refusal(second.bytes) == nil)
        #expect(try await fixture.refusal(first.bytes) == nil)
        #expect(try await fixture.refusal(first.bytes) == .replay)
        #expect(try await fixture.refusal(second.bytes) == .replay)
    }

    @Test func aStaleCallLearnsTheTimeFromAFaultItCanBelieve() async throws {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        for offset in [-301.0, 301] {
            let call = try fixture.protect(.list, .session(session.call()), at: fixture.now.addingTimeInterval(offset))
            let rejection = try await fixture.rejection(call.bytes)
            let reply = try fixture.protector.fault(rejection.fault, binding: rejection.binding, now: fixture.now)
            let fault = await #expect(throws: SOAPFault.self) { try await fixture.check(reply, for: call) }
            #expect(fault?.subcode == .staleTimestamp && fault?.detail.serverTime == fixture.now)
            #expect(!reply.string.contains("BinarySecurityToken"))
        }
        for offset in [-299.0, 299] {
            let call = try fixture.protect(.list, .session(session.call()), at: fixture.now.addingTimeInterval(offset))
            #expect(try await fixture.refusal(call.bytes) == nil)
        }
    }

    @Test func unknownAndExpiredSessionsAreRefused() async throws {
        let fixture = try Fixture()
        var (record, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()), at: record.expires)
        #expect(try await fixture.refusal(call.bytes, at: record.expires) == .unknownSession)
        fixture.tables.state.withLock { $0.sessions = [:] }
        let late = try fixture.protect(.list, .session(session.call()))
        let rejection = try await fixture.rejection(late.bytes)
        #expect(rejection.fault.subcode == .unknownSession)
        // The server has no session key here: the fault comes under its certificate and is believed.
        let reply = try fixture.protector.fault(rejection.fault, binding: rejection.binding, now: fixture.now)
        await #expect(throws: SOAPFault.self) { try await fixture.check(reply, for: late) }
    }

    @Test func theOldKeysOfARenewedSessionAreWorthless() async throws {
        let fixture = try Fixture()
        var (record, session) = fixture.open(.user(fixture.alice))
        let renewed = SessionIssuer().renew(record, now: fixture.now)
        fixture.tables.state.withLock { $0.sessions = [renewed.id: renewed] }
        #expect(renewed.id != record.id && renewed.secret != record.secret)
        let old = try fixture.protect(.list, .session(session.call()))
        #expect(try await fixture.refusal(old.bytes) == .unknownSession)
        let mixed = try old.bytes.replacing(record.id, with: renewed.id)
        #expect(try await fixture.refusal(mixed) == .failedCheck)
    }

    @Test func theTokenOfAnotherPrincipalDoesNotVerify() async throws {
        let fixture = try Fixture()
        var (alice, session) = fixture.open(.user(fixture.alice))
        let (bob, _) = fixture.open(.user(fixture.bob))
        let call = try fixture.protect(.list, .session(session.call()))
        let forged = try call.bytes.replacing(alice.id, with: bob.id)
        #expect(try await fixture.refusal(forged) == .failedCheck)
    }

    @Test func aReplyCannotComeBackAsARequest() async throws {
        let fixture = try Fixture()
        var (record, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        // The same call signed with the key of the other direction.
        let swapped = SessionKeysTests.signed(call.bytes, with: record.keys.server)
        #expect(try await fixture.refusal(try swapped.get()) == .failedCheck)
    }

    @Test(arguments: ["a:MessageID", "a:To", "a:Action", "w:Sequence", "u:Timestamp"])
    func aMissingHeaderIsRefusedAndNeverIgnored(tag: String) async throws {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        #expect(try await fixture.refusal(try call.bytes.removing(tag)) == .missingHeader)
    }

    @Test func callsForOthersAreRefused() async throws {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        let elsewhere = try fixture.protect(.list, .session(session.call()), to: "urn:wsemail:domain:scopio.test")
        #expect(try await fixture.refusal(elsewhere.bytes) == .wrongDestination)
        let byURL = try fixture.protect(.list, .session(session.call()), to: Fixture.endpoint)
        #expect(try await fixture.refusal(byURL.bytes) == nil)
    }

    @Test func actionAndPayloadMustAgree() async throws {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.client.protect(
            .list, to: Fixture.service, credential: .session(session.call()), now: fixture.now,
            payload: Payload.writer(.delete))
        #expect(try await fixture.refusal(call.bytes) == .actionMismatch)
        let unknown = try call.bytes.replacing("urn:wsemail:2:List", with: "urn:wsemail:2:Grow")
        #expect(try await fixture.refusal(unknown) == .unknownAction)
    }

    @Test func policyDecidesWhoMayCallWhat() async throws {
        let fixture = try Fixture()
        var (_, user) = fixture.open(.user(fixture.alice))
        var (_, peer) = fixture.open(.peer(try MailDomain("scopio.test")))
        let userDelivers = try fixture.protect(.deliver, .session(user.call()))
        #expect(try await fixture.refusal(userDelivers.bytes) == .forbidden)
        let peerDelivers = try fixture.protect(.deliver, .session(peer.call()))
        #expect(try await fixture.refusal(peerDelivers.bytes) == nil)
        let peerReads = try fixture.protect(.retrieve, .session(peer.call()))
        #expect(try await fixture.refusal(peerReads.bytes) == .forbidden)
        var policy = SecurityPolicy.standard
        policy[.list] = nil
        let closed = try Fixture(policy: policy)
        var (_, session) = closed.open(.user(closed.alice))
        let call = try closed.protect(.list, .session(session.call()))
        #expect(try await closed.refusal(call.bytes) == .unknownAction)
    }

    @Test func afterARestartTheClientJumps() async throws {
        let fixture = try Fixture()
        var (record, session) = fixture.open(.user(fixture.alice))
        fixture.tables.state.withLock { $0.ceilings[record.id] = 2048 }
        let call = try fixture.protect(.list, .session(session.call()))
        let rejection = try await fixture.rejection(call.bytes)
        #expect(rejection.fault.subcode == .staleSequence && rejection.fault.detail.next == 2049)
        let reply = try fixture.protector.fault(rejection.fault, binding: rejection.binding, now: fixture.now)
        let fault = await #expect(throws: SOAPFault.self) { try await fixture.check(reply, for: call) }
        let stale = try #require(fault)
        #expect(session.advance(past: stale) == true)
        let again = try fixture.protect(.list, .session(session.call()))
        #expect(try await fixture.refusal(again.bytes) == nil)
    }

    @Test func noDamagedCallIsAcceptedAsAnother() async throws {
        let fixture = try Fixture()
        var (_, session) = fixture.open(.user(fixture.alice))
        let call = try fixture.protect(.list, .session(session.call()))
        let original = try IncomingEnvelope(parsing: call.bytes)
        let fresh = try Fixture()
        fresh.tables.state.withLock { state in state.sessions = fixture.tables.state.withLock { $0.sessions } }
        for index in stride(from: 0, to: call.bytes.count, by: 3) {
            var damaged = call.bytes
            damaged[index] ^= 1 << UInt8(index % 7)
            guard let envelope = try? IncomingEnvelope(parsing: damaged),
                (try? await fresh.verifier.verify(envelope, channel: ChannelFacts(tls: true), now: fresh.now)) != nil
            else { continue }
            #expect(envelope.body.canonicalBytes() == original.body.canonicalBytes())
            #expect(envelope.addressing.to?.value == original.addressing.to?.value)
            #expect(envelope.addressing.messageID?.value == original.addressing.messageID?.value)
        }
    }
}
