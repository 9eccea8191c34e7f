import Identity
import PluginAPI

/// An attachment that a plug-in took out.
public struct DroppedAttachment: Sendable, Hashable {
    /// SHA-256 of the file.
    public let digest: [UInt8]
    public let plugin: PluginIdentifier

    public init(digest: [UInt8], plugin: PluginIdentifier) {
        self.digest = digest
        self.plugin = plugin
    }
}

/// How the sending processors judged a submission.
public enum SendingOutcome: Sendable, Hashable {
    /// - `recipients`: only those that were replaced, each with whom it goes to instead (without repetition, never empty).
    /// - `dropped`: each digest once, in the order in which plug-ins took them out.
    /// - `kept`: each digest once, none that is dropped; their holds are among the run's writes.
    case accepted(recipients: [Address: [Address]], dropped: [DroppedAttachment], kept: [KeptFile] = [])
    case refused(reason: String, isTransient: Bool, plugin: PluginIdentifier)
    /// A plug-in whose policy is fail-closed could not do its work. Discard the run. The reason is for logs.
    case unavailable(reason: String, plugin: PluginIdentifier)
}

/// How the delivery processors judged a delivery.
public enum DeliveryOutcome: Sendable, Hashable {
    /// Into the folder (nil: the inbox) with these flags. Of several plug-ins that filed it the last one's folder counts, and
    /// the flags of all.
    case deliver(folder: String?, flags: Set<DeliveryFlag>)
    case consumed(by: PluginIdentifier)
    case redirect([Address], by: PluginIdentifier)
    case refused(reason: String, by: PluginIdentifier)
    /// Discard the run.
    case later(seconds: Int, reason: String, by: PluginIdentifier)
    /// A plug-in whose policy is fail-closed could not do its work. Discard the run. The reason is for logs.
    case unavailable(reason: String, by: PluginIdentifier)
}

/// What the resolvers know of an address.
public enum ResolverOutcome: Sendable, Hashable {
    case unknown
    case resolved([Address], by: PluginIdentifier)
    /// A plug-in whose policy is fail-closed could not do its work. Discard the run. The reason is for logs.
    case unavailable(reason: String, by: PluginIdentifier)
}

/// What became of a call to an extension.
public enum ExtensionOutcome: Sendable, Hashable {
    case answered([UInt8], by: PluginIdentifier)
    case unknownIdentifier
    case notPermitted
    /// The plug-in refused; its effects are dropped.
    case fault(PluginFault, by: PluginIdentifier)
    /// The plug-in that owns the identifier could not do its work, whatever its policy: there is no mail that could pass
    /// without it. The reason is for logs.
    case unavailable(reason: String, by: PluginIdentifier)
}
