import NIOCore

/// An open file of a ``DiskBlobStore``.
final class DiskBlobReader: BlobReader {
    /// Octets one call gives.
    static let limit = 1 << 20

    let size: UInt64
    private let file: OpenFile
    private let threads: BlobThreads

    init(file: OpenFile, size: UInt64, threads: BlobThreads) {
        self.file = file
        self.size = size
        self.threads = threads
    }

    func read(at offset: UInt64, count: Int) async throws(BlobError) -> ByteBuffer {
        guard count >= 0 else { throw BlobError(.invalid, "a negative count") }
        guard offset < size, count > 0 else { return ByteBuffer() }
        let length = Int(min(UInt64(min(count, Self.limit)), size - offset))
        let file = file
        return try await threads.run { () throws(BlobError) in
            var buffer = ByteBufferAllocator().buffer(capacity: length)
            var failure: BlobError?
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { space in
                let part = UnsafeMutableRawBufferPointer(rebasing: space[..<length])
                do throws(BlobError) { return try file.read(into: part, at: offset) } catch { failure = error }
                return 0
            }
            if let failure { throw failure }
            // A short answer would be taken for the whole.
            guard buffer.readableBytes == length else {
                throw BlobError(.ioFailure, "a stored file is shorter than it was")
            }
            return buffer
        }
    }
}
