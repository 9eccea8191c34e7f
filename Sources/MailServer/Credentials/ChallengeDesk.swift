import Foundation
import Synchronization
import WSSecurity

/// The challenges of this process: each counts once, for logins by key and for calls with a token.
final class ChallengeDesk: Sendable {
    private let challenges = Mutex(ChallengeStore())

    func issue(now: Date) -> (challenge: [UInt8], expires: Date) {
        let (challenge, expires) = challenges.withLock { $0.issue(now: now) }
        return (challenge, expires)
    }

    func redeem(_ challenge: [UInt8], now: Date) -> Bool { challenges.withLock { $0.redeem(challenge, now: now) } }
}
