import Crypto
import Foundation
import Identity
import MailStore
import NIOPosix
import SOAP
import Synchronization

/// Checks passwords: throttled, a bounded number at a time, off the cooperative threads; a verified one is remembered
/// for a minute so that stock clients that send it with every call do not pay scrypt each time.
final class PasswordGate: Sendable {
    private struct Verified {
        let proof: [UInt8]
        let generation: Int64
        let expires: Date
    }

    private struct State {
        /// Counts one account tried from one network address.
        var narrow: LoginThrottle
        /// Counts whole accounts and whole network addresses, with ten times the patience: a stranger's guesses do not
        /// lock the owner out at once.
        var wide: LoginThrottle
        var verified: [Address: Verified] = [:]
        var waiting = 0
    }

    private static let memory: TimeInterval = 60
    private static let maxWaiting = 256

    private let store: any MailStore
    private let pool: NIOThreadPool
    private let state: Mutex<State>
    /// Keys the proofs in memory, so that no password or bare hash of one lies there.
    private let proofKey = SymmetricKey(size: .bits256)

    /// - Parameter pool: its size bounds how many scrypt computations run at a time.
    /// - Parameters:
    ///   - allowed: wrong passwords before a wait.
    ///   - firstWait: seconds; doubles with each further failure, up to an hour.
    init(store: any MailStore, pool: NIOThreadPool, allowed: Int, firstWait: TimeInterval) {
        self.store = store
        self.pool = pool
        state = Mutex(
            State(
                narrow: LoginThrottle(allowed: allowed, firstWait: firstWait),
                wide: LoginThrottle(allowed: allowed * 10, firstWait: firstWait)))
    }

    /// - Parameter peerAddress: network address of the caller, throttled beside the account.
    /// - Returns: the credential generation that was checked; nil for a wrong password or unknown account.
    func check(_ address: Address, password: String, from peerAddress: String, now: Date) async throws(SOAPFault) -> Int64? {
        try admit(address, from: peerAddress, now: now)
        let credential: AccountCredential?
        do { credential = try await store.credential(of: address) } catch { throw SOAPFault(error) }
        let proof = Array(HMAC<SHA256>.authenticationCode(for: Data(password.utf8), using: proofKey))
        if let credential, !credential.isDisabled, isRemembered(address, proof, credential.generation, now: now) {
            return credential.generation
        }
        let isRight = await verify(password, against: credential?.isDisabled == false ? credential?.passwordHash : nil)
        guard let isRight else { throw SOAPFault(.busy, "too many logins at this moment; try again") }
        // Guesses sent all at once pass the first look together: what comes after the allowed number learns nothing.
        try admit(address, from: peerAddress, now: now)
        return state.withLock { state in
            guard isRight, let credential else {
                state.narrow.failed("\(address) \(peerAddress)", now: now)
                state.wide.failed("a:\(address)", now: now)
                state.wide.failed("n:\(peerAddress)", now: now)
                return nil
            }
            state.narrow.succeeded("\(address) \(peerAddress)")
            state.wide.succeeded("a:\(address)")
            if state.verified.count >= 10_000 { state.verified.removeAll() }
            state.verified[address] = Verified(
                proof: proof, generation: credential.generation, expires: now.addingTimeInterval(PasswordGate.memory))
            return credential.generation
        }
    }

    private func admit(_ address: Address, from peerAddress: String, now: Date) throws(SOAPFault) {
        let wait = state.withLock { state in
            [
                state.narrow.wait(for: "\(address) \(peerAddress)", now: now),
                state.wide.wait(for: "a:\(address)", now: now), state.wide.wait(for: "n:\(peerAddress)", now: now),
            ].compactMap(\.self).max() ?? 0
        }
        if wait > 0 {
            throw SOAPFault(.busy, "too many failed logins: wait \(Int(wait.rounded(.up))) seconds, then try again")
        }
    }

    private func isRemembered(_ address: Address, _ proof: [UInt8], _ generation: Int64, now: Date) -> Bool {
        state.withLock { state in
            guard let known = state.verified[address], known.generation == generation, known.expires > now else { return false }
            return known.proof == proof
        }
    }

    /// nil: too many wait already.
    private func verify(_ password: String, against hash: String?) async -> Bool? {
        let admitted = state.withLock { state in
            guard state.waiting < PasswordGate.maxWaiting else { return false }
            state.waiting += 1
            return true
        }
        guard admitted else { return nil }
        defer { state.withLock { $0.waiting -= 1 } }
        return try? await pool.runIfActive { (try? Password.verify(password, against: hash)) ?? false }
    }

    /// Hashes a new password off the cooperative threads.
    func hash(_ password: String) async throws -> String {
        try await pool.runIfActive { try Password.hash(password) }
    }
}
