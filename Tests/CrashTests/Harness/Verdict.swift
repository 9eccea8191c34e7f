import Foundation
import Identity
import MailModel
import MailStore
import Testing

/// What the databases must hold when all is drained.
enum Verdict {
    /// Every message once in the mailbox of each recipient, once in its author's Sent; nothing else; queue empty, store well.
    ///
    /// A message without Receipt may be there or not, but for all of its recipients alike.
    static func check(_ ledger: Ledger, at sites: [Site]) async throws {
        var inboxes: [Address: [MessageID: Int]] = [:]
        var sent: [Address: [MessageID: Int]] = [:]
        for site in sites {
            try await site.withStore { store in
                for account in try await store.accounts(after: nil, limit: 100) {
                    inboxes[account.address] = try await entries(store, account.address, .inbox)
                    sent[account.address] = try await entries(store, account.address, .sent)
                }
                #expect(try await store.check().problems == [])
                let statistics = try await store.statistics(now: Date())
                #expect(statistics.queueDepth == 0, "the queue of \(site.domain) is not empty")
            }
        }
        for letter in ledger.letters {
            var counts = letter.recipients.map { inboxes[$0]?.removeValue(forKey: letter.id) ?? 0 }
            counts.append(sent[letter.author]?.removeValue(forKey: letter.id) ?? 0)
            let expected = ledger.isAcknowledged(letter.id) ? [1] : [0, 1]
            #expect(
                expected.contains { count in counts.allSatisfy { $0 == count } },
                "message \(letter.id) of \(letter.author), acknowledged: \(ledger.isAcknowledged(letter.id)), counts \(counts)")
        }
        let rest = (Array(inboxes) + Array(sent)).filter { !$0.value.isEmpty }
        #expect(rest.isEmpty, "mail that nobody sent there: \(rest)")
    }

    private static func entries(_ store: any MailStore, _ account: Address, _ folder: FolderName) async throws -> [MessageID: Int] {
        var counts: [MessageID: Int] = [:]
        var cursor: Int64 = 0
        while true {
            let page = try await store.list(account, folder: folder, from: .after(cursor), limit: 500)
            for entry in page.entries { counts[try MessageID(entry.messageID), default: 0] += 1 }
            guard page.hasMore, let last = page.entries.last else { return counts }
            cursor = last.uid
        }
    }

    /// The author's status says delivered for everybody, proved by each domain's own Receipt.
    static func isDelivered(_ letter: Letter, _ status: StatusOperation.Response, keys: SiteKeys) async throws -> Bool {
        var proved: Set<Address> = []
        for octets in status.receipts {
            let sealed = try SealedReceipt(octets: octets)
            try await sealed.verify(keys: keys)
            guard sealed.receipt.messageID == letter.id, sealed.receipt.digest == letter.sealed.digest else { return false }
            for line in sealed.receipt.recipients where line.state == .delivered { proved.insert(line.address) }
        }
        return proved == letter.recipients && Set(status.lines.map(\.address)) == letter.recipients
            && status.lines.allSatisfy { $0.state == "delivered" }
    }
}
