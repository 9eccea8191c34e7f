import BlobStore
import Foundation
import Identity
import MailModel
import SOAP

/// The files of one submission, in place and held there until the submission is decided.
///
/// They are durable before a plug-in is asked, and so before the message is: a crash leaves files without a message (which are
/// collected later), never a message without its files.
struct SubmissionFiles: Sendable {
    /// Digests whose octets are here, each of the size that the message says.
    let present: Set<[UInt8]>
    private let pins: [BlobPin]

    private init(_ pins: [[UInt8]: BlobPin] = [:]) {
        present = Set(pins.keys)
        self.pins = Array(pins.values)
    }

    static let none = SubmissionFiles()

    /// Stores what the call brings along, and pins it and what was uploaded before.
    static func prepare(
        _ request: SendOperation.Request, of owner: Address, in keeping: FileKeeping, now: Date
    ) async throws(SOAPFault) -> SubmissionFiles {
        guard !request.message.message.attachments.isEmpty else { return .none }
        var pins: [[UInt8]: BlobPin] = [:]
        do throws(BlobError) {
            for blob in request.blobs { _ = try await keeping.blobs.store(blob, owner: owner, now: now) }
            for reference in request.message.message.attachments where pins[reference.digest] == nil {
                guard let pin = try await keeping.blobs.pin(owner: owner, digest: reference.digest) else { continue }  // model: owner
                guard let reader = try await keeping.blobs.reader(owner: owner, digest: reference.digest),
                    reader.size == reference.size
                else { throw BlobError(.invalid, "the file \(reference.name) has not the size that the message says") }
                pins[reference.digest] = pin
            }
        } catch {
            throw SOAPFault(error)
        }
        return SubmissionFiles(pins)
    }

    /// Lets go of the files: call it when the submission is decided, whichever way.
    func release() { withExtendedLifetime(pins) {} }
}

extension SOAPFault {
    init(_ error: BlobError) {
        switch error.code {
        case .quotaExceeded: self.init(.quotaExceeded, error.reason)
        case .tooLarge: self.init(.tooLarge, error.reason)
        case .notFound, .invalid, .wrongOffset, .digestMismatch: self.init(.invalidMessage, error.reason)
        case .busy: self.init(.busy, error.reason)
        case .storageFull: self.init(.storageFull, "the server's storage is full; nothing was changed, try again later")
        case .ioFailure: self.init(.internal, "the server could not do this now; try again later")
        }
    }
}
