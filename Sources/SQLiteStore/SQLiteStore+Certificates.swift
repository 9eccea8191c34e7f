import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    public func addCertificate(_ certificate: IssuedCertificate) async throws(StoreError) {
        try await write { connection in
            if let owner = certificate.owner { _ = try connection.sql.accountKey(owner) }
            try connection.sql.run(
                """
                INSERT INTO certificates (thumbprint, owner, der, serial, not_after, added, revoked)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """,
                certificate.thumbprint.blob, certificate.owner?.description, certificate.der.blob, certificate.serial.blob,
                certificate.notAfter.micros, certificate.added.micros, certificate.revoked?.micros)
        }
    }

    public func certificate(thumbprint: [UInt8]) async throws(StoreError) -> IssuedCertificate? {
        try await read { sql in
            try sql.first(Self.certificateColumns + " WHERE thumbprint = ?", thumbprint.blob, map: Self.certificate)
        }
    }

    public func certificates(of owner: Address?) async throws(StoreError) -> [IssuedCertificate] {
        try await read { sql in
            try sql.all(
                Self.certificateColumns + " WHERE owner IS ? ORDER BY added, thumbprint", owner?.description, map: Self.certificate)
        }
    }

    @discardableResult
    public func revokeCertificate(thumbprint: [UInt8], now: Date) async throws(StoreError) -> [String] {
        try await write { connection in
            let sql = connection.sql
            let found = try sql.first(Self.certificateColumns + " WHERE thumbprint = ?", thumbprint.blob, map: Self.certificate)
            guard let found else { throw StoreError(.unknownCertificate, "there is no such certificate") }
            guard found.revoked == nil else { return [] }
            try sql.run("UPDATE certificates SET revoked = ? WHERE thumbprint = ?", now.micros, thumbprint.blob)
            guard let owner = found.owner else { return [] }
            return try sql.endSessions(of: owner, account: sql.accountKey(owner))
        }
    }

    public func revokedSerials(now: Date) async throws(StoreError) -> [RevokedSerial] {
        try await read { sql in
            try sql.all(
                """
                SELECT serial, revoked, not_after FROM certificates WHERE revoked IS NOT NULL AND not_after > ?
                ORDER BY revoked, serial
                """, now.micros
            ) { RevokedSerial(serial: try $0.bytes(0), revoked: try $0.time(1), notAfter: try $0.time(2)) }
        }
    }

    private static let certificateColumns = """
        SELECT thumbprint, owner, der, serial, not_after, added, revoked FROM certificates
        """

    private static func certificate(_ row: Row) throws -> IssuedCertificate {
        IssuedCertificate(
            thumbprint: try row.bytes(0), owner: try row.optionalText(1).map(Address.init(stored:)), der: try row.bytes(2),
            serial: try row.bytes(3), notAfter: try row.time(4), added: try row.time(5), revoked: try row.optionalTime(6))
    }
}
