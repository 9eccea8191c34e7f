import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Testing

@testable import MailServer

/// Handing mail in at the receiver's server, with a token instead of an account (paper §2).
@Suite(.serialized, .timeLimit(.minutes(2))) struct DirectSendTests {
    @Test func `mail handed in directly arrives once, under the receiving domain's own word`() async throws {
        let domains = try await TwoDomains.start()
        let (alice, bob) = (try TestUser("alice", of: domains.capicom), try TestUser("bob", of: domains.scopio))
        let visitor = try Visitor(at: domains.scopio)
        let message = try SealedMessage(alice.message(to: [bob.address], subject: "By hand"))
        let token = try await alice.token(for: domains.scopio.domain)
        // Without the administrator's word nothing is taken.
        #expect(try await fault { try await visitor.send(message, as: token) }.subcode == .untrustedIssuer)
        try await domains.scopio.admin(.tokenAllow, [.domain: "capicom.test", .services: "attachments,send"])
        let receipt = try await visitor.send(message, as: token)
        #expect(receipt.recipients.map(\.address) == [bob.address])
        // Again: it is there once. So is one that came by way of alice's own server before.
        _ = try await visitor.send(message, as: token)
        let usual = try SealedMessage(alice.message(to: [bob.address], subject: "By post"))
        _ = try await alice.call(SendOperation.self, .init(message: usual))
        _ = try await alice.status(of: usual.message.id, until: "delivered")
        _ = try await visitor.send(usual, as: token)
        let headers = try await bob.everything(in: "Inbox")
        #expect(headers.map(\.subject).sorted() == ["By hand", "By post"])
        let received = try await bob.retrieve(try #require(headers.first { $0.subject == "By hand" }))
        let postmark = received.postmark.postmark
        #expect(postmark.method == .token && postmark.domain == domains.scopio.domain && postmark.sender == alice.address)
        // It counts for scopio's users, and for nobody else.
        try await received.postmark.verify(for: received.message, keys: domains.scopio.server.core.trust, home: domains.scopio.domain)
        await #expect(throws: MailModelError.self) {
            try await received.postmark.verify(for: received.message, keys: domains.scopio.server.core.trust)
        }
        await #expect(throws: MailModelError.self) {
            try await received.postmark.verify(
                for: received.message, keys: domains.scopio.server.core.trust, home: domains.capicom.domain)
        }
        await visitor.close()
        for user in [alice, bob] { await user.close() }
        try await domains.remove()
    }

    /// model: from
    @Test func `nobody hands in mail of somebody else, for somebody elsewhere, or with what stays at home`() async throws {
        let domains = try await TwoDomains.start()
        try await domains.scopio.admin(.tokenAllow, [.domain: "capicom.test", .services: "send"])
        let (alice, carol) = (try TestUser("alice", of: domains.capicom), try TestUser("carol", of: domains.capicom))
        let bob = try domains.scopio.address("bob")
        let visitor = try Visitor(at: domains.scopio)
        let token = try await alice.token(for: domains.scopio.domain)
        func refusal(_ message: Message, bcc: [Address] = []) async throws -> FaultSubcode {
            let sealed = try SealedMessage(message)
            return try await fault { try await visitor.send(sealed, as: token, bcc: bcc) }.subcode
        }
        #expect(try await refusal(carol.message(to: [bob])) == .forbidden)
        var local = alice.message(to: [bob])
        local.from = Mailbox(bob)
        #expect(try await refusal(local) == .forbidden)
        #expect(try await refusal(alice.message(to: [bob, carol.address])) == .forbidden)
        #expect(try await refusal(alice.message(to: [bob]), bcc: [try domains.scopio.address("dave")]) == .forbidden)
        var files = alice.message(to: [bob])
        files.attachments = [AttachmentReference(name: "a", mediaType: "x/y", size: 1, digest: [UInt8](repeating: 7, count: 32))]
        #expect(try await refusal(files) == .forbidden)
        await visitor.close()
        for user in [alice, carol] { await user.close() }
        try await domains.remove()
    }
}
