import Crypto
import Foundation
import MailModel
import SOAPClient
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A download under way: `<name>.part` with mode 0600, and beside it what is needed to go on with it another time.
///
/// What arrives is hashed as it passes and written at once; the file gets its name only after its digest was compared. Locked
/// against other commands while it is open.
final class PartFile: FileSink {
    /// What the part is a part of.
    struct Sidecar: Codable, Equatable {
        var version = 1
        var guid: String
        var digest: Data
        var size: UInt64
        /// To resume the fetch without its being counted again.
        var ticket: String?
    }

    private struct State {
        var hasher = SHA256()
        var written: UInt64 = 0
        var announced: UInt64 = 0
        var failure: MailClientError?
    }

    let path: String
    private let target: String
    private let digest: [UInt8]
    private let size: UInt64
    private let descriptor: Int32
    private let progress: @Sendable (UInt64) -> Void
    private let state: Mutex<State>

    private var sidecarPath: String { path + ".json" }
    /// Progress is told once per so many octets.
    private static let notice: UInt64 = 1 << 20

    /// Opens or makes the part file of `target`; of one that is there already, what is in it is hashed. Blocks.
    /// - Throws: `busy` when another command is at it; `storage`; `invalidInput` when something else is in the way.
    init(
        for target: String, guid: String, digest: [UInt8], size: UInt64, force: Bool,
        progress: @escaping @Sendable (UInt64) -> Void
    ) throws(MailClientError) {
        path = target + ".part"
        self.target = target
        self.digest = digest
        self.size = size
        self.progress = progress
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        state = Mutex(State())
        guard descriptor >= 0 else { throw PartFile.failure("cannot write \(path)") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw MailClientError(.storage, "\(path) is in the way")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw MailClientError(.busy, "another command is fetching \(target)", isTransient: true)
        }
        guard fchmod(descriptor, 0o600) == 0 else { throw PartFile.failure("cannot protect \(path)") }
        let wanted = Sidecar(guid: guid, digest: Data(digest), size: size)
        try adopt(UInt64(status.st_size), wanted, force: force)
    }

    /// Takes over what an earlier attempt left, or begins.
    private func adopt(_ count: UInt64, _ wanted: Sidecar, force: Bool) throws(MailClientError) {
        var known = try? StoredJSON.read(Sidecar.self, from: sidecarPath)
        known?.ticket = nil
        if known == wanted, count <= size { return try hashExisting(count) }
        // A file of the person's own may have either name.
        let isOurs = known != nil || (count == 0 && !FileManager.default.fileExists(atPath: sidecarPath))
        guard isOurs || force else {
            throw MailClientError(
                .invalidInput, "\(known == nil && count == 0 ? sidecarPath : path) is in the way: it is no part of this attachment",
                advice: "Move it away, or overwrite it with --force.")
        }
        try restart()
        try StoredJSON.write(wanted, to: sidecarPath)
    }

    deinit { close(descriptor) }

    /// Octets that are here.
    var written: UInt64 { state.withLock { $0.written } }
    /// Why this side ended a transfer.
    var failure: MailClientError? { state.withLock { $0.failure } }
    var isComplete: Bool { written == size }

    /// The ticket of an earlier attempt.
    var ticket: String? { (try? StoredJSON.read(Sidecar.self, from: sidecarPath))?.ticket }

    func remember(ticket: String) throws(MailClientError) {
        try StoredJSON.write(
            Sidecar(guid: try sidecar().guid, digest: Data(digest), size: size, ticket: ticket), to: sidecarPath)
    }

    private func sidecar() throws(MailClientError) -> Sidecar {
        guard let sidecar = try StoredJSON.read(Sidecar.self, from: sidecarPath) else {
            throw MailClientError(.storage, "\(sidecarPath) has gone")
        }
        return sidecar
    }

    private func hashExisting(_ count: UInt64) throws(MailClientError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var hasher = SHA256()
        var offset: UInt64 = 0
        while offset < count {
            let read = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { throw PartFile.failure("cannot read \(path)") }
            hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            offset += UInt64(read)
        }
        let end = hasher
        state.withLock {
            $0.hasher = end
            $0.written = offset
        }
    }

    /// Throws away what is here.
    private func restart() throws(MailClientError) {
        guard ftruncate(descriptor, 0) == 0 else { throw PartFile.failure("cannot write \(path)") }
        state.withLock {
            $0.hasher = SHA256()
            $0.written = 0
            $0.announced = 0
        }
    }

    // MARK: Receiving

    func begin(_ head: FileReply) throws {
        state.withLock { $0.failure = nil }
        if head.status == 200 {
            // The whole file again, from its beginning.
            try noting { () throws(MailClientError) in try restart() }
        } else if head.header("Content-Range") != "bytes \(written)-\(size - 1)/\(size)" {
            try noting { () throws(MailClientError) in
                throw MailClientError(.untrustedServer, "the server sends another part of the file than was asked for")
            }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        let notice = try state.withLock { state throws(MailClientError) -> UInt64? in
            do throws(MailClientError) {
                guard UInt64(bytes.count) <= size - state.written else {
                    throw MailClientError(.notVerified, "the server sends more than the attachment's size")
                }
                try put(bytes, at: state.written)
            } catch {
                state.failure = error
                throw error
            }
            state.hasher.update(bufferPointer: bytes)
            state.written += UInt64(bytes.count)
            guard state.written == size || state.written >= state.announced + PartFile.notice else { return nil }
            state.announced = state.written
            return state.written
        }
        if let notice { progress(notice) }
    }

    /// Takes in what came inside an answer.
    func take(_ octets: [UInt8]) throws(MailClientError) {
        try restart()
        do { try octets.withUnsafeBytes { try write($0) } } catch { throw MailClientError(error) }
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(MailClientError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw PartFile.failure("cannot write \(path)") }
            done += count
        }
    }

    private func noting(_ body: () throws(MailClientError) -> Void) throws(MailClientError) {
        do throws(MailClientError) { try body() } catch {
            state.withLock { $0.failure = error }
            throw error
        }
    }

    // MARK: Ending

    /// Compares the digest; only then the file gets its name. Blocks.
    /// - Throws: `notVerified`: then nothing of it is left; `invalidInput` if a file of that name has appeared meanwhile.
    func finish(force: Bool) throws(MailClientError) {
        let found = state.withLock { Array($0.hasher.finalize()) }
        guard found == digest else {  // model: digest
            remove()
            throw MailClientError(
                .notVerified, "WHAT THE SERVER SENT IS NOT THE FILE THAT THE MESSAGE NAMES: its SHA-256 is another one. It was deleted",
                advice: "Tell the sender and their domain's operator: the file was altered on the way or on their server.")
        }
        guard fsync(descriptor) == 0 else { throw PartFile.failure("cannot write \(path)") }
        if force {
            try SystemFiles.move(path, to: target)
        } else {
            // Unlike renaming, a link never replaces what has appeared there meanwhile.
            if link(path, target) == 0 {
                try SystemFiles.remove(path)
            } else {
                guard errno != EEXIST, !SystemFiles.exists(target) else { throw PartFile.inTheWay(target) }
                try SystemFiles.move(path, to: target)
            }
        }
        try? SystemFiles.remove(sidecarPath)
    }

    func remove() {
        try? SystemFiles.remove(path)
        try? SystemFiles.remove(sidecarPath)
    }

    static func inTheWay(_ path: String) -> MailClientError {
        MailClientError(
            .invalidInput, "\(path) is there already, and is another file",
            advice: "Choose another folder with --to, or overwrite it with --force.")
    }

    private static func failure(_ what: String) -> MailClientError {
        MailClientError(.storage, "\(what): \(String(cString: strerror(errno)))")
    }
}
