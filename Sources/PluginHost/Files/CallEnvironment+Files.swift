import Foundation
import Identity
import MailStore
import PluginAPI

/// Files, as one call may see them.
extension CallEnvironment {
    /// Octets of one reading.
    static let fileRead = 1...(1 << 20)
    /// Offers of one GUID that are good at a time.
    static let offers = 1_000

    /// What a call is about, as far as files are concerned.
    enum Phase: Sendable {
        case other
        /// Sizes of the submission's files by digest.
        case sending([[UInt8]: UInt64])
        case extensionCall
    }

    // MARK: Sending

    /// The event with those files only that are here, as large as the message says. A message may claim any size of a file that
    /// was handed in before: that must not become a plug-in's failure.
    func beginSending(_ event: SubmissionEvent) async -> SubmissionEvent {
        var sizes: [[UInt8]: UInt64] = [:]
        waitsForFiles(1)
        if let files = parts.services.files, let owner = run.principal {
            for digest in event.files {
                let claimed = Set(event.message.attachments.filter { $0.digest == digest }.map(\.size))
                guard claimed.count == 1, let size = claimed.first else { continue }
                if await files.size(of: digest, owner: owner) == size { sizes[digest] = size }
            }
        }
        waitsForFiles(-1)
        begin(.sending(sizes))
        var event = event
        event.files = Set(sizes.keys)
        return event
    }

    /// Writes the holds of a verdict ``SendingVerdict/keep(_:)``.
    /// - Throws: ``PluginError`` `.notGranted`; `.invalid` for a file that is not here.
    func keep(_ guids: [[UInt8]: String]) throws(PluginError) {
        try need(.blobs)
        guard case .sending(let sizes) = phase, let owner = run.principal else {
            throw PluginError(.invalid, "there is nobody whose files it could keep")
        }
        for (digest, guid) in guids.sorted(by: { $0.value < $1.value }) {
            guard let size = sizes[digest] else { throw PluginError(.invalid, "it keeps a file that is not here") }
            try write(
                HostValues.holdValue(size: size), for: HostValues.holdKey(owner: owner, digest: digest, guid: guid), in: HostValues.holds)
        }
    }

    func readFile(_ digest: [UInt8], at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        try need(.files)
        guard case .sending(let sizes) = phase, let size = sizes[digest], let owner = run.principal else {
            throw PluginError(.invalid, "it reads a file that did not come with this submission")
        }
        return try await read(digest, size: size, owner: owner, at: offset, count: count)
    }

    private func read(
        _ digest: [UInt8], size: UInt64, owner: Address, at offset: UInt64, count: Int
    ) async throws(PluginError) -> [UInt8] {
        guard Self.fileRead.contains(count) else { throw PluginError(.limitExceeded, "1 octet to 1 MiB of a file at a time") }
        guard offset < size else { return [] }
        let wanted = Int(min(UInt64(count), size - offset))
        let files = try files()
        waitsForFiles(1)
        defer { waitsForFiles(-1) }
        let octets = try await files.read(digest, owner: owner, at: offset, count: wanted)
        guard octets.count == wanted else { throw PluginError(.storage, "a file is shorter than it was") }
        return octets
    }

    private func files() throws(PluginError) -> any HostFiles {
        guard let files = parts.services.files else { throw PluginError(.unavailable, "this server keeps no files") }
        return files
    }

    // MARK: Custody

    func openUpload(_ digest: [UInt8], size: UInt64) async throws(PluginError) -> UploadOffer {
        try need(.blobs)
        guard case .extensionCall = phase, let owner = run.principal else {
            throw PluginError(.invalid, "only users of this domain hand files in, when they call")
        }
        guard digest.count == 32 else { throw PluginError(.invalid, "a SHA-256 has 32 octets") }
        let files = try files()
        waitsForFiles(1)
        defer { waitsForFiles(-1) }
        return try await files.openUpload(digest, size: size, owner: owner)
    }

    func readBlob(_ blob: KeptBlob, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        try need(.blobs)
        try await requireHold(blob)
        return try await read(blob.digest, size: blob.size, owner: blob.owner, at: offset, count: count)
    }

    func offerDownload(_ blob: KeptBlob, to reader: Address, until: Date) async throws(PluginError) -> DownloadOffer {
        try need(.blobs)
        try await requireHold(blob)
        try await requireRoomForOffer(of: blob.guid)
        let ticket = HostValues.Ticket(owner: blob.owner, digest: blob.digest, size: blob.size, reader: reader, expires: until)
        let secret = RandomID.bytes(32)
        try write(ticket.encoded(), for: HostValues.ticketKey(guid: blob.guid, ticket: secret), in: HostValues.tickets)
        return DownloadOffer(
            path: "/wsemail/files/\(blob.guid)", ticket: secret, ticketID: RandomID.hex(16), expires: ticket.expiry)
    }

    func withdrawDownloads(of guid: String, reader: Address?) async throws(PluginError) {
        try need(.blobs)
        guard VerdictRules.isGUID(guid) else { throw PluginError(.invalid, "it withdraws what is no GUID") }
        for key in try await ticketKeys(of: guid) {
            if let reader, let ticket = try await ticket(key), ticket.reader != reader { continue }
            try write(nil, for: key, in: HostValues.tickets)
        }
    }

    func releaseBlob(_ blob: KeptBlob) async throws(PluginError) {
        try need(.blobs)
        try checkNames(blob)
        try write(nil, for: HostValues.holdKey(owner: blob.owner, digest: blob.digest, guid: blob.guid), in: HostValues.holds)
    }

    private func checkNames(_ blob: KeptBlob) throws(PluginError) {
        guard blob.digest.count == 32, VerdictRules.isGUID(blob.guid) else { throw PluginError(.invalid, "no file can be named so") }
    }

    /// What a plug-in says of a file counts only if the host wrote it down; a hold that is released meanwhile is a conflict.
    private func requireHold(_ blob: KeptBlob) async throws(PluginError) {
        try checkNames(blob)
        let key = HostValues.holdKey(owner: blob.owner, digest: blob.digest, guid: blob.guid)
        let hold = try await hostValue(key, in: HostValues.holds)
        try check(hold, for: key, in: HostValues.holds)
        guard let hold, HostValues.holdSize(hold.value) == blob.size else {
            throw PluginError(.invalid, "nobody keeps the file \(blob.guid)")
        }
    }

    private func requireRoomForOffer(of guid: String) async throws(PluginError) {
        let keys = try await ticketKeys(of: guid)
        guard keys.count >= Self.offers else { return }
        var good = keys.count
        for key in keys {
            if let ticket = try await ticket(key), ticket.expiry > run.now { continue }
            try write(nil, for: key, in: HostValues.tickets)
            good -= 1
        }
        guard good < Self.offers else {
            throw PluginError(.limitExceeded, "\(Self.offers) offers of one file are good already")
        }
    }

    private func ticketKeys(of guid: String) async throws(PluginError) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        while true {
            let page: [[UInt8]]
            do {
                page = try await parts.store.pluginKeys(
                    prefix: HostValues.ticketPrefix(guid: guid), after: keys.last, limit: 500, of: HostValues.tickets)
            } catch { throw PluginError(.storage, error.reason) }
            keys += page
            // More than that can only come of offers made at the same time.
            guard page.count == 500, keys.count < 2 * Self.offers else { return keys }
        }
    }

    private func ticket(_ key: [UInt8]) async throws(PluginError) -> HostValues.Ticket? {
        try await hostValue(key, in: HostValues.tickets).flatMap { HostValues.Ticket($0.value) }
    }

    private func hostValue(_ key: [UInt8], in namespace: String) async throws(PluginError) -> PluginValue? {
        do { return try await parts.store.pluginValue(key, of: namespace) } catch { throw PluginError(.storage, error.reason) }
    }
}
