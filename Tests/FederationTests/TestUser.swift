import Foundation
import Identity
import MailModel
import NIOPosix
import SOAP
import SOAPClient
import WSSecurity
import XMLCore

/// A user who calls the service by the protocol itself, over TLS.
struct TestUser: Sendable {
    let address: Address
    let caller: SecureCaller
    let destination: HTTPDestination
    let transport: TLSTransport

    init(_ name: String, of domain: TestDomain, credentials: CallerCredentials? = nil) throws {
        address = try domain.address(name)
        transport = TLSTransport()
        caller = SecureCaller(
            domain: domain.domain, credentials: credentials ?? .password(address, TestDomain.password), transport: transport,
            trust: AnchoredReplyTrust(
                TrustStore([try TrustAnchor(domain.root, scope: .domain(domain.domain))])), clock: { Date() })
        destination = HTTPDestination(
            name: domain.domain.ascii, endpoints: [.init(address: "127.0.0.1", port: domain.port)],
            roots: .certificates([domain.root.der]))
    }

    func call<Codec: OperationCodec>(_ codec: Codec.Type, _ request: Codec.Request) async throws -> Codec.Response {
        let reply = try await caller.call(Codec.operation, at: destination) { try request.write(into: &$0) }
        return try Codec.Response.parse(reply.payload)
    }

    func message(to: [Address], cc: [Address] = [], subject: String = "Test", text: String = "This is a test message!") -> Message {
        Message(
            id: .random(), from: Mailbox(address), to: to.map { Mailbox($0) }, cc: cc.map { Mailbox($0) }, subject: subject,
            date: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded()), text: text)
    }

    @discardableResult
    func send(_ message: Message, bcc: [Address] = []) async throws -> Receipt {
        let sealed = try SealedMessage(message)
        let response = try await call(SendOperation.self, .init(message: sealed, bcc: bcc))
        return try SealedReceipt(octets: response.receipt).receipt
    }

    func list(_ folder: String = "Inbox", after: UInt64? = nil, wait: Int = 0) async throws -> ListOperation.Response {
        try await call(ListOperation.self, .init(folder: folder, after: after, wait: wait))
    }

    /// Waits until the Inbox has so many messages.
    func inbox(reaching count: Int) async throws -> [MessageHeader] {
        var headers: [MessageHeader] = []
        var cursor: UInt64 = 0
        while headers.count < count {
            let page = try await list(after: cursor, wait: 30)
            if page.headers.isEmpty { break }
            headers += page.headers
            cursor = page.headers.map(\.uid).max() ?? cursor
        }
        return headers
    }

    /// Waits until a message has the state for all its recipients that are not local.
    func status(of id: MessageID, until state: String) async throws -> StatusOperation.Response {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let status = try await call(StatusOperation.self, .init(messageID: id))
            if status.lines.allSatisfy({ $0.state == state }) || ContinuousClock.now > deadline { return status }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func close() async {
        await caller.close()
        await transport.shutDown()
    }
}
