import Foundation
import Identity
import MailModel
import Synchronization
import Testing
import XMLTestSupport

@testable import MailServer

/// The server that keeps the files dies again and again while people send some (design §5.1): never a message whose file is
/// missing, never a file that stays for nothing.
@Suite("Crashes with attachments", .serialized, .timeLimit(.minutes(5))) struct AttachmentCrashTests {
    private let killing = Killing(share: 0.5)
    /// GUIDs that their authors have taken back.
    private let revoked = RevokedFiles()

    @Test func `what is delivered can be fetched whole, and what is not is collected, whatever is killed when`() async throws {
        let begin = ContinuousClock.now
        let two = try await TwoProcesses.start { $0.pluginTimeLimitMilliseconds = 60_000 }
        print("crash test with attachments: seed \(killing.seed), \(killing.kills) kills of the sender's server")
        try await two.run {
            let (capicom, scopio) = (two.capicom.site, two.scopio.site)
            let authors = try ["alice", "carol"].map { try AttachmentUser($0, of: capicom) }
            let others = try ["bob", "dave"].map { try AttachmentUser($0, of: scopio) }
            let ledger = Ledger()
            let early = try await send(authors, to: (authors + others).map(\.address), two, ledger)
            #expect(ledger.complaints == [])
            try await Site.drain(capicom, scopio) { try await $0.admin(.queueList).rows.count }
            let drained = ContinuousClock.now
            var (fetched, refused) = (0, 0)
            for (users, home) in [(authors, capicom), (others, scopio)] {
                for user in users {
                    let found = try await AttachmentVerdict.fetchAll(of: user, at: home, keptBy: capicom, revoked: revoked.guids)
                    (fetched, refused) = (fetched + found.fetched, refused + found.refused)
                }
            }
            let fetching = ContinuousClock.now - drained
            for user in authors + others { await user.close() }
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            try await Verdict.check(ledger, at: two.sites)
            let figures = try await AttachmentVerdict.check(capicom)
            print(
                "crash test with attachments: \(killing.kills) kills (\(early) of them during the start), \(ledger.letters.count) messages, "
                    + "\(ledger.acknowledged.count) acknowledged, \(fetched) attachments fetched in \(fetching), \(refused) refused, \(figures.holds) holds, "
                    + "\(figures.files) files, \(figures.collected) collected, all \(ContinuousClock.now - begin); failed attempts: "
                    + ledger.failures)
            // On a slow machine the server is starting most of the time.
            #expect(ledger.acknowledged.count >= 5)
            #expect(fetched >= ledger.acknowledged.count && figures.holds > 0 && figures.collected > 0)
            // scopio keeps no files: those of its mail are at capicom.
            #expect(try await AttachmentVerdict.check(scopio).files == 0)
        }
    }

    /// Returns when all kills are done, the server is up and nobody writes any more.
    /// - Returns: kills before the server was ready.
    private func send(_ authors: [AttachmentUser], to addresses: [Address], _ two: TwoProcesses, _ ledger: Ledger) async throws -> Int {
        let isOver = Flag()
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for (index, author) in authors.enumerated() {
                group.addTask {
                    var random = SeededGenerator(seed: killing.seed &+ UInt64(100 + index))
                    while !isOver.isSet { await write(author, to: addresses, two.keys, ledger, &random) }
                    return 0
                }
            }
            // Whatever happens: the authors end, too.
            defer { isOver.set() }
            var random = SeededGenerator(seed: killing.seed)
            let early = try await kill(two.capicom, &random)
            isOver.set()
            return try await group.reduce(early, +)
        }
    }

    /// Takes some of a message's attachments back.
    private func revoke(_ id: MessageID, by author: AttachmentUser, _ random: inout SeededGenerator) async throws {
        let guids = try await author.insist { try await author.sent(id) } ?? []
        for guid in guids where random.chance(60) {
            revoked.insert(guid)
            try await author.insist { try await author.revoke(guid) }
        }
    }

    /// One message with small files inside the call and larger ones uploaded before, to one or two others. Some are given up after
    /// the first attempt, some when all is uploaded; of some the author takes files back. The same file goes with several messages.
    private func write(
        _ author: AttachmentUser, to addresses: [Address], _ keys: SiteKeys, _ ledger: Ledger, _ random: inout SeededGenerator
    ) async {
        let recipients = Array(addresses.filter { $0 != author.address }.shuffled(using: &random).prefix(random.chance(50) ? 1 : 2))
        let inline = random.chance(60) ? [random.chance(30) ? Self.common : octets(1...40_000, &random)] : []
        let uploaded = random.chance(50) || inline.isEmpty ? [octets(300_000...4_000_000, &random)] : []
        let (isGivenUp, isNeverSent) = (random.chance(10), random.chance(10))
        do {
            guard !isNeverSent else {
                try await author.insist(attempts: 1) { for octets in uploaded { try await author.upload(octets) } }
                return
            }
            let mail = try FileLetter(from: author.address, to: recipients, inline: inline, uploaded: uploaded)
            ledger.begin(mail.letter)
            try await author.deliver(mail, keys: keys, ledger: ledger, attempts: isGivenUp ? 1 : .max)
            if random.chance(15), ledger.isAcknowledged(mail.letter.id) { try await revoke(mail.letter.id, by: author, &random) }
        } catch {
            ledger.complain("\(error)")
        }
    }

    private static let common = Array("the same for everybody, again and again".utf8)

    private func octets(_ sizes: ClosedRange<Int>, _ random: inout SeededGenerator) -> [UInt8] {
        let words = (0..<(Int.random(in: sizes, using: &random) / 8 + 1)).map { _ in random.next() }
        return words.withUnsafeBytes { Array($0) }
    }

    private func kill(_ server: ServedSite, _ random: inout SeededGenerator) async throws -> Int {
        var early = 0
        for _ in 0..<killing.kills {
            let duringStart = random.chance(25)
            if duringStart { early += 1 } else { try await server.untilReady() }
            // The instant of the kill; nothing waits for this to have had an effect.
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...(duringStart ? 250 : 700), using: &random)))
            let status = try await server.killAndRestart()
            #expect(status == -9, "the server ended by itself: \(status)\n\(server.logTail)")
        }
        try await server.untilReady()
        return early
    }
}

/// What authors took back, or began to.
private final class RevokedFiles: Sendable {
    private let state = Mutex<Set<String>>([])

    var guids: Set<String> { state.withLock { $0 } }

    func insert(_ guid: String) { state.withLock { _ = $0.insert(guid) } }
}
