import Foundation
import Identity
import MailModel

/// A file that goes with a message in the outbox.
public struct OutboxFile: Sendable, Hashable, Codable {
    /// Absolute.
    public let path: String
    public let name: String
    public let size: UInt64
    /// SHA-256.
    let digest: Data
    /// Small: it travels inside the call.
    let isInline: Bool
    let stamp: FileStamp

    /// Files up to this size may travel inside the call, all together up to ``inlineTotal``.
    static let inlineLimit: UInt64 = 256 << 10
    static let inlineTotal: UInt64 = 1 << 20

    /// Reads and hashes the files of a draft: the first of the two times that a file is read.
    /// - Throws: `invalidInput`; `refused` for a file that changes meanwhile.
    static func read(_ files: [DraftFile], _ progress: @escaping TransferProgress) async throws(MailClientError) -> [OutboxFile] {
        let limit = MessageLimits.standard.maxAttachments
        guard files.count <= limit else {
            throw MailClientError(.invalidInput, "more than \(limit) files", advice: "Pack them into one, such as a .zip.")
        }
        do {
            return try await BlockingWork.run {
                var room = inlineTotal
                var seen: Set<Data> = []
                var result: [OutboxFile] = []
                for draft in files {
                    let file = try LocalFile(URL(fileURLWithPath: draft.path).path)
                    let total = try file.stamp().size
                    let name = draft.shownName
                    guard (1...AttachmentsXML.maxText).contains(name.unicodeScalars.count), !name.unicodeScalars.contains(where: isControl)
                    else {
                        throw MailClientError(
                            .invalidInput, "the name of \(draft.path) is too long, or has control characters", advice: "Rename it.")
                    }
                    let (digest, stamp) = try file.hashed { done in
                        progress(TransferStep(phase: .reading, name: name, done: done, total: total))
                    }
                    // The same content twice is one file for the server.
                    let isFirst = seen.insert(Data(digest)).inserted
                    let isInline = stamp.size <= inlineLimit && (stamp.size <= room || !isFirst)
                    if isInline, isFirst { room -= stamp.size }
                    result.append(
                        OutboxFile(
                            path: file.path, name: name, size: stamp.size, digest: Data(digest), isInline: isInline, stamp: stamp))
                }
                return result
            }
        } catch {
            throw MailClientError(error)
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }

    /// Opens the file for the second reading. A file that was only touched is hashed once more.
    /// - Throws: `refused` where it is gone or has changed.
    func open() async throws(MailClientError) -> LocalFile {
        do {
            return try await BlockingWork.run {
                guard let file = try? LocalFile(path) else {
                    throw MailClientError(
                        .refused, "\(path) is not there any more", advice: "Put it back, or send the message anew without it.")
                }
                guard try file.stamp() != stamp else { return file }
                guard try file.hashed().digest == Array(digest) else { throw LocalFile.changed(path) }
                return file
            }
        } catch {
            throw MailClientError(error)
        }
    }

    /// The content, for a call that carries it.
    func octets() async throws(MailClientError) -> [UInt8] {
        let file = try await open()
        let octets: [UInt8]
        do {
            octets = try await BlockingWork.run { try file.octets(limit: Int(OutboxFile.inlineLimit)) }
        } catch {
            throw MailClientError(error)
        }
        guard AttachmentDigest.of(octets) == Array(digest) else { throw LocalFile.changed(path) }
        return octets
    }
}
