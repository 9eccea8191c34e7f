import Identity
import PluginAPI
import PluginPackage

extension PluginManager {
    private var trusted: PublisherRecords { PublisherRecords(store: store) }

    /// Believes packages under a root from now on. Again with the same certificate: the label is replaced.
    /// - Parameter label: what the administrator calls it; empty: the certificate's name.
    public func addPublisher(pem: String, label: String, by: String) async throws(PluginError) -> PublisherRecord {
        guard label.count <= 100 else { throw PluginError(.invalid, "a label has at most 100 characters") }
        let bare = try PublisherAnchor(pem: pem, label: label)
        let anchor = label.isEmpty ? try PublisherAnchor(pem: pem, label: bare.name) : bare
        return try await alone { () throws(PluginError) in
            if try await trusted.revoked().contains(where: { $0.fingerprint == anchor.fingerprint }) {
                throw PluginError(.refused, "this certificate was revoked here: ask the publisher for a new root")
            }
            return try await trusted.add(anchor, now: clock(), by: by)
        }
    }

    /// By label.
    public func publishers() async throws(PluginError) -> [PublisherRecord] { try await trusted.all() }

    /// Certificates that no longer count.
    public func revocations() async throws(PluginError) -> [RevocationRecord] { try await trusted.revoked() }

    /// No package under the root runs any more.
    public func removePublisher(fingerprint: Fingerprint) async throws(PluginError) {
        try await alone { () throws(PluginError) in
            guard try await trusted.all().contains(where: { $0.fingerprint == fingerprint }) else {
                throw PluginError(.refused, "\(fingerprint) is no publisher here: `wsemaild plugin publisher list` shows them")
            }
            try await trusted.remove(PublisherRecords.key(fingerprint))
        }
    }

    /// No package whose path holds the certificate runs any more: a publisher's own, an intermediate's or a root's. It need not
    /// be known here, and cannot be taken back.
    public func revokeCertificate(fingerprint: Fingerprint, reason: String) async throws(PluginError) {
        let reason = VerdictRules.line(String(reason.prefix(VerdictRules.reasonLength)))
        try await alone { () throws(PluginError) in
            let key = PublisherRecords.key(fingerprint)
            // The first reason stays.
            guard try await !trusted.revoked().contains(where: { $0.fingerprint == key }) else { return }
            try await trusted.revoke(key, reason: reason, now: clock())
        }
    }
}
