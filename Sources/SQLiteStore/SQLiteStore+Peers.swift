import Foundation
import GRDB
import Identity
import MailStore

extension SQLiteStore {
    @discardableResult
    public func savePeerMetadata(_ metadata: PeerMetadata) async throws(StoreError) -> Bool {
        try await write { connection in
            let count = try connection.sql.run(
                """
                INSERT INTO peer_metadata (domain, octets, version, next_update, fetched) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (domain) DO UPDATE SET octets = excluded.octets, version = excluded.version,
                next_update = excluded.next_update, fetched = excluded.fetched WHERE excluded.version >= version
                """,
                metadata.domain.description, metadata.octets.blob, metadata.version, metadata.nextUpdate.micros,
                metadata.fetched.micros)
            return count > 0
        }
    }

    public func peerMetadata(of domain: MailDomain) async throws(StoreError) -> PeerMetadata? {
        try await read { sql in
            try sql.first(Self.metadataColumns + " WHERE domain = ?", domain.description, map: Self.metadata)
        }
    }

    public func peerMetadata(after cursor: MailDomain?, limit: Int) async throws(StoreError) -> [PeerMetadata] {
        try await read { sql in
            try sql.all(
                Self.metadataColumns + " WHERE domain > ? ORDER BY domain LIMIT ?", cursor?.description ?? "", max(0, limit),
                map: Self.metadata)
        }
    }

    public func removePeerMetadata(of domain: MailDomain) async throws(StoreError) {
        try await write { _ = try $0.sql.run("DELETE FROM peer_metadata WHERE domain = ?", domain.description) }
    }

    @discardableResult
    public func addTrustAnchor(_ anchor: TrustAnchorRecord) async throws(StoreError) -> Int64 {
        try await write { connection in
            let sql = connection.sql
            let count = try sql.run(
                """
                INSERT INTO anchors (thumbprint, scope, der, label, added, added_by) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT DO NOTHING
                """,
                anchor.thumbprint.blob, anchor.scope.stored, anchor.der.blob, anchor.label, anchor.added.micros, anchor.addedBy)
            return count > 0 ? try sql.nextCounter(Counter.anchors) : try sql.counter(Counter.anchors)
        }
    }

    @discardableResult
    public func removeTrustAnchor(thumbprint: [UInt8], scope: AnchorScope) async throws(StoreError) -> Int64 {
        try await write { connection in
            let count = try connection.sql.run(
                "DELETE FROM anchors WHERE thumbprint = ? AND scope = ?", thumbprint.blob, scope.stored)
            guard count > 0 else { throw StoreError(.unknownCertificate, "there is no such trust anchor") }
            return try connection.sql.nextCounter(Counter.anchors)
        }
    }

    public func trustAnchors() async throws(StoreError) -> TrustAnchorSet {
        try await read { sql in
            let anchors = try sql.all(
                "SELECT thumbprint, der, scope, label, added, added_by FROM anchors ORDER BY scope, thumbprint"
            ) { row in
                TrustAnchorRecord(
                    thumbprint: try row.bytes(0), der: try row.bytes(1), scope: try AnchorScope(stored: row.text(2)),
                    label: try row.text(3), added: try row.time(4), addedBy: try row.text(5))
            }
            return TrustAnchorSet(generation: try sql.counter(Counter.anchors), anchors: anchors)
        }
    }

    public func rememberCertificates(
        _ certificates: [(thumbprint: [UInt8], der: [UInt8])], now: Date
    ) async throws(StoreError) {
        guard !certificates.isEmpty else { return }
        try await write { connection in
            for certificate in certificates {
                try connection.sql.run(
                    """
                    INSERT INTO seen_certificates (thumbprint, der, seen) VALUES (?, ?, ?)
                    ON CONFLICT (thumbprint) DO UPDATE SET seen = max(seen, excluded.seen)
                    """, certificate.thumbprint.blob, certificate.der.blob, now.micros)
            }
        }
    }

    public func rememberedCertificate(thumbprint: [UInt8]) async throws(StoreError) -> [UInt8]? {
        try await read { sql in
            try sql.first("SELECT der FROM seen_certificates WHERE thumbprint = ?", thumbprint.blob) { try $0.bytes(0) }
        }
    }

    private static let metadataColumns = "SELECT domain, octets, version, next_update, fetched FROM peer_metadata"

    private static func metadata(_ row: Row) throws -> PeerMetadata {
        PeerMetadata(
            domain: try MailDomain(stored: row.text(0)), octets: try row.bytes(1), version: try row.int(2),
            nextUpdate: try row.time(3), fetched: try row.time(4))
    }
}

extension AnchorScope {
    /// A domain's name, or `*`, which no domain is.
    var stored: String {
        switch self {
        case .domain(let domain): domain.description
        case .federation: "*"
        }
    }

    init(stored: String) throws {
        self = stored == "*" ? .federation : .domain(try MailDomain(stored: stored))
    }
}
