import Foundation
import Identity
import MailModel
import SOAP
import Testing
import WSSecurity

@testable import MailClient

/// Bob of scopio.test reads what alice of capicom.test wrote.
@Suite struct VerdictTests {
    private let capicom: TestDomain
    private let scopio: TestDomain
    private let place: TemporaryFolder
    private let bob: Address

    init() throws {
        capicom = try TestDomain("capicom.test")
        scopio = try TestDomain("scopio.test")
        place = try TemporaryFolder()
        bob = try Address("bob@scopio.test")
    }

    private func read(
        _ message: SealedMessage, _ postmark: [UInt8]?, knowing domains: [TestDomain]? = nil, as reader: String = "bob@scopio.test"
    ) async throws -> ReceivedMessage {
        let known = domains ?? [capicom, scopio]
        let server = FakeServer { _, request in
            if let asked = request as? MetadataOperation.Request {
                guard let found = known.first(where: { $0.domain == asked.domain }) else {
                    throw SOAPFault(.unknownMessage, "no contact")
                }
                return MetadataOperation.Response(metadata: try found.metadata(), anchors: [found.root.der])
            }
            return RetrieveOperation.Response(
                message: message.octets, postmark: postmark, receipt: nil, folder: "Inbox", flags: [])
        }
        return try await place.client(reader, scopio, server: server).retrieve(MessageLocation(message.message.id))
    }

    @Test func aGoodMessageIsBelieved() async throws {
        let message = try letter()
        let read = try await read(message, try capicom.postmark(message, to: [bob]))
        #expect(read.verdict == .verified(domain: capicom.domain, method: .x509, time: now))
        #expect(read.verdict.words == "signed by capicom.test, verified")
        #expect(read.author == .absent)
        #expect(read.isBelieved)
    }

    @Test func withoutAPostmarkNothingIsBelieved() async throws {
        let read = try await read(try letter(), nil)
        #expect(!read.isBelieved)
        #expect(read.verdict.words.hasPrefix("NOT VERIFIED: "))
    }

    @Test func theOwnCopyNeedsNone() async throws {
        let message = try letter(from: "bob@scopio.test", to: ["alice@capicom.test"])
        let read = try await read(message, nil)
        #expect(read.verdict == .ownCopy(bob) && read.isBelieved)
    }

    @Test func aPostmarkForSomebodyElseIsNotForUs() async throws {
        let message = try letter()
        let read = try await read(message, try capicom.postmark(message, to: [Address("carol@scopio.test")]))
        #expect(read.verdict == .notVerified(reason: "its Postmark is for somebody else"))
    }

    @Test func anotherDomainCannotVouch() async throws {
        let evil = try TestDomain("evil.test")
        let message = try letter()
        let read = try await read(message, try evil.postmark(message, to: [bob]), knowing: [capicom, scopio, evil])
        #expect(!read.isBelieved)
    }

    @Test func aStrangersKeyForTheSameNameCannotVouch() async throws {
        let impostor = try TestDomain("capicom.test")
        let message = try letter()
        let read = try await read(message, try impostor.postmark(message, to: [bob]))
        #expect(!read.isBelieved)
    }

    @Test func ourOwnDomainCannotVouchForOthers() async throws {
        let message = try letter()
        let signer = DomainSigner(domain: capicom.domain, key: scopio.key, certificate: scopio.certificate)
        let read = try await read(message, try capicom.postmark(message, to: [bob], signer: signer))
        #expect(!read.isBelieved)
    }

    @Test func alteredTextIsNotBelieved() async throws {
        let original = try letter()
        let postmark = try capicom.postmark(original, to: [bob])
        let altered = try SealedMessage(
            octets: Array(String(decoding: original.octets, as: UTF8.self).replacing("At one.", with: "At two.").utf8))
        let read = try await read(altered, postmark)
        #expect(!read.isBelieved)
    }

    @Test func anUnknownDomainIsNotBelieved() async throws {
        let message = try letter()
        let read = try await read(message, try capicom.postmark(message, to: [bob]), knowing: [scopio])
        #expect(read.verdict == .notVerified(reason: "your server knows nothing of capicom.test"))
    }

    /// The home server decides about other domains' anchors, but never about its own: that root is pinned.
    @Test func theHomeDomainsRootIsPinned() async throws {
        let impostor = try TestDomain("scopio.test")
        let message = try letter(from: "carol@scopio.test")
        let read = try await read(message, try impostor.postmark(message, to: [bob]), knowing: [capicom, impostor])
        #expect(!read.isBelieved)
    }

    @Test func anotherMessageThanTheOneAskedForIsRefused() async throws {
        let message = try letter()
        let server = FakeServer { _, _ in
            RetrieveOperation.Response(message: message.octets, postmark: nil, receipt: nil, folder: "Inbox", flags: [])
        }
        let client = try place.client("bob@scopio.test", scopio, server: server)
        await expect(.untrustedServer) { try await client.retrieve(MessageLocation(.random())) }
    }

    // MARK: The author's own signature

    @Test func theAuthorsSignatureIsVerified() async throws {
        let message = try letter(signedBy: try capicom.user("alice"))
        let read = try await read(message, try capicom.postmark(message, to: [bob]))
        #expect(read.author == .verified(try Address("alice@capicom.test")))
        #expect(read.author.words == "signed by alice@capicom.test in person, verified")
        #expect(read.isBelieved)
    }

    @Test(arguments: ["mallory of the same domain", "a user of ours", "an impostor's domain", "a server's key"])
    func anotherKeyIsNotTheAuthors(_ whose: String) async throws {
        let identity: SigningIdentity
        switch whose {
        case "mallory of the same domain": identity = try capicom.user("mallory")
        case "a user of ours": identity = try scopio.user("alice")
        case "an impostor's domain": identity = try TestDomain("capicom.test").user("alice")
        default: identity = SigningIdentity(key: capicom.key, certificate: capicom.certificate)
        }
        let message = try letter(signedBy: identity)
        let read = try await read(message, try capicom.postmark(message, to: [bob]))
        #expect(read.verdict.isBelieved)
        #expect(!read.author.isBelieved && !read.isBelieved)
        #expect(read.author.words?.hasPrefix("AUTHOR'S SIGNATURE NOT VERIFIED: ") == true)
    }

    // MARK: What is known of domains

    @Test func domainsAreAskedForOnceAndRemembered() async throws {
        let server = FakeServer.directory(capicom, scopio)
        let client = try place.client("bob@scopio.test", scopio, server: server)
        for _ in 0..<3 { _ = try await client.trust.knowledge(of: capicom.domain) }
        let next = try place.client("bob@scopio.test", scopio, server: server)
        _ = try await next.trust.knowledge(of: capicom.domain)
        #expect(server.calls == [.metadata])
    }

    @Test func metadataNeverGoesBack() async throws {
        let capicom = capicom
        let versions = [2, 1] as [UInt64]
        let count = Counter()
        let server = FakeServer { _, _ in
            MetadataOperation.Response(
                metadata: try capicom.metadata(version: versions[count.next()]), anchors: [capicom.root.der])
        }
        let client = try place.client("bob@scopio.test", scopio, server: server)
        _ = try await client.trust.knowledge(of: capicom.domain)
        // A certificate that is not listed makes the client ask again.
        let unlisted = KeyHintSample.unlisted
        await #expect(throws: (any Error).self) { try await client.trust.key(unlisted, of: capicom.domain, at: now) }
        #expect(try await client.trust.knowledge(of: capicom.domain).metadata.metadata.version == 2)
    }

    @Test func whatWasSignedAfterTheNextUpdateIsNotJudgedByOldMetadata() async throws {
        let message = try letter()
        let late = now.addingTimeInterval(8 * 86_400)
        let read = try await read(message, try capicom.postmark(message, to: [bob], at: late))
        #expect(!read.isBelieved)
    }
}
