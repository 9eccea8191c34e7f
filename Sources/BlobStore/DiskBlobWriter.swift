import Foundation
import Identity
import NIOCore
import Synchronization

/// One append to an upload of a ``DiskBlobStore``: gathers small buffers, writes and hashes pieces on the pool's threads.
final class DiskBlobWriter: BlobWriter {
    private struct State {
        var pending = ByteBuffer()
        var hash: RunningHash
        /// Octets in the file.
        var position: UInt64
        /// Where the last checkpoint was.
        var checkpoint: UInt64
        var failure: BlobError?
        var isEnded = false
    }

    private let store: DiskBlobStore
    private let record: UploadRecord
    private let token: UInt64
    private let file: OpenFile
    private let state: Mutex<State>

    init(store: DiskBlobStore, record: UploadRecord, token: UInt64, file: OpenFile, hash: RunningHash) {
        self.store = store
        self.record = record
        self.token = token
        self.file = file
        state = Mutex(State(hash: hash, position: hash.count, checkpoint: hash.count))
    }

    deinit { release() }

    /// Gives the upload back, with what is known of it.
    private func release() {
        let hash = state.withLock { $0.failure == nil ? $0.hash : nil }
        store.tables.change(record.id, token) { record in
            if let hash, hash.count == record.offset { record.hash = hash }
            record.slot = nil
        }
    }

    func write(_ buffer: ByteBuffer) async throws(BlobError) {
        let piece = try state.withLock { state throws(BlobError) -> ByteBuffer? in
            try Self.requireOpen(state)
            let room = record.key.size.subtractingCapped(state.position + UInt64(state.pending.readableBytes))
            guard UInt64(buffer.readableBytes) <= room else {
                let error = BlobError(.tooLarge, "more octets than the \(record.key.size) announced")
                state.failure = error
                throw error
            }
            if state.pending.readableBytes == 0, buffer.readableBytes >= store.configuration.pieceSize { return buffer }
            // At once what a piece needs: growing step by step copies it twice.
            let wanted = UInt64(store.configuration.pieceSize + buffer.readableBytes)
            if state.pending.capacity == 0 { state.pending.reserveCapacity(Int(min(wanted, room))) }
            state.pending.writeImmutableBuffer(buffer)
            return state.pending.readableBytes >= store.configuration.pieceSize ? Self.takePending(&state) : nil
        }
        guard let piece else {
            // A slow client is not an idle one, although nothing goes to the disk yet.
            let now = store.clock()
            store.tables.change(record.id, token) { $0.slot?.lastActivity = now }
            return
        }
        try await flush(piece)
    }

    func finish() async throws(BlobError) -> BlobProgress {
        let (failure, isEnded) = state.withLock { ($0.failure, $0.isEnded) }
        if let failure {
            await abandon()
            throw failure
        }
        guard !isEnded else { throw BlobError(.invalid, "the append has ended") }
        let rest = state.withLock { Self.takePending(&$0) }
        do throws(BlobError) {
            if rest.readableBytes > 0 { try await flush(rest) }
            let result = try await conclude()
            end()
            return result
        } catch {
            end()
            throw error
        }
    }

    func abandon() async {
        let rest = state.withLock { state -> ByteBuffer? in
            guard !state.isEnded else { return nil }
            // What was gathered before too much came is still good.
            guard state.failure == nil || state.failure?.code == .tooLarge else { return ByteBuffer() }
            return Self.takePending(&state)
        }
        guard let rest else { return }
        if rest.readableBytes > 0 { try? await flush(rest) }
        end()
    }

    private func end() {
        state.withLock { $0.isEnded = true }
        release()
    }

    private static func requireOpen(_ state: State) throws(BlobError) {
        if let failure = state.failure { throw failure }
        guard !state.isEnded else { throw BlobError(.invalid, "the append has ended") }
    }

    private static func takePending(_ state: inout State) -> ByteBuffer {
        let piece = state.pending
        state.pending = ByteBuffer()
        return piece
    }

    /// Runs `body` on a thread of the pool while nobody can take the upload over. An error sticks.
    private func work<Value: Sendable>(_ body: @escaping @Sendable () throws(BlobError) -> Value) async throws(BlobError) -> Value {
        do throws(BlobError) {
            try store.tables.beginWork(record.id, token)
        } catch {
            state.withLock { $0.failure = error }
            throw error
        }
        defer { store.tables.endWork(record.id, token, now: store.clock()) }
        do throws(BlobError) {
            return try await store.threads.run(body)
        } catch {
            state.withLock { $0.failure = error }
            throw error
        }
    }

    private func flush(_ piece: ByteBuffer) async throws(BlobError) {
        try await work { [self] () throws(BlobError) in
            let (position, before, checkpoint) = state.withLock { ($0.position, $0.hash, $0.checkpoint) }
            var hash = before
            var written = 0
            let result = piece.withUnsafeReadableBytes { bytes -> Result<Void, BlobError> in
                // What went to the file before the disk was full is kept, and hashed.
                defer { hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<written])) }
                do throws(BlobError) {
                    return .success(try file.write(bytes, at: position, written: &written))
                } catch { return .failure(error) }
            }
            let (end, now) = (position + UInt64(written), store.clock())
            state.withLock { ($0.position, $0.hash) = (end, hash) }
            store.tables.change(record.id, token) { record in
                record.offset = end
                record.hash = hash
                if written > 0 { record.expires = max(record.expires, now.addingTimeInterval(store.configuration.uploadLife)) }
            }
            try result.get()
            if end - checkpoint >= store.configuration.checkpoint { try makeDurable(end) }
        }
    }

    /// On a thread of the pool.
    private func makeDurable(_ position: UInt64) throws(BlobError) {
        do throws(BlobError) { try file.syncData() } catch {
            store.distrust(record.id, token)
            throw error
        }
        state.withLock { $0.checkpoint = position }
        store.tables.change(record.id, token) { $0.durable = position }
        try store.writeSidecar(record.id)
    }

    private func conclude() async throws(BlobError) -> BlobProgress {
        let (position, hash) = state.withLock { ($0.position, $0.hash) }
        guard position == record.key.size else {
            try await work { [self] () throws(BlobError) in try makeDurable(position) }
            return .partial(offset: position)
        }
        try store.tables.beginWork(record.id, token)
        defer { store.tables.endWork(record.id, token, now: store.clock()) }
        try await store.complete(record, token, file, hash)
        return .complete
    }
}
