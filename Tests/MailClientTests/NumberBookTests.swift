import Foundation
import Identity
import MailModel
import SOAP
import Testing

@testable import MailClient

@Suite struct NumberBookTests {
    private let home: TestDomain
    private let place: TemporaryFolder

    init() throws {
        home = try TestDomain("capicom.test")
        place = try TemporaryFolder()
    }

    private func header(_ uid: UInt64, _ id: MessageID = .random()) throws -> MessageHeader {
        MessageHeader(
            uid: uid, id: id, from: try Address("bob@scopio.test"), name: nil, to: [], subject: "s", date: now, size: 1,
            flags: [])
    }

    @Test(arguments: [("12", 12 as UInt64), ("#12", 12), ("1", 1)])
    func readsNumbers(text: String, number: UInt64) throws {
        #expect(try NumberBook.Reference(text) == .number(number))
    }

    @Test func readsIds() throws {
        let id = MessageID.random()
        #expect(try NumberBook.Reference(id.urn) == .id(id))
        #expect(try NumberBook.Reference(String(id.urn.dropFirst("urn:uuid:".count))) == .id(id))
    }

    @Test(arguments: ["", "0", "-1", "+1", "1.5", "99999999999999999999", "urn:uuid:x", "latest"])
    func refusesTheRest(_ text: String) async {
        await expect(.invalidInput) { try NumberBook.Reference(text) }
    }

    @Test func aListedNumberNeedsNoCall() async throws {
        let listed = try header(41)
        let server = FakeServer { _, _ in ListOperation.Response(headers: [listed], cursor: 41, more: false) }
        let client = try place.client("alice@capicom.test", home, server: server)
        _ = try await client.list()
        #expect(try await client.resolve(.number(41)) == MessageLocation(listed.id, in: "Inbox", uid: 41))
        // Also for the next command.
        let next = try place.client("alice@capicom.test", home, server: FakeServer.directory())
        #expect(try await next.resolve(.number(41)).id == listed.id)
        #expect(server.calls == [.list])
        #expect(place.mode("accounts/alice@capicom.test/numbers.json") == 0o600)
    }

    @Test func anotherNumberIsLookedUpInBothFolders() async throws {
        let wanted = try header(7)
        let other = try header(5)
        let server = FakeServer { _, request in
            let request = try #require(request as? ListOperation.Request)
            #expect(request.before == 8 && request.limit == 1)
            return ListOperation.Response(headers: [request.folder == "Sent" ? wanted : other], cursor: 9, more: true)
        }
        let client = try place.client("alice@capicom.test", home, server: server)
        #expect(try await client.resolve(.number(7)) == MessageLocation(wanted.id, in: "Sent", uid: 7))
        #expect(server.requests(ListOperation.Request.self).map(\.folder) == ["Inbox", "Sent"])
    }

    @Test func aNumberThatIsNowhereIsSaidSo() async throws {
        let server = FakeServer { _, _ in ListOperation.Response(headers: [], cursor: 0, more: false) }
        let client = try place.client("alice@capicom.test", home, server: server)
        await expect(.noSuchMessage) { try await client.resolve(.number(3)) }
    }

    @Test func forgetsTheOldestBeyondItsCapacity() throws {
        let client = try place.client("alice@capicom.test", home, server: FakeServer.directory())
        let id = MessageID.random()
        try client.numbers.remember((1...UInt64(NumberBook.capacity) + 1).map { ($0, MessageLocation(id)) })
        #expect(try client.numbers.location(of: 1) == nil)
        #expect(try client.numbers.location(of: 2)?.id == id)
    }

    @Test func aBookThatKnewNoFoldersIsForgotten() async throws {
        let client = try place.client("alice@capicom.test", home, server: FakeServer.directory())
        try StoredJSON.write([41 as UInt64: MessageID.random()], to: place.path + "/accounts/alice@capicom.test/numbers.json")
        #expect(try client.numbers.location(of: 41) == nil)
    }

    /// A mail to oneself is one message in two folders: the number says which copy is meant.
    @Test func theCopiesOfAMailToOneselfAreToldApart() async throws {
        let id = MessageID.random()
        let (received, sent) = (try header(1, id), try header(2, id))
        let server = FakeServer { _, request in
            switch request {
            case let request as ListOperation.Request:
                return ListOperation.Response(headers: [request.folder == "Sent" ? sent : received], cursor: 2, more: false)
            case is MarkOperation.Request: return MarkOperation.Response(count: 1)
            default: return DeleteOperation.Response(count: 1)
            }
        }
        let client = try place.client("alice@capicom.test", home, server: server)
        _ = try await client.list(folder: "inbox")
        _ = try await client.list(folder: "SENT")
        let (first, second) = (try await client.resolve(.number(1)), try await client.resolve(.number(2)))
        #expect(try await client.delete([second]) == 1)
        #expect(try await client.mark([first, second], add: ["seen"]) == 1)
        #expect(server.requests(DeleteOperation.Request.self).map(\.entries) == [EntrySelection(uids: [2])])
        #expect(server.requests(MarkOperation.Request.self).map(\.entries) == [EntrySelection(uids: [1, 2])])
        await expect(.internal) { try await client.retrieve(second) }
        #expect(server.requests(RetrieveOperation.Request.self).map(\.folder) == ["Sent"])
        #expect(server.requests(RetrieveOperation.Request.self).map(\.uid) == [2])
        _ = try await client.delete([try await client.resolve(.id(id)), MessageLocation(id, in: "Sent")])
        #expect(
            server.requests(DeleteOperation.Request.self).suffix(2).map(\.entries)
                == [EntrySelection(ids: [id]), EntrySelection(ids: [id], folder: "Sent")])
    }

    @Test func theStatusOfAReceivedMessageIsExplained() async throws {
        let listed = try header(5)
        let server = FakeServer { _, request in
            guard request is ListOperation.Request else { throw SOAPFault(.unknownMessage, "you have sent no such message") }
            return ListOperation.Response(headers: [listed], cursor: 5, more: false)
        }
        let client = try place.client("alice@capicom.test", home, server: server)
        _ = try await client.list()
        let error = await expect(.invalidInput) { try await client.status(of: .number(5)) }
        #expect(error?.reason == "5 is a message you received; status is for messages you sent")
        await expect(.noSuchMessage) { try await client.status(of: .id(.random())) }
    }
}
