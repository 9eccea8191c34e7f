import Foundation
import MailModel

/// A file that a person attaches.
public struct DraftFile: Sendable, Hashable {
    public var path: String
    /// What recipients see; nil: the file's own name.
    public var name: String?
    /// Nil: by the end of the name.
    public var mediaType: String?
    public var description: String?

    public init(_ path: String, name: String? = nil, mediaType: String? = nil, description: String? = nil) {
        self.path = path
        self.name = name
        self.mediaType = mediaType
        self.description = description
    }

    /// What the message will say of it.
    /// - Throws: `invalidInput` for what cannot be read.
    public func facts() throws(MailClientError) -> (name: String, mediaType: String, size: UInt64) {
        (shownName, mediaType ?? MediaTypes.type(of: shownName), try LocalFile(path).stamp().size)
    }

    var shownName: String { name ?? URL(fileURLWithPath: path).lastPathComponent }
}

/// How long, how often and by whom the files of a message may be fetched; nil: as the sender's domain has it.
public struct AttachmentTerms: Sendable, Hashable, Codable {
    public typealias OnForward = AttachmentKeep.OnForward

    public var expires: Date?
    public var maxFetches: UInt64?
    public var onForward: OnForward?

    public init(expires: Date? = nil, maxFetches: UInt64? = nil, onForward: OnForward? = nil) {
        self.expires = expires
        self.maxFetches = maxFetches
        self.onForward = onForward
    }

    /// The option of a Send; nil where nothing is asked for.
    func option() throws(MailModelError) -> SendOperation.Option? {
        guard self != AttachmentTerms() else { return nil }
        let keep = AttachmentKeep(expires: expires, maxFetches: maxFetches, onForward: onForward)
        return try SendOperation.Option(identifier: AttachmentsXML.namespace, content: keep.octets())
    }
}

/// How far a transfer is.
public struct TransferStep: Sendable, Hashable {
    public enum Phase: Sendable { case reading, uploading, downloading }

    public let phase: Phase
    /// The file's name, as its sender gave it: not cleaned.
    public let name: String
    /// Octets, also those of earlier attempts.
    public let done: UInt64
    public let total: UInt64
}

/// Called often and from any thread: to be quick.
public typealias TransferProgress = @Sendable (TransferStep) -> Void
