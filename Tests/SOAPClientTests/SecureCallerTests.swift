import Foundation
import Identity
import NIOConcurrencyHelpers
import SOAP
import SOAPClient
import TestSupport
import Testing
import WSSecurity
import XMLCore

/// The session-keeping caller against a service with real WS-Security.
@Suite(.timeLimit(.minutes(1))) struct SecureCallerTests {
    static let metadata = Array("<DomainMetadata xmlns=\"urn:wsemail:2\"></DomainMetadata>".utf8)

    let clock: ManualClock
    let identity: TestIdentity
    let service: TestService
    let alice: Address
    let peer: TestIdentity

    init() throws {
        let clock = ManualClock()
        self.clock = clock
        identity = try TestIdentity("capicom.test", now: clock.now)
        peer = try TestIdentity("scopio.test", now: clock.now)
        service = TestService(identity, clock: { clock.now })
        alice = try Address("alice@capicom.test")
        service.addUser(alice, password: "correct horse")
        service.trust(peer.signing.certificate, as: .peer(peer.domain))
    }

    func caller(
        _ credentials: CallerCredentials? = nil, service: TestService? = nil, session: ClientSession? = nil
    ) throws -> SecureCaller {
        SecureCaller(
            domain: identity.domain, credentials: credentials ?? .password(alice, "correct horse"),
            transport: service ?? self.service, trust: AnchoredReplyTrust(try identity.trust()), session: session,
            clock: { [clock] in clock.now })
    }

    func peerCaller() throws -> SecureCaller {
        try caller(.certificate(peer.signing, metadata: { Self.metadata }))
    }

    @discardableResult
    func list(
        _ caller: SecureCaller, _ options: CallOptions = .standard, operation: MailOperation = .list
    ) async throws(SOAPClientError) -> VerifiedReply {
        try await caller.call(operation, at: TestService.destination, options: options) { writer in
            writer.start(Tags.w(operation.payloadName.localName))
            _ = writer.end()
        }
    }

    func failure(_ caller: SecureCaller, _ options: CallOptions = .standard) async -> SOAPClientError? {
        do throws(SOAPClientError) {
            try await list(caller, options)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Opening

    @Test func opensOneSessionByPasswordAndKeepsIt() async throws {
        let caller = try caller()
        for _ in 0..<3 { #expect(try await list(caller).payload.isNamed(MailOperation.list.replyName)) }
        #expect(service.logins == 1 && service.operations == [.issueToken, .list, .list, .list])
    }

    @Test func opensASessionByKeyWithAChallengeAndAStaple() async throws {
        let caller = try peerCaller()
        try await list(caller, operation: .deliver)
        #expect(service.operations == [.challenge, .issueToken, .deliver])
        #expect(service.stapled == Self.metadata)
    }

    @Test func aWrongPasswordIsAVerifiedFaultThatIsNotRepeated() async throws {
        let error = await failure(try caller(.password(alice, "wrong")))
        #expect(error?.kind == .fault && error?.fault?.subcode == .failedAuthentication && error?.isTransient == false)
        #expect(service.logins == 0)
    }

    @Test func manyCallsAtOnceOpenOneSessionAndTakeEachANumber() async throws {
        let caller = try caller()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { try await list(caller) } }
            try await group.waitForAll()
        }
        #expect(service.logins == 1 && service.operations.filter { $0 == .list }.count == 50)
        #expect(await caller.session?.nextSequence == 51)
    }

    @Test func whoWaitsForAFailingOpeningFailsWithItInsteadOfTryingToo() async throws {
        let (asked, gate) = (Gate(), Gate())
        let tries = NIOLockedValueBox(0)
        service.before { (operation, _) throws(SOAPClientError) in
            guard operation == .issueToken else { return nil }
            tries.withLockedValue { $0 += 1 }
            asked.open()
            await gate.pass()
            throw SOAPClientError(.connectFailed, "refused")
        }
        let caller = try caller()
        await withTaskGroup(of: SOAPClientError?.self) { group in
            group.addTask { await failure(caller) }
            await asked.pass()
            // These find the opening under way.
            for _ in 0..<5 { group.addTask(priority: .high) { await failure(caller) } }
            for _ in 0..<200 { await Task.yield() }
            gate.open()
            for await error in group { #expect(error?.code == .connectFailed) }
        }
        #expect(tries.withLockedValue { $0 } <= 2)
    }

    @Test func continuesASessionOfAnEarlierRun() async throws {
        let first = try caller()
        try await list(first)
        let kept = await first.session
        try await list(try caller(session: kept))
        #expect(service.logins == 1)
    }

    // MARK: Repairs

    @Test func aLostSessionIsOpenedAnew() async throws {
        let caller = try caller()
        try await list(caller)
        service.forgetSessions()
        try await list(caller)
        #expect(service.logins == 2)
    }

    @Test func manyCallsThatFindTheSessionLostOpenOneNewSession() async throws {
        let caller = try caller()
        try await list(caller)
        service.forgetSessions()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { try await list(caller) } }
            try await group.waitForAll()
        }
        #expect(service.logins == 2)
    }

    @Test(arguments: [-7200.0, 7200])
    func aWrongClockIsCorrectedByTheServers(offset: TimeInterval) async throws {
        service.setOffset(offset)
        let caller = try caller()
        try await list(caller)
        #expect(abs(await caller.serverTime.timeIntervalSince(clock.now) - offset) < 1)
        try await list(caller)
        #expect(service.logins == 1)
    }

    @Test func aClockThatJumpsDuringASessionIsCorrectedToo() async throws {
        let caller = try caller()
        try await list(caller)
        service.setOffset(1000)
        try await list(caller)
        #expect(service.logins == 1)
    }

    @Test func numbersThatTheServerHasSeenAreSkipped() async throws {
        let first = try caller()
        try await list(first)
        let kept = await first.session
        for _ in 0..<2000 { try await list(first) }
        // An old copy of the session file: its numbers have been used.
        try await list(try caller(session: kept))
        #expect(service.logins == 1)
    }

    @Test func theCertificateGoesAlongOnlyUntilItIsKnown() async throws {
        let caller = try peerCaller()
        try await list(caller, operation: .deliver)
        service.forgetSessions()
        try await list(caller, operation: .deliver)
        #expect(service.logins == 2)
        service.forgetSessions()
        service.forgetCertificates()
        try await list(caller, operation: .deliver)
        #expect(service.logins == 3)
    }

    @Test func renewsBeforeTheSessionEnds() async throws {
        service.setLifetime(1000)
        let caller = try caller()
        try await list(caller)
        let first = await caller.session?.id
        clock.advance(by: 850)
        try await list(caller)
        #expect(await caller.session?.id != first)
        #expect(service.logins == 1 && service.operations == [.issueToken, .list, .renewToken, .list])
        #expect(service.sessionCount == 1)
    }

    @Test func aFailedRenewalDoesNotFailTheCall() async throws {
        service.setLifetime(1000)
        let caller = try caller()
        try await list(caller)
        service.before { (operation, _) throws(SOAPClientError) in
            if operation == .renewToken { throw SOAPClientError(.connectionLost, "gone") }
            return nil
        }
        clock.advance(by: 850)
        for _ in 0..<3 { try await list(caller) }
        #expect(service.operations.filter { $0 == .list }.count == 4 && service.logins == 1)
    }

    @Test func anEndedSessionIsReplaced() async throws {
        service.setLifetime(1000)
        let caller = try caller()
        try await list(caller)
        clock.advance(by: 2000)
        try await list(caller)
        #expect(service.logins == 2)
    }

    @Test func eachRepairIsMadeOnce() async throws {
        let caller = try caller()
        try await list(caller)
        service.before { [service] (operation, _) throws(SOAPClientError) in
            if operation == .list { service.forgetSessions() }
            return nil
        }
        let error = await failure(caller)
        #expect(error?.fault?.subcode == .unknownSession && service.logins == 2)
    }

    @Test func whatMayNotBeRepeatedIsReportedAsUnknown() async throws {
        let caller = try caller()
        try await list(caller)
        let kept = await caller.session
        try await list(caller)
        service.markResent(true)
        let stale = try self.caller(session: kept)
        #expect(await failure(stale, CallOptions(isRepeatable: false))?.code == .outcomeUnknown)
        #expect(await failure(try self.caller(session: kept)) == nil)
    }

    // MARK: What is not believed

    @Test func repliesOfAnotherDomainAreNotBelieved() async throws {
        let impostor = TestService(identity, signer: peer.signing, clock: { [clock] in clock.now })
        impostor.addUser(alice, password: "correct horse")
        let error = await failure(try caller(service: impostor))
        #expect(error?.kind == .untrusted && error?.fault == nil)
    }

    @Test func aTLSCertificateDoesNotSignReplies() async throws {
        let impostor = TestService(identity, signer: identity.tls, clock: { [clock] in clock.now })
        impostor.addUser(alice, password: "correct horse")
        #expect(await failure(try caller(service: impostor))?.kind == .untrusted)
    }

    @Test func alteredRepliesAreNotBelieved() async throws {
        let caller = try caller()
        try await list(caller)
        service.after { operation, bytes in
            guard operation == .list else { return bytes }
            let text = String(decoding: bytes, as: UTF8.self)
            return Array(text.replacingOccurrences(of: "ListResponse", with: "SendResponse").utf8)
        }
        #expect(await failure(caller)?.kind == .untrusted)
    }

    @Test func theReplyToAnotherCallIsNotBelieved() async throws {
        let caller = try caller()
        let kept = NIOLockedValueBox<[UInt8]>([])
        service.after { operation, bytes in
            if operation == .list { kept.withLockedValue { $0 = bytes } }
            return bytes
        }
        try await list(caller)
        service.after { operation, bytes in operation == .list ? kept.withLockedValue { $0 } : bytes }
        #expect(await failure(caller)?.kind == .untrusted)
    }

    @Test func anUnsignedFaultIsShownButNotActedOn() async throws {
        let caller = try caller()
        try await list(caller)
        let fault = """
            <s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>\
            <s:Subcode><s:Value xmlns:w="urn:wsemail:2">w:UnknownSession</s:Value></s:Subcode></s:Code><s:Reason>\
            <s:Text xml:lang="en">gone</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>
            """
        service.after { operation, bytes in operation == .list ? Array(fault.utf8) : bytes }
        let error = await failure(caller)
        #expect(error?.kind == .untrusted && service.logins == 1)
    }

    @Test(arguments: [(502, SOAPClientError.Code.httpStatus), (200, .malformedReply), (302, .httpStatus)])
    func answersThatAreNotSOAP(status: Int, code: SOAPClientError.Code) async throws {
        let caller = try caller()
        try await list(caller)
        service.before { _, _ in HTTPReply(status: status, headers: [HTTPField("Content-Type", "text/html")], body: [60]) }
        let error = await failure(caller)
        #expect(error?.code == code && error?.isTransient == true)
    }

    // MARK: Closing

    @Test func closingCancelsTheSessionAtTheServer() async throws {
        let caller = try caller()
        try await list(caller)
        await caller.close()
        #expect(service.operations.last == .cancelToken && service.sessionCount == 0)
        #expect(await failure(caller)?.code == .closed)
    }

    @Test func closingWhileOpeningLetsNobodyWait() async throws {
        let (asked, gate) = (Gate(), Gate())
        service.before { (operation, _) throws(SOAPClientError) in
            guard operation == .issueToken else { return nil }
            asked.open()
            await gate.pass()
            return nil
        }
        let caller = try caller()
        await withTaskGroup(of: SOAPClientError?.self) { group in
            for _ in 0..<3 { group.addTask { await failure(caller) } }
            await asked.pass()
            await caller.close()
            gate.open()
            for await error in group { #expect(error?.code == .closed) }
        }
    }
}
