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
