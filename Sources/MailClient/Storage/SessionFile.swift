import Foundation
import Identity
import WSSecurity

/// The open session, shared by all commands of an account: a secret in a private file, its sequence numbers handed out
/// in blocks under a lock, so that no two processes ever use the same one.
struct SessionFile: Sendable {
    /// Numbers taken at once. Small against the server's window (256): commands at work side by side stay inside it.
    static let block: UInt64 = 16

    private let path: String
    private let lockPath: String

    init(_ folder: AccountFolder) {
        path = folder.sessionPath
        lockPath = folder.sessionLockPath
    }

    private struct Stored: Codable {
        var version = 1
        var id: String
        var secret: Data
        var created: Date
        var expires: Date
        var next: UInt64
    }

    /// The right to change the session. Keep it while a new one is being opened: then only one process opens one.
    func lock(timeout: Duration = .seconds(30)) async throws(MailClientError) -> FileLock {
        try await FileLock.acquire(lockPath, timeout: timeout)
    }

    /// Takes a block of numbers: the session returned may make ``block`` calls. Needs the lock.
    /// - Parameter floor: numbers below are not to be used (`StaleSequence`).
    /// - Returns: nil where there is no session.
    func take(_ lock: FileLock, atLeast floor: UInt64 = 1) throws(MailClientError) -> ClientSession? {
        guard var stored = try read() else { return nil }
        guard let secret = SessionSecret(Array(stored.secret)), stored.next < .max / 2, floor < .max / 2 else { return nil }
        let first = max(stored.next, floor)
        stored.next = first + SessionFile.block
        try StoredJSON.write(stored, to: path)
        return ClientSession(
            id: stored.id, secret: secret, created: stored.created, expires: stored.expires, nextSequence: first)
    }

    /// Keeps a new session, and takes its first block for the caller. Needs the lock.
    func store(_ session: ClientSession, _ lock: FileLock) throws(MailClientError) {
        try StoredJSON.write(
            Stored(
                id: session.id, secret: Data(session.secret.bytes), created: session.created, expires: session.expires,
                next: session.nextSequence + SessionFile.block),
            to: path)
    }

    /// Forgets the session `id`, unless another has taken its place. Needs the lock.
    func clear(_ id: String?, _ lock: FileLock) throws(MailClientError) {
        guard let stored = try read(), id == nil || stored.id == id else { return }
        try SystemFiles.remove(path)
    }

    private func read() throws(MailClientError) -> Stored? {
        do {
            return try StoredJSON.read(Stored.self, from: path)
        } catch {
            // A session is easily opened anew; an unsafe file is still reported.
            guard error.reason.hasSuffix("is damaged") else { throw error }
            try SystemFiles.remove(path)
            return nil
        }
    }
}
