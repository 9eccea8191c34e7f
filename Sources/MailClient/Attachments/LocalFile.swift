import Crypto
import Foundation
import MailModel
import SOAPClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Work that blocks goes to a thread of its own: the pool that runs async code has few.
enum BlockingWork {
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }
}

/// What tells cheaply whether a file is still the one that was read.
struct FileStamp: Sendable, Hashable, Codable {
    let device: UInt64
    let inode: UInt64
    let size: UInt64
    let seconds: Int
    let nanoseconds: Int
}

/// A file of the person's, open for reading. Ends with its last reference.
final class LocalFile: Sendable {
    let path: String
    private let descriptor: Int32

    /// - Throws: `invalidInput` for what cannot be read, or is no file.
    init(_ path: String) throws(MailClientError) {
        // A pipe without a writer must not hold us up before we have seen that it is none.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        self.path = path
        guard descriptor >= 0 else {
            throw MailClientError(.invalidInput, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw MailClientError(
                    .invalidInput, "\(path) is no file: it is a device or a pipe", advice: "Write what it gives to a file first.")
            }
            throw MailClientError(.invalidInput, "\(path) is a folder", advice: "Pack it into one file, such as a .tar or .zip.")
        }
    }

    deinit { close(descriptor) }

    func stamp() throws(MailClientError) -> FileStamp {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure() }
        return FileStamp(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: UInt64(status.st_size),
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    /// Fills the beginning of `buffer`; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(MailClientError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw failure() }
        }
    }

    private func failure() -> MailClientError {
        MailClientError(.invalidInput, "cannot read \(path): \(String(cString: strerror(errno)))")
    }

    /// The digest of the whole file. Blocks.
    /// - Throws: `invalidInput`, also when the file changes meanwhile.
    func hashed(_ progress: (UInt64) -> Void = { _ in }) throws(MailClientError) -> (digest: [UInt8], stamp: FileStamp) {
        let before = try stamp()
        var hasher = SHA256()
        var offset: UInt64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try read(into: buffer, at: offset)
            guard count > 0 else { break }
            hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
            progress(offset)
        }
        guard offset == before.size, try stamp() == before else { throw LocalFile.changed(path) }
        return (Array(hasher.finalize()), before)
    }

    /// All of a small file. Blocks.
    func octets(limit: Int) throws(MailClientError) -> [UInt8] {
        let size = try stamp().size
        guard size <= UInt64(limit) else { throw LocalFile.changed(path) }
        var octets = [UInt8](repeating: 0, count: Int(size))
        var filled = 0
        while filled < octets.count {
            let read = octets.withUnsafeMutableBytes { buffer in
                Result { () throws(MailClientError) in
                    try self.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]), at: UInt64(filled))
                }
            }
            let count = try read.get()
            guard count > 0 else { throw LocalFile.changed(path) }
            filled += count
        }
        return octets
    }

    /// Not to be tried again: the message names the old content, by its digest.
    static func changed(_ path: String) -> MailClientError {
        MailClientError(
            .refused, "\(path) has changed since it was read for the message",
            advice: "Send it anew: the message names the file's old content.")
    }
}

/// A part of a file as the body of an upload.
struct FileRegion: FileSource {
    let file: LocalFile
    let start: UInt64
    let count: UInt64
    /// How much of the whole file has been read.
    let progress: @Sendable (UInt64) -> Void

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        let read = try file.read(into: buffer, at: start + offset)
        progress(start + offset + UInt64(read))
        return read
    }
}
