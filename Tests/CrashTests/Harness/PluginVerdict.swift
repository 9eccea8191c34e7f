import Foundation
import Identity
import MailModel
import MailStore
import Testing

/// What the databases must hold when all is drained at sites with the marker and a role.
struct PluginVerdict {
    private static let marker = "org.example.marker/marker"

    /// Copies of letters, by person and letter: as they were sent, and passed on by the role.
    private struct Copies {
        var direct: [Address: [MessageID: Int]] = [:]
        var passedOn: [Address: [MessageID: Int]] = [:]
        var sent: [Address: [MessageID: Int]] = [:]
    }

    /// How much was looked at.
    struct Figures {
        var letters = 0
        var entries = 0
        var passedOn = 0
        var marks = 0
        /// How often the vacation plug-in answered, by user, sender and text.
        var answers: [Answer: Int] = [:]
    }

    /// What the vacation plug-in sends once.
    struct Answer: Hashable {
        let user: Address
        let sender: Address
        let text: String
    }

    /// Every letter once in each recipient's mailbox, where the recipient is the role once in that of each person behind it, and
    /// once in its author's Sent; nothing else. For each entry of an Inbox one mark of the marker's delivery, for each in Sent one
    /// of its sending, and no other marks. Queues empty, stores well.
    ///
    /// A letter without Receipt may be there or not, but for all of its recipients alike.
    @discardableResult
    static func check(_ ledger: Ledger, _ role: Site.Role, at sites: [Site]) async throws -> Figures {
        var copies = Copies()
        var figures = Figures()
        let letters = Dictionary(uniqueKeysWithValues: ledger.letters.map { ($0.id, $0) })
        for site in sites {
            try await site.withStore { store in
                try await expectWell(store, site)
                var delivered: [String: String] = [:]
                var accepted: [String: String] = [:]
                for account in try await store.accounts(after: nil, limit: 100).map(\.address) {
                    for mail in try await everything(store, account, .inbox) {
                        delivered["\(mail.entry.messageID):\(account)"] = "1"
                        switch try kind(of: mail, role, letters) {
                        case .letter(let id): copies.direct[account, default: [:]][id, default: 0] += 1
                        case .passedOn(let id):
                            copies.passedOn[account, default: [:]][id, default: 0] += 1
                            figures.passedOn += 1
                        case .answer(let answer):
                            #expect(answer.sender == account)
                            figures.answers[answer, default: 0] += 1
                        case nil: break
                        }
                    }
                    for mail in try await everything(store, account, .sent) {
                        accepted["\(mail.entry.messageID):"] = "1"
                        copies.sent[account, default: [:]][try MessageID(mail.entry.messageID), default: 0] += 1
                    }
                }
                try await expectMarks(store, "delivery", delivered, site)
                try await expectMarks(store, "sending", accepted, site)
                figures.entries += delivered.count + accepted.count
                figures.marks += delivered.count + accepted.count
            }
        }
        figures.letters = letters.count
        for letter in ledger.letters { expect(letter, ledger.isAcknowledged(letter.id), role, &copies) }
        for rest in [copies.direct, copies.passedOn, copies.sent] {
            let rest = rest.filter { !$0.value.isEmpty }
            #expect(rest.isEmpty, "mail that nobody sent there: \(rest)")
        }
        return figures
    }

    private static func expectWell(_ store: any MailStore, _ site: Site) async throws {
        #expect(try await store.check().problems == [])
        let jobs = try await store.jobs(destination: nil, after: nil, limit: 10, now: Date())
        #expect(jobs.isEmpty, "the queue of \(site.domain) is not empty: \(jobs)")
    }

    /// Takes what belongs to a letter out of the copies.
    private static func expect(_ letter: Letter, _ isAcknowledged: Bool, _ role: Site.Role, _ copies: inout Copies) {
        var counts: [Int] = []
        for recipient in letter.recipients {
            if recipient == role.address {
                counts += role.persons.map { copies.passedOn[$0]?.removeValue(forKey: letter.id) ?? 0 }
            } else {
                counts.append(copies.direct[recipient]?.removeValue(forKey: letter.id) ?? 0)
            }
        }
        counts.append(copies.sent[letter.author]?.removeValue(forKey: letter.id) ?? 0)
        let expected = isAcknowledged ? [1] : [0, 1]
        #expect(
            expected.contains { count in counts.allSatisfy { $0 == count } },
            "\(letter.id) of \(letter.author) to \(letter.recipients), acknowledged: \(isAcknowledged), counts \(counts)")
    }

    private enum Kind {
        case letter(MessageID)
        case passedOn(MessageID)
        case answer(Answer)
    }

    /// What an entry is: a letter, one that it encloses with its octets, or an answer to one; nil (and a complaint) for others.
    private static func kind(of mail: StoredMessage, _ role: Site.Role, _ letters: [MessageID: Letter]) throws -> Kind? {
        let message = try SealedMessage(octets: mail.octets).message
        if let letter = letters[message.id] {
            #expect(letter.sealed.octets == mail.octets)
            return .letter(letter.id)
        }
        if let inner = try RedirectedMail.find(in: message), let letter = letters[inner.message.message.id] {
            #expect(message.from.address == role.address)
            #expect(inner.message.octets == letter.sealed.octets)
            #expect(inner.postmark.postmark.domain == letter.author.domain)
            return .passedOn(letter.id)
        }
        if message.subject == MailUser.vacationSubject, let letter = message.inReplyTo.flatMap({ letters[$0] }) {
            #expect(letter.recipients.contains(message.from.address))
            return .answer(Answer(user: message.from.address, sender: letter.author, text: message.text))
        }
        Issue.record("a message that nobody wrote: \(message.id) from \(message.from.address)")
        return nil
    }

    /// - Parameter expected: values by the end of their key.
    private static func expectMarks(
        _ store: any MailStore, _ name: String, _ expected: [String: String], _ site: Site
    ) async throws {
        let prefix = Array("seen:\(name):".utf8)
        var marks: [String: String] = [:]
        var cursor: [UInt8]?
        while true {
            let keys = try await store.pluginKeys(prefix: prefix, after: cursor, limit: 500, of: marker)
            for key in keys {
                let value = try #require(try await store.pluginValue(key, of: marker))
                marks[String(decoding: key.dropFirst(prefix.count), as: UTF8.self)] = String(decoding: value.value, as: UTF8.self)
            }
            guard let last = keys.last else { break }
            cursor = last
        }
        let missing = expected.keys.filter { marks[$0] == nil }.sorted()
        let surplus = marks.keys.filter { expected[$0] == nil }.sorted()
        let repeated = marks.filter { $0.value != "1" }
        #expect(missing.isEmpty, "\(missing.count) without \(name) mark at \(site.domain): \(missing.prefix(5))")
        #expect(surplus.isEmpty, "\(surplus.count) \(name) marks without mail at \(site.domain): \(surplus.prefix(5))")
        #expect(repeated.isEmpty, "\(name) marks of several runs at \(site.domain): \(repeated)")
    }

    private static func everything(
        _ store: any MailStore, _ account: Address, _ folder: FolderName
    ) async throws -> [StoredMessage] {
        var mails: [StoredMessage] = []
        var cursor: Int64 = 0
        while true {
            let page = try await store.list(account, folder: folder, from: .after(cursor), limit: 500)
            for entry in page.entries { mails.append(try await store.retrieve(account, .uid(entry.uid))) }
            guard page.hasMore, let last = page.entries.last else { return mails }
            cursor = last.uid
        }
    }
}
