import Foundation
import Identity
import MailModel

/// One client of the paper's mix: a quarter each of send, list, retrieve and delete, in seeded order.
struct MixClient: Sendable {
    private let user: BenchUser
    private let recipients: [Address]
    private var random: SeededRandom
    private var known: [MessageID] = []
    private var cursor: UInt64 = 0
    /// Milliseconds of each operation.
    private(set) var latencies: [Double] = []
    private(set) var sends = 0

    init(user: BenchUser, recipients: [Address], seed: UInt64) {
        self.user = user
        self.recipients = recipients
        random = SeededRandom(seed: seed)
    }

    mutating func step(_ mail: SampleText.Mail) async throws {
        let start = ContinuousClock.now
        switch random.next(below: 4) {
        case 0:
            try await user.send(mail, to: recipients)
            sends += 1
        case 1:
            // As our client does: only what is new.
            let page = try await user.list(limit: 50, after: cursor)
            known += page.headers.map(\.id)
            cursor = page.headers.last?.uid ?? cursor
        case 2:
            guard !known.isEmpty else { return }
            try await user.retrieve(known[random.next(below: known.count)])
        default:
            guard !known.isEmpty else { return }
            try await user.delete(known.remove(at: random.next(below: known.count)))
        }
        latencies.append((ContinuousClock.now - start) / .milliseconds(1))
    }
}

/// SplitMix64.
struct SeededRandom: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// 0 to 1.
    mutating func fraction() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}
