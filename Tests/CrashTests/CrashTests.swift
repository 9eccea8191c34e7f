import Foundation
import Identity
import MailModel
import Testing
import XMLTestSupport

@testable import MailServer

/// Two real servers die again and again at any instant while people write to each other.
@Suite("Crashes", .serialized, .timeLimit(.minutes(5))) struct CrashTests {
    /// `WSEMAIL_CRASH_SEED` repeats the same kills (as far as the machine keeps time); `WSEMAIL_CRASH_KILLS` asks for more.
    private static let seed =
        ProcessInfo.processInfo.environment["WSEMAIL_CRASH_SEED"].flatMap(UInt64.init)
        ?? UInt64.random(in: 1...999_999)
    private static let kills = ProcessInfo.processInfo.environment["WSEMAIL_CRASH_KILLS"].flatMap(Int.init) ?? 50

    @Test func everyAcknowledgedMessageArrivesExactlyOnceWhateverIsKilledWhen() async throws {
        let begin = ContinuousClock.now
        let two = try await TwoProcesses.start()
        print("crash test: seed \(Self.seed), \(Self.kills) kills of each server")
        let ledger = Ledger()
        try await two.run {
            let users = try [
                MailUser("alice", of: two.capicom.site), MailUser("carol", of: two.capicom.site),
                MailUser("bob", of: two.scopio.site), MailUser("dave", of: two.scopio.site),
            ]
            let killed = try await Self.sendWhileKilling(users, two, ledger)
            #expect(ledger.complaints == [])
            let drained = ContinuousClock.now
            try await Self.drain(users, ledger, two.keys)
            for user in users { await user.close() }
            #expect(await two.capicom.terminate() == 0)
            #expect(await two.scopio.terminate() == 0)
            try await Verdict.check(ledger, at: two.sites)
            print(
                "crash test: \(killed.kills) kills (\(killed.early) of them during the start), \(ledger.letters.count) messages, "
                    + "\(ledger.acknowledged.count) acknowledged; start \(killed.startMilliseconds) ms (median), drain "
                    + "\(ContinuousClock.now - drained), all \(ContinuousClock.now - begin); failed attempts: \(ledger.failures)")
            #expect(killed.kills == 2 * Self.kills)
            #expect(ledger.acknowledged.count > 100)
        }
    }

    private struct Killed {
        var kills = 0
        /// Before the server said that it was ready.
        var early = 0
        var starts: [Duration] = []

        var startMilliseconds: Int64 {
            guard !starts.isEmpty else { return 0 }
            let median = starts.sorted()[starts.count / 2].components
            return median.seconds * 1_000 + median.attoseconds / 1_000_000_000_000_000
        }

        static func + (one: Killed, other: Killed) -> Killed {
            Killed(kills: one.kills + other.kills, early: one.early + other.early, starts: one.starts + other.starts)
        }
    }

    private static func sendWhileKilling(_ users: [MailUser], _ two: TwoProcesses, _ ledger: Ledger) async throws -> Killed {
        let addresses = users.map(\.address)
        let isOver = Flag()
        return try await withThrowingTaskGroup(of: Killed.self) { group in
            for (index, user) in users.enumerated() {
                group.addTask {
                    var random = SeededGenerator(seed: seed &+ UInt64(100 + index))
                    while !isOver.isSet {
                        await write(user, to: addresses, two.keys, ledger, &random)
                    }
                    return Killed()
                }
            }
            let killed = try await withThrowingTaskGroup(of: Killed.self) { killers in
                for (index, server) in [two.capicom, two.scopio].enumerated() {
                    killers.addTask {
                        var random = SeededGenerator(seed: seed &+ UInt64(index))
                        return try await kill(server, &random)
                    }
                }
                return try await killers.reduce(Killed(), +)
            }
            isOver.set()
            return try await group.reduce(killed, +)
        }
    }

    /// One message to one to three others, some of them blind. One in ten is given up after the first attempt.
    private static func write(
        _ user: MailUser, to addresses: [Address], _ keys: SiteKeys, _ ledger: Ledger, _ random: inout SeededGenerator
    ) async {
        let others = addresses.filter { $0 != user.address }.shuffled(using: &random)
        let chosen = Array(others.prefix(Int.random(in: 1...3, using: &random)))
        let blind = random.chance(30) ? Array(chosen.dropFirst()) : []
        let isGivenUp = random.chance(10)
        let text = String(repeating: "All work and no play. ", count: random.chance(10) ? 2_000 : 10)
        do {
            let letter = try Letter(
                from: user.address, to: chosen.filter { !blind.contains($0) }, bcc: blind, text: text)
            ledger.begin(letter)
            try await user.deliver(letter, keys: keys, ledger: ledger, attempts: isGivenUp ? 1 : .max)
        } catch {
            ledger.complain("\(error)")
        }
    }

    private static func kill(_ server: ServedSite, _ random: inout SeededGenerator) async throws -> Killed {
        var killed = Killed()
        var started = ContinuousClock.now
        for _ in 0..<kills {
            let duringStart = random.chance(25)
            if !duringStart {
                try await server.untilReady()
                if killed.kills > 0 { killed.starts.append(ContinuousClock.now - started) }
            }
            // The instant of the kill; nothing waits for this to have had an effect.
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...(duringStart ? 250 : 700), using: &random)))
            let status = try await server.killAndRestart()
            started = ContinuousClock.now
            #expect(status == -9, "the server ended by itself: \(status)\n\(server.logTail)")
            killed.kills += 1
            if duringStart { killed.early += 1 }
        }
        try await server.untilReady()
        return killed
    }

    /// Waits until everything acknowledged is in its recipients' mailboxes and its authors' statuses say so.
    private static func drain(_ users: [MailUser], _ ledger: Ledger, _ keys: SiteKeys) async throws {
        let acknowledged = ledger.acknowledged
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in users {
                group.addTask {
                    let mine = acknowledged.filter { $0.recipients.contains(user.address) }
                    let isThere = try await user.receives(Set(mine.map(\.id)))
                    #expect(isThere, "acknowledged messages are missing in the mailbox of \(user.address)")
                    for letter in acknowledged where letter.author == user.address {
                        let status = try await user.status(of: letter.id, reaching: "delivered")
                        let isDelivered = try await Verdict.isDelivered(letter, status, keys: keys)
                        #expect(isDelivered, "\(letter.id): \(status.lines)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
