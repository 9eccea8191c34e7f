import Foundation
import Identity
import Synchronization

/// What a store knows in memory. Each call is short: never anything of the disk under the lock.
final class BlobTables: Sendable {
    /// What counts against an owner's quota.
    struct Count: Sendable {
        var stored: UInt64 = 0
        var files = 0
        var reserved: UInt64 = 0
        var reservedFiles = 0
        var uploads = 0

        var bytes: UInt64 { stored.addingCapped(reserved) }
        var isNothing: Bool { stored == 0 && files == 0 && reserved == 0 && reservedFiles == 0 && uploads == 0 }
    }

    struct Values: Sendable {
        var uploads: [String: UploadRecord] = [:]
        var ids: [UploadKey: String] = [:]
        /// By the owner's folder.
        var counts: [String: Count] = [:]
        var pins: [FileKey: Int] = [:]
        /// Files the collector decides about, with those who wait for it.
        var gates: [FileKey: [CheckedContinuation<Bool, Never>]] = [:]
        /// Names of files on their way to an owner's folder.
        var temporaries: Set<String> = []
        var lastToken: UInt64 = 0

        mutating func newToken() -> UInt64 {
            lastToken &+= 1
            return lastToken
        }

        mutating func change(_ folder: String, _ body: (inout Count) -> Void) {
            var count = counts[folder] ?? Count()
            body(&count)
            counts[folder] = count.isNothing ? nil : count
        }

        /// Forgets an upload and what it reserved.
        @discardableResult mutating func remove(_ id: String) -> UploadRecord? {
            guard let record = uploads.removeValue(forKey: id) else { return nil }
            if ids[record.key] == id { ids[record.key] = nil }
            change(record.key.file.folder) { count in
                count.reserved = count.reserved.subtractingCapped(record.key.size)
                count.reservedFiles -= 1
                count.uploads -= 1
            }
            return record
        }

        mutating func insert(_ record: UploadRecord) {
            uploads[record.id] = record
            ids[record.key] = record.id
            change(record.key.file.folder) { count in
                count.reserved = count.reserved.addingCapped(record.key.size)
                count.reservedFiles += 1
                count.uploads += 1
            }
        }

        /// - Throws: `.quotaExceeded`.
        func requireRoom(_ folder: String, _ size: UInt64, _ limits: BlobConfiguration) throws(BlobError) {
            let count = counts[folder] ?? Count()
            let (sum, overflow) = count.bytes.addingReportingOverflow(size)
            guard !overflow, sum <= limits.quota else {
                throw BlobError(
                    .quotaExceeded,
                    "there is no room for \(size.inMegabytes) of attachments: \(count.bytes.inMegabytes) of \(limits.quota.inMegabytes) are taken; take some back (room comes within a day), or ask your administrator"
                )
            }
            guard count.files + count.reservedFiles < limits.filesPerOwner else {
                throw BlobError(.quotaExceeded, "there are \(limits.filesPerOwner) files already")
            }
        }
    }

    let values = Mutex(Values())

    func count(_ folder: String) -> Count { values.withLock { $0.counts[folder] ?? Count() } }

    // MARK: Stored files

    /// A file came to its place, over one of `replaced` octets if there was one.
    func stored(_ key: FileKey, size: UInt64, replaced: UInt64?) {
        values.withLock { values in
            values.change(key.folder) { count in
                count.stored = count.stored.subtractingCapped(replaced ?? 0).addingCapped(size)
                if replaced == nil { count.files += 1 }
            }
        }
    }

    func deleted(_ key: FileKey, size: UInt64) {
        values.withLock { values in
            values.change(key.folder) { count in
                count.stored = count.stored.subtractingCapped(size)
                count.files = max(0, count.files - 1)
            }
        }
    }

    /// Room for a file that is no upload. Undone by ``release(_:_:)``.
    func reserve(_ folder: String, _ size: UInt64, _ limits: BlobConfiguration) throws(BlobError) {
        try values.withLock { values throws(BlobError) in
            try values.requireRoom(folder, size, limits)
            values.change(folder) { count in
                count.reserved = count.reserved.addingCapped(size)
                count.reservedFiles += 1
            }
        }
    }

    func release(_ folder: String, _ size: UInt64) {
        values.withLock { values in
            values.change(folder) { count in
                count.reserved = count.reserved.subtractingCapped(size)
                count.reservedFiles -= 1
            }
        }
    }

    // MARK: Pins and the collector

    /// Waits while the collector decides about the file, then keeps it away.
    func pin(_ key: FileKey) async {
        while true {
            let isPinned = await withCheckedContinuation { waiter in
                let isPinned = values.withLock { values in
                    guard values.gates[key] == nil else {
                        values.gates[key]?.append(waiter)
                        return false
                    }
                    values.pins[key, default: 0] += 1
                    return true
                }
                if isPinned { waiter.resume(returning: true) }
            }
            if isPinned { return }
        }
    }

    func unpin(_ key: FileKey) {
        values.withLock { values in
            let count = values.pins[key] ?? 0
            values.pins[key] = count > 1 ? count - 1 : nil
        }
    }

    /// From now on pins of the file wait. false: somebody pins it.
    func closeGate(_ key: FileKey) -> Bool {
        values.withLock { values in
            guard values.pins[key] == nil, values.gates[key] == nil else { return false }
            values.gates[key] = []
            return true
        }
    }

    func openGate(_ key: FileKey) {
        let waiting = values.withLock { $0.gates.removeValue(forKey: key) ?? [] }
        for waiter in waiting { waiter.resume(returning: false) }
    }
}

extension UInt64 {
    func addingCapped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// For people: "2.9 MB".
    var inMegabytes: String {
        let tenths = self / 104_858 + (self % 104_858 == 0 ? 0 : 1)
        return "\(tenths / 10).\(tenths % 10) MB"
    }

    func subtractingCapped(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
