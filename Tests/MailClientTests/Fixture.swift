import Foundation
import Identity
import MailModel
import SOAP
import Synchronization
import Testing
import WSSecurity
import XMLSecurity

@testable import MailClient

/// 2026-06-01T12:00:00Z: the moment of all tests.
let now = Date(timeIntervalSince1970: 1_780_315_200)

/// A mail domain with all its keys.
struct TestDomain: Sendable {
    let domain: MailDomain
    let authority: DomainAuthority
    let key: SigningKey
    let certificate: MailCertificate
    let signer: DomainSigner

    init(_ name: String, at date: Date = now) throws {
        domain = try MailDomain(name)
        authority = try DomainAuthority.create(domain: domain, now: date.addingTimeInterval(-86_400))
        key = .generateP256()
        certificate = try authority.issueServerCertificate(publicKey: key.publicKey, now: date.addingTimeInterval(-3600))
        signer = DomainSigner(domain: domain, key: key, certificate: certificate)
    }

    var root: MailCertificate { authority.certificate }

    func metadata(
        version: UInt64 = 1, issued: Date = now, servers: [MailCertificate]? = nil, revoked: RevokedSerials = .none
    ) throws -> [UInt8] {
        var metadata = DomainMetadata(
            domain: domain, version: version, issued: issued, nextUpdate: issued.addingTimeInterval(7 * 86_400),
            endpoint: "/wsemail", roots: [root], servers: servers ?? [certificate],
            limits: .init(maximumMessageSize: 1 << 20, maximumRecipients: 100, maximumBatch: 10))
        metadata.revoked = revoked
        return try metadata.signed(by: key, certificate: certificate)
    }

    func user(_ local: String) throws -> SigningIdentity {
        let address = try Address(local: local, domain: domain)
        let key = SigningKey.generateP256()
        let request = try CertificateRequest.make(address: address, key: key)
        return SigningIdentity(
            key: key, certificate: try authority.issueUserCertificate(request: request, address: address, now: now))
    }

    func postmark(
        _ message: SealedMessage, to recipients: [Address], at time: Date = now, signer: DomainSigner? = nil,
        _ change: (inout Postmark) -> Void = { _ in }
    ) throws -> [UInt8] {
        let signer = signer ?? self.signer
        var postmark = Postmark(
            message: message, signer: signer, destination: recipients[0].domain, recipients: recipients,
            sender: message.message.from.address, method: .x509, time: time)
        change(&postmark)
        return try postmark.sealed(by: signer)
    }

    /// A receipt for a Postmark, or (nil) for the author's submission.
    func receipt(
        _ message: SealedMessage, for audience: MailDomain, postmark: [UInt8]?, _ recipients: [Address],
        _ state: RecipientStatus.State = .delivered, at time: Date = now
    ) throws -> [UInt8] {
        try Receipt(
            messageID: message.message.id, digest: message.digest,
            postmarkDigest: try postmark.map { try SealedPostmark(octets: $0).digest }, signer: signer, audience: audience,
            recipients: recipients.map { RecipientStatus($0, state) }, time: time
        ).sealed(by: signer)
    }
}

func letter(
    from: String = "alice@capicom.test", to: [String] = ["bob@scopio.test"], subject: String = "Lunch?",
    text: String = "At one.", signedBy identity: SigningIdentity? = nil
) throws -> SealedMessage {
    let message = Message(
        id: .random(), from: Mailbox(try Address(from)), to: try to.map { Mailbox(try Address($0)) }, subject: subject,
        date: now, text: text)
    return try SealedMessage(message, author: identity.map { AuthorSignature.signer($0.key, $0.certificate) })
}

/// A home server whose answers a test decides.
final class FakeServer: HomeServer {
    typealias Answer = @Sendable (MailOperation, any Payload) throws -> any Payload

    private let answer: Answer
    private let log = Mutex<[(MailOperation, any Payload)]>([])
    private let issue: @Sendable (AssertionRequest) throws -> AssertionResponse
    private let assertions = Mutex<[AssertionResponse]>([])

    /// - Parameter issue: answers requests for assertions.
    init(
        _ answer: @escaping Answer,
        issue: @escaping @Sendable (AssertionRequest) throws -> AssertionResponse = { _ in throw SOAPFault(.forbidden, "no") }
    ) {
        self.answer = answer
        self.issue = issue
    }

    var issued: [AssertionResponse] { assertions.withLock { $0 } }

    func assertion(_ request: AssertionRequest) async throws(MailClientError) -> AssertionResponse {
        do {
            let response = try issue(request)
            assertions.withLock { $0.append(response) }
            return response
        } catch {
            throw MailClientError(error)
        }
    }

    var calls: [MailOperation] { log.withLock { $0.map(\.0) } }
    func requests<Request: Payload>(_ type: Request.Type) -> [Request] { log.withLock { $0.compactMap { $0.1 as? Request } } }

    func call<Reply: Payload>(
        _ operation: MailOperation, _ request: some Payload, reply: Reply.Type, timeout: Duration
    ) async throws(MailClientError) -> Reply {
        log.withLock { $0.append((operation, request)) }
        do {
            guard let reply = try answer(operation, request) as? Reply else {
                throw MailClientError(.internal, "the test has no such answer")
            }
            return reply
        } catch {
            throw MailClientError(error)
        }
    }

    func forgetSession() async throws(MailClientError) {}

    /// Knows some domains and their anchors, nothing else.
    static func directory(_ domains: TestDomain...) -> FakeServer {
        FakeServer { operation, request in
            guard let asked = request as? MetadataOperation.Request else { throw SOAPFault(.unknownAction, "no") }
            guard let found = domains.first(where: { $0.domain == asked.domain }) else {
                throw SOAPFault(.unknownMessage, "no contact")
            }
            return MetadataOperation.Response(metadata: try found.metadata(), anchors: [found.root.der])
        }
    }
}

/// A client folder in a temporary folder of its own, removed with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/wsemail-\(RandomID.hex(8))"
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func client(
        _ address: String, _ home: TestDomain, server: any HomeServer, identity: SigningIdentity? = nil,
        network: (any AttachmentNetwork)? = nil
    ) throws -> MailClient {
        let account = ClientAccount(
            address: try Address(address), connection: ConnectionSettings(), root: home.root, identity: identity, added: now)
        let folder = try ClientFolder(path: path)
        try folder.save(account)
        return MailClient(account: account, folder: folder, server: server, network: network, clock: { now })
    }

    func mode(_ name: String = "") -> UInt32? { SystemFiles.mode(of: name.isEmpty ? path : path + "/" + name) }
    func names(_ name: String) -> [String] { (try? SystemFiles.names(in: path + "/" + name)) ?? [] }
}

/// Expects a ``MailClientError`` of one code and returns it.
@discardableResult
func expect<T>(
    _ code: MailClientError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> T
) async -> MailClientError? {
    do {
        _ = try await body()
        Issue.record("expected \(code.rawValue), nothing was thrown", sourceLocation: sourceLocation)
        return nil
    } catch let error as MailClientError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record("expected \(code.rawValue), got \(error)", sourceLocation: sourceLocation)
        return nil
    }
}

final class Counter: Sendable {
    private let value = Mutex(-1)
    /// 0, 1, 2, …
    func next() -> Int {
        value.withLock {
            $0 += 1
            return $0
        }
    }
}

enum KeyHintSample {
    static let unlisted = KeyHint.thumbprintSHA256([UInt8](repeating: 7, count: 32))
}

extension ReceivedMessage {
    /// For tests of what is shown.
    static func sample(_ message: Message, _ verdict: SignatureVerdict, _ author: AuthorVerdict) throws -> ReceivedMessage {
        ReceivedMessage(
            message: try SealedMessage(message), postmark: nil, receipt: nil, folder: "Inbox", flags: [], verdict: verdict,
            author: author)
    }
}
