import Crypto
import Foundation
import Identity
import Synchronization

/// An open upload as the store knows it.
struct UploadRecord: Sendable {
    /// Who writes at the moment.
    struct Slot: Sendable {
        /// Tells one append from the next.
        let token: UInt64
        /// When it last brought something.
        var lastActivity: Date
        /// Whether a call to the disk is under way: then nobody takes over, or two would write to one file.
        var isWorking: Bool

        func isIdle(at now: Date, after seconds: TimeInterval) -> Bool {
            !isWorking && now.timeIntervalSince(lastActivity) > seconds
        }
    }

    let id: String
    let owner: Address
    let key: UploadKey
    let created: Date
    var expires: Date
    /// SHA-256 of the secret; what is compared is not secret itself.
    var secretHash: [UInt8]
    /// Octets written.
    var offset: UInt64
    /// Octets that outlast a power cut.
    var durable: UInt64
    /// Of the first octets, if it is known.
    var hash: RunningHash?
    var slot: Slot?
    /// Held while the sidecar is written or deleted, so that the newest one stays.
    let sidecarLock = SidecarLock()

    init(id: String, owner: Address, key: UploadKey, created: Date, expires: Date, secretHash: [UInt8]) {
        self.id = id
        self.owner = owner
        self.key = key
        self.created = created
        self.expires = expires
        self.secretHash = secretHash
        offset = 0
        durable = 0
    }

    static func hash(ofSecret secret: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: secret)) }

    func isDead(at now: Date, idle: TimeInterval) -> Bool { expires <= now && (slot?.isIdle(at: now, after: idle) ?? true) }
}

/// Only for the threads of the pool.
final class SidecarLock: Sendable {
    let mutex = Mutex<Void>(())
}

/// What lies beside a partial file, in JSON.
struct UploadSidecar: Codable {
    /// Octets of the largest sidecar that is read.
    static let limit = 8_192

    let owner: String
    /// Hexadecimal.
    let digest: String
    let size: UInt64
    /// Hexadecimal SHA-256.
    let secret: String
    /// Seconds since 1970.
    let created: Double
    let expires: Double
    /// Octets that outlast a power cut.
    let durable: UInt64
    /// The run of the kernel. As long as it is the same, the length of the partial file can be believed: what a killed
    /// process wrote is in the page cache.
    let boot: String

    init(_ record: UploadRecord) {
        owner = record.owner.description
        digest = record.key.file.name
        size = record.key.size
        secret = Hex.encode(record.secretHash)
        created = record.created.timeIntervalSince1970
        expires = record.expires.timeIntervalSince1970
        durable = record.durable
        boot = KernelRun.id
    }

    /// - Parameter length: of the partial file.
    /// - Returns: nil if it makes no sense.
    func record(id: String, length: UInt64) -> UploadRecord? {
        guard let owner = try? Address(owner), FileKey.isName(digest), size > 0, off_t(exactly: size) != nil,
            created.isFinite, expires.isFinite, let secretHash = Hex.decode(secret.utf8), secretHash.count == SHA256.byteCount
        else { return nil }
        let file = FileKey(folder: FileKey.folder(of: owner), name: digest)
        var record = UploadRecord(
            id: id, owner: owner, key: UploadKey(file: file, size: size), created: Date(timeIntervalSince1970: created),
            expires: Date(timeIntervalSince1970: expires), secretHash: secretHash)
        record.durable = min(durable, length, size)
        let isBelieved = !boot.isEmpty && boot == KernelRun.id && length <= size
        record.offset = isBelieved ? length : record.durable
        return record
    }
}

/// Tells one run of the kernel from the next.
enum KernelRun {
    /// Empty where the system does not tell: then nothing that was not made durable is believed.
    static let id: String = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }()
}
