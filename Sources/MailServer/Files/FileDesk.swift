import BlobStore
import Crypto
import Foundation
import Identity
import MailStore
import NIOCore
import PluginHost
import Synchronization

/// Uploads and downloads by ticket. A ticket is a secret of 256 bits that the server gave inside a signed, encrypted reply, after
/// every check; the store knows its digest only.
struct FileDesk: FileGateway {
    let blobs: any BlobStore
    let store: any PluginStore & AccountStore
    let home: MailDomain
    let clock: @Sendable () -> Date

    /// A ticket of a user of this domain ends with the account's leave to log in.
    private func requireActive(_ holder: Address) async throws(FileRefusal) {
        guard holder.domain == home else { return }
        let credential: AccountCredential?
        do throws(StoreError) { credential = try await store.credential(of: holder) } catch { throw .unavailable }
        guard let credential, !credential.isDisabled else { throw .notFound }
    }

    private func uploader(_ identifier: String, _ ticket: [UInt8]) async throws(FileRefusal) -> Address {
        let owner: Address
        do throws(BlobError) { owner = try await blobs.uploadOwner(identifier, secret: ticket, now: clock()) } catch {
            throw FileRefusal(error)
        }
        try await requireActive(owner)
        return owner
    }

    // MARK: Uploads

    func status(upload identifier: String, ticket: [UInt8]) async throws(FileRefusal) -> UploadStatus {
        _ = try await uploader(identifier, ticket)
        do throws(BlobError) {
            let status = try await blobs.uploadStatus(identifier, secret: ticket, now: clock())
            return UploadStatus(offset: status.offset, size: status.size)
        } catch {
            throw FileRefusal(error)
        }
    }

    func append(upload identifier: String, ticket: [UInt8], offset: UInt64) async throws(FileRefusal) -> any FileSink {
        let owner = try await uploader(identifier, ticket)
        do throws(BlobError) {
            let status = try await blobs.uploadStatus(identifier, secret: ticket, now: clock())
            let writer = try await blobs.append(to: identifier, secret: ticket, at: offset, now: clock())
            return BlobSink(writer: writer, size: status.size, offset: offset, holder: owner.description)
        } catch {
            throw FileRefusal(error)
        }
    }

    // MARK: Downloads

    /// The ticket is the permission: it is written together with what allowed it, and revoking removes it.
    func open(guid: String, ticket: [UInt8]) async throws(FileRefusal) -> any FileSource {
        let key = HostValues.ticketKey(guid: guid, ticket: ticket)  // model: ticket
        do {
            guard let value = try await store.pluginValue(key, of: HostValues.tickets),
                let offer = HostValues.Ticket(value.value), offer.expiry > clock()
            else { throw FileRefusal.notFound }
            try await requireActive(offer.reader)
            guard let reader = try await blobs.reader(owner: offer.owner, digest: offer.fileDigest) else { throw FileRefusal.notFound }
            return BlobSource(reader: reader, digest: offer.fileDigest, holder: offer.reader.description) { [store] in
                (try? await store.pluginValue(key, of: HostValues.tickets)) != nil
            }
        } catch let refusal as FileRefusal {
            throw refusal
        } catch let error as BlobError {
            throw FileRefusal(error)
        } catch {
            throw .unavailable
        }
    }
}

private struct BlobSink: FileSink {
    let writer: any BlobWriter
    let size: UInt64
    let offset: UInt64
    let holder: String

    var remaining: UInt64 { size - min(size, offset) }

    func write(_ octets: ByteBuffer) async throws(FileRefusal) {
        do throws(BlobError) { try await writer.write(octets) } catch { throw FileRefusal(error) }
    }

    func finish() async throws(FileRefusal) -> FileProgress {
        do throws(BlobError) {
            switch try await writer.finish() {
            case .partial(let offset): return .partial(offset: offset)
            case .complete: return .complete(size: size)
            }
        } catch {
            throw FileRefusal(error)
        }
    }

    func abandon() async { await writer.abandon() }
}

/// Asks now and then whether what allowed the download still does: who reads slowly must not outlive a revocation by days.
private final class BlobSource: FileSource {
    /// Octets between two questions.
    private static let stride: UInt64 = 64 << 20
    private static let patience = Duration.seconds(30)

    let digest: [UInt8]
    let holder: String
    private let reader: any BlobReader
    private let isAllowed: @Sendable () async -> Bool
    private let asked = Mutex((offset: UInt64(0), time: ContinuousClock.now))

    var size: UInt64 { reader.size }

    init(reader: any BlobReader, digest: [UInt8], holder: String, isAllowed: @escaping @Sendable () async -> Bool) {
        self.reader = reader
        self.digest = digest
        self.holder = holder
        self.isAllowed = isAllowed
    }

    private func isDue(_ offset: UInt64) -> Bool {
        asked.withLock { asked in
            let now = ContinuousClock.now
            let moved = offset > asked.offset ? offset - asked.offset : 0
            guard moved >= BlobSource.stride || now - asked.time > BlobSource.patience else { return false }
            asked = (offset, now)
            return true
        }
    }

    func read(at offset: UInt64, count: Int) async throws(FileRefusal) -> ByteBuffer {
        if isDue(offset) {
            let isAllowed = await isAllowed()
            guard isAllowed else { throw .notFound }
        }
        do throws(BlobError) { return try await reader.read(at: offset, count: count) } catch { throw FileRefusal(error) }
    }
}

extension FileRefusal {
    init(_ error: BlobError) {
        switch error.code {
        case .notFound, .invalid: self = .notFound
        case .wrongOffset: self = error.offset.map { .wrongOffset($0) } ?? .busy
        case .busy: self = .busy
        case .tooLarge, .quotaExceeded: self = .tooLarge
        case .digestMismatch: self = .digestMismatch
        case .storageFull: self = .storageFull
        case .ioFailure: self = .unavailable
        }
    }
}
