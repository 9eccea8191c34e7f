import BlobStore
import Foundation
import Identity
import MailStore
import PluginAPI
import PluginHost

/// The files of this server's users: what plug-ins reach of them (``HostFiles``), and what a submission brings.
///
/// A file is held as long as the store has a hold on it (``HostValues/holds``), which commits with the message that names it.
/// Before that it is staged: uploaded, or brought along by a submission that is under way, which pins it.
struct FileKeeping: HostFiles {
    let blobs: any BlobStore
    let clock: @Sendable () -> Date

    func size(of digest: [UInt8], owner: Address) async -> UInt64? {
        guard let reader = try? await blobs.reader(owner: owner, digest: digest) else { return nil }
        return reader.size
    }

    func read(_ digest: [UInt8], owner: Address, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8] {
        do throws(BlobError) {
            guard let reader = try await blobs.reader(owner: owner, digest: digest) else {
                // Of a file that is held: the disk has lost it. That is nobody's failure but the server's.
                throw BlobError(.ioFailure, "a file of \(owner) is lost: `wsemaild file check` tells which")
            }
            return Array(try await reader.read(at: offset, count: count).readableBytesView)
        } catch {
            throw PluginError(error)
        }
    }

    func openUpload(_ digest: [UInt8], size: UInt64, owner: Address) async throws(PluginError) -> UploadOffer {
        do throws(BlobError) {
            switch try await blobs.openUpload(owner: owner, digest: digest, size: size, now: clock()) {
            case .complete: return .complete
            case .open(let id, let secret, let offset, let expires):
                return .open(id: id, ticket: secret, offset: offset, expires: expires)
            }
        } catch {
            throw PluginError(error)
        }
    }
}

extension PluginError {
    /// What a plug-in is told of the file store.
    init(_ error: BlobError) {
        switch error.code {
        // What a user can cause must not count as a failure of the plug-in that asks for them.
        case .quotaExceeded, .tooLarge, .notFound, .invalid, .wrongOffset, .digestMismatch: self.init(.limitExceeded, error.reason)
        case .busy: self.init(.busy, error.reason)
        case .storageFull, .ioFailure: self.init(.storage, error.reason)
        }
    }
}
