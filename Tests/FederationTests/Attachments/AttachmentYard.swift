import Crypto
import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Testing
import WSSecurity
import XMLSecurity

@testable import MailServer

/// Users who attach files and fetch them by the protocol itself, without a client's own checks.
extension TestUser {
    struct Sent {
        let message: SealedMessage
        let receipt: Receipt
    }

    /// Sends a message with these files inline.
    func send(
        files: [(name: String, octets: [UInt8])], to: [Address], bcc: [Address] = [], keep: [AttachmentKeep] = [],
        change: (inout Message) -> Void = { _ in }
    ) async throws -> Sent {
        var message = message(to: to, subject: "With files")
        message.attachments = files.map { file in
            AttachmentReference(
                name: file.name, mediaType: "application/octet-stream", size: UInt64(file.octets.count),
                digest: Array(SHA256.hash(data: file.octets)))
        }
        change(&message)
        let sealed = try SealedMessage(message)
        let options = try keep.map { try SendOperation.Option(identifier: AttachmentsXML.namespace, content: $0.octets()) }
        let response = try await call(
            SendOperation.self, .init(message: sealed, bcc: bcc, blobs: files.map(\.octets), options: options))
        return Sent(message: sealed, receipt: try SealedReceipt(octets: response.receipt).receipt)
    }

    /// The GUIDs that the newest message of the Inbox brings.
    func receivedGUIDs(_ count: Int = 1) async throws -> [String] {
        let headers = try await inbox(reaching: count)
        let received = try await retrieve(try #require(headers.last))
        return received.postmark.postmark.attachments.map(\.guid)
    }

    /// Calls the attachment plug-in of the home server in the user's session.
    func attachments<Answer: AttachmentElement>(_ call: AttachmentCall, _ answer: Answer.Type) async throws -> Answer {
        let response = try await self.call(
            ExtensionOperation.self, .init(identifier: AttachmentsXML.namespace, content: call.octets()))
        return try Answer(octets: response.content)
    }

    /// A token for a domain, with a fresh key.
    func token(for domain: MailDomain, key: SigningKey? = nil, lifetime: TimeInterval? = nil) async throws -> FederatedCaller.Credential {
        let key = key ?? .generateP256()
        let request = AssertionRequest(audience: domain, confirmation: .holderOfKey(try ConfirmationKey(key.publicKey)), lifetime: lifetime)
        return try await token(request, key: key)
    }

    func token(_ request: AssertionRequest, key: SigningKey?) async throws -> FederatedCaller.Credential {
        let reply = try await caller.call(.issueAssertion, at: destination) { request.write(into: &$0, now: Date()) }
        let response = try AssertionResponse.parse(reply.payload, for: request)
        return .init(assertion: response.assertion.octets, key: key, metadata: response.metadata)
    }
}

/// A caller at a domain where they have no account.
struct Visitor: Sendable {
    let caller: FederatedCaller
    let destination: HTTPDestination
    let transport = TLSTransport()

    init(at domain: TestDomain) throws {
        caller = FederatedCaller(
            domain: domain.domain, transport: transport,
            trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(domain.root, scope: .domain(domain.domain))])),
            clock: { Date() })
        destination = HTTPDestination(
            name: domain.domain.ascii, endpoints: [.init(address: "127.0.0.1", port: domain.port)],
            roots: .certificates([domain.root.der]))
    }

    func challenge() async throws -> [UInt8] { try await caller.challenge(at: destination) }

    /// Fetches inline, with a fresh challenge unless one is given.
    func get(_ guid: String, as token: FederatedCaller.Credential, challenge: [UInt8]?? = .none) async throws -> AttachmentAnswer.Get {
        let proof: [UInt8]?
        switch challenge {
        case .none: proof = try await self.challenge()
        case .some(let given): proof = given
        }
        let request = try ExtensionOperation.Request(
            identifier: AttachmentsXML.namespace, content: AttachmentCall.get(.init(guid: guid, inline: true)).octets(), challenge: proof)
        let reply = try await caller.call(.extension, as: token, at: destination) { try request.write(into: &$0) }
        return try AttachmentAnswer.Get(octets: try ExtensionOperation.Response.parse(reply.payload).content)
    }

    func send(_ message: SealedMessage, as token: FederatedCaller.Credential, bcc: [Address] = []) async throws -> Receipt {
        let request = SendOperation.Request(message: message, bcc: bcc)
        let reply = try await caller.call(.send, as: token, at: destination) { try request.write(into: &$0) }
        return try SealedReceipt(octets: try SendOperation.Response.parse(reply.payload).receipt).receipt
    }

    func close() async { await transport.shutDown() }
}

/// The signed fault that a call ended with.
func fault(of body: () async throws -> some Any) async throws -> SOAPFault {
    do {
        _ = try await body()
    } catch let error as SOAPClientError {
        return try #require(error.fault, "\(error)")
    }
    throw Unexpected.success
}

enum Unexpected: Error { case success }

extension AttachmentAnswer.Get {
    /// The octets of an inline answer.
    var octets: [UInt8]? {
        if case .data(let octets) = source { return octets }
        return nil
    }
}
