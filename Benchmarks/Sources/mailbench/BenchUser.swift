import BenchSupport
import Foundation
import Identity
import MailModel
import SOAPClient
import WSSecurity
import XMLCore

/// A user with one kept TLS connection and one session.
struct BenchUser: Sendable {
    let address: Address
    private let caller: SecureCaller
    private let destination: HTTPDestination
    private let transport: TLSTransport

    init(_ name: String, domain: String, port: Int, root: String) throws {
        let domain = try MailDomain(domain)
        let root = try MailCertificate(pem: root)
        address = try Address(local: name, domain: domain)
        var configuration = TransportConfiguration()
        configuration.maxConnectionsPerDestination = 1
        configuration.idleTimeout = .seconds(170)
        transport = TLSTransport(configuration: configuration)
        caller = SecureCaller(
            domain: domain, credentials: .password(address, TestBed.password), transport: transport,
            trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(root, scope: .domain(domain))])), clock: { Date() })
        destination = HTTPDestination(
            name: domain.ascii, endpoints: [.init(address: "127.0.0.1", port: port)], roots: .certificates([root.der]))
    }

    private func call<Codec: OperationCodec>(_ codec: Codec.Type, _ request: Codec.Request) async throws -> Codec.Response {
        let reply = try await caller.call(Codec.operation, at: destination) { try request.write(into: &$0) }
        return try Codec.Response.parse(reply.payload)
    }

    /// - Returns: the message's id.
    @discardableResult
    func send(_ text: SampleText.Mail, to recipients: [Address]) async throws -> MessageID {
        let message = Message(
            id: .random(), from: Mailbox(address), to: recipients.map { Mailbox($0) }, subject: text.subject,
            date: Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded()), text: text.body)
        let response = try await call(SendOperation.self, .init(message: SealedMessage(message)))
        let receipt = try SealedReceipt(octets: response.receipt).receipt
        guard receipt.messageID == message.id, receipt.recipients.allSatisfy({ $0.state != .refused }) else {
            throw Failure("a message was refused")
        }
        return message.id
    }

    func list(limit: Int, after: UInt64? = nil) async throws -> ListOperation.Response {
        try await call(ListOperation.self, .init(after: after, limit: limit))
    }

    func retrieve(_ id: MessageID) async throws {
        let reply = try await call(RetrieveOperation.self, .init(messageID: id))
        guard reply.postmark != nil else { throw Failure("a message without a Postmark") }
    }

    func delete(_ id: MessageID) async throws {
        let reply = try await call(DeleteOperation.self, .init(ids: [id]))
        guard reply.count == 1 else { throw Failure("a message that was listed could not be deleted") }
    }

    /// TLS payload of what `body` calls.
    func traffic(_ body: () async throws -> Void) async throws -> ByteTraffic {
        let before = transport.traffic
        try await body()
        let after = transport.traffic
        return ByteTraffic(sent: after.sent - before.sent, received: after.received - before.received)
    }

    func close() async {
        await caller.close()
        await transport.shutDown()
    }
}
