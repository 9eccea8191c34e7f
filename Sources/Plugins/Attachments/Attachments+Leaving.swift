import Identity
import PluginAPI

/// What becomes of attachments when an account is removed.
extension Attachments {
    /// Attachments that one call closes. Each may have 1,000 offers, and a call changes at most 4,000 of the host's values.
    private static let closedAtOnce = 3

    /// Takes the attachments of an owner back from all, lets go of the files, and sees to it that whoever gets the address next
    /// has nothing of them, nor of what was sent to the address before. Records and logs stay for their time, for nobody.
    ///
    /// Where other servers keep what was sent to the address, they learn nothing of the removal.
    /// - Returns: whether there is more to do.
    public func accountRemoved(_ address: Address, _ environment: any PluginEnvironment) async throws -> Bool {
        let desk = try AttachmentDesk(environment)
        // First, so that what cannot be read below is closed all the same.
        try await desk.save(desk.time, AttachmentKeys.removal(address))
        let prefix = AttachmentKeys.mailings(of: address)
        let keys = try await environment.keys(withPrefix: prefix, after: nil, limit: Self.closedAtOnce)
        for key in keys {
            try await close(AttachmentKeys.guid(key), desk)
            try await desk.remove(key)
        }
        return keys.count == Self.closedAtOnce
    }

    private func close(_ guid: String, _ desk: AttachmentDesk) async throws(PluginError) {
        let found: AttachmentRecord?
        do { found = try await desk.record(guid) } catch {
            guard error.code == .failed else { throw error }
            // Nobody can read a damaged one. The host lets go of its file.
            try desk.environment.log(.error, error.reason)
            return
        }
        guard var record = found, !record.isAbandoned else { return }
        try await desk.environment.withdrawDownloads(of: guid, reader: nil)
        if !record.released { try await desk.environment.releaseBlob(record.blob) }
        try await desk.remove(AttachmentKeys.ofMessage(record.owner, record.messageID, guid))
        if !record.revokedAll { record = try await desk.logged(.revoked, in: record) }
        record.isAbandoned = true
        record.revokedAll = true
        record.released = true
        try await desk.save(record)
    }
}
