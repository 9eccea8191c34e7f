import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    public func insertSession(_ session: SessionRecord) async throws(StoreError) {
        let ceiling = try Self.storedSequence(session.sequenceCeiling)
        try await write { connection in
            if session.kind == .user { try Self.checkCredentials(of: session, connection.sql) }
            let count = try connection.sql.run(
                """
                INSERT INTO sessions (id, kind, principal, secret, created, expires, generation, ceiling)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """,
                session.id, session.kind.rawValue, session.principal, session.sealedSecret.blob, session.created.micros,
                session.expires.micros, session.credentialGeneration, ceiling)
            guard count == 1 else { throw StoreError(.alreadyExists, "there is a session of this id") }
        }
    }

    public func session(_ id: String, now: Date) async throws(StoreError) -> SessionRecord? {
        try await read { sql in
            try sql.first(
                """
                SELECT id, kind, principal, secret, created, expires, generation, ceiling FROM sessions
                WHERE id = ? AND expires > ?
                """, id, now.micros, map: Self.session)
        }
    }

    public func reserveSequence(_ id: String, upTo ceiling: UInt64) async throws(StoreError) {
        let ceiling = try Self.storedSequence(ceiling)
        try await write { connection in
            let count = try connection.sql.run("UPDATE sessions SET ceiling = max(ceiling, ?) WHERE id = ?", ceiling, id)
            guard count == 1 else { throw StoreError(.unknownSession, "there is no such session") }
        }
    }

    public func deleteSession(_ id: String) async throws(StoreError) {
        try await write { _ = try $0.sql.run("DELETE FROM sessions WHERE id = ?", id) }
    }

    @discardableResult
    public func deleteSessions(of principal: String, kind: SessionKind) async throws(StoreError) -> [String] {
        try await write { try $0.sql.deleteSessions(of: principal, kind: kind) }
    }

    private static func storedSequence(_ number: UInt64) throws(StoreError) -> Int64 {
        guard let stored = Int64(exactly: number) else { throw StoreError(.invalid, "a sequence number above 2^63 - 1") }
        return stored
    }

    /// Between the check of a password and this write the password may have changed.
    private static func checkCredentials(of session: SessionRecord, _ sql: SQLConnection) throws {
        let state = try sql.first(
            "SELECT generation, disabled IS NOT NULL FROM accounts WHERE address = ?", session.principal
        ) { (generation: try $0.int(0), isDisabled: try $0.int(1) != 0) }
        guard let state else { throw StoreError(.unknownAccount, "there is no account \(session.principal)") }
        guard !state.isDisabled else { throw StoreError(.accountDisabled, "\(session.principal) is disabled") }
        guard state.generation == session.credentialGeneration else {
            throw StoreError(.credentialsChanged, "the credentials of \(session.principal) changed during the login")
        }
    }

    private static func session(_ row: Row) throws -> SessionRecord {
        guard let kind = SessionKind(rawValue: try row.text(1)) else { throw StoreError(.corrupt, "an unknown kind of session") }
        return SessionRecord(
            id: try row.text(0), principal: try row.text(2), kind: kind, sealedSecret: try row.bytes(3), created: try row.time(4),
            expires: try row.time(5), credentialGeneration: try row.int(6), sequenceCeiling: UInt64(max(0, try row.int(7))))
    }
}
