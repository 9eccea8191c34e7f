import Foundation
import Identity
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SOAP
import TestSupport
import Testing

@testable import SOAPClient

/// The transport against real TLS servers.
@Suite(.timeLimit(.minutes(1))) struct TLSTransportTests {
    let scopio: TestIdentity
    let transport: TLSTransport

    init() throws {
        scopio = try TestIdentity("scopio.test", hosts: ["mail.scopio.test"])
        var configuration = TransportConfiguration()
        configuration.connectTimeout = .seconds(5)
        configuration.maxConnectionsPerDestination = 2
        transport = TLSTransport(configuration: configuration)
    }

    func server(_ identity: TestIdentity? = nil, _ behaviour: @escaping TestTLSServer.Behaviour) async throws -> TestTLSServer {
        try await TestTLSServer.start(tls: try (identity ?? scopio).serverContext(), behaviour)
    }

    func destination(
        _ ports: Int..., name: String = "scopio.test", alternative: String? = nil, roots: [[UInt8]]? = nil
    ) -> HTTPDestination {
        HTTPDestination(
            name: name, endpoints: ports.map { .init(address: "127.0.0.1", port: $0, alternativeName: alternative) },
            roots: .certificates(roots ?? [scopio.authority.certificate.der]))
    }

    func failure(_ call: HTTPCall, _ transport: TLSTransport? = nil) async -> SOAPClientError? {
        do throws(SOAPClientError) {
            _ = try await (transport ?? self.transport).send(call)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Connections

    @Test func keepsItsConnections() async throws {
        let server = try await server { .reply(200, [], $0.body) }
        for text in ["one", "two", "three"] {
            let reply = try await transport.send(HTTPCall(to: destination(server.port), body: Array(text.utf8)))
            #expect(reply.status == 200 && reply.body == Array(text.utf8) && !reply.wasResent)
            #expect(reply.traffic.sent > text.utf8.count && reply.traffic.received > text.utf8.count)
        }
        #expect(server.connections == 1)
        #expect(server.requests.allSatisfy { $0.header("Host") == "scopio.test" && $0.path == "/wsemail" && $0.method == "POST" })
        #expect(transport.traffic.sent > 0)
        await server.stop()
    }

    @Test func doesNotReuseWhatTheServerWantsClosed() async throws {
        let server = try await server { _ in .reply(200, [("Connection", "close")]) }
        for _ in 0..<2 { _ = try await transport.send(HTTPCall(to: destination(server.port))) }
        #expect(server.connections == 2)
        await server.stop()
    }

    @Test func limitsConnectionsPerDestination() async throws {
        let gate = Gate()
        let server = try await server { _ in
            await gate.pass()
            return .reply()
        }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10 { group.addTask { try await transport.send(HTTPCall(to: destination(server.port))).status } }
            gate.open()
            for try await status in group { #expect(status == 200) }
        }
        #expect(server.connections <= 2 && server.requests.count == 10)
        await server.stop()
    }

    @Test func waitingForAConnectionCountsAgainstTheTimeout() async throws {
        let server = try await server { _ in .silence }
        let destination = destination(server.port)
        let errors = await withTaskGroup(of: SOAPClientError?.self) { group in
            for _ in 0..<4 { group.addTask { await failure(HTTPCall(to: destination, timeout: .milliseconds(300))) } }
            return await group.reduce(into: []) { $0.append($1?.code) }
        }
        #expect(errors == [.timeout, .timeout, .timeout, .timeout])
        await server.stop()
    }

    @Test func sendsAgainWhenAKeptConnectionHadClosed() async throws {
        let server = try await server { request in
            request.body == Array("second".utf8) && request.connection == 1 ? .hangUp : .reply(200, [], request.body)
        }
        _ = try await transport.send(HTTPCall(to: destination(server.port), body: Array("first".utf8)))
        let reply = try await transport.send(HTTPCall(to: destination(server.port), body: Array("second".utf8)))
        #expect(reply.wasResent && reply.body == Array("second".utf8) && server.connections == 2)
        await server.stop()
    }

    @Test func aConnectionMadeForThisRequestIsNotTriedTwice() async throws {
        let server = try await server { _ in .hangUp }
        #expect(await failure(HTTPCall(to: destination(server.port)))?.code == .connectionLost)
        #expect(server.requests.count == 1)
        await server.stop()
    }

    @Test func neverReusesAConnectionToAnAddressThatIsNoLongerNamed() async throws {
        let (one, two) = (try await server { _ in .reply() }, try await server { _ in .reply() })
        _ = try await transport.send(HTTPCall(to: destination(one.port)))
        _ = try await transport.send(HTTPCall(to: destination(two.port)))
        #expect(one.requests.count == 1 && two.requests.count == 1)
        await one.stop()
        await two.stop()
    }

    @Test func triesTheNextAddressWhenOneRefuses() async throws {
        let server = try await server { _ in .reply() }
        let closed = try TestDNS.freePort()
        #expect(try await transport.send(HTTPCall(to: destination(closed, server.port))).status == 200)
        await server.stop()
    }

    // MARK: Who is there

    @Test func refusesACertificateForAnotherNameBeforeSayingAnything() async throws {
        let server = try await server { _ in .reply() }
        let error = await failure(HTTPCall(to: destination(server.port, name: "capicom.test"), body: Array("secret".utf8)))
        #expect(error?.code == .tlsWrongName && error?.isTransient == true && error?.isConnectionFailure == true)
        #expect(server.requests.isEmpty)
        await server.stop()
    }

    @Test func theTargetsNameCountsOnlyWhereItIsGiven() async throws {
        // A server certificate for the host alone, by an authority that is trusted for the domain.
        let host = try TestIdentity("mail.scopio.test")
        let server = try await server(host) { _ in .reply() }
        let roots = [host.authority.certificate.der]
        #expect(await failure(HTTPCall(to: destination(server.port, roots: roots)))?.code == .tlsWrongName)
        let secure = destination(server.port, alternative: "mail.scopio.test", roots: roots)
        #expect(try await transport.send(HTTPCall(to: secure)).status == 200)
        // The connection proved by the target's name must not serve an answer that is no longer DNSSEC-secure.
        #expect(await failure(HTTPCall(to: destination(server.port, roots: roots)))?.code == .tlsWrongName)
        await server.stop()
    }

    @Test func refusesAChainToAnotherRoot() async throws {
        let server = try await server { _ in .reply() }
        let impostor = try TestIdentity("scopio.test")
        let error = await failure(HTTPCall(to: destination(server.port, roots: [impostor.authority.certificate.der])))
        #expect(error?.code == .tlsUntrusted)
        let system = HTTPDestination(
            name: "scopio.test", endpoints: [.init(address: "127.0.0.1", port: server.port)], roots: .system)
        #expect(await failure(HTTPCall(to: system))?.code == .tlsUntrusted)
        #expect(server.requests.isEmpty)
        await server.stop()
    }

    @Test func connectionsOfOneTrustDoNotServeAnother() async throws {
        let server = try await server { _ in .reply() }
        _ = try await transport.send(HTTPCall(to: destination(server.port)))
        let impostor = try TestIdentity("scopio.test")
        let error = await failure(HTTPCall(to: destination(server.port, roots: [impostor.authority.certificate.der])))
        #expect(error?.code == .tlsUntrusted)
        await server.stop()
    }

    @Test func expiredCertificatesAreRefused() async throws {
        let old = try TestIdentity("scopio.test", now: Date().addingTimeInterval(-10 * 365 * 86_400))
        let server = try await server(old) { _ in .reply() }
        #expect(await failure(HTTPCall(to: destination(server.port, roots: [old.authority.certificate.der])))?.code == .tlsUntrusted)
        await server.stop()
    }

    @Test func destinationsWithoutRootsOrLiteralsAreRefused() async throws {
        #expect(await failure(HTTPCall(to: destination(1, roots: [])))?.code == .invalidDestination)
        #expect(await failure(HTTPCall(to: destination(1, roots: [[1, 2, 3]])))?.code == .invalidDestination)
        #expect(await failure(HTTPCall(to: destination()))?.code == .invalidDestination)
        let named = HTTPDestination(
            name: "scopio.test", endpoints: [.init(address: "localhost", port: 1)],
            roots: .certificates([scopio.authority.certificate.der]))
        #expect(await failure(HTTPCall(to: named))?.code == .invalidDestination)
    }

    @Test(arguments: [
        ("scopio.test", "scopio.test", true), ("SCOPIO.test.", "scopio.test", true), ("*.scopio.test", "mail.scopio.test", true),
        ("*.scopio.test", "scopio.test", false), ("*.scopio.test", "a.b.scopio.test", false), ("*.test", "scopio.test", false),
        ("m*.scopio.test", "mail.scopio.test", false), ("*", "scopio.test", false), ("", "", false),
        ("evilscopio.test", "scopio.test", false), ("*.*.test", "a.b.test", false),
    ])
    func matchesNames(presented: String, reference: String, isMatch: Bool) {
        #expect(ServerName.matches(presented, reference) == isMatch)
    }

    // MARK: Failures

    @Test func refusedConnectionsFail() async throws {
        let port = try TestDNS.freePort()
        let error = await failure(HTTPCall(to: destination(port)))
        #expect(error?.code == .connectFailed && error?.isConnectionFailure == true)
        #expect(error?.reason == "cannot connect to 127.0.0.1:\(port): connection refused")
    }

    @Test func aServerThatNeverShakesHandsTimesOut() async throws {
        let mute = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        var configuration = TransportConfiguration()
        configuration.connectTimeout = .milliseconds(200)
        let error = await failure(
            HTTPCall(to: destination(mute.localAddress?.port ?? 0)), TLSTransport(configuration: configuration))
        #expect(error?.code == .connectTimeout)
        try await mute.close()
    }

    @Test func aServerThatNeverAnswersTimesOut() async throws {
        let server = try await server { _ in .silence }
        let error = await failure(HTTPCall(to: destination(server.port), timeout: .milliseconds(200)))
        #expect(error?.code == .timeout && error?.isTransient == true)
        await server.stop()
    }

    @Test func repliesCutShortAreNotTakenForComplete() async throws {
        let server = try await server { _ in .truncated(announced: 100, Array("half".utf8)) }
        #expect(await failure(HTTPCall(to: destination(server.port)))?.code == .connectionLost)
        #expect(server.requests.count == 1)
        await server.stop()
    }

    @Test(arguments: [(1000, true), (1001, false)])
    func limitsReplies(length: Int, isAccepted: Bool) async throws {
        let server = try await server { _ in .reply(200, [], [UInt8](repeating: 97, count: length)) }
        let error = await failure(HTTPCall(to: destination(server.port), maxReplyBytes: 1000))
        #expect(error?.code == (isAccepted ? nil : .replyTooLarge))
        await server.stop()
    }

    @Test func cancellationEndsACallAndFreesItsPlace() async throws {
        let asked = Gate()
        let server = try await server { request in
            guard request.body.isEmpty else { return .reply() }
            asked.open()
            return .silence
        }
        let destination = destination(server.port)
        await withTaskGroup(of: SOAPClientError?.self) { group in
            group.addTask { await failure(HTTPCall(to: destination)) }
            await asked.pass()
            group.cancelAll()
            for await error in group { #expect(error?.code == .cancelled) }
        }
        for _ in 0..<3 { #expect(await failure(HTTPCall(to: destination, body: [1])) == nil) }
        await server.stop()
    }

    @Test func shutdownFinishesRunningCallsAndRefusesNewOnes() async throws {
        let (asked, gate) = (Gate(), Gate())
        let server = try await server { _ in
            asked.open()
            await gate.pass()
            return .reply(200, [], [7])
        }
        let destination = destination(server.port)
        async let running = transport.send(HTTPCall(to: destination))
        await asked.pass()
        async let ended: Void = transport.shutDown(within: .seconds(30))
        while await failure(HTTPCall(to: destination, timeout: .milliseconds(50)))?.code != .closed {}
        gate.open()
        #expect(try await running.body == [7])
        await ended
        #expect(transport.connectionCount(to: destination) == 0)
        await server.stop()
    }

    @Test func shutdownDoesNotWaitForever() async throws {
        let asked = Gate()
        let server = try await server { _ in
            asked.open()
            return .silence
        }
        let destination = destination(server.port)
        async let running = failure(HTTPCall(to: destination))
        await asked.pass()
        await transport.shutDown(within: .milliseconds(50))
        #expect(await running?.code == .connectionLost)
        await server.stop()
    }
}
