import Crypto
import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Synchronization
import Testing
import WSSecurity
import XMLSecurity

@testable import MailServer

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// On-demand attachments between two real servers (paper §4.3): who gets a file, who does not, and that nobody learns more.
@Suite(.serialized, .timeLimit(.minutes(3))) struct AttachmentFederationTests {
    static let content = Array("the paper's figures, all of them\r\n".utf8)

    /// alice of capicom has sent a file to bob of scopio, and blind to dave.
    private struct Scene {
        let domains: TwoDomains
        let alice: TestUser
        let bob: TestUser
        let dave: TestUser
        let visitor: Visitor
        let guid: String

        static func open(
            keep: [AttachmentKeep] = [], blind: Bool = false, clock: @escaping @Sendable () -> Date = { Date() },
            change: @escaping (inout ServerConfiguration) -> Void = { _ in }
        ) async throws -> Scene {
            let domains = try await TwoDomains.start(change: change, clock: clock)
            let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
            let dave = try TestUser("dave", of: domains.scopio)
            _ = try await alice.send(
                files: [("figures.pdf", content)], to: [bob.address], bcc: blind ? [dave.address] : [], keep: keep)
            let guid = try #require(try await bob.receivedGUIDs().first)
            return Scene(
                domains: domains, alice: alice, bob: bob, dave: dave, visitor: try Visitor(at: domains.capicom), guid: guid)
        }

        func close() async throws {
            for user in [alice, bob, dave] { await user.close() }
            await visitor.close()
            try await domains.remove()
        }
    }

    @Test func `a listed recipient of another domain gets the file with a token of their own server`() async throws {
        let scene = try await Scene.open()
        let answer = try await scene.visitor.get(scene.guid, as: scene.bob.token(for: scene.domains.capicom.domain))
        #expect(answer.octets == AttachmentFederationTests.content)
        #expect(answer.facts.from == scene.alice.address && answer.facts.to == scene.bob.address)
        #expect(answer.facts.guid == scene.guid && answer.facts.name == "figures.pdf")
        #expect(answer.facts.digest == Array(SHA256.hash(data: AttachmentFederationTests.content)))
        // The owner sees who fetched it.
        let log = try await scene.alice.attachments(.log(.init(guid: scene.guid)), AttachmentAnswer.Log.self)
        #expect(log.events.map(\.kind) == [.fetched] && log.events.first?.who == scene.bob.address)
        try await scene.close()
    }

    @Test func `a blind recipient gets the file, and nobody sees that in the message`() async throws {
        let scene = try await Scene.open(blind: true)
        let answer = try await scene.visitor.get(scene.guid, as: scene.dave.token(for: scene.domains.capicom.domain))
        #expect(answer.octets == AttachmentFederationTests.content)
        let seen = try await scene.bob.retrieve(try #require(try await scene.bob.list().headers.first))
        #expect(!String(decoding: seen.message.octets + seen.postmark.octets, as: UTF8.self).contains("dave"))
        try await scene.close()
    }

    /// model: acl
    @Test func `unlisted, unknown and revoked are refused in the same words`() async throws {
        let scene = try await Scene.open()
        let audience = scene.domains.capicom.domain
        func refusal(_ guid: String, _ user: TestUser) async throws -> SOAPFault {
            try await fault { try await scene.visitor.get(guid, as: user.token(for: audience)) }
        }
        let unlisted = try await refusal(scene.guid, scene.dave)
        let unknown = try await refusal(RandomID.hex(16), scene.dave)
        let carol = try TestUser("carol", of: scene.domains.capicom)
        let local = try await fault {
            try await carol.attachments(.get(.init(guid: scene.guid, inline: true)), AttachmentAnswer.Get.self)
        }
        #expect(
            try await scene.alice.attachments(.revoke(.init(guid: scene.guid, readers: [scene.bob.address])), AttachmentAnswer.Revoke.self)
                .count == 1)
        let revoked = try await refusal(scene.guid, scene.bob)
        for fault in [unlisted, unknown, local, revoked] {
            #expect(fault.subcode == .extensionFailed && fault.reason == AttachmentsXML.refusal)
        }
        // Those who may not see the file may not see its log either.
        let log = try await fault { try await carol.attachments(.log(.init(guid: scene.guid)), AttachmentAnswer.Log.self) }
        #expect(log.reason == AttachmentsXML.refusal)
        await carol.close()
        try await scene.close()
    }

    /// model: nonce
    @Test func `a replayed, missing or foreign challenge is refused`() async throws {
        let scene = try await Scene.open()
        let token = try await scene.bob.token(for: scene.domains.capicom.domain)
        let challenge = try await scene.visitor.challenge()
        #expect(try await scene.visitor.get(scene.guid, as: token, challenge: challenge).octets != nil)
        for again in [challenge, nil, RandomID.bytes(32), try await Visitor(at: scene.domains.scopio).challenge()] {
            let fault = try await fault { try await scene.visitor.get(scene.guid, as: token, challenge: .some(again)) }
            #expect(fault.subcode == .failedAuthentication)
        }
        let log = try await scene.alice.attachments(.log(.init(guid: scene.guid)), AttachmentAnswer.Log.self)
        #expect(log.events.count == 1)
        try await scene.close()
    }

    /// model: holder
    @Test func `a stolen token is worth nothing without its key`() async throws {
        let scene = try await Scene.open()
        var stolen = try await scene.bob.token(for: scene.domains.capicom.domain)
        stolen.key = .generateP256()
        let otherKey = try await fault { try await scene.visitor.get(scene.guid, as: stolen) }
        #expect(otherKey.subcode == .failedCheck)
        try await scene.close()
    }

    /// model: audience
    @Test func `a token for another domain, or one that has expired, is refused`() async throws {
        let scene = try await Scene.open()
        let foreign = try await scene.bob.token(for: try MailDomain("elsewhere.test"))
        let wrong = try await fault { try await scene.visitor.get(scene.guid, as: foreign) }
        #expect(wrong.subcode == .invalidToken || wrong.subcode == .wrongDestination)
        let keys = scene.domains.scopio.server.core.keys
        let key = SigningKey.generateP256()
        let old = try Assertion(
            subject: scene.bob.address, audience: scene.domains.capicom.domain,
            confirmation: .holderOfKey(ConfirmationKey(key.publicKey)), method: .password, authnInstant: Date(),
            now: Date().addingTimeInterval(-3_600), lifetime: 300
        ).signed(by: keys.signing.key, certificate: keys.server)
        let expired = try await fault { try await scene.visitor.get(scene.guid, as: .init(assertion: old, key: key)) }
        #expect(expired.subcode == .invalidToken)
        try await scene.close()
    }

    /// model: issuer
    @Test func `a trusted domain mints no token for another domain's user`() async throws {
        let scene = try await Scene.open()
        // capicom's own certificate, and scopio's for carol of capicom: both trusted, neither may speak for the other's user.
        let key = SigningKey.generateP256()
        let (capicom, scopio) = (scene.domains.capicom, scene.domains.scopio)
        func forged(_ user: Address, issuedAs issuer: TestDomain, signedBy signer: TestDomain) throws -> [UInt8] {
            let keys = signer.server.core.keys
            let assertion = try Assertion(
                subject: try issuer.address("bob"), audience: capicom.domain, confirmation: .holderOfKey(ConfirmationKey(key.publicKey)),
                method: .password, authnInstant: Date(), now: Date(), lifetime: 300
            ).signed(by: keys.signing.key, certificate: keys.server)
            return Array(String(decoding: assertion, as: UTF8.self).replacing("bob@\(issuer.domain)", with: "\(user)").utf8)
        }
        // scopio signs, and names alice@capicom as its subject: the text is changed before signing by the attacker's own writer,
        // which the assertion type of ours refuses to do.
        let crossed = try ForgedAssertion.make(
            subject: scene.alice.address, issuer: scopio.domain, audience: capicom.domain, key: key, signer: scopio)
        let named = try ForgedAssertion.make(
            subject: scene.bob.address, issuer: scopio.domain, audience: capicom.domain, key: key, signer: capicom)
        let claimed = try ForgedAssertion.make(
            subject: scene.alice.address, issuer: capicom.domain, audience: capicom.domain, key: key, signer: scopio)
        for forged in [crossed, named, claimed, try forged(scene.alice.address, issuedAs: scopio, signedBy: scopio)] {
            let fault = try await fault { try await scene.visitor.get(scene.guid, as: .init(assertion: forged, key: key)) }
            #expect([.invalidToken, .untrustedIssuer].contains(fault.subcode), "\(fault.subcode)")
        }
        try await scene.close()
    }

    @Test func `a token buys no token and opens no other operation`() async throws {
        let scene = try await Scene.open()
        let token = try await scene.bob.token(for: scene.domains.capicom.domain)
        let wanted = AssertionRequest(audience: scene.domains.capicom.domain, confirmation: .bearer)
        let bought = try await fault {
            try await scene.visitor.caller.call(.issueAssertion, as: token, at: scene.visitor.destination) {
                wanted.write(into: &$0, now: Date())
            }
        }
        #expect(bought.subcode == .forbidden)
        let listed = try await fault {
            try await scene.visitor.caller.call(.list, as: token, at: scene.visitor.destination) {
                try ListOperation.Request(folder: "Inbox").write(into: &$0)
            }
        }
        #expect(listed.subcode == .forbidden)
        try await scene.close()
    }

    @Test func `the administrator's rule decides whose tokens count for what`() async throws {
        // A server that has just started takes no keyless token that it may have seen before.
        let clock = TestClock(-200)
        let scene = try await Scene.open(clock: clock.now)
        clock.set(0)
        let capicom = scene.domains.capicom
        let token = try await scene.bob.token(for: capicom.domain)
        try await capicom.admin(.tokenDeny, [.domain: "scopio.test"])
        #expect(try await fault { try await scene.visitor.get(scene.guid, as: token) }.subcode == .untrustedIssuer)
        try await capicom.admin(.tokenAllow, [.domain: "scopio.test", .services: "send"])
        #expect(try await fault { try await scene.visitor.get(scene.guid, as: token) }.subcode == .untrustedIssuer)
        try await capicom.admin(.tokenDeny, [.domain: "scopio.test", .reset: "yes"])
        #expect(try await scene.visitor.get(scene.guid, as: token).octets == AttachmentFederationTests.content)
        // Without a key only where both ends allow it, and once.
        let bearer = AssertionRequest(audience: capicom.domain, confirmation: .bearer)
        #expect(try await fault { try await scene.bob.token(bearer, key: nil) }.subcode == .forbidden)
        try await scene.domains.scopio.admin(.tokenAllow, [.domain: "capicom.test", .services: "attachments", .bearer: "yes"])
        let loose = try await scene.bob.token(bearer, key: nil)
        #expect(try await fault { try await scene.visitor.get(scene.guid, as: loose) }.subcode == .invalidToken)
        try await capicom.admin(.tokenAllow, [.domain: "scopio.test", .services: "attachments", .bearer: "yes"])
        #expect(try await scene.visitor.get(scene.guid, as: loose).octets == AttachmentFederationTests.content)
        #expect(try await fault { try await scene.visitor.get(scene.guid, as: loose) }.subcode == .replay)
        try await scene.close()
    }

    @Test func `expiry and the fetch limit are kept, and told`() async throws {
        let clock = TestClock()
        let scene = try await Scene.open(
            keep: [AttachmentKeep(expires: Date().addingTimeInterval(86_400), maxFetches: 1, onForward: .forbid)], clock: clock.now)
        let audience = scene.domains.capicom.domain
        let described = try await scene.visitor.describe(scene.guid, as: scene.bob.token(for: audience))
        #expect(described.facts.remaining == 1 && described.facts.expires != nil && described.onForward == .forbid)
        #expect(try await scene.visitor.get(scene.guid, as: scene.bob.token(for: audience)).octets != nil)
        let spent = try await fault { try await scene.visitor.get(scene.guid, as: scene.bob.token(for: audience)) }
        #expect(spent.subcode == .extensionFailed && spent.reason == AttachmentsXML.exhausted)
        try await scene.close()
    }

    /// model: ticket
    @Test func `a ticket opens the one attachment that it was given for, until that is taken back`() async throws {
        let scene = try await Scene.open()
        _ = try await scene.alice.send(files: [("other.bin", [1, 2, 3])], to: [scene.bob.address])
        let other = try #require(try await scene.bob.receivedGUIDs(2).first)
        let token = { try await scene.bob.token(for: scene.domains.capicom.domain) }
        let (path, ticket) = try await scene.visitor.ticket(scene.guid, as: token())
        let (otherPath, _) = try await scene.visitor.ticket(other, as: token())
        #expect(path.hasSuffix(scene.guid) && otherPath.hasSuffix(other))
        #expect(try await scene.visitor.download(path, ticket) == .init(status: 200, octets: AttachmentFederationTests.content))
        #expect(try await scene.visitor.download(otherPath, ticket).status == 404)
        #expect(try await scene.visitor.download(path, RandomID.bytes(32)).status == 404)
        _ = try await scene.alice.attachments(.revoke(.init(guid: scene.guid, readers: [])), AttachmentAnswer.Revoke.self)
        #expect(try await scene.visitor.download(path, ticket).status == 404)
        try await scene.close()
    }

    /// model: tls
    @Test func `without TLS there are no files to be had`() async throws {
        let port = try freePort()
        let scene = try await Scene.open(change: { if $0.domain.description == "capicom.test" { $0.metricsPort = port } })
        let (path, ticket) = try await scene.visitor.ticket(scene.guid, as: scene.bob.token(for: scene.domains.capicom.domain))
        let authorization = "WSEmail-Ticket \(AttachmentsXML.ticketText(ticket))"
        let (health, _) = try await plainGet(port, "/health", authorization)
        #expect(health == 200)
        let (status, body) = try await plainGet(port, path, authorization)
        #expect(status == 404 && !body.contains("figures"))
        #expect(try await scene.visitor.download(path, ticket).status == 200)
        try await scene.close()
    }

    private func plainGet(_ port: Int, _ path: String, _ authorization: String) async throws -> (status: Int, body: String) {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.setValue(authorization, forHTTPHeaderField: "Authorization")
        let (data, response) = try await URLSession.shared.data(for: request)
        return (try #require(response as? HTTPURLResponse).statusCode, String(decoding: data, as: UTF8.self))
    }

    /// model: owner
    @Test func `a message whose file is not there is refused, and one is never accepted without it`() async throws {
        let domains = try await TwoDomains.start()
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try domains.scopio.address("bob"))
        var message = alice.message(to: [bob])
        message.attachments = [AttachmentReference(name: "a.bin", mediaType: "x/y", size: 3, digest: Array(SHA256.hash(data: [1, 2, 3])))]
        let missing = try await fault { try await alice.send(message) }
        #expect(missing.subcode == .invalidMessage && missing.reason.contains("a.bin"))
        // The same octets of another user are nobody else's.
        let carol = try TestUser("carol", of: domains.capicom)
        _ = try await carol.send(files: [("a.bin", [1, 2, 3])], to: [bob])
        let others = try await fault { try await alice.send(message) }
        #expect(others.reason == missing.reason)
        let wrongSize = try await fault {
            try await alice.send(files: [("b.bin", [1, 2, 3])], to: [bob]) { $0.attachments[0].size = 4 }
        }
        #expect(wrongSize.subcode == .invalidMessage)
        let option = SendOperation.Request(
            message: try SealedMessage(alice.message(to: [bob])),
            options: [try .init(identifier: "urn:x:unknown", content: Array("<a></a>".utf8))])
        let unknown = try await fault { try await alice.call(SendOperation.self, option) }
        #expect(unknown.subcode == .unsupportedConstraint, "\(unknown)")
        await alice.close()
        await carol.close()
        try await domains.remove()
    }
}

/// An assertion as an attacker with a domain's key would write it: any subject under any issuer.
enum ForgedAssertion {
    static func make(
        subject: Address, issuer: MailDomain, audience: MailDomain, key: SigningKey, signer: TestDomain
    ) throws -> [UInt8] {
        // An honest assertion of the signer, taken apart, changed, and signed again.
        let keys = signer.server.core.keys
        let honest = try Assertion(
            subject: try signer.address("postmaster"), audience: audience, confirmation: .holderOfKey(ConfirmationKey(key.publicKey)),
            method: .password, authnInstant: Date(), now: Date(), lifetime: 300)
        var text = String(decoding: try honest.signed(by: keys.signing.key, certificate: keys.server), as: UTF8.self)
        guard let start = text.range(of: "<ds:Signature"), let end = text.range(of: "</ds:Signature>") else { throw Unexpected.success }
        text.removeSubrange(start.lowerBound..<end.upperBound)
        let place = text.distance(from: text.startIndex, to: start.lowerBound)
        text = text.replacing("postmaster@\(signer.domain)", with: "\(subject)")
        text = text.replacing(">\(signer.domain)</", with: ">\(issuer)</")
        let hint = KeyHint.thumbprintSHA256(keys.server.thumbprintSHA256)
        let signed = try SignatureSigner(key: keys.signing.key, keyInfo: hint).signEnveloped(Array(text.utf8), id: honest.id)
        // The schema wants the Signature after the Issuer; the enveloped transform does not mind where it is.
        var moved = String(decoding: signed, as: UTF8.self)
        guard let begin = moved.range(of: "<ds:Signature"), let close = moved.range(of: "</ds:Signature>") else { throw Unexpected.success }
        let signature = String(moved[begin.lowerBound..<close.upperBound])
        moved.removeSubrange(begin.lowerBound..<close.upperBound)
        let issuerEnd = place + (issuer.description.count - signer.domain.description.count)
        moved.insert(contentsOf: signature, at: moved.index(moved.startIndex, offsetBy: issuerEnd))
        return Array(moved.utf8)
    }
}

/// What a download brought.
struct Downloaded: Equatable {
    var status: Int
    var octets: [UInt8] = []
}

private final class Collector: SOAPClient.FileSink {
    let octets = Mutex<[UInt8]>([])

    func begin(_ head: FileReply) throws {}
    func write(_ bytes: UnsafeRawBufferPointer) throws { octets.withLock { $0 += bytes } }
}

extension Visitor {
    /// Asks for a file that is not to come inline.
    func ticket(_ guid: String, as token: FederatedCaller.Credential) async throws -> (path: String, ticket: [UInt8]) {
        let request = try await ExtensionOperation.Request(
            identifier: AttachmentsXML.namespace, content: AttachmentCall.get(.init(guid: guid)).octets(), challenge: challenge())
        let reply = try await caller.call(.extension, as: token, at: destination) { try request.write(into: &$0) }
        let answer = try AttachmentAnswer.Get(octets: try ExtensionOperation.Response.parse(reply.payload).content)
        guard case .download(let path, let ticket, _, _) = answer.source else { throw Unexpected.success }
        return (path, ticket)
    }

    func download(_ path: String, _ ticket: [UInt8], headers: [HTTPField] = []) async throws -> Downloaded {
        let sink = Collector()
        let authorization = HTTPField("Authorization", "WSEmail-Ticket \(AttachmentsXML.ticketText(ticket))")
        let call = FileCall(to: destination, method: .get, path: path, headers: [authorization] + headers, maxBytes: 1 << 20)
        let reply = try await TLSFileTransport().download(call, into: sink)
        return Downloaded(status: reply.status, octets: sink.octets.withLock { $0 })
    }

    func describe(_ guid: String, as token: FederatedCaller.Credential) async throws -> AttachmentAnswer.Describe {
        let request = try await ExtensionOperation.Request(
            identifier: AttachmentsXML.namespace, content: AttachmentCall.describe(.init(guid: guid)).octets(), challenge: challenge())
        let reply = try await caller.call(.extension, as: token, at: destination) { try request.write(into: &$0) }
        return try AttachmentAnswer.Describe(octets: try ExtensionOperation.Response.parse(reply.payload).content)
    }
}

/// A server's clock that a test can put forward.
final class TestClock: Sendable {
    private let offset: Mutex<TimeInterval>

    init(_ offset: TimeInterval = 0) { self.offset = Mutex(offset) }

    var now: @Sendable () -> Date { { [self] in Date().addingTimeInterval(offset.withLock { $0 }) } }

    func set(_ seconds: TimeInterval) { offset.withLock { $0 = seconds } }
}
