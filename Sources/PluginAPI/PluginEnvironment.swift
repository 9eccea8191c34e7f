import Foundation
import Identity

/// What one call of a plug-in may reach. Each method needs its capability and throws ``PluginError`` `.notGranted` without.
///
/// Effects (values written, messages sent) are buffered: they take hold when the host commits them, together with the
/// delivery, submission or answer that caused them, and not at all if the plug-in fails.
public protocol PluginEnvironment: Sendable {
    /// What the administrator set, over the manifest's presets.
    var settings: [String: String] { get }

    /// Writes a line to the server's log, under the plug-in's name. At most 1,000 characters of it. (`log`)
    func log(_ level: PluginLogLevel, _ text: String) throws(PluginError)

    /// The time of the call: the same for the whole call and for its repetition within one commit. (`clock`)
    func now() throws(PluginError) -> Date

    /// A value of the plug-in's own; sees what this call has written. (`key-value`)
    func value(for key: [UInt8]) async throws(PluginError) -> [UInt8]?

    /// Writes a value, nil removes it. Keys have 1 to 512 bytes, values up to 64 KiB, a plug-in 64 MiB in all. (`key-value`)
    func setValue(_ value: [UInt8]?, for key: [UInt8]) async throws(PluginError)

    /// Up to `limit` (1 to 1,000) stored keys that begin with `prefix`, in byte order, those after `cursor`. Does not see
    /// what this call has written. (`key-value`)
    func keys(withPrefix prefix: [UInt8], after cursor: [UInt8]?, limit: Int) async throws(PluginError) -> [[UInt8]]

    /// Sends a message when the call's effects commit. At most 10 a call. (`send`)
    func send(_ message: OutgoingMessage) async throws(PluginError)

    /// What an address is on this server. (`look-up`)
    func lookUp(_ address: Address) async throws(PluginError) -> AddressStanding

    /// Up to `count` (1 octet to 1 MiB) octets of a file that came with the submission, from `offset` on; fewer only at its end,
    /// none behind it. At sending only, for what ``SubmissionEvent/files`` names. (`files`)
    func readFile(_ digest: [UInt8], at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8]

    /// A place to hand a file in at, for the user who calls; one that was begun is gone on with. Throws `.limitExceeded` when
    /// the user has no room for it. At extensions, called by users of this domain. (`blobs`)
    func openUpload(_ digest: [UInt8], size: UInt64) async throws(PluginError) -> UploadOffer

    /// As ``readFile(_:at:count:)``, of a file that a plug-in keeps. (`blobs`)
    func readBlob(_ blob: KeptBlob, at offset: UInt64, count: Int) async throws(PluginError) -> [UInt8]

    /// Lets a reader fetch a kept file by HTTPS until a time; takes hold with the call's effects. Throws `.limitExceeded` above
    /// 1,000 offers of one GUID that are good still. (`blobs`)
    func offerDownload(_ blob: KeptBlob, to reader: Address, until: Date) async throws(PluginError) -> DownloadOffer

    /// Ends what was offered of a GUID, to one reader or (nil) to all; takes hold with the call's effects. Offers that other
    /// calls make at the same time are ended surely only if those write a value that this call has read. (`blobs`)
    func withdrawDownloads(of guid: String, reader: Address?) async throws(PluginError)

    /// Keeps a file no longer: it goes when nobody else keeps it; takes hold with the call's effects. (`blobs`)
    func releaseBlob(_ blob: KeptBlob) async throws(PluginError)
}

/// A file that a plug-in keeps for an attachment.
public struct KeptBlob: Sendable, Hashable {
    /// Who handed it in.
    public let owner: Address
    /// SHA-256.
    public let digest: [UInt8]
    /// Octets.
    public let size: UInt64
    /// As the verdict ``SendingVerdict/keep(_:)`` named it.
    public let guid: String

    public init(owner: Address, digest: [UInt8], size: UInt64, guid: String) {
        self.owner = owner
        self.digest = digest
        self.size = size
        self.guid = guid
    }
}

/// Where a file can be handed in.
public enum UploadOffer: Sendable, Hashable {
    /// It is here already.
    case complete
    /// Send its octets from `offset` on to `/wsemail/uploads/<id>`, with the ticket, before it expires.
    case open(id: String, ticket: [UInt8], offset: UInt64, expires: Date)
}

/// Where a kept file can be fetched.
public struct DownloadOffer: Sendable, Hashable {
    /// On this server.
    public let path: String
    /// 32 random octets: who shows them gets the file.
    public let ticket: [UInt8]
    /// Names the ticket without being it: 32 hexadecimal digits.
    public let ticketID: String
    public let expires: Date

    public init(path: String, ticket: [UInt8], ticketID: String, expires: Date) {
        self.path = path
        self.ticket = ticket
        self.ticketID = ticketID
        self.expires = expires
    }
}

public enum PluginLogLevel: Int, Sendable, Hashable, CaseIterable {
    case debug = 0, info, warning, error
}

/// What an address is on this server.
public enum AddressStanding: String, Sendable, Hashable {
    /// It has a mailbox here.
    case mailbox
    /// A local address without a mailbox. A resolver may know it.
    case unknown
    /// Of another domain.
    case foreign
}

/// A message that a plug-in writes. Recipients see in its Postmark that a plug-in of the server wrote it (method `plugin`);
/// it is never answered by a bounce, and it counts as one more hop than the message that caused it.
public struct OutgoingMessage: Sendable, Hashable {
    public enum Sender: Sendable, Hashable {
        /// The mailbox for which the plug-in acts: the recipient of the delivery, the caller of the extension, the author of
        /// the submission.
        case principal
        /// `plugins@` of this domain.
        case service
    }

    public var sender: Sender
    /// 1 to 20.
    public var to: [Address]
    /// At most 998 characters.
    public var subject: String
    /// At most 64 KiB.
    public var text: String
    /// The message id (`urn:uuid:…`) that this one answers.
    public var inReplyTo: String?

    public init(sender: Sender = .principal, to: [Address], subject: String, text: String, inReplyTo: String? = nil) {
        self.sender = sender
        self.to = to
        self.subject = subject
        self.text = text
        self.inReplyTo = inReplyTo
    }
}
