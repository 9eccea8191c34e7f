import Foundation
import Identity
import MailModel
import PluginAPI

/// What readers ask.
extension Attachments {
    /// For which time a fetch that was begun can be gone on with, in milliseconds.
    static let resumption: Int64 = 24 * 3_600_000
    /// Seconds for which a ticket is good.
    static let ticketLife = 3_600.0
    /// Tickets that one reader can have at a time; then the older ones end.
    static let ticketsPerReader = 32
    private static let piece = 1 << 20

    /// Hands the file out, or a ticket for it. In this order: does the caller read it, is it there, may it be fetched once more;
    /// then the fetch is counted and logged, and the ticket written, all in one commit.
    func get(
        _ request: AttachmentCall.Get, _ caller: Address, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Get {
        var record = try await desk.readable(request.guid, by: caller)
        try requireFile(record, at: desk.now)
        let key = AttachmentKeys.fetches(record.guid, caller)
        var known = try await desk.load(ReaderFetches.self, key) ?? ReaderFetches()
        known.fetches.removeAll { desk.time - $0.began >= Self.resumption }
        let resumed = request.resume.flatMap { id in known.fetches.firstIndex { $0.tickets.contains(id) } }
        let number = try count(&record, by: caller, resumed.map { known.fetches[$0].number })
        let source: AttachmentAnswer.Get.Source
        if request.inline, record.size <= UInt64(settings.inlineLimit) {
            source = .data(try await octets(of: record, desk.environment))
        } else {
            known.offers = try await roomForOffer(of: record, to: caller, known.offers, desk)
            let offer = try await offer(record, to: caller, desk)
            known.note(offer.ticketID, number, resumed, at: desk.time)
            source = .download(path: offer.path, ticket: offer.ticket, ticketID: offer.ticketID, expires: offer.expires)
        }
        if !known.isNoted {
            try await desk.environment.setValue([], for: AttachmentKeys.firstFetch(record.guid, desk.time, caller))
            known.isNoted = true
        }
        try await desk.save(known, key)
        record = try await desk.logged(resumed == nil ? .fetched : .resumed, who: caller, in: record)
        try await desk.save(record)
        return AttachmentAnswer.Get(try facts(of: record, for: caller), fetch: number, source: source)
    }

    /// - Throws: ``PluginFault``.
    private func requireFile(_ record: AttachmentRecord, at now: Date) throws(PluginFault) {
        guard !record.isExpired(at: now) else { throw PluginFault(AttachmentsXML.expired) }
        // Only its owner comes so far with one that was revoked.
        guard !record.released else { throw PluginFault("you revoked the attachment: the file is not kept any more") }
    }

    /// Counts the fetch, unless it began before or is the owner's. Returns its number.
    private func count(
        _ record: inout AttachmentRecord, by caller: Address, _ resumed: UInt64?
    ) throws(PluginFault) -> UInt64 {
        if let resumed { return resumed }
        guard caller != record.owner else { return record.fetches }
        if let most = record.maxFetches, record.fetches >= most { throw PluginFault(AttachmentsXML.exhausted) }
        record.fetches += 1
        return record.fetches
    }

    /// Whoever keeps asking must not use up the offers that others need.
    /// - Returns: when the reader's offers were made that are good still, the one to come included.
    private func roomForOffer(
        of record: AttachmentRecord, to caller: Address, _ offers: [Int64], _ desk: AttachmentDesk
    ) async throws(PluginError) -> [Int64] {
        let good = offers.filter { desk.time - $0 < Int64(Self.ticketLife) * 1_000 }
        guard good.count >= Self.ticketsPerReader else { return good + [desk.time] }
        try await desk.environment.withdrawDownloads(of: record.guid, reader: caller)
        return [desk.time]
    }

    private func offer(
        _ record: AttachmentRecord, to caller: Address, _ desk: AttachmentDesk
    ) async throws -> DownloadOffer {
        let until = min(desk.now.addingTimeInterval(Self.ticketLife), record.expiryDate)
        do throws(PluginError) {
            return try await desk.environment.offerDownload(record.blob, to: caller, until: until)
        } catch {
            guard error.code == .limitExceeded else { throw error }
            throw PluginFault("too many are fetching the attachment at the moment", isTransient: true)
        }
    }

    private func octets(of record: AttachmentRecord, _ environment: any PluginEnvironment) async throws -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(Int(record.size))
        while octets.count < Int(record.size) {
            let piece = try await piece(of: record, at: octets.count, environment)
            guard !piece.isEmpty else { throw PluginError(.storage, "the file \(record.guid) is shorter than it was") }
            octets += piece
        }
        return octets
    }

    /// Whoever asks is told that the file cannot be had; the store's trouble is in the log.
    private func piece(
        of record: AttachmentRecord, at offset: Int, _ environment: any PluginEnvironment
    ) async throws -> [UInt8] {
        do throws(PluginError) {
            return try await environment.readBlob(record.blob, at: UInt64(offset), count: Self.piece)
        } catch {
            guard error.code == .storage else { throw error }
            throw PluginFault("the file cannot be read now; if that lasts, tell its sender: \(record.owner)", isTransient: true)
        }
    }

    func facts(of record: AttachmentRecord, for caller: Address) throws(PluginError) -> AttachmentAnswer.Facts {
        AttachmentAnswer.Facts(
            guid: record.guid, messageID: try messageID(record), from: record.owner, to: caller, name: record.name,
            mediaType: record.mediaType, size: record.size, digest: Array(record.digest), created: record.createdDate,
            expires: record.expiryDate, remaining: record.maxFetches.map { $0 - min(record.fetches, $0) })
    }

    func messageID(_ record: AttachmentRecord) throws(PluginError) -> MessageID {
        do { return try MessageID(record.messageID) } catch { throw PluginError(.failed, "the record \(record.guid) is damaged") }
    }

    // MARK: Description

    /// Versions that an answer tells, in each direction.
    static let versionsTold = 20

    func describe(
        _ request: AttachmentCall.Describe, _ caller: Address, _ desk: AttachmentDesk
    ) async throws -> AttachmentAnswer.Describe {
        let record = try await desk.readable(request.guid, by: caller)
        return AttachmentAnswer.Describe(
            try facts(of: record, for: caller), onForward: record.onForward,
            replacements: try await versions(from: record.replacedBy, caller, desk) { $0.replacedBy },
            replaces: try await versions(from: record.replaces.map { [$0] } ?? [], caller, desk) { $0.replaces.map { [$0] } ?? [] })
    }

    /// Other versions, the nearest first. Only of those that the caller may read it tells anything.
    private func versions(
        from first: [String], _ caller: Address, _ desk: AttachmentDesk, _ next: (AttachmentRecord) -> [String]
    ) async throws(PluginError) -> [AttachmentAnswer.Version] {
        var queue = first
        var seen: Set<String> = []
        var versions: [AttachmentAnswer.Version] = []
        while let guid = queue.first, seen.count < Self.versionsTold {
            queue.removeFirst()
            guard seen.insert(guid).inserted else { continue }
            let found = try await desk.record(guid)
            guard let record = found, !record.isAbandoned else { continue }
            queue += next(record)
            let isReader = try await desk.isReader(caller, of: record)
            guard isReader && !record.revokedAll || record.owner == caller else { continue }
            versions.append(
                AttachmentAnswer.Version(
                    messageID: try messageID(record), name: record.name, guid: guid, digest: Array(record.digest),
                    size: record.size, created: record.createdDate))
        }
        return versions
    }
}

extension ReaderFetches {
    /// Fetches of a reader, and tickets of a fetch, that are remembered: together they fit into one value.
    private static let fetchesKept = 32
    private static let ticketsKept = 8

    /// Notes a ticket, of a fetch that goes on or of a new one.
    mutating func note(_ ticket: String, _ number: UInt64, _ resumed: Int?, at time: Int64) {
        if let resumed {
            fetches[resumed].tickets.append(ticket)
            fetches[resumed].tickets = fetches[resumed].tickets.suffix(Self.ticketsKept)
        } else {
            fetches.append(Fetch(number: number, began: time, tickets: [ticket]))
            fetches = fetches.suffix(Self.fetchesKept)
        }
    }
}
