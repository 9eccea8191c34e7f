import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing

@testable import MailClient

@Suite struct OutboxTests {
    private let home: TestDomain
    private let place: TemporaryFolder
    private let outbox = "accounts/alice@capicom.test/outbox"
    private let refused = "accounts/alice@capicom.test/refused"

    init() throws {
        home = try TestDomain("capicom.test")
        place = try TemporaryFolder()
    }

    private func draft() throws -> Draft {
        Draft(
            to: [Mailbox(try Address("bob@scopio.test"))], bcc: [try Address("carol@scopio.test")], subject: "Lunch?",
            text: "At one.")
    }

    private enum Lost: Error { case reply }

    /// Answers Send by `answer`, which says whose receipt over what.
    private func server(
        _ answer: @escaping @Sendable (SendOperation.Request) throws -> [UInt8]
    ) -> FakeServer {
        let home = home
        return FakeServer { _, request in
            if let asked = request as? MetadataOperation.Request {
                #expect(asked.domain == home.domain)
                return MetadataOperation.Response(metadata: try home.metadata(), anchors: [])
            }
            let request = try #require(request as? SendOperation.Request)
            return SendOperation.Response(receipt: try answer(request))
        }
    }

    private func good(_ request: SendOperation.Request) throws -> [UInt8] {
        let all = request.message.message.to.map(\.address) + request.bcc
        return try home.receipt(request.message, for: home.domain, postmark: nil, all, .accepted)
    }

    @Test func theEntryGoesWithTheVerifiedReceipt() async throws {
        let fixture = self
        let client = try place.client("alice@capicom.test", home, server: server { try fixture.good($0) })
        let sent = try await client.send(try draft())
        #expect(sent.receipt.receipt.recipients.count == 2)
        #expect(try client.waiting().isEmpty)
        #expect(place.names(outbox).isEmpty)
    }

    @Test func theEntryIsDurableBeforeAnythingIsSent() async throws {
        let (fixture, place, outbox) = (self, place, outbox)
        let client = try place.client(
            "alice@capicom.test", home,
            server: server { request in
                #expect(place.names(outbox).count == 1)
                return try fixture.good(request)
            })
        _ = try await client.send(try draft())
    }

    @Test func afterALostReplyTheSameOctetsAreSentAgain() async throws {
        let fixture = self
        let attempts = Mutex(0)
        let server = server { request in
            let attempt = attempts.withLock {
                $0 += 1; return $0
            }
            guard attempt > 1 else { throw Lost.reply }
            return try fixture.good(request)
        }
        let client = try place.client("alice@capicom.test", home, server: server)
        let error = await expect(.internal) { try await client.send(fixture.draft()) }
        #expect(error?.isTransient == true)
        #expect(error?.advice?.contains("sent again") == true)
        #expect(try client.waiting().count == 1)
        let report = try await client.retryOutbox()
        #expect(report.sent.count == 1 && report.waiting.isEmpty)
        let requests = server.requests(SendOperation.Request.self)
        #expect(requests.count == 2)
        #expect(requests[0].message.octets == requests[1].message.octets)
        #expect(requests[0].message.message.id == requests[1].message.message.id)
        #expect(requests[0].bcc == requests[1].bcc)
        #expect(try client.waiting().isEmpty)
    }

    @Test func aFinalRefusalPutsTheMessageAside() async throws {
        let fixture = self
        let client = try place.client(
            "alice@capicom.test", home,
            server: server { _ in
                throw SOAPFault(.unknownRecipient, "bob@scopio.test: there is no such mailbox")
            })
        let error = await expect(.refused) { try await client.send(fixture.draft()) }
        #expect(error?.fault == "UnknownRecipient")
        #expect(error?.advice?.contains(refused) == true)
        #expect(try client.waiting().isEmpty)
        #expect(place.names(refused).count == 1)
        #expect(place.mode(refused) == 0o700)
        #expect(place.mode(refused + "/" + place.names(refused)[0]) == 0o600)
    }

    @Test func aPassingRefusalKeepsIt() async throws {
        let fixture = self
        let client = try place.client("alice@capicom.test", home, server: server { _ in throw SOAPFault(.busy, "later") })
        let error = await expect(.refused) { try await client.send(fixture.draft()) }
        #expect(error?.isTransient == true)
        #expect(try client.waiting().count == 1)
    }

    @Test func theRetryStopsAtTheFirstSignOfNoServer() async throws {
        let fixture = self
        let server = server { _ in throw MailClientError(.unreachable, "no route", isTransient: true) }
        let client = try place.client("alice@capicom.test", home, server: server)
        for _ in 0..<3 { await expect(.unreachable) { try await client.send(fixture.draft()) } }
        let before = server.calls.count
        let report = try await client.retryOutbox()
        #expect(server.calls.count == before + 1)
        #expect(report.waiting.count == 3 && report.error?.code == .unreachable)
    }

    @Test(arguments: ["another message", "another domain", "a stranger's key", "a recipient missing", "a Postmark's"])
    func aReceiptThatDoesNotCountKeepsTheEntry(_ flaw: String) async throws {
        let (fixture, home) = (self, home)
        let evil = try TestDomain("capicom.test")
        let other = try TestDomain("scopio.test")
        let client = try place.client(
            "alice@capicom.test", home,
            server: server { request in
                let all = request.message.message.to.map(\.address) + request.bcc
                switch flaw {
                case "another message": return try home.receipt(letter(), for: home.domain, postmark: nil, all, .accepted)
                case "another domain":
                    return try other.receipt(request.message, for: home.domain, postmark: nil, all, .accepted)
                case "a stranger's key":
                    return try evil.receipt(request.message, for: home.domain, postmark: nil, all, .accepted)
                case "a recipient missing":
                    return try home.receipt(request.message, for: home.domain, postmark: nil, [all[0]], .accepted)
                default:
                    let postmark = try home.postmark(request.message, to: [all[0]])
                    return try home.receipt(request.message, for: home.domain, postmark: postmark, all, .accepted)
                }
            })
        await expect(.unacknowledged) { try await client.send(fixture.draft()) }
        #expect(try client.waiting().count == 1)
    }

    @Test func aDamagedEntryDoesNotStandInTheWay() async throws {
        let fixture = self
        let client = try place.client("alice@capicom.test", home, server: server { try fixture.good($0) })
        try client.outbox.add(OutboxEntry(message: try letter(), bcc: [], created: now))
        try PrivateFile.write("{", to: place.path + "/" + outbox + "/00000000-0000-0000-0000-000000000000.json")
        #expect(try client.waiting().count == 1)
        let report = try await client.retryOutbox()
        #expect(report.sent.count == 1 && report.damaged.count == 1)
        #expect(report.damaged[0].path.hasSuffix(outbox + "/00000000-0000-0000-0000-000000000000.json.damaged"))
        #expect(place.names(outbox) == ["00000000-0000-0000-0000-000000000000.json.damaged"])
        #expect(try await client.retryOutbox().isEmpty)
        let address = client.account.address
        #expect(try ClientFolder(path: place.path).unsentMessages(address) == (0, 1))
    }

    @Test func aDraftNeedsARecipientAndAPlainSubject() async throws {
        let client = try place.client("alice@capicom.test", home, server: FakeServer.directory())
        var draft = try draft()
        draft.subject = "a\nb"
        await expect(.invalidInput) { [draft] in try await client.send(draft) }
        await expect(.invalidInput) { try await client.send(Draft(to: [], subject: "", text: "")) }
        #expect(place.names(outbox).isEmpty)
    }

    @Test func signingNeedsAKey() async throws {
        let client = try place.client("alice@capicom.test", home, server: FakeServer.directory())
        var draft = try draft()
        draft.isSigned = true
        await expect(.keyRefused) { [draft] in try await client.send(draft) }
    }

    // MARK: Limits

    /// capicom.test's metadata says 1 MiB and 100 recipients (``TestDomain/metadata(version:issued:servers:revoked:)``).
    @Test func whatIsTooLongIsNotQueued() async throws {
        let fixture = self
        let server = server { try fixture.good($0) }
        let client = try place.client("alice@capicom.test", home, server: server)
        var draft = try draft()
        draft.text = String(repeating: "x", count: 1 << 20)
        let error = await expect(.invalidInput) { [draft] in try await client.send(draft) }
        #expect(error?.reason == "the message is too long, at most 1 MB; nothing was sent")
        #expect(place.names(outbox).isEmpty && place.names(refused).isEmpty)
        #expect(!server.calls.contains(.send))
        draft.text = "At one."
        draft.bcc = try (0..<100).map { try Address("b\($0)@scopio.test") }
        let many = await expect(.invalidInput) { [draft] in try await client.send(draft) }
        #expect(many?.reason == "101 recipients are too many, at most 100; nothing was sent")
        #expect(place.names(outbox).isEmpty)
    }

    @Test func withoutADomainsWordTheStandardHolds() async throws {
        let server = FakeServer { _, _ in throw MailClientError(.unreachable, "no route", isTransient: true) }
        let client = try place.client("alice@capicom.test", home, server: server)
        var draft = try draft()
        draft.text = String(repeating: "x", count: 17_000_000)
        let error = await expect(.invalidInput) { [draft] in try await client.send(draft) }
        #expect(error?.reason.contains("at most 16 MB") == true)
        #expect(place.names(outbox).isEmpty)
    }

    @Test func statusCode413IsFinal() async throws {
        let fixture = self
        let error = MailClientError(SOAPClientError(.httpStatus, "HTTP status 413"))
        #expect(error.code == .refused && error.fault == "TooLarge" && !error.isTransient)
        let client = try place.client("alice@capicom.test", home, server: server { _ in throw error })
        await expect(.refused) { try await client.send(fixture.draft()) }
        #expect(try client.waiting().isEmpty)
        #expect(place.names(refused).count == 1)
    }

    // MARK: Commands side by side

    @Test func anEntryThatIsBeingSentIsLeftAlone() async throws {
        let (fixture, place, home) = (self, place, home)
        let other = try place.client("alice@capicom.test", home, server: server { try fixture.good($0) })
        let client = try place.client(
            "alice@capicom.test", home,
            server: server { request in
                #expect(try other.waiting().count == 1)
                #expect(try other.outbox.claim(request.message.message.id) == nil)
                return try fixture.good(request)
            })
        _ = try await client.send(try draft())
        // Another is under way, and its command does not answer.
        let lock = try client.outbox.add(OutboxEntry(message: try letter(), bcc: [], created: now))
        #expect(try await other.retryOutbox().isEmpty)
        lock.release()
        #expect(try await other.retryOutbox().sent.count == 1)
        #expect(try await other.retryOutbox().isEmpty)
    }
}
