import Foundation
import Identity
import Testing
import XMLTestSupport

/// People who write to each other while the servers of both are killed, and started again, at any instant.
struct Killing: Sendable, CustomStringConvertible {
    /// `WSEMAIL_CRASH_SEED` repeats the same kills (as far as the machine keeps time).
    let seed: UInt64
    /// Of each server; `WSEMAIL_CRASH_KILLS` asks for more.
    let kills: Int

    /// - Parameter share: of the kills that are asked for.
    init(share: Double = 1) {
        let environment = ProcessInfo.processInfo.environment
        seed = environment["WSEMAIL_CRASH_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 1...999_999)
        kills = max(1, Int(Double(environment["WSEMAIL_CRASH_KILLS"].flatMap(Int.init) ?? 50) * share))
    }

    var description: String { "seed \(seed), \(kills) kills of each server" }

    /// What was done.
    struct Killed {
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

    /// Returns when all kills are done, both servers are up and nobody writes any more.
    /// - Parameter addresses: whom they write to.
    func send(_ users: [MailUser], to addresses: [Address], _ two: TwoProcesses, _ ledger: Ledger) async throws -> Killed {
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
    private func write(
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

    private func kill(_ server: ServedSite, _ random: inout SeededGenerator) async throws -> Killed {
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
}
