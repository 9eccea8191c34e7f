import Foundation
import Identity
import MailModel

/// What the home server said of domains, on disk: verified again at each reading, so that the cache decides nothing.
struct DomainCache: Sendable {
    /// Seconds after which the home server is asked again: so long a revocation may stay unknown here.
    static let lifetime: TimeInterval = 12 * 3600
    static let maximumFile = 4 << 20

    private let folder: String

    init(_ account: AccountFolder) { folder = account.trustPath }

    struct Entry: Codable, Sendable {
        var version = 1
        var fetched: Date
        var metadata: Data
        var anchors: [Data]

        func isFresh(at now: Date) -> Bool {
            let age = now.timeIntervalSince(fetched)
            return age < DomainCache.lifetime && age > -300
        }
    }

    /// Nil where nothing usable is kept.
    func entry(_ domain: MailDomain) throws(MailClientError) -> Entry? {
        do {
            return try StoredJSON.read(Entry.self, from: path(domain), limit: Self.maximumFile)
        } catch {
            guard error.reason.hasSuffix("is damaged") else { throw error }
            return nil
        }
    }

    func store(_ entry: Entry, for domain: MailDomain) throws(MailClientError) {
        try ClientFolder.create(folder)
        try StoredJSON.write(entry, to: path(domain))
    }

    private func path(_ domain: MailDomain) -> String { folder + "/" + domain.ascii + ".json" }
}
