import Foundation
import Identity
import MailModel
import SOAP
import SOAPClient
import Testing

@testable import MailServer

/// What leaves one domain and arrives at the other, with users who are curious or mistaken.
@Suite struct AttackMailTests {
    private func withTwo(_ body: (TwoDomains) async throws -> Void) async throws {
        let two = try await TwoDomains.start()
        do { try await body(two) } catch { Issue.record(error) }
        try await two.remove()
    }

    @Test func nobodyLearnsOfABlindCopy() async throws {
        try await withTwo { (two) async throws in
            let alice = try TestUser("alice", of: two.capicom)
            let secret = [try two.capicom.address("carol"), try two.scopio.address("dave"), try two.capicom.address("postmaster")]
            let bob = try TestUser("bob", of: two.scopio)
            let readers = [bob, try TestUser("dave", of: two.scopio), try TestUser("carol", of: two.capicom)]
            let visible = [bob.address, alice.address]
            let message = alice.message(to: visible, subject: "Open")
            try await alice.send(message, bcc: secret)
            for reader in readers + [alice] {
                #expect(try await reader.inbox(reaching: 1).count == 1)
                let stored = try await reader.call(RetrieveOperation.self, .init(messageID: message.id, withReceipt: true))
                let parts = [stored.message, stored.postmark ?? [], stored.receipt ?? []]
                #expect(stored.postmark != nil && stored.receipt != nil)
                for other in secret where other != reader.address {
                    for part in parts {
                        #expect(!String(decoding: part, as: UTF8.self).contains(other.description), "\(reader.address) sees \(other)")
                    }
                }
                let keys = (reader.address.domain == two.scopio.domain ? two.scopio : two.capicom).server.core.trust
                let receipt = try SealedReceipt(octets: try #require(stored.receipt))
                try await receipt.verify(keys: keys)
                let postmark = try SealedPostmark(octets: try #require(stored.postmark))
                #expect(receipt.receipt.postmarkDigest == postmark.digest)
            }
            for reader in readers + [alice] { await reader.close() }
        }
    }

    @Test func unknownLocalUsersAreRefusedAtOnce() async throws {
        try await withTwo { (two) async throws in
            let alice = try TestUser("alice", of: two.capicom)
            let (nobody, carol) = (try two.capicom.address("nobody"), try two.capicom.address("carol"))
            let error = await #expect(throws: SOAPClientError.self) { try await alice.send(alice.message(to: [nobody])) }
            #expect(error?.fault?.subcode == .unknownRecipient)
            #expect(error?.fault?.reason.contains("nobody@capicom.test") == true)
            let receipt = try await alice.send(alice.message(to: [nobody, carol]))
            #expect(receipt.recipients.map(\.state) == [.refused, .delivered])
            #expect(receipt.recipients[0].code == "UnknownRecipient" && receipt.recipients[0].reason != nil)
            await alice.close()
        }
    }

    @Test func unknownUsersElsewhereBounceOnceWithTheReason() async throws {
        try await withTwo { (two) async throws in
            let alice = try TestUser("alice", of: two.capicom)
            let message = alice.message(to: [try two.scopio.address("nobody")], subject: "To nobody")
            try await alice.send(message)
            let status = try await alice.status(of: message.id, until: "refused")
            #expect(status.lines.map(\.state) == ["refused"])
            #expect(status.lines[0].reason?.contains("no such mailbox") == true)
            let headers = try await alice.inbox(reaching: 1)
            let bounce = try #require(headers.first)
            #expect(bounce.flags.contains("bounce") && bounce.from.local == "postmaster")
            let stored = try await alice.call(RetrieveOperation.self, .init(messageID: bounce.id))
            let notice = try #require(try SealedMessage(octets: stored.message).message.bounce)
            #expect(notice.messageID == message.id)
            let digest = try SealedMessage(message).digest
            #expect(notice.digest == digest)
            #expect(try await two.capicom.admin(AdminRequest(.queueList)).rows.isEmpty)
            #expect(try await two.scopio.admin(AdminRequest(.queueList)).rows.isEmpty)
            await alice.close()
        }
    }

    /// Postmarks alone, so that nobody learns of the others: but all in one call, about one message.
    @Test func manyBlindCopiesOfOneDomainAllArrive() async throws {
        let (one, two) = (try freePort(), try freePort())
        let dns = try TestDNSFor.two(one, two)
        let names = (0..<12).map { "u\($0)" }
        let capicom = try await TestDomain.start("capicom.test", port: one, dns: dns, users: ["alice"])
        let scopio = try await TestDomain.start("scopio.test", port: two, dns: dns, users: names)
        try await capicom.trust(scopio)
        try await scopio.trust(capicom)
        let alice = try TestUser("alice", of: capicom)
        let message = alice.message(to: [try scopio.address("u0")])
        try await alice.send(message, bcc: try names.dropFirst().map { try scopio.address($0) })
        let status = try await alice.status(of: message.id, until: "delivered")
        #expect(status.lines.map(\.state) == [String](repeating: "delivered", count: names.count))
        for name in names {
            let user = try TestUser(name, of: scopio)
            #expect(try await user.list().headers.count == 1)
            await user.close()
        }
        await alice.close()
        try await capicom.remove()
        try await scopio.remove()
        dns.stop()
    }
}
