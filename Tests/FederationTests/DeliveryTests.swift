import Foundation
import Identity
import MailModel
import Testing
import XMLCore

@testable import MailServer

@Suite struct FederationTests {
    @Test func messageReachesTheOtherDomainAndItsReceiptComesBack() async throws {
        let two = try await TwoDomains.start()
        let alice = try TestUser("alice", of: two.capicom)
        let bob = try TestUser("bob", of: two.scopio)
        let message = alice.message(to: [bob.address], subject: "Hello", text: "Hällo <world> & \"you\"\n")
        let receipt = try await alice.send(message)
        #expect(receipt.recipients.map(\.state) == [.accepted])

        let headers = try await bob.inbox(reaching: 1)
        #expect(headers.map(\.subject) == ["Hello"])
        let stored = try await bob.call(RetrieveOperation.self, .init(messageID: message.id, withReceipt: true))
        let sealed = try SealedMessage(octets: stored.message)
        #expect(sealed.message == message)
        let postmark = try SealedPostmark(octets: try #require(stored.postmark))
        try await postmark.verify(for: sealed, keys: two.scopio.server.core.trust)
        #expect(postmark.postmark.domain == two.capicom.domain)

        let status = try await alice.status(of: message.id, until: "delivered")
        #expect(status.lines.map(\.state) == ["delivered"])
        let receipts = try status.receipts.map { try SealedReceipt(octets: $0) }
        #expect(receipts.contains { $0.receipt.domain == two.scopio.domain })
        for receipt in receipts { try await receipt.verify(keys: two.capicom.server.core.trust) }
        await alice.close()
        await bob.close()
        try await two.remove()
    }
}
