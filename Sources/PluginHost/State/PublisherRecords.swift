import Foundation
import Identity
import MailStore
import PluginAPI
import PluginPackage

/// A root that the administrator trusts to say who publishes plug-ins.
public struct PublisherRecord: Sendable, Hashable {
    public let fingerprint: Fingerprint
    public let label: String
    /// The certificate's common name.
    public let name: String
    public let expires: Date
    public let added: Date
    public let addedBy: String
    let pem: String
}

/// A certificate that no longer counts.
public struct RevocationRecord: Sendable, Hashable {
    public let fingerprint: String
    public let reason: String
    public let revoked: Date
}

/// Whom the administrator believes about publishers: two namespaces of the domain's settings.
struct PublisherRecords {
    static let publishers = "plugin publishers"
    static let revocations = "plugin revocations"
    let store: any DomainStateStore

    private struct StoredPublisher: Codable {
        var pem: String
        var label: String
        var added: Date
        var addedBy: String
    }

    private struct StoredRevocation: Codable {
        var reason: String
        var revoked: Date
    }

    static func key(_ fingerprint: Fingerprint) -> String { Hex.encode(fingerprint.bytes) }

    /// Sorted by label. Throws ``PluginError`` `.storage`.
    func all() async throws(PluginError) -> [PublisherRecord] {
        var records: [PublisherRecord] = []
        for (_, value) in try await values(Self.publishers) {
            // A row that is no certificate vouches for nobody.
            guard let stored = try? JSONDecoder().decode(StoredPublisher.self, from: Data(value)),
                let anchor = try? PublisherAnchor(pem: stored.pem, label: stored.label)
            else { continue }
            records.append(Self.record(anchor, added: stored.added, by: stored.addedBy))
        }
        return records.sorted { ($0.label, $0.name, $0.pem) < ($1.label, $1.name, $1.pem) }
    }

    func revoked() async throws(PluginError) -> [RevocationRecord] {
        try await values(Self.revocations).map { key, value in
            let stored = try? JSONDecoder().decode(StoredRevocation.self, from: Data(value))
            return RevocationRecord(
                fingerprint: key, reason: stored?.reason ?? "", revoked: stored?.revoked ?? Date(timeIntervalSince1970: 0))
        }.sorted { $0.fingerprint < $1.fingerprint }
    }

    func trust() async throws(PluginError) -> PackageTrust {
        PackageTrust(anchors: try await all().map { [$0.pem, $0.label] }, revoked: Set(try await revoked().map(\.fingerprint)))
    }

    func add(_ anchor: PublisherAnchor, now: Date, by: String) async throws(PluginError) -> PublisherRecord {
        let stored = StoredPublisher(pem: anchor.pem, label: anchor.label, added: now, addedBy: by)
        try await set(anchor.fingerprint, in: Self.publishers, to: stored)
        return Self.record(anchor, added: now, by: by)
    }

    func remove(_ key: String) async throws(PluginError) { try await set(key, in: Self.publishers, to: StoredPublisher?.none) }

    func revoke(_ key: String, reason: String, now: Date) async throws(PluginError) {
        try await set(key, in: Self.revocations, to: StoredRevocation(reason: reason, revoked: now))
    }

    private static func record(_ anchor: PublisherAnchor, added: Date, by: String) -> PublisherRecord {
        PublisherRecord(
            fingerprint: anchor.certificate.fingerprint, label: anchor.label, name: anchor.name, expires: anchor.certificate.notAfter,
            added: added, addedBy: by, pem: anchor.pem)
    }

    private func values(_ namespace: String) async throws(PluginError) -> [String: [UInt8]] {
        do { return try await store.settings(in: namespace) } catch { throw PluginError(.storage, error.reason) }
    }

    private func set(_ key: String, in namespace: String, to value: (some Encodable)?) async throws(PluginError) {
        do {
            let octets = try value.map { Array(try JSONEncoder().encode($0)) }
            try await store.setSetting(key, in: namespace, to: octets)
        } catch {
            throw PluginError(.storage, "\(error)")
        }
    }
}

/// The anchors and revocations of one moment, comparable: what was verified against equal ones need not be verified again.
struct PackageTrust: Sendable, Hashable {
    /// PEM and label.
    let anchors: [[String]]
    let revoked: Set<String>
}
