import Foundation
import Identity
import MailModel
import NIOConcurrencyHelpers
import SOAP
import SOAPClient
import TestSupport
import Testing
import WSSecurity
import XMLCore
import XMLSecurity

@testable import MailServer

/// Passes calls on and remembers their bodies.
private final class RecordingTransport: HTTPTransport {
    private let inner = TLSTransport()
    private let log = NIOLockedValueBox<[(request: [UInt8], reply: [UInt8])]>([])

    var traffic: ByteTraffic { inner.traffic }
    var last: (request: [UInt8], reply: [UInt8]) { log.withLockedValue { $0.last ?? ([], []) } }

    func send(_ call: HTTPCall) async throws(SOAPClientError) -> HTTPReply {
        let reply = try await inner.send(call)
        log.withLockedValue { $0.append((call.body, reply.body)) }
        return reply
    }

    func shutDown() async { await inner.shutDown() }
}

/// docs/examples holds recorded traffic. It is recorded anew by running this test with WSEMAIL_RECORD=1.
@Suite struct WireExampleTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs/examples").standardized.path

    @Test func examplesInTheDocumentationAreWhatIsReallySent() async throws {
        let (two, workshop) = try await TwoDomains.startWithPlugins()
        let transport = RecordingTransport()
        let (alice, bob) = (try two.capicom.address("alice"), try two.scopio.address("bob"))
        func caller(_ domain: TestDomain, _ credentials: CallerCredentials) throws -> (SecureCaller, HTTPDestination) {
            let trust = TrustStore([try TrustAnchor(domain.root, scope: .domain(domain.domain))])
            return (
                SecureCaller(
                    domain: domain.domain, credentials: credentials, transport: transport, trust: AnchoredReplyTrust(trust),
                    clock: { Date() }),
                HTTPDestination(
                    name: domain.domain.ascii, endpoints: [.init(address: "127.0.0.1", port: domain.port)],
                    roots: .certificates([domain.root.der]))
            )
        }
        var examples: [String: [UInt8]] = [:]
        let (user, home) = try caller(two.capicom, .password(alice, TestDomain.password))
        let message = try SealedMessage(
            Message(
                id: .random(), from: Mailbox(alice, name: "Alice"), to: [Mailbox(bob)], subject: "Testing...", date: Date(),
                text: "This is a test message!"))
        let send = SendOperation.Request(message: message)
        _ = try await user.call(.send, at: home) { try send.write(into: &$0) }
        (examples["send-request"], examples["send-reply"]) = transport.last
        let list = ListOperation.Request(folder: "Sent")
        _ = try await user.call(.list, at: home) { try list.write(into: &$0) }
        (examples["list-request"], examples["list-reply"]) = transport.last
        let unknown = RetrieveOperation.Request(messageID: .random())
        _ = try? await user.call(.retrieve, at: home) { try unknown.write(into: &$0) }
        examples["fault-reply"] = transport.last.reply
        try await two.capicom.install(workshop.package("vacation"), grant: "clock,key-value,send")
        let vacation = "urn:wsemail:example:vacation"
        let away = "<Set xmlns=\"\(vacation)\"><Subject>Away</Subject><Text>Back on Monday.</Text></Set>"
        let extend = try ExtensionOperation.Request(identifier: vacation, content: ExtensionOperation.canonical(Array(away.utf8)))
        _ = try await user.call(.extension, at: home) { try extend.write(into: &$0) }
        (examples["extension-request"], examples["extension-reply"]) = transport.last

        // capicom.test's server hands a message to scopio.test's.
        let core = two.capicom.server.core
        let publisher = MetadataPublisher(
            configuration: two.capicom.configuration, keys: core.keys, store: core.store, clock: { Date() })
        let (peer, destination) = try caller(
            two.scopio, .certificate(core.keys.signing, metadata: { try await publisher.octets() }))
        let other = try SealedMessage(
            Message(
                id: .random(), from: Mailbox(alice), to: [Mailbox(bob)], subject: "Testing...", date: Date(),
                text: "This is a test message!"))
        let postmark = try Postmark(
            message: other, signer: core.signer, destination: two.scopio.domain, recipients: [bob], sender: alice,
            method: .password, time: Date()
        ).sealed(by: core.signer)
        let deliver = DeliverOperation.Request(items: [.init(message: other.octets, postmark: postmark)])
        let reply = try await peer.call(.deliver, at: destination) { try deliver.write(into: &$0) }
        (examples["deliver-request"], examples["deliver-reply"]) = transport.last
        guard case .receipt = try DeliverOperation.Response.parse(reply.payload).results.first else {
            Issue.record("the example was not delivered")
            return
        }
        try await recordAttachment(two, transport, &examples)
        try compare(examples)
        await user.close()
        await peer.close()
        await transport.shutDown()
        try await two.remove()
    }

    /// bob gets a token of his own server, and with it an attachment of alice's.
    private func recordAttachment(
        _ two: TwoDomains, _ transport: RecordingTransport, _ examples: inout [String: [UInt8]]
    ) async throws {
        let (alice, bob) = (try TestUser("alice", of: two.capicom), try TestUser("bob", of: two.scopio))
        let sent = try await alice.send(
            files: [("figures.txt", Array("All of them.".utf8))], to: [bob.address],
            keep: [AttachmentKeep(expires: Date().addingTimeInterval(86_400), maxFetches: 3, onForward: .ask)])
        _ = try await alice.status(of: sent.message.message.id, until: "delivered")
        let header = try #require(try await bob.everything(in: "Inbox").first { $0.id == sent.message.message.id })
        let guid = try #require(try await bob.retrieve(header).postmark.postmark.attachments.first?.guid)
        let key = SigningKey.generateP256()
        let wanted = AssertionRequest(audience: two.capicom.domain, confirmation: .holderOfKey(try ConfirmationKey(key.publicKey)))
        let home = SecureCaller(
            domain: two.scopio.domain, credentials: .password(bob.address, TestDomain.password), transport: transport,
            trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(two.scopio.root, scope: .domain(two.scopio.domain))])),
            clock: { Date() })
        let reply = try await home.call(.issueAssertion, at: bob.destination) { wanted.write(into: &$0, now: Date()) }
        (examples["token-request"], examples["token-reply"]) = transport.last
        let token = try AssertionResponse.parse(reply.payload, for: wanted)
        let abroad = FederatedCaller(
            domain: two.capicom.domain, transport: transport,
            trust: AnchoredReplyTrust(TrustStore([try TrustAnchor(two.capicom.root, scope: .domain(two.capicom.domain))])),
            clock: { Date() })
        let get = try await ExtensionOperation.Request(
            identifier: AttachmentsXML.namespace, content: AttachmentCall.get(.init(guid: guid)).octets(),
            challenge: abroad.challenge(at: alice.destination))
        _ = try await abroad.call(
            .extension, as: .init(assertion: token.assertion.octets, key: key, metadata: nil), at: alice.destination
        ) { try get.write(into: &$0) }
        (examples["attachment-request"], examples["attachment-reply"]) = transport.last
        await home.close()
        await alice.close()
        await bob.close()
    }

    /// Ids, digests and times differ from run to run; elements and their order do not.
    private func compare(_ examples: [String: [UInt8]]) throws {
        let isRecording = ProcessInfo.processInfo.environment["WSEMAIL_RECORD"] != nil
        if isRecording { try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true) }
        for (name, bytes) in examples {
            let path = "\(Self.folder)/\(name).xml"
            if isRecording { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
            let recorded = try XMLDocument.parse(Array(try Data(contentsOf: URL(fileURLWithPath: path))))
            #expect(outline(recorded.root) == outline(try XMLDocument.parse(bytes).root), "docs/examples/\(name).xml is out of date")
        }
    }

    private func outline(_ element: XMLElement) -> String {
        "<\(element.localName)" + element.attributes.map(\.name.localName).sorted().map { " \($0)" }.joined() + ">"
            + element.children.map(outline).joined() + "</>"
    }
}
