import Foundation
import Identity
import MailModel
import MailStore
import SOAP
import Synchronization
import WSSecurity

/// Open sessions: in memory while they are used, encrypted in the store so that they survive a restart.
final class SessionDirectory: SequenceStore, Sendable {
    private static let maxCached = 100_000

    private let store: any MailStore
    private let vault: SessionVault
    private let issuer: SessionIssuer
    private struct Cache {
        var sessions: [String: SecuritySession] = [:]
        /// Grows whenever sessions end: what was read from the store before that may have ended meanwhile.
        var endings: UInt64 = 0
    }

    private let cache = Mutex(Cache())

    init(store: any MailStore, vaultKey: [UInt8], lifetime: TimeInterval) throws {
        self.store = store
        vault = try SessionVault(key: vaultKey)
        issuer = SessionIssuer(lifetime: lifetime)
    }

    /// The open session of that id, or nil.
    func session(_ id: String, now: Date) async throws(SOAPFault) -> SecuritySession? {
        let (known, endings) = cache.withLock { ($0.sessions[id], $0.endings) }
        if let known {
            if known.expires > now { return known }
            forget([id])
            return nil
        }
        do {
            guard let stored = try await store.session(id, now: now) else { return nil }
            let record = try open(stored)
            remember(record, unlessEndedSince: endings)
            return record
        } catch {
            throw SOAPFault.from(error)
        }
    }

    /// Opens a session for a principal that just proved itself.
    /// - Parameter generation: the credential generation that was checked; the store refuses if it changed since.
    func open(
        for principal: Principal, method: AuthenticationMethod, generation: Int64, now: Date
    ) async throws -> SecuritySession {
        let record = issuer.issue(principal: principal, method: method, now: now)
        try await insert(record, generation: generation)
        return record
    }

    /// Replaces a session by a new one with a new secret; the old one ends.
    func renew(_ old: SecuritySession, now: Date) async throws -> SecuritySession {
        guard let stored = try await store.session(old.id, now: now) else {
            throw SOAPFault(.unknownSession, "the session has ended: open a new one")
        }
        let record = issuer.renew(old, now: now)
        try await insert(record, generation: stored.credentialGeneration)
        try await end(old.id)
        return record
    }

    func end(_ id: String) async throws {
        try await store.deleteSession(id)
        forget([id])
    }

    /// Drops sessions that the store ended: after a change of password or key.
    func forget(_ ids: [String]) {
        cache.withLock { cache in
            cache.endings &+= 1
            for id in ids { cache.sessions[id] = nil }
        }
    }

    private func insert(_ record: SecuritySession, generation: Int64) async throws {
        let (principal, kind): (String, SessionKind)
        switch record.principal {
        case .user(let address): (principal, kind) = (address.description, .user)
        case .peer(let domain): (principal, kind) = (domain.description, .peer)
        case .anonymous, .federated: throw SOAPFault(.forbidden, "neither nobody nor the holder of a token has a session")
        }
        let endings = cache.withLock { $0.endings }
        try await store.insertSession(
            SessionRecord(
                id: record.id, principal: principal, kind: kind,
                sealedSecret: [SessionDirectory.tag(record.method)] + vault.seal(record.secret, session: record.id),
                created: record.created, expires: record.expires, credentialGeneration: generation,
                sequenceCeiling: SequenceWindow.block))
        remember(record, unlessEndedSince: endings)
    }

    private func open(_ stored: SessionRecord) throws -> SecuritySession {
        guard let first = stored.sealedSecret.first else { throw SOAPFault(.internal, "a stored session is damaged") }
        let principal: Principal =
            switch stored.kind {
            case .user: .user(try Address(stored.principal))
            case .peer: .peer(try MailDomain(stored.principal))
            }
        return SecuritySession(
            id: stored.id, principal: principal, method: first == 1 ? .x509 : .password,
            secret: try vault.open(Array(stored.sealedSecret.dropFirst()), session: stored.id), created: stored.created,
            expires: stored.expires)
    }

    /// How the session was opened, kept before the sealed secret.
    private static func tag(_ method: AuthenticationMethod) -> UInt8 { method == .x509 ? 1 : 0 }

    /// The store has them all: what is not remembered is read again.
    private func remember(_ record: SecuritySession, unlessEndedSince endings: UInt64) {
        cache.withLock { cache in
            guard cache.endings == endings else { return }
            if cache.sessions.count >= SessionDirectory.maxCached { cache.sessions.removeAll() }
            cache.sessions[record.id] = record
        }
    }

    // MARK: SequenceStore

    func sequenceCeiling(session: String) async throws(SOAPFault) -> UInt64 {
        do {
            return try await store.session(session, now: .distantPast)?.sequenceCeiling ?? 0
        } catch { throw SOAPFault(error) }
    }

    func raiseSequenceCeiling(session: String, to ceiling: UInt64) async throws(SOAPFault) {
        do { try await store.reserveSequence(session, upTo: ceiling) } catch { throw SOAPFault(error) }
    }
}
