import Foundation
import Identity
import NIOConcurrencyHelpers
import SOAP
import SOAPClient
import TestSupport
import Testing
import WSSecurity
import XMLCore

/// dave@scopio.test calls capicom.test, where he has no account.
@Suite struct FederatedCallerTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
    private static let metadata = Array("<DomainMetadata xmlns=\"urn:wsemail:2\"></DomainMetadata>".utf8)

    private let capicom: TestIdentity
    private let scopio: TestIdentity
    /// Only its key is used: the one Dave made for his assertions.
    private let holder: TestIdentity
    private let service: TestService
    private let dave: Address

    init() throws {
        capicom = try TestIdentity("capicom.test", now: Self.now)
        scopio = try TestIdentity("scopio.test", now: Self.now)
        holder = try TestIdentity("holder.test", now: Self.now)
        service = TestService(capicom, clock: { Self.now })
        service.recognise(scopio.signing.certificate)
        dave = try Address("dave@scopio.test")
    }

    private func credential(bearer: Bool = false, metadata: [UInt8]? = nil) throws -> FederatedCaller.Credential {
        let confirmation: Assertion.Confirmation =
            bearer ? .bearer : .holderOfKey(try ConfirmationKey(holder.signing.key.publicKey))
        let assertion = try Assertion(
            subject: dave, audience: capicom.domain, confirmation: confirmation, method: .password, authnInstant: Self.now,
            now: Self.now)
        return FederatedCaller.Credential(
            assertion: try assertion.signed(by: scopio.signing.key, certificate: scopio.signing.certificate),
            key: bearer ? nil : holder.signing.key, metadata: metadata)
    }

    private func caller(_ transport: (any HTTPTransport)? = nil, trust: TestIdentity? = nil) throws -> FederatedCaller {
        FederatedCaller(
            domain: capicom.domain, transport: transport ?? service, trust: AnchoredReplyTrust(try (trust ?? capicom).trust()),
            clock: { Self.now })
    }

    @discardableResult
    private func fetch(
        _ caller: FederatedCaller, _ credential: FederatedCaller.Credential, operation: MailOperation = .extension
    ) async throws(SOAPClientError) -> VerifiedReply {
        try await caller.call(operation, as: credential, at: TestService.destination) { writer in
            writer.start(Tags.w(operation.payloadName.localName))
            _ = writer.end()
        }
    }

    private func failure(_ caller: FederatedCaller, _ credential: FederatedCaller.Credential) async -> SOAPClientError? {
        do throws(SOAPClientError) {
            try await fetch(caller, credential)
            return nil
        } catch {
            return error
        }
    }

    @Test func aVerifiedReplyOfTheDomainCalled() async throws {
        let caller = try caller()
        let credential = try credential(metadata: Self.metadata)
        for _ in 0..<2 {
            let reply = try await fetch(caller, credential)
            #expect(reply.payload.isNamed(MailOperation.extension.replyName))
            #expect(reply.certificate == capicom.signing.certificate)
        }
        #expect(service.stapled == Self.metadata && service.logins == 0 && service.sessionCount == 0)
    }

    @Test func aBearerAssertionCountsOnce() async throws {
        let (caller, credential) = (try caller(), try credential(bearer: true))
        try await fetch(caller, credential)
        #expect(await failure(caller, credential)?.fault?.subcode == .replay)
    }

    @Test func challengesAreForAnybody() async throws {
        let caller = try caller()
        let first = try await caller.challenge(at: TestService.destination)
        let second = try await caller.challenge(at: TestService.destination)
        #expect(first != second && first.count >= 16)
    }

    @Test(arguments: [true, false])
    func aClockThatDiffersIsRepairedOnce(bearer: Bool) async throws {
        // More than a Timestamp may be off; the assertion's issuer has the same time as the server, give or take.
        let late = FederatedCaller(
            domain: capicom.domain, transport: service, trust: AnchoredReplyTrust(try capicom.trust()),
            clock: { Self.now + 400 })
        try await fetch(late, try credential(bearer: bearer))
        // From then on it is known.
        let calls = NIOLockedValueBox(0)
        service.before { (_, _) throws(SOAPClientError) in
            calls.withLockedValue { $0 += 1 }
            return nil
        }
        try await fetch(late, try credential(bearer: bearer))
        #expect(calls.withLockedValue { $0 } == 1)
    }

    @Test func aServerThatKeepsComplainingIsNotAskedForever() async throws {
        let calls = NIOLockedValueBox(0)
        let caller = try caller()
        service.before { [service] (_, _) throws(SOAPClientError) in
            // The clock runs away after each answer.
            calls.withLockedValue { $0 += 1 }
            service.setOffset(TimeInterval(calls.withLockedValue { $0 }) * 1000)
            return nil
        }
        #expect(await failure(caller, try credential())?.fault?.subcode == .staleTimestamp)
        #expect(calls.withLockedValue { $0 } == 2)
    }

    @Test func refusalsAreTheServersWord() async throws {
        let stranger = TestService(capicom, clock: { Self.now })
        let error = await failure(try caller(stranger), try credential())
        #expect(error?.fault?.subcode == .untrustedIssuer && error?.isTransient == false)
        let closed = await #expect(throws: SOAPClientError.self) {
            try await fetch(try caller(), try credential(), operation: .list)
        }
        #expect(closed?.fault?.subcode == .forbidden)
    }

    @Test func aReplyOfAnotherDomainIsNotBelieved() async throws {
        let error = await failure(try caller(trust: scopio), try credential())
        #expect(error?.code == .untrustedReply)
    }

    @Test func anAssertionWithoutItsKeyIsNotSent() async throws {
        var credential = try credential()
        credential.key = nil
        #expect(await failure(try caller(), credential)?.code == .invalidRequest)
        #expect(service.operations.isEmpty)
    }

    @Test func aBearerAssertionIsNotCompressed() async throws {
        let spy = Spy(service)
        let spied = try caller(spy)
        try await fetch(spied, try credential(bearer: true))
        try await fetch(spied, try credential())
        #expect(spy.compressed == [false, true])
    }
}

/// Notes which SOAP calls may be compressed.
private final class Spy: HTTPTransport {
    private let service: TestService
    private let box = NIOLockedValueBox<[Bool]>([])

    init(_ service: TestService) { self.service = service }

    var compressed: [Bool] { box.withLockedValue { $0 } }
    var traffic: ByteTraffic { service.traffic }

    func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        if call.method == .post { box.withLockedValue { $0.append(call.mayCompress) } }
        return try await service.send(call)
    }
}
